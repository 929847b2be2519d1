# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares predictions with measurements and prints the table of docs/validation.md."""

import json
import math
import statistics

# Measured gains this close to a threshold are on both sides of it: the ratio of two means of some turns is no better.
UNSURE = 1.07
# Of the time that the core of load and downstream was busy while the twin ran: beyond, it may have been the limit.
FULL = 0.95
# The thresholds of the advisor (docs/method.md), applied to what was measured.
WORTH_TUNING, WORTH_MIGRATING, WORTH_BEYOND_TUNED, NO_GAIN = 1.15, 1.30, 1.25, 1.15
ABSTAINS = "not-enough-data"
# CPU per request of today's workers at their capacity, before a profile and after it: further apart, the machine has changed
# its speed.
STEADY = 1.15


def service_of(row):
    services = row["document"]["services"]
    return services[0] if services else {}


def advice_of(row):
    return service_of(row).get("advice") or {}


def estimate(gain):
    """A gain of the document as (estimate, lo, hi), or None."""
    if not gain or gain.get("estimate") is None:
        return None
    return gain["estimate"], gain.get("lo"), gain.get("hi")


def gain_of(row, name):
    return estimate((advice_of(row).get("gain") or {}).get(name))


def tuned_of(row):
    tuned = advice_of(row).get("tuned") or {}
    plan = tuned.get("processes"), tuned.get("threads")
    return plan if all(plan) else None


def capacity_of(row, name):
    """Requests per second now, tuned or async, as predicted; None: it is not."""
    capacity = (advice_of(row).get("capacity_per_s") or {}).get(name)
    return capacity["estimate"] if isinstance(capacity, dict) else capacity


def cpu_of(row):
    """CPU seconds per request, all of the service's; None: no requests."""
    service = service_of(row)
    completed = (service.get("requests") or {}).get("completed")
    return service["cpu_total_s"] / completed if completed else None


def naive_of(row):
    """1 + B as it is commonly computed: all wall time that is not CPU counts as waiting."""
    service = service_of(row)
    cpu = (service.get("per_request") or {}).get("cpu_s")
    wall = (service.get("service_time_s") or {}).get("mean")
    return wall / cpu if cpu and wall else None


def prediction_line(row):
    kappa = estimate(advice_of(row).get("kappa"))
    parts = [f"{name} {interval(gain_of(row, name))}" for name in ("async_over_now", "tuned_over_now", "overlap")]
    return (f"{row['capacity_per_s']:.0f}/s, {service_of(row).get('requests', {}).get('completed')} requests; "
            f"{advice_of(row).get('verdict')}, " + ", ".join(parts) + f", kappa {interval(kappa)}")


def interval(value):
    if not value:
        return "-"
    text = f"{value[0]:.2f}"
    return f"{text} ({value[1]:.2f}-{value[2]:.2f})" if None not in value[1:] else text


def steady(row, found):
    """Whether the machine was as fast while the gains were measured as before the profile. It looks at today's workers
    alone, and at nothing that was predicted."""
    after = mean_cpu(found["now"])
    before = row.get("cpu_before_s", after)
    return max(before, after) <= STEADY * min(before, after)


def mean_per_s(runs):
    """Of equally long ones."""
    return statistics.mean(run["per_s"] for run in runs)


def mean_cpu(runs):
    """Per request of all of them together."""
    return sum(run["cpu_s"] * run["per_s"] for run in runs) / sum(run["per_s"] for run in runs)


class Measured:
    def __init__(self, found):
        now_per_s = mean_per_s(found["now"])
        self.now = mean_per_s(found["twin"]) / now_per_s
        self.cpu_s = mean_cpu(found["now"])
        self.kappa = mean_cpu(found["twin"]) / self.cpu_s
        self.tuned = mean_per_s(found["tuned"]) / now_per_s if found["tuned"] else 1.0
        self.beyond_tuned = self.now / self.tuned
        self.overlap = self.now * self.kappa  # what is left of the gain with today's CPU per request
        self.load_limited = statistics.median(run["other_busy"] for run in found["twin"]) > FULL

    def at_least(self, value, threshold):
        """Whether it is: True, False, or None where it is too close to say."""
        if value >= threshold * UNSURE:
            return True
        return False if value < threshold / UNSURE else None

    def right_verdicts(self):
        """The verdicts that what was measured allows, by the advisor's own rules."""
        gains, tunes = self.at_least(self.now, NO_GAIN), self.at_least(self.tuned, WORTH_TUNING)
        worth, beyond = self.at_least(self.now, WORTH_MIGRATING), self.at_least(self.beyond_tuned, WORTH_BEYOND_TUNED)
        # What only another stack gains is to be had without async: the advisor says do not migrate, or tune the workers,
        # and why.
        waits = self.at_least(self.overlap, NO_GAIN)
        waits_beyond = self.at_least(self.overlap / self.tuned, NO_GAIN)
        right = set()
        if gains is not True or waits is not True:
            right.add("do-not-migrate")
        if tunes is not False and (beyond is not True or waits_beyond is not True):
            right.add("tune-workers")
        if worth is not False and beyond is not False and waits is not False:
            right |= {"migrate", "migrate-split-cpu"}
        sure = (gains is False or waits is False or (tunes and (beyond is False or waits_beyond is False))
                or (worth and beyond and waits))
        if not sure:
            right.add("borderline")
        return right


