# SPDX-License-Identifier: GPL-2.0-or-later
"""Attaching while the service works: what was under way before is not invented, and nothing absurd is reported."""

import os
from pathlib import Path

import pytest

import ioprof_run
from service_run import Downstream, Service, tasks
from truth_compare import CPU_SHARE, CPU_S, GUEST, check_losses, check_wait, service_of

CLOCK_NANOSLEEP = {"x86_64": "230", "aarch64": "115"}[os.uname().machine]

MODELS = {
    "prefork": ["--processes=2"],
    "threads": ["--threads=2"],
    "acceptor": ["--model=acceptor", "--threads=2"],
    "loop": ["--model=loop"],
    "loop+pool": ["--model=loop+pool", "--threads=4"],
}


@pytest.fixture(scope="module")
def db():
    with Downstream("tcp") as downstream:
        yield downstream.address


def durations(service):
    for name in ("latency_s", "queue_wait_s", "service_time_s"):
        yield service[name]
    yield from service["parts_s"].values()
    for peer in service["peers"]:
        yield peer["wait_s"]


@pytest.mark.parametrize("model", [pytest.param(m, marks={"prefork": [pytest.mark.matrix], "loop": [pytest.mark.vm]}.get(m, []))
                                   for m in MODELS])
def test_attach_and_detach_under_load(model, db):
    queue = dict(connections=6, close=True) if model != "loop" else dict(connections=6)
    with Service("--cpu=1000", f"--call={db},3,4000", *MODELS[model]) as service, \
            service.client(duration=60000, **queue) as client:
        ioprof_run.wait_until(lambda: service.read_truth()["requests"] > 20, what="load")
        earliest = service.read_truth()["requests"]
        with ioprof_run.start(service.pid) as prof:
            before = service.read_truth()["requests"]
            service.reset_truth()
            ioprof_run.wait_until(lambda: service.read_truth()["requests"] > 100, what="requests observed")
            truth = service.read_truth()
            doc = prof.stop()
            load = client.stop()
        after = service.read_truth()["requests"]
    found = service_of(doc)
    check_losses(doc)
    # The truth counts requests that began after the reset; ioprof those that ended, from a little before it.
    assert truth["requests"] <= found["requests"]["completed"] + found["requests"]["at_attach"]
    assert found["requests"]["completed"] + found["requests"]["at_attach"] <= before - earliest + after + 6
    assert found["requests"]["arrival_unknown"] <= 6 + 2
    assert found["requests"]["aborted"] == 0
    # Nothing took longer than the client ever waited, but that it may have its answer, and the processor, before the
    # send that gave it returns.
    late = found["parts_s"]["run_queue"]["max"]
    for d in durations(found):
        if d["count"]:
            assert d["max"] <= load["latency_s"]["max"] * 1.001 + late
            assert d["mean"] <= d["max"]
    # All requests are alike, so the means hold although not exactly the same requests were seen; not their CPU in a guest,
    # which emulates the same code the faster the longer it has run.
    per_request, n = found["per_request"], truth["requests"]
    cpu_share = 1 if GUEST else 2 * CPU_SHARE
    if model in ("prefork", "threads", "acceptor"):
        assert per_request["cpu_s"] == pytest.approx(truth["cpu_s"] / n, rel=cpu_share, abs=2 * CPU_S)
    else:  # a loop's own work is some request's too: see check_cpu_of_loop
        assert per_request["cpu_s"] >= truth["cpu_s"] / n * (1 - 2 * CPU_SHARE)
        assert per_request["cpu_s"] <= found["cpu_total_s"] / found["requests"]["completed"] * (1 + 2 * CPU_SHARE)
    # What a loop or its pool did for requests that had begun before, nothing tells from what it does for those after.
    before_attach = 6 * 3 / found["requests"]["completed"] if model.startswith("loop") else 0
    assert per_request["operations"] == pytest.approx(3, abs=0.1 + before_attach)
    if model in ("prefork", "threads", "acceptor"):
        check_wait("network", per_request["wait_s"]["network"], truth["wait_s"]["network"] / n,
                   per_request["run_queue_s"] + 0.02 * truth["wait_s"]["network"] / n)


