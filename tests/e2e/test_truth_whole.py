# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for the service as a whole: latency as the client sees it, CPU, models, many connections, intervals."""

import os

import pytest

import ioprof_run
from service_run import Downstream, Service, tasks
from truth_compare import (CPU_TOTAL_SHARE, check_closure, check_cpu, check_cpu_of_loop, check_everything, check_latency,
                           check_loop, check_losses, check_operations, check_requests, check_service_time, service_of)


@pytest.fixture(scope="module")
def db():
    with Downstream("tcp") as downstream:
        yield downstream.address


# Name: service, load, concurrency model to be found.
MODELS = {
    "prefork": (["--processes=2"], dict(connections=2), "prefork"),
    "prefork-queue": (["--processes=2", "--close"], dict(connections=4, close=True), "prefork"),
    "threads": (["--threads=3"], dict(connections=3), "threads"),
    "threads-queue": (["--threads=3"], dict(connections=6, close=True), "threads"),
    "acceptor-queue": (["--model=acceptor", "--threads=3"], dict(connections=6, close=True), "threads"),
    "processes-of-threads": (["--processes=2", "--threads=2"], dict(connections=6, close=True), "threads"),
    "loop": (["--model=loop"], dict(connections=8), "event-loop"),
    "loops": (["--model=loop", "--processes=2"], dict(connections=8), "event-loop"),
    "loop+pool": (["--model=loop+pool", "--threads=6"], dict(connections=4), "event-loop+threads"),
    "loop+pool-writes": (["--model=loop+pool", "--threads=6", "--pool-writes"], dict(connections=4),
                         "event-loop+threads"),
}


# Which are run under other kernels too.
VM = {("prefork", "tcp"), ("threads", "unix"), ("acceptor-queue", "tcp"), ("loop", "tcp"), ("loop+pool", "tcp")}


@pytest.mark.parametrize("model, family", [
    pytest.param(model, family, id=f"{model}-{family}", marks=[pytest.mark.vm] if (model, family) in VM else [])
    for model in MODELS for family in ("tcp", "unix")
])
def test_latency_and_model(model, family, db):
    args, options, expected = MODELS[model]
    with Service("--cpu=1000", f"--call={db},3,4000", *args, family=family) as service:
        with ioprof_run.start(service.pid) as prof:
            before = service.cpu_s()
            load = service.load(requests=200, **options)
            truth = service.truth(200)
            doc = prof.stop()
        cpu = service.cpu_s() - before
    check_losses(doc)
    check_requests(doc, 200)
    check_operations(doc, truth)
    if "loop" in model:
        check_cpu_of_loop(doc, truth, cpu)
    else:
        check_cpu(doc, truth)
    check_service_time(doc, truth)
    check_closure(doc)
    check_latency(doc, load, family)
    found = service_of(doc)
    assert found["concurrency_model"] == expected
    assert found["cpu_total_s"] == pytest.approx(cpu, rel=CPU_TOTAL_SHARE)
    assert found["requests"]["aborted"] == 0


@pytest.mark.parametrize("peer", ["tcp", "unix", "tcp6"])
def test_peers_have_their_addresses(peer):
    with Downstream(peer) as one, Downstream(peer) as other, \
            Service("--processes=1", f"--call={one.address},2,1000", f"--call={other.address},1,3000") as service, \
            ioprof_run.start(service.pid) as prof:
        load = service.load(requests=50)
        truth = service.truth(50)
        check_everything(prof.stop(), truth, load)


@pytest.mark.matrix
def test_intervals_add_up(db):
    """With -i, every request is in exactly one document."""
    with Service("--processes=2", "--cpu=500", f"--call={db},2,2000") as service, \
            ioprof_run.start(service.pid, args=["-i", "0.3"]) as prof:
        load = service.load(requests=400, connections=2)
        service.truth(400)
        documents = prof.stop_all()
    assert len(documents) >= 3
    services = [service_of(doc) for doc in documents]
    assert sum(s["requests"]["completed"] for s in services) == load["answered"]
    assert sum(s["requests"]["operations"] for s in services) == 2 * load["answered"]
    for doc in documents[:-1]:
        # A slow machine misses one; none comes early.
        assert doc["interval"]["duration_s"] > 0.2


def max_fd(pid):
    return max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.matrix
def test_many_idle_connections(db):
    """2,000 connections that do nothing before the few that work, whose descriptors are therefore above 1,024."""
    with Service("--model=loop", "--cpu=300", f"--call={db},2,2000") as service, \
            ioprof_run.start(service.pid) as prof, \
            service.client(idle=2000, connections=8, requests=400, hold=True) as client:
        load = client.result()
        assert max_fd(service.pid) > 2000
        check_loop(prof.stop(), service.truth(400), load, service.cpu_s())


def test_many_busy_connections(db):
    """2,000 requests in flight at once on one event loop."""
    with Service("--model=loop", "--cpu=50", f"--call={db},1,100000") as service, \
            ioprof_run.start(service.pid) as prof, \
            service.client(connections=2000, requests=6000, hold=True) as client:
        load = client.result()
        doc = prof.stop()
        check_loop(doc, service.truth(6000), load, service.cpu_s())
    check_latency(doc, load)


@pytest.mark.parametrize("model", [
    pytest.param(["--processes=2"], id="prefork", marks=pytest.mark.matrix), pytest.param(["--threads=2"], id="threads"),
])
def test_high_descriptors_while_blocking(model, db):
    """The class of a wait comes from the descriptor the system call names; above 1,024 the table has grown."""
    with Service("--open-files=3000", "--cpu=500", f"--call={db},3,3000", "--peer-poll", *model) as service, \
            ioprof_run.start(service.pid) as prof:
        load = service.load(requests=60, connections=2)
        truth = service.truth(60)
        doc = prof.stop()
        assert all(max_fd(pid) > 3000 for pid in service.pids())
    check_everything(doc, truth, load)


def test_threads_that_do_nothing_cost_no_figures(db):
    """200 threads, two of which work."""
    with Service("--threads=200", "--cpu=1000", f"--call={db},3,3000") as service:
        ioprof_run.wait_until(lambda: len(tasks(service.pid)) > 200, what="200 threads")
        with ioprof_run.start(service.pid) as prof:
            load = service.load(requests=100, connections=2)
            truth = service.truth(100)
            doc = prof.stop()
    check_everything(doc, truth, load)
    assert service_of(doc)["requests"]["in_flight_mean"] < 2.1