def judge(case, row, measured):
    """"right", "wrong", or "no verdict" where the advisor said it has too little to go by."""
    verdict = (advice_of(row).get("verdict") or "").split(" ")[0]
    if case.batch or case.idle:
        return "right" if verdict in (ABSTAINS, "do-not-migrate") else "wrong"
    if case.asynchronous:
        return "right" if verdict == "already-async" else "wrong"
    if not verdict or verdict == ABSTAINS:
        return "no verdict"
    return "right" if verdict in measured.right_verdicts() else "wrong"


def again_of(row, how):
    """What the same recording was advised with the twin's own CPU per request ("oracle"), or default costs ("default")."""
    return row[how][0] if row.get(how) else None


def today_of(row):
    """What was simulated at the rate that was profiled, or None."""
    return next((point for point in advice_of(row).get("latency") or [] if point["point"] == "today"), None)


def latency_ratios(row, found):
    """Of p50 and p99, now and on the twin, simulated / measured at the rate that was profiled: {(side, quantile): ratio}."""
    today, seen, ratios = today_of(row) or {}, found.get("latency") or {}, {}
    for side, setup in (("now", "now"), ("twin", "async")):
        for quantile in ("p50_s", "p99_s"):
            simulated = (today.get(setup) or {}).get(quantile)
            if simulated and seen.get(side):
                ratios[side, quantile] = simulated / statistics.median(run[quantile] for run in seen[side])
    return ratios


def error(predicted, measured):
    return math.log(predicted / measured) if predicted and measured else None


def percent(value):
    return "-" if value is None else f"{100 * math.expm1(value):+.0f} %"


def read(directory, case):
    """(row, what was measured of it) for each prediction."""
    try:
        rows, measured, again = (json.loads((directory / f"{case.name}.{name}.json").read_text())
                                 for name in ("predicted", "measured", "again"))
    except FileNotFoundError:
        return []
    return [({**row, **gains}, found) for row, found, gains in zip(rows, measured, again)]


HEAD = ["case", "workers", "load", "predicted async/now", "measured", "error", "CPU profiled/measured", "kappa predicted",
        "kappa measured", "error with measured kappa", "with default costs", "predicted tuned/now", "measured", "error", "1+B",
        "verdict", ""]


def lines_of(case, pairs):
    """(cells, scores) of each row."""
    for row, found in pairs:
        where = row["workers"]
        if case.batch:
            ratio = found["taken_s"]["now"] / found["taken_s"]["twin"]
            cells = [case.name, f"{where[1]} threads", "-", "-", f"{ratio:.2f}", *["-"] * 10,
                     advice_of(row).get("verdict") or "-", judge(case, row, None)]
            yield cells, {"judged": cells[-1], "verdict": cells[-2]}
            continue
        measured = Measured(found)
        now, tuned, kappa = gain_of(row, "async_over_now"), gain_of(row, "tuned_over_now"), estimate(
            advice_of(row).get("kappa"))
        score = {"now": error(now[0], measured.now) if now else None,
                 "tuned": error(tuned[0], measured.tuned) if tuned and found["tuned"] else None,
                 "kappa": error(kappa and kappa[0], measured.kappa),
                 "cpu": error(cpu_of(row), measured.cpu_s),
                 "oracle": error(again_of(row, "oracle"), measured.now),
                 "default": error(again_of(row, "default"), measured.now),
                 "latency": latency_ratios(row, found),
                 "naive": error(naive_of(row), measured.now),
                 "covered": now[1] <= measured.now <= now[2] if now and None not in now else None,
                 "half_width": (now[2] - now[1]) / 2 / now[0] if now and None not in now else None,
                 "judged": judge(case, row, measured), "verdict": advice_of(row).get("verdict"),
                 "beyond_tuned": measured.beyond_tuned, "load_limited": measured.load_limited,
                 "taken": row.get("taken", 1), "steady": steady(row, found)}
        cells = [case.name, f"{where[0]}x{where[1]}", f"{row['load']:.0%}", interval(now),
                 f"{measured.now:.2f}" + " *" * measured.load_limited + " ~" * (not score["steady"]),
                 percent(score["now"]), percent(score["cpu"]), interval(kappa), f"{measured.kappa:.2f}",
                 percent(score["oracle"]), percent(score["default"]), interval(tuned),
                 f"{measured.tuned:.2f}" if found["tuned"] else "-", percent(score["tuned"]),
                 f"{naive_of(row):.1f}" if naive_of(row) else "-", score["verdict"] or "-", score["judged"]]
        yield cells, score


