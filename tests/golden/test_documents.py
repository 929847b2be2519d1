# SPDX-License-Identifier: GPL-2.0-or-later
"""The golden documents against their schema and against docs/json.md: every derived figure follows from the raw ones
as written there, and documents merge by the rules written there."""

import datetime
import itertools
import json
import math
import pathlib
import re

import jsonschema
import pytest

HERE = pathlib.Path(__file__).parent
DOCS = HERE.parent.parent / "docs"
NAMES = sorted(path.stem for path in HERE.glob("*.json"))
WAITS = ["network", "client", "disk", "lock", "sleep", "child", "other"]

# How a number merges, by its name; what is not named here is derived.
ADD = {
    "count", "sum_ns", "duration_ns", "completed", "arrival_unknown", "at_attach", "aborted", "operations", "waits",
    "parallel_ns", "busy_ns", "wall_ns", "overlapped_io_ns", "cpu_total_ns", "cpu_observed_ns", "operations_outside",
    "connections",
    "opened_by_loop", "opened_by_worker", "handed_off", "pool_ns", "own_ns", "runs", "run_ns", "cpu_cpu_s2",
    "wait_wait_s2", "cpu_wait_s2", "quota_periods", "quota_throttled", "throttled_ns", "other_cpu_ns", "cpu_ns", "run_queue_ns",
    "wait_ns", "idle_ns",
}
MAX = {"max_ns", "processes_serving", "threads_serving", "loops", "backlog", "lanes_left_out"}
LAST = {
    "host", "name", "pids", "address", "pid", "tid", "start_time_ns", "cpus", "host_cpus", "process_bytes",
    "shared_bytes", "thread_bytes", "memory_limit_bytes", "memory_available_bytes",
    "environment_variables",
}
OR = {"listens", "loop", "serving", "interpreter_lock"}
# What tells the elements of an array apart.
KEYS = {"peers": ("address",), "programs": ("name",), "lanes": ("tid", "start_time_ns")}


def load(name):
    return json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))


def load_schema():
    return json.loads((DOCS / "ioprof-1.schema.json").read_text(encoding="utf-8"))


def services():
    return [pytest.param(load(name), service, id=f"{name}-{i}")
            for name in NAMES for i, service in enumerate(load(name)["services"])]


def distributions(service):
    yield from (service[name] for name in ("latency_s", "queue_wait_s", "service_time_s"))
    yield from service["parts_s"].values()
    yield from (peer["wait_s"] for peer in service["peers"])


def near(expected):
    return expected if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-15)


def per(a, b):
    return a / b if b else None


# ---- schema ----

@pytest.mark.parametrize("name", NAMES)
def test_valid(name):
    text = (HERE / f"{name}.json").read_text(encoding="utf-8")
    assert text.count("\n") == 1 and text.endswith("\n")
    jsonschema.Draft7Validator(load_schema()).validate(json.loads(text))


def test_schema_is_draft_7():
    jsonschema.Draft7Validator.check_schema(load_schema())