@pytest.mark.parametrize("knobs, operations", [
    pytest.param("--cpu=1000 --call={db},1,3000", 8, id="calls", marks=pytest.mark.matrix),
    pytest.param("--cpu=500 --call={db},2,2000 --lock-burn=300", 16, id="calls-and-lock"),
])
def test_attach_to_a_pool_that_is_never_idle(knobs, operations, db):
    """Nobody is seen to hand it work: it is known by the parts it has done, and from then on all it does counts."""
    connections = 4
    with Service(*knobs.format(db=db).split(), "--threads=4", "--inner=4,8") as service, \
            service.client(duration=60000, connections=connections) as client:
        ioprof_run.wait_until(lambda: service.read_truth()["requests"] > 20, what="load")
        with ioprof_run.Ioprof(["-p", service.pid, "-i", "1", "--json", "--no-traces"]) as prof:
            def learnt():
                docs = prof.documents()
                return docs and service_of(docs[-1])["requests"]["completed"] >= 20 and not outside(docs[-1])

            ioprof_run.wait_until(learnt, 50, "all pool threads known")
            doc = prof.documents()[-1]
            prof.stop_all()
        client.stop()
    found = service_of(doc)
    check_losses(doc)
    # Those in flight when the interval begins have done a part of their operations before, and the other way round.
    true = operations * found["requests"]["completed"]
    assert abs(found["requests"]["operations"] - true) <= operations * connections
    assert found["concurrency_model"] == "threads"


def outside(doc):
    return sum(peer["operations_outside"] for peer in service_of(doc)["peers"])


def sleeping_in_request(pid):
    """True while a thread of the service is in clock_nanosleep, which it calls for requests only."""
    calls = []
    for task in tasks(pid):
        try:
            calls.append(Path(task, "syscall").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return CLOCK_NANOSLEEP in calls


@pytest.mark.matrix
def test_attach_in_the_middle_of_a_request():
    """The request that was under way is counted apart; the next one on the same connection is whole."""
    sleep_us = 15000000 if GUEST else 1500000
    with Service(f"--sleep={sleep_us}") as service, service.client(requests=2, connections=1) as client:
        ioprof_run.wait_until(lambda: sleeping_in_request(service.pid), what="a request under way")
        with ioprof_run.start(service.pid) as prof:
            assert service.read_truth()["requests"] == 0, "attaching took longer than the request"
            client.result()
            truth = service.truth(2)
            doc = prof.stop()
    found = service_of(doc)
    assert found["requests"]["at_attach"] == 1
    assert found["requests"]["completed"] == 1
    assert found["service_time_s"]["max"] == pytest.approx(truth["service_s"] / 2, rel=0.02)
    assert found["per_request"]["wait_s"]["sleep"] == pytest.approx(truth["wait_s"]["sleep"] / 2, rel=0.02)


def test_detach_in_the_middle_of_a_request():
    """A request without a response yet is not a completed one."""
    with Service("--sleep=700000") as service, ioprof_run.start(service.pid) as prof, \
            service.client(requests=2, connections=1):
        service.truth(1)
        ioprof_run.wait_until(lambda: sleeping_in_request(service.pid), what="the second request under way")
        found = service_of(prof.stop())
    assert found["requests"]["completed"] == 1
    assert found["requests"]["aborted"] == 0
    assert found["service_time_s"]["max"] < 1.0


def test_requests_that_arrived_before_attach():
    """Queued before: served and counted, but their arrival is not known and not invented."""
    with Service("--processes=1", "--sleep=50000", "--close") as service, \
            service.client(requests=40, connections=20, close=True) as client:
        ioprof_run.wait_until(lambda: service.read_truth()["requests"] >= 1, what="load")
        with ioprof_run.start(service.pid) as prof:
            load = client.result()
            service.truth(40)
            found = service_of(prof.stop())
    requests = found["requests"]
    assert 1 <= requests["arrival_unknown"] <= 20
    assert found["queue_wait_s"]["count"] == requests["completed"] - requests["arrival_unknown"]
    assert found["latency_s"]["count"] == requests["completed"] - requests["arrival_unknown"]
    assert found["queue_wait_s"]["max"] <= load["latency_s"]["max"]
    # The last 20 requests each waited for 19 others: an unknown arrival taken as "now" would pull this far down.
    assert found["queue_wait_s"]["p50"] > 0.5


def test_attach_to_an_idle_service(db):
    """Idle keep-alive connections from before attach: the first request on them is whole, the idle time nobody's."""
    with Service("--processes=2", "--cpu=1000", f"--call={db},1,2000") as service, \
            service.client(requests=6, connections=2, think=1000000) as client:
        ioprof_run.wait_until(lambda: service.read_truth()["requests"] == 2, what="the first round")
        service.reset_truth()
        with ioprof_run.start(service.pid) as prof:
            client.result()
            truth = service.truth(4)
            doc = prof.stop()
    found = service_of(doc)
    assert found["requests"]["completed"] + found["requests"]["at_attach"] == 4
    assert found["service_time_s"]["max"] < 0.5
    check_wait("network", found["per_request"]["wait_s"]["network"], truth["wait_s"]["network"] / 4,
               found["per_request"]["run_queue_s"])
