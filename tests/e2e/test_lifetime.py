# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes, descriptors and sockets that come and go under observation: nothing is lost, nothing inherited."""

import os
import signal

import pytest

import bpf_info
import ioprof_run
from service_run import Downstream, Service
from truth_compare import (GUEST, check_closure, check_cpu, check_everything, check_losses, check_operations,
                           check_requests, check_service_time, check_waits, service_of)


@pytest.fixture(scope="module")
def db():
    with Downstream("tcp") as downstream:
        yield downstream.address


@pytest.mark.parametrize("close", [pytest.param(True, id="close", marks=pytest.mark.matrix),
                                   pytest.param(False, id="keep-alive")])
def test_worker_dies_in_a_request(close, db):
    """Its request is given up, not completed; its successor is observed from its first request on."""
    with Service("--processes=2", "--die-at=30", "--cpu=1000", f"--call={db},2,2000") as service, \
            ioprof_run.start(service.pid) as prof:
        load = service.load(requests=100, connections=2, close=close)
        assert (load["answered"], load["failed"]) == (99, 1)
        truth = service.truth(99)
        doc = prof.stop()
        pids = service.pids()
    check_everything(doc, truth, load)
    assert service_of(doc)["requests"]["aborted"] == 1
    assert sorted(service_of(doc)["pids"]) == sorted(pids)


def test_idle_worker_is_replaced(db):
    with Service("--processes=2", "--cpu=1000", f"--call={db},2,2000") as service, \
            ioprof_run.start(service.pid) as prof:
        first = service.load(requests=50, connections=2)
        service.truth(50)  # a worker records a request after its response: not to be killed in between
        workers = set(service.pids()) - {service.pid}
        victim = min(workers)
        os.kill(victim, signal.SIGKILL)
        ioprof_run.wait_until(lambda: victim not in service.pids() and len(service.pids()) == 3, what="a new worker")
        second = service.load(requests=50, connections=2)
        truth = service.truth(100)
        doc = prof.stop()
    check_everything(doc, truth, {"answered": first["answered"] + second["answered"]})
    assert service_of(doc)["requests"]["aborted"] == 0
    assert victim not in service_of(doc)["pids"]


@pytest.mark.vm
def test_exec_under_observation(db):
    """The process replaces itself between two requests: same process, same service, nothing of the old program."""
    with Service("--exec-at=40", "--close", "--cpu=1000", f"--call={db},2,2000") as service, \
            ioprof_run.start(service.pid) as prof:
        load = service.load(requests=100, connections=2, close=True)
        truth = service.truth(100)
        doc = prof.stop()
    check_everything(doc, truth, load)
    assert service_of(doc)["pids"] == [service.pid]


def test_children_for_every_request():
    """200 processes forked, exec'd and ended under observation: none stays, none is a request's."""
    with Service("--threads=2", "--child=1000") as service, ioprof_run.start(service.pid) as prof:
        load = service.load(requests=200, connections=2)
        truth = service.truth(200)
        doc = prof.stop()
    check_everything(doc, truth, load)
    assert service_of(doc)["pids"] == [service.pid]


MODELS = {
    "prefork": ["--processes=2"],
    "threads": ["--threads=2"],
    "acceptor": ["--model=acceptor", "--threads=2"],
}


@pytest.mark.parametrize("model, family", [
    pytest.param(model, family, id=f"{model}-{family}",
                 marks={("prefork", "tcp"): [pytest.mark.vm], ("threads", "unix"): [pytest.mark.matrix]}.get((model, family), []))
    for model in MODELS for family in ("tcp", "unix")
])
def test_descriptors_and_sockets_are_reused(model, family):
    """Each connection lives for one message, and the descriptor and the socket's memory of a connection to a peer is the
    next one's from a client."""
    n = 300 if GUEST else 3000
    with Downstream(family) as downstream, \
            Service("--new-connection", "--close", f"--call={downstream.address},2,0", "--after-calls=1", *MODELS[model],
                    family=family) as service, \
            ioprof_run.start(service.pid) as prof:
        load = service.load(requests=n, connections=4, close=True)
        assert load["failed"] == 0
        truth = service.truth(n)
        doc = prof.stop()
    found = service_of(doc)
    check_losses(doc)
    check_requests(doc, load["answered"])
    check_operations(doc, truth)
    check_cpu(doc, truth)
    check_waits(doc, truth)
    check_service_time(doc, truth)
    assert found["requests"]["aborted"] == 0
    assert found["peers"][0]["operations_outside"] == n
    assert found["service_time_s"]["max"] <= load["latency_s"]["max"]


def test_service_ends(db):
    """The end of the service ends ioprof, with its report."""
    with Service("--processes=2", "--cpu=500", f"--call={db},1,1000") as service:
        with ioprof_run.start(service.pid) as prof:
            load = service.load(requests=50, connections=2)
            service.process.terminate()
            documents = prof.end()
    assert len(documents) == 1
    check_requests(documents[0], load["answered"])
    check_closure(documents[0])


def test_duration_ends_it(db):
    with Service("--processes=1", "--cpu=500", f"--call={db},1,1000") as service, \
            ioprof_run.start(service.pid, args=["-d", "1"]) as prof:
        documents = prof.end()
    assert len(documents) == 1
    assert documents[0]["interval"]["duration_s"] > 0.99


@pytest.mark.parametrize("sig", [pytest.param(signal.SIGINT, marks=pytest.mark.vm), signal.SIGTERM])
def test_nothing_stays_in_the_kernel(sig):
    with Service("--processes=1") as service, ioprof_run.start(service.pid) as prof:
        held = ioprof_run.bpf_objects(prof.pid)
        assert all(held.values())
        prof.stop(sig)
        # The kernel frees them after a grace period.
        ioprof_run.wait_until(lambda: not bpf_info.left(held), what="the end of all programs, maps and links")


def test_two_services_side_by_side(db):
    """Each -p is a service of its own, and one of them may be the other's downstream."""
    with Service("--processes=1", "--cpu=1000", f"--call={db},1,2000") as back, \
            Service("--processes=2", "--cpu=500", f"--call={db},2,2000") as front, \
            ioprof_run.start(back.pid, front.pid) as prof:
        back.load(requests=40)
        front.load(requests=60, connections=2)
        back.truth(40)
        front.truth(60)
        services = prof.stop()["services"]
    assert [s["pids"][0] for s in services] == [back.pid, front.pid]
    assert [s["requests"]["completed"] for s in services] == [40, 60]
    assert [s["requests"]["operations"] for s in services] == [40, 120]