def quantiles(errors):
    """Median and 90 % quantile of |ln(predicted / measured)|."""
    errors = sorted(abs(e) for e in errors if e is not None)
    if not errors:
        return "no rows"
    ninth = errors[min(len(errors) - 1, math.ceil(0.9 * len(errors)) - 1)]
    return f"median {100 * statistics.median(errors):.1f} %, p90 {100 * ninth:.1f} % ({len(errors)} rows)"


def invariance(rows, name):
    """How far the predicted capacities of one service lie apart, over loads and workers: largest / smallest - 1."""
    capacities = [c for c in (capacity_of(row, name) for row in rows) if c]
    return max(capacities) / min(capacities) - 1 if len(capacities) > 1 else None


def latency_lines(rows):
    """How far simulated latencies are off those measured at the same rate."""
    lines = []
    for side in ("now", "twin"):
        for quantile in ("p50_s", "p99_s"):
            errors = [math.log(row[side, quantile]) for row in rows if (side, quantile) in row]
            if errors:
                within = sum(abs(e) <= math.log(1.3) for e in errors) / len(errors)
                lines.append(f"{quantile[:3]} of {side} at the profiled rate: {quantiles(errors)}; within 1.3 times: {within:.0%}")
    return lines


def summary(scores, spreads):
    judged = [s["judged"] for s in scores]
    covered = [s["covered"] for s in scores if s.get("covered") is not None]
    widths = [s["half_width"] for s in scores if s.get("half_width") is not None]
    harmful = sum((s["verdict"] or "").startswith("migrate") and s["beyond_tuned"] < 1.1 for s in scores
                  if s.get("beyond_tuned"))
    free = [s for s in scores if not s.get("load_limited")]
    lines = ["async over now: " + quantiles(s.get("now") for s in scores),
             "the same with the twin's own CPU: " + quantiles(s.get("oracle") for s in scores),
             "both without rows marked * (load and downstream were the limit): " +
             "; ".join(quantiles(s.get(name) for s in free) for name in ("now", "oracle")),
             "the same with default costs: " + quantiles(s.get("default") for s in scores),
             "kappa: " + quantiles(s.get("kappa") for s in scores),
             "CPU per request when profiled, to that when measured: " + quantiles(s.get("cpu") for s in scores),
             "naive 1+B: " + quantiles(s.get("naive") for s in scores),
             "tuned over now, where other workers than today's were advised: " + quantiles(s.get("tuned") for s in scores)]
    lines.append(f"taken again, as the machine had changed its speed meanwhile: {sum(s.get('taken', 1) > 1 for s in scores)} rows, "
                 f"of which marked ~, as it had each time: {sum(not s.get('steady', True) for s in scores)}")
    lines += latency_lines([s["latency"] for s in scores if s.get("latency")])
    if covered:
        lines.append(f"90 % intervals that cover what was measured: {sum(covered) / len(covered):.0%} of {len(covered)}; "
                     f"median half-width {statistics.median(widths):.0%}")
    lines.append(f"verdicts: {judged.count('right')} right, {judged.count('wrong')} wrong, "
                 f"{judged.count('no verdict')} not given, of {len(judged)}; migrate where the gain over tuned was "
                 f"below 1.1: {harmful}")
    lines += [f"spread of the predicted async capacity of {name} over loads and workers: {spread:.0%}"
              for name, spread in spreads.items() if spread is not None]
    return lines


def render(directory, cases):
    text = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    scores, spreads = [], {}
    for case in cases:
        pairs = read(directory, case)
        for cells, score in lines_of(case, pairs):
            text.append("| " + " | ".join(cells) + " |")
            scores.append(score)
        spreads[case.name] = invariance([row for row, _ in pairs], "async")
    return "\n".join([*text, "", *("- " + line for line in summary(scores, spreads))])
