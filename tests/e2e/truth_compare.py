# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares a document of ioprof with the truth the known-answer service recorded: the tolerances, once.

The service records a wait as the wall time of a call less the CPU the call took, so it holds the time the thread was
runnable but not running. ioprof keeps that apart: its wait <= truth <= its wait + its run queue.
"""

import functools
import os
from pathlib import Path

import pytest

# In a guest (tests/vm) the processors are emulated on one of the host's, and system calls take some twenty times as long;
# so does what lies between the service's clock and ioprof's. Only times get this; counts stay exact.
GUEST = bool(os.environ.get("IOPROF_GUEST"))

CPU_SHARE, CPU_S = (0.1, 500e-6) if GUEST else (0.03, 80e-6)
WAIT_SHARE, WAIT_S = 0.02, 1e-3 if GUEST else 100e-6
LATENCY_SHARE, LATENCY_S = (0.1, 5e-3) if GUEST else (0.03, 0)
CPU_TOTAL_SHARE = 0.05 if GUEST else 0.01
CLOSURE = 0.99

CLASSES = ("network", "client", "disk", "lock", "sleep", "child")


def service_of(doc):
    assert len(doc["services"]) == 1
    return doc["services"][0]


def approx_cpu(s):
    return pytest.approx(s, rel=CPU_SHARE, abs=CPU_S)


def wait_tolerance(s):
    return max(WAIT_SHARE * s, WAIT_S)


# What the kernel itself skips: a program of an interrupt above one that runs already; before 6.2, storage that the one
# below is using. ioprof can only count it.
SKIPPED_BY_KERNEL = {"recursion", "busy"}


def preempted(doc):
    """Whether this kernel can preempt the programs that see messages (Linux 7.0). Emulated, they take twenty times as long,
    and so are preempted as often."""
    return any(program["name"] == "on_recv_first" for program in doc["overhead"]["programs"])


def skipped_at_most(doc):
    """A few, or one event in 5,000; where messages can be preempted, in 500."""
    share = 500 if preempted(doc) else 5000
    return max(3, sum(program["runs"] for program in doc["overhead"]["programs"]) // share)


def check_count(doc, found, n, per_message=1):
    """Exactly n. Where messages can be preempted: less by no more than the losses tell, each of which may be of a message
    that so many counts hang on."""
    lacking = doc["losses"]["recursion"] * per_message if preempted(doc) else 0
    assert n - lacking <= found <= n


def check_losses(doc):
    most = skipped_at_most(doc)
    lost = {name: n for name, n in doc["losses"].items() if n > (most if name in SKIPPED_BY_KERNEL else 0)}
    assert not lost, doc["losses"]


def check_closure(doc):
    assert doc["quality"]["closure"] >= CLOSURE, service_of(doc)["per_request"]


def check_nothing_twice(doc):
    """Where one thread works on a request at a time, no time can be counted for two."""
    assert service_of(doc)["per_request"]["parallel_s"] == 0


def check_requests(doc, n):
    check_count(doc, service_of(doc)["requests"]["completed"], n)


def check_operations(doc, truth):
    """Operations, in all and by peer, exactly."""
    service = service_of(doc)
    true = {peer["address"]: peer["operations"] for peer in truth["peers"] if peer["operations"]}
    found = {peer["address"]: peer["operations"] for peer in service["peers"]}
    each = -(-sum(true.values()) // truth["requests"])
    check_count(doc, service["requests"]["operations"], sum(true.values()), each)
    assert service["per_request"]["operations"] == pytest.approx(
        service["requests"]["operations"] / service["requests"]["completed"])
    assert found.keys() == true.keys()
    for address, n in true.items():
        check_count(doc, found[address], n, each)


def cpu_tolerance(truth, cpu_s):
    """Of that much per request: what the hypervisor took is known, but not whether of a request or of what lies between."""
    return max(CPU_SHARE * cpu_s, CPU_S) + truth["stolen_s"] / truth["requests"]


def check_cpu(doc, truth, parts=1):
    true = truth["cpu_s"] / truth["requests"]
    tolerance = cpu_tolerance(truth, true) + CPU_S * (parts - 1)
    assert service_of(doc)["per_request"]["cpu_s"] == pytest.approx(true, abs=tolerance)


def check_cpu_of_loop(doc, truth, all_cpu_s):
    """A loop's own work between two events (epoll, queues) is some request's, but the service does not know whose: the
    CPU of its steps is the least, all CPU of its threads is the most."""
    found, n = service_of(doc)["per_request"]["cpu_s"], truth["requests"]
    tolerance = cpu_tolerance(truth, found)
    assert truth["cpu_s"] / n - tolerance <= found <= all_cpu_s / n + tolerance, \
        f"found {found:.6f} s, steps {truth['cpu_s'] / n:.6f} s, all {all_cpu_s / n:.6f} s"


def check_wait(name, found, true, run_queue):
    tolerance = wait_tolerance(true)
    assert found - tolerance <= true <= found + run_queue + tolerance, \
        f"{name}: found {found:.6f} s, truth {true:.6f} s, run queue {run_queue:.6f} s"


def check_waits(doc, truth, slow_reader=False):
    """Each class of wait, and all of them together."""
    per_request = service_of(doc)["per_request"]
    n = truth["requests"]
    # What the thread lost after it had handed over the last byte is in the call, and so in the truth, but not in the
    # request any more. A slow reader makes it wait before that.
    after = 0 if slow_reader else truth["last_send_s"] / n
    for name in CLASSES:
        check_wait(name, per_request["wait_s"][name], truth["wait_s"][name] / n,
                   per_request["run_queue_s"] + (after if name == "client" else 0))
    check_wait("other", per_request["wait_s"]["other"], 0, 0)
    check_wait("all", sum(per_request["wait_s"].values()), sum(truth["wait_s"].values()) / n,
               per_request["run_queue_s"] + after)


def check_peers(doc, truth):
    """The mean wait per operation with each peer."""
    service = service_of(doc)
    found = {peer["address"]: peer["wait_s"]["mean"] for peer in service["peers"]}
    for peer in truth["peers"]:
        if peer["operations"]:
            check_wait(peer["address"], found[peer["address"]], peer["wait_s"] / peer["operations"],
                       service["per_request"]["run_queue_s"])


def check_service_time(doc, truth, slow_reader=False):
    n = truth["requests"]
    after = 0 if slow_reader else truth["last_send_s"] / n
    check_wait("service time", service_of(doc)["service_time_s"]["mean"], truth["service_s"] / n, after)


@functools.cache
def kernel_shows_arrivals():
    """Whether it has the event sk_data_ready (Linux 6.3). Without, it shows arrivals over TCP only."""
    return b"\0btf_trace_sk_data_ready\0" in Path("/sys/kernel/btf/vmlinux").read_bytes()


def check_latency(doc, load, family="tcp"):
    """Queue wait + service time against what the client saw; and what was in flight on average (Little): what the
    client kept in flight, over the same time."""
    service = service_of(doc)
    if family == "unix" and not kernel_shows_arrivals():
        check_no_latency(doc)
        return
    found = service["queue_wait_s"]["mean"] + service["service_time_s"]["mean"]
    assert found == pytest.approx(load["latency_s"]["mean"], rel=LATENCY_SHARE, abs=LATENCY_S)
    # Latency and queue wait are of those whose arrival was seen, service time of all. Kernels before 6.2 skip a few.
    unseen = service["requests"]["arrival_unknown"]
    assert unseen <= (skipped_at_most(doc) if GUEST else 0)
    assert service["latency_s"]["mean"] == pytest.approx(found, rel=LATENCY_SHARE if unseen else 1e-6)
    in_flight = service["requests"]["in_flight_mean"] * doc["interval"]["duration_s"]
    assert in_flight == pytest.approx(load["latency_s"]["mean"] * load["answered"], rel=LATENCY_SHARE,
                                      abs=LATENCY_S * load["answered"])


def check_no_latency(doc):
    """What needs the arrivals is null, not 0 and not made up, and a note says why."""
    service = service_of(doc)
    for name in ("latency_s", "queue_wait_s"):
        assert service[name]["count"] == 0
        assert [service[name][figure] for figure in ("mean", "p50", "p90", "p99", "max")] == [None] * 5
    assert service["requests"]["arrival_unknown"] == service["requests"]["completed"]
    assert service["requests"]["in_flight_mean"] is None
    assert any("AF_UNIX" in note and "no queue wait and no latency" in note for note in doc["notes"]), doc["notes"]


def check_everything(doc, truth, load, slow_reader=False):
    """All that holds for a service whose threads each work on one request at a time."""
    check_losses(doc)
    check_requests(doc, load["answered"])
    check_operations(doc, truth)
    check_cpu(doc, truth)
    check_waits(doc, truth, slow_reader)
    check_peers(doc, truth)
    check_service_time(doc, truth, slow_reader)
    check_closure(doc)
    check_nothing_twice(doc)


def check_pool(doc, truth, load, all_cpu_s, slow_reader=False):
    """The same where an event loop hands the requests to a pool of threads."""
    check_losses(doc)
    check_requests(doc, load["answered"])
    check_operations(doc, truth)
    check_cpu_of_loop(doc, truth, all_cpu_s)
    check_waits(doc, truth, slow_reader)
    check_peers(doc, truth)
    check_service_time(doc, truth, slow_reader)
    check_closure(doc)


def check_parts(doc, truth, load, parts):
    """The same where the thread that reads a request waits for others that do its parts side by side: its waiting is
    theirs, and theirs for a lock may be, too. Of each part the service's clock leaves out its handing over."""
    check_losses(doc)
    check_requests(doc, load["answered"])
    check_operations(doc, truth)
    check_cpu(doc, truth, parts)
    per_request, n = service_of(doc)["per_request"], truth["requests"]
    for name in CLASSES:
        if name != "lock":
            check_wait(name, per_request["wait_s"][name], truth["wait_s"][name] / n, per_request["run_queue_s"])
    check_peers(doc, truth)
    check_service_time(doc, truth)
    check_closure(doc)


def check_loop(doc, truth, load, all_cpu_s):
    """The same where one thread serves many requests at once: what is neither CPU nor run queue is waiting, whether or
    not the loop served others meanwhile."""
    per_request, n = service_of(doc)["per_request"], truth["requests"]
    check_losses(doc)
    check_requests(doc, load["answered"])
    check_operations(doc, truth)
    check_cpu_of_loop(doc, truth, all_cpu_s)
    check_service_time(doc, truth)
    check_closure(doc)
    check_wait("waiting", sum(per_request["wait_s"].values()) + per_request["overlapped_s"],
               (truth["service_s"] - per_request["cpu_s"] * n) / n,
               per_request["run_queue_s"] + truth["last_send_s"] / n)