def paths(value, at=()):
    """Every field of an object, however deep, as a path of names; of an array's elements the first stands for all."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield (*at, key)
            yield from paths(child, (*at, key))
    elif isinstance(value, list) and value:
        yield from paths(value[0], (*at, 0))


@pytest.mark.parametrize("path", sorted(set(paths(load("prefork"))), key=str), ids=lambda p: ".".join(map(str, p)))
def test_every_field_is_required(path):
    """The schema knows every field that is written: without it a document is not valid."""
    document = load("prefork")
    parent = document
    for step in path[:-1]:
        parent = parent[step]
    del parent[path[-1]]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(load_schema()).validate(document)


def test_more_fields_may_come():
    document = load("prefork")
    document["new"] = document["services"][0]["new"] = document["losses"]["new"] = 1
    jsonschema.Draft7Validator(load_schema()).validate(document)


@pytest.mark.parametrize("path", sorted(set(paths(load("prefork"))), key=str), ids=lambda p: ".".join(map(str, p)))
def test_every_field_is_documented(path):
    assert str(path[-1]) in (DOCS / "json.md").read_text(encoding="utf-8")


def test_hostile_name_is_kept():
    """Control characters come through escaped, bytes that are no UTF-8 as U+FFFD."""
    assert load("hostile")["services"][0]["name"] == "\x1b[2J\"evil\"\n\ufffd\ufffd(\u202e\u0436\u4e2d\\"


# ---- derived figures ----

def bucket_floor(i):
    return i if i < 16 else (16 + i % 16) * 2 ** (i // 16 - 1)


def quantile(dist, q):
    if not dist["count"]:
        return None
    rank, below = q * dist["count"], 0
    for index, count in dist["buckets"]:
        if below + count >= rank:
            first, last = bucket_floor(index), bucket_floor(index + 1) - 1
            last = dist["max_ns"] if index == 591 else min(last, dist["max_ns"])
            return (first + (last - first) * (rank - below) / count) / 1e9
        below += count
    raise AssertionError("the buckets hold less than count")


@pytest.mark.parametrize("document, service", services())
def test_distributions(document, service):
    for dist in distributions(service):
        assert sum(count for _, count in dist["buckets"]) == dist["count"]
        assert [index for index, _ in dist["buckets"]] == sorted({index for index, _ in dist["buckets"]})
        assert dist["mean"] == near(per(dist["sum_ns"] / 1e9, dist["count"]))
        assert dist["max"] == near(dist["max_ns"] / 1e9 if dist["count"] else None)
        for name, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
            assert dist[name] == near(quantile(dist, q))


@pytest.mark.parametrize("document, service", services())
def test_requests(document, service):
    requests, completed = service["requests"], service["requests"]["completed"]
    duration = document["interval"]["duration_ns"] / 1e9
    assert document["interval"]["duration_s"] == near(duration)
    assert requests["rate_per_s"] == near(completed / duration)
    latency = service["latency_s"]["mean"]
    assert requests["in_flight_mean"] == near(None if latency is None else completed / duration * latency)
    workers = service["workers"]
    assert workers["busy_fraction"] == near(per(workers["busy_ns"], workers["wall_ns"]))
    assert service["cpu_total_s"] == near(service["cpu_total_ns"] / 1e9)

    mean, parts = service["per_request"], service["parts_s"]
    for part in ("cpu", "run_queue", "overlapped", "unattributed"):
        assert mean[f"{part}_s"] == near(per(parts[part]["sum_ns"] / 1e9, completed))
    for wait in WAITS:
        assert mean["wait_s"][wait] == near(per(parts[wait]["sum_ns"] / 1e9, completed))
    assert mean["parallel_s"] == near(per(requests["parallel_ns"] / 1e9, completed))
    assert mean["operations"] == near(per(requests["operations"], completed))
    assert mean["waits"] == near(per(requests["waits"], completed))
    for peer in service["peers"]:
        assert peer["operations_per_request"] == near(per(peer["operations"], completed))
        assert peer["wait_s_per_request"] == near(per(peer["wait_s"]["sum_ns"] / 1e9, completed))


def accounted_ns(service):
    parts = sum(d["sum_ns"] for name, d in service["parts_s"].items() if name != "unattributed")
    return parts - service["requests"]["parallel_ns"]


@pytest.mark.parametrize("document, service", services())
def test_blocking_and_closure(document, service):
    parts, blocking, n = service["parts_s"], service["blocking"], service["requests"]["completed"]
    assert service["closure"] == near(per(accounted_ns(service), service["service_time_s"]["sum_ns"]))
    cpu = parts["cpu"]["sum_ns"] / 1e9
    if not cpu:
        assert blocking["ratio"] is None and blocking["fraction"] is None and blocking["ci95"] == [None, None]
        return
    wait = (sum(parts[p]["sum_ns"] for p in ("network", "sleep", "child")) + service["overlapped_io_ns"]) / 1e9
    ratio, moments = wait / cpu, blocking["moments"]
    assert blocking["ratio"] == near(ratio)
    assert blocking["ratio_loose"] == near(ratio + parts["disk"]["sum_ns"] / 1e9 / cpu)
    assert blocking["fraction"] == near(ratio / (1 + ratio))
    squares = moments["wait_wait_s2"] - 2 * ratio * moments["cpu_wait_s2"] + ratio ** 2 * moments["cpu_cpu_s2"]
    half = 1.959964 * math.sqrt(n / (n - 1) * max(squares, 0)) / cpu
    assert blocking["ci95"] == pytest.approx([max(0, ratio - half), ratio + half], rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_top_level(name):
    document = load(name)
    start = document["interval"]["start_unix_ns"]
    second = datetime.datetime.fromtimestamp(start // 10 ** 9, datetime.timezone.utc)
    assert document["interval"]["start"] == f"{second:%Y-%m-%dT%H:%M:%S}.{start % 10 ** 9:09d}Z"
    whole = sum(s["service_time_s"]["sum_ns"] for s in document["services"])
    assert document["quality"]["closure"] == near(per(sum(map(accounted_ns, document["services"])), whole))
    overhead = document["overhead"]
    cost = sum(program["run_ns"] for program in overhead["programs"]) / 1e9
    assert overhead["probe_cpu_s"] == near(cost if overhead["known"] else None)


# ---- merging ----

def key_of(name, item):
    return tuple(item[part] for part in KEYS[name])


def merge_keyed(name, a, b):
    """Objects of two arrays, those with the same key merged."""
    merged = {}
    for item in itertools.chain(a, b):
        key = key_of(name, item)
        merged[key] = merge(merged[key], item) if key in merged else item
    return [merged[key] for key in sorted(merged)]


def merge_rows(a, b):
    """[key, number...] of both, by key, the numbers of those with the same key added."""
    rows = {}
    for key, *numbers in itertools.chain(a, b):
        rows[key] = [x + y for x, y in zip(rows.get(key, [0] * len(numbers)), numbers)]
    return [[key, *rows[key]] for key in sorted(rows)]


def merge_traces(a, b):
    limit = min(a["limit"], b["limit"])
    kept = sorted((row for row in a["kept"] + b["kept"] if row[0] < limit), key=lambda row: row[0])
    if len(kept) > 256:
        limit, kept = kept[256][0], kept[:256]
    return {"limit": limit, "parts": a["parts"], "kept": kept}


def merge_value(name, a, b):
    if name in KEYS:
        return merge_keyed(name, a, b)
    if name == "services":
        return [merge(x, y) for x, y in zip(a, b)]
    if name in ("buckets", "loads", "pauses"):
        return merge_rows(a, b)
    if name in ("notes", "components"):
        union = list(dict.fromkeys(a + b))
        return union if name == "notes" else sorted(union)
    if name in ("losses", "moments"):
        return {key: a[key] + b[key] for key in a}
    if name == "workers":
        return {**merge(a, b), "count": b["count"], "processes": b["processes"]}
    if name == "traces":
        return merge_traces(a, b)
    if isinstance(a, dict):
        return merge(a, b)
    if name in LAST:
        return a if b is None else b
    if name == "modules_seen":
        return a if b == "none" else b
    if name == "start_unix_ns":
        return min(a, b)
    if name == "known" or name in OR:
        return a or b if name in OR else a and b
    if name in MAX:
        return max(a, b)
    return a + b if name in ADD else None


def merge(a, b):
    """The sum of two documents without what is derived."""
    merged = {name: merge_value(name, a[name], b[name]) for name in a}
    if "blocking_file" in merged:
        longest = max(a, b, key=lambda service: service["blocked"]["disk"]["max_ns"])
        merged["blocking_file"] = longest["blocking_file"]
    return merged


def raw(value, name=None):
    """A document with None for what is derived, and what has a key sorted by it."""
    if name in KEYS:
        return sorted((raw(item) for item in value), key=lambda item: key_of(name, item))
    if name == "services":
        return [raw(item) for item in value]
    if name in ("losses", "moments", "traces"):
        return value
    if isinstance(value, dict):
        keep = ("count", "processes") if name == "workers" else ()
        return {k: v if k in keep else raw(v, k) for k, v in value.items() if k != "per_request"}
    kept = ADD | MAX | LAST | OR | {"buckets", "loads", "pauses", "notes", "components", "start_unix_ns", "known",
                                "blocking_file", "modules_seen"}
    return value if name in kept else None


def with_absolute_traces(document):
    """Traces with start times since 1970 and names for parts and peers, which a merge may renumber."""
    for service in document["services"]:
        traces = service["traces"]
        for row in traces["kept"]:
            row[1] += document["interval"]["start_unix_ns"]
            row[5] = [[traces["parts"][part], ns, *(service["peers"][i]["address"] for i in peer)]
                      for part, ns, *peer in row[5]]
    return document


def without_none(value):
    if isinstance(value, dict):
        return {k: without_none(v) for k, v in value.items() if v is not None}
    return [without_none(v) for v in value] if isinstance(value, list) else value


def test_documents_merge_like_snapshots():
    first, second, merged = (with_absolute_traces(load(f"merge-{name}")) for name in ("first", "second", "sum"))
    expected = without_none(raw(merged))
    merged = without_none(merge(raw(first), raw(second)))
    assert merged == expected


# ---- metrics ----

def test_every_metric_is_documented():
    """docs/monitoring.md lists exactly the metrics there are."""
    exported = set(re.findall(r"^# TYPE (\w+) ", (HERE / "prefork.prom").read_text(encoding="utf-8"), re.M))
    table = (DOCS / "monitoring.md").read_text(encoding="utf-8").split("## Metrics")[1]
    listed = {name for line in table.splitlines() if line.startswith("| `") for name in re.findall(r"`(ioprof_\w+)`", line)}
    assert listed == exported
