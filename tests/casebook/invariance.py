# SPDX-License-Identifier: GPL-2.0-or-later
"""Is the asynchronous capacity that is predicted of a service the same whatever its workers and its load are today?

All numbers of workers run side by side, one of them under load at a time, and are profiled in turns, in another order
each round. What is compared is each prediction over the mean of its round, so that a machine that changes its speed
from one minute to the next does not count as a difference between them; and the same times what a fixed piece of work
took on the service's core meanwhile, so that one that changes it within seconds does not either.
"""

import contextlib
import json
import math
import random
import statistics
import subprocess

import measure
import table
import twins

WORKERS = ((1, 1), (3, 1), (8, 1))  # C, 2 C + 1 and 8 C of the one core
ENOUGH_REQUESTS = 300
FIGURES = {"capacity": lambda row: table.capacity_of(row, "async"),
           "capacity at one speed": lambda row: row["work_s"] * (table.capacity_of(row, "async") or 0),
           "CPU per request": table.cpu_of,
           "kappa": lambda row: (table.advice_of(row).get("kappa") or {}).get("estimate")}


# 10,000 turns of interpreter work, some 0.5 ms, each 20 ms until its input ends: the mean of what they took.
WORK = """
import select, sys, time
sys.path.insert(0, sys.argv[1])
import work
taken = []
while not select.select([sys.stdin], [], [], 0.02)[0]:
    begin = time.thread_time()
    work.burn(10000)
    taken.append(time.thread_time() - begin)
print(sum(taken) / len(taken))
"""


@contextlib.contextmanager
def fixed_work():
    """Done beside the block, ahead of all else on the service's core. Yields a list for the seconds that it took."""
    seconds = []
    argv = twins.pinned(twins.SERVICE_CORE, "/usr/bin/python3", "-B", "-c", WORK, twins.SERVICES)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield seconds
        seconds.append(float(process.communicate()[0]))


def rounds_of(case, variables, args):
    """Rows of predictions, one list per round: of each number of workers at each load."""
    rounds = []
    with contextlib.ExitStack() as stack:
        servers = {workers: stack.enter_context(twins.sync_side(case, workers, variables)) for workers in WORKERS}
        capacities = {}
        for workers, server in servers.items():
            measure.load(server, 1, measure.connections_for(workers))
            capacities[workers] = measure.load(server, args.seconds / 2, measure.connections_for(workers)).per_s
        turns = [(workers, share) for workers in WORKERS for share in case.loads]
        order = random.Random(1)
        for _ in range(args.invariance):
            rows = []
            for workers, share in order.sample(turns, len(turns)):
                rate = share * capacities[workers]
                seconds = round(min(max(ENOUGH_REQUESTS / rate, args.seconds), args.longest), 1)
                with fixed_work() as taken:
                    document, _ = measure.profile(servers[workers], seconds, measure.connections_for(workers), rate, 0,
                                                  list(case.options))
                rows.append({"case": case.name, "workers": workers, "load": share, "document": document,
                             "work_s": taken[0]})
            rounds.append(rows)
    return rounds


def relative(rounds, figure):
    """{(workers, load): ln of the figure over its round's mean, of each round}, of those that have it everywhere."""
    logs = []
    for rows in rounds:
        found = {(tuple(row["workers"]), row["load"]): figure(row) for row in rows}
        logs.append({key: math.log(value) for key, value in found.items() if value})
    everywhere = set.intersection(*map(set, logs))
    means = [statistics.mean(each[key] for key in everywhere) for each in logs] if everywhere else []
    return {key: [each[key] - mean for each, mean in zip(logs, means)] for key in sorted(everywhere)}


def lines_of(case, rounds):
    """Of each figure a table's line per number of workers and load, and how far they lie apart."""
    columns = {name: relative(rounds, figure) for name, figure in FIGURES.items()}
    for key in columns["CPU per request"]:
        cells = [case.name, f"{key[0][0]}x{key[0][1]}", f"{key[1]:.0%}"]
        for found in columns.values():
            cells.append("-" if key not in found else
                         f"{table.percent(statistics.mean(found[key]))} +- {100 * error_of(found[key]):.0f} %")
        yield "| " + " | ".join(cells) + " |"


def error_of(logs):
    """The standard error of their mean."""
    return statistics.stdev(logs) / math.sqrt(len(logs)) if len(logs) > 1 else math.nan


def summary(case, rounds):
    for name, figure in FIGURES.items():
        means = [statistics.mean(logs) for logs in relative(rounds, figure).values()]
        if means:
            yield f"- {case.name}, {name}: largest over smallest {table.percent(max(means) - min(means))}"


def run(case, variables, args):
    rounds = rounds_of(case, variables, args)
    (args.dir / f"{case.name}.invariance.json").write_text(json.dumps(rounds))


def render(directory, cases):
    text, ends = ["| case | workers | load | " + " | ".join(FIGURES) + " |", "|" + "---|" * (3 + len(FIGURES))], []
    for case in cases:
        try:
            rounds = json.loads((directory / f"{case.name}.invariance.json").read_text())
        except FileNotFoundError:
            continue
        text += lines_of(case, rounds)
        ends += summary(case, rounds)
    return "\n".join([*text, "", *ends])
