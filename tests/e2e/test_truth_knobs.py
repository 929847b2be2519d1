# SPDX-License-Identifier: GPL-2.0-or-later
"""Every knob of the known-answer service under every model that can have it: ioprof's figures against the truth.

Durations in microseconds. Two connections at most work at a time, so that the machine's processors suffice.
"""

import os
import tempfile

import pytest

import ioprof_run
from service_run import Downstream, Service
from truth_compare import (CLOSURE, GUEST, check_everything, check_loop, check_losses, check_parts, check_pool, check_requests,
                           check_service_time, service_of)

BLOCKING = {
    "prefork": ["--processes=2"],
    "threads": ["--threads=2"],
    "acceptor": ["--model=acceptor", "--threads=2"],
}
POOLS = {
    "loop+pool": ["--model=loop+pool", "--threads=4"],
    "loop+pool-writes": ["--model=loop+pool", "--threads=4", "--pool-writes"],
}

# Knob: what the service does per request; {db} and {cache} are downstreams, {disk} is a file.
CALLS = {
    "calls": "--cpu=1000 --call={db},3,4000",
    "calls-poll": "--cpu=1000 --call={db},3,4000 --peer-poll --client-poll",
    "calls-new-connection": "--cpu=1000 --call={db},3,4000 --new-connection",
    "calls-in-pieces": "--cpu=500 --call={db},2,3000 --peer-sends=2 --peer-pieces=3",
    "calls-that-rarely-block": "--cpu=1000 --call={db},20,0",
    "two-peers": "--cpu=500 --call={db},3,2000 --call={cache},2,500-1500",
}
WAITS = {
    "cpu": "--cpu=5000",
    "sleep": "--cpu=500 --sleep=8000",
    "lock-while-sleeping": "--lock-sleep=3000",
    "lock-while-computing": "--sleep=2000 --lock-burn=3000",
    "disk": "--cpu=500 --disk={disk} --disk-reads=8 --disk-bytes=65536",
    "child": "--cpu=500 --child=5000",
    "streamed": "--cpu=500 --chunks=4 --chunk-pause=2000",
    "all": "--cpu=1000 --call={db},2,2000 --sleep=1000 --lock-sleep=500 --disk={disk} --disk-reads=2 --child=1000",
}

# Each request is done in eight parts by a pool inside the service: pool threads wake each other. Alone; more requests
# than the pool can do at once; a pool in each process; a thread that works for nobody beside them, with their lock.
INNER = {
    "inner-alone": (["--threads=4", "--inner=8,8"], 1),
    "inner-full": (["--threads=4", "--inner=4,8"], 4),
    "inner-processes": (["--processes=2", "--inner=8,8"], 2),
    "inner-and-another": (["--threads=4", "--inner=4,8", "--aside=500"], 2),
}
PARTS = {
    "calls": "--cpu=1000 --call={db},1,3000",
    "two-peers-and-lock": "--cpu=1000 --call={db},1,2000 --call={cache},1,500-1500 --lock-burn=100",
}

# Which are run under other kernels too, each time or where there is time for all of it.
VM = {("inner-full", "calls"), ("prefork", "calls-poll"), ("threads", "lock-while-sleeping")}
MATRIX = {("acceptor", "all"), ("loop+pool", "calls")}

# Models that differ from another in how a request comes to its thread, or how its response leaves: of them these knobs are
# run each time, with IOPROF_KNOBS=all each of them.
OFTEN = {
    "acceptor": {"calls", "calls-poll", "lock-while-computing", "child", "all", "slow-sender", "think-poll"},
    "threads": {*CALLS, *WAITS, "slow-reader-unix", "one-connection-per-request", "think"},
    "loop+pool-writes": {"calls", "two-peers", "lock-while-sleeping", "streamed", "all", "slow-reader-tcp", "think"},
}


def is_run(model, knob):
    return GUEST or os.environ.get("IOPROF_KNOBS") == "all" or knob in OFTEN.get(model, [knob])


def cases(models, knobs):
    return [pytest.param(model, knob, id=f"{model}-{knob}",
                         marks=[pytest.mark.vm] * ((model, knob) in VM) + [pytest.mark.matrix] * ((model, knob) in MATRIX))
            for model in models for knob in knobs if is_run(model, knob)]


@pytest.fixture(scope="module")
def db():
    with Downstream("tcp") as downstream:
        yield downstream.address


@pytest.fixture(scope="module")
def cache():
    with Downstream("unix") as downstream:
        yield downstream.address


@pytest.fixture(scope="module")
def disk():
    # Not /tmp, which may be a tmpfs: reads past the page cache need a disk.
    with tempfile.NamedTemporaryFile(dir="/var/tmp", prefix="ioprof-") as file:
        file.write(os.urandom(16 << 20))
        file.flush()
        os.fsync(file.fileno())
        yield file.name


@pytest.fixture
def observe(db, cache, disk):
    """Runs a load on a service under observation: document, truth, client's figures, CPU of all its threads."""
    # So many that a preemption, which moves the kernel's own account of a thread's CPU by a few ms now and then, is
    # a small part of the whole.
    def run(knobs, *args, family="tcp", requests=100 if GUEST else 250, **load_options):
        argv = knobs.format(db=db, cache=cache, disk=disk).split() + list(args)
        with Service(*argv, family=family) as service, ioprof_run.start(service.pid) as prof:
            cpu_s = service.cpu_s()
            load = service.load(requests=requests, **load_options)
            assert load["answered"] == requests
            truth = service.truth(requests)
            return prof.stop(), truth, load, service.cpu_s() - cpu_s

    return run


@pytest.mark.parametrize("model, knob", cases(BLOCKING, CALLS | WAITS))
def test_one_request_per_thread(model, knob, observe):
    doc, truth, load, _ = observe((CALLS | WAITS)[knob], *BLOCKING[model], connections=2)
    check_everything(doc, truth, load)


@pytest.mark.parametrize("model, knob", cases(POOLS, CALLS | WAITS))
def test_pool_behind_a_loop(model, knob, observe):
    doc, truth, load, cpu_s = observe((CALLS | WAITS)[knob], *POOLS[model], connections=2)
    check_pool(doc, truth, load, cpu_s)


@pytest.mark.parametrize("knob, family", [
    pytest.param(knob, family, id=f"{family}-{knob}",
                 marks=[pytest.mark.vm] if (knob, family) == ("calls", "unix") else [])
    for knob in ("calls", "calls-in-pieces", "two-peers", "cpu", "sleep", "streamed") for family in ("tcp", "unix")
])
def test_event_loop(knob, family, observe):
    check_loop(*observe((CALLS | WAITS)[knob], "--model=loop", family=family, requests=400, connections=8))


@pytest.mark.parametrize("model, knob", cases(INNER, PARTS))
def test_pool_inside(model, knob, observe):
    args, connections = INNER[model]
    doc, truth, load, _ = observe(PARTS[knob], *args, requests=60 if GUEST else 120, connections=connections)
    check_parts(doc, truth, load, 8)
    service = service_of(doc)
    assert (sum(peer["operations_outside"] for peer in service["peers"]) > 0) == (model == "inner-and-another")
    assert service["concurrency_model"] == ("prefork" if service["evidence"]["threads_serving"] == service["evidence"][
        "processes_serving"] else "threads")


FAMILIES = [("unix", "unix"), ("tcp", "unix"), ("unix", "tcp"), ("tcp6", "tcp6")]
MATRIX_FAMILIES = {("prefork", "unix", "unix"), ("threads", "tcp6", "tcp6")}
VM_FAMILIES = {("loop+pool-writes", "unix", "unix")}


@pytest.mark.parametrize("model, service_family, peer_family", [
    pytest.param(model, *families, id="-".join((model, *families)),
                 marks=[pytest.mark.vm] * ((model, *families) in VM_FAMILIES) +
                 [pytest.mark.matrix] * ((model, *families) in MATRIX_FAMILIES))
    for model in (*BLOCKING, *POOLS) for families in FAMILIES
])
def test_families(model, service_family, peer_family, observe):
    with Downstream(peer_family) as downstream:
        doc, truth, load, cpu_s = observe(f"--cpu=500 --call={downstream.address},3,3000", *(BLOCKING | POOLS)[model],
                                          family=service_family, connections=2)
    if model in POOLS:
        check_pool(doc, truth, load, cpu_s)
    else:
        check_everything(doc, truth, load)


# The client's share: how it sends and reads.
CLIENTS = {
    "slow-sender": ("--cpu=500", "tcp", dict(body=20000, pieces=5, piece_gap=2000)),
    "slow-sender-poll": ("--cpu=500 --client-poll", "unix", dict(body=20000, pieces=5, piece_gap=2000)),
    "slow-reader-tcp": ("--cpu=500 --response=1000000 --send-buffer=100000", "tcp",
                        dict(read=50000, read_gap=1000, receive_buffer=100000, requests=40 if GUEST else 300)),
    "slow-reader-unix": ("--cpu=500 --response=1000000", "unix", dict(read=50000, read_gap=1000, requests=40 if GUEST else 300)),
    "one-connection-per-request": ("--cpu=1000 --call={db},1,2000 --accept-poll", "tcp", dict(close=True)),
    "think": ("--cpu=1000 --call={db},1,2000", "tcp", dict(think=50000, requests=40 if GUEST else 120)),
    "think-poll": ("--cpu=1000 --call={db},1,2000 --client-poll --peer-poll", "unix", dict(think=50000, requests=40 if GUEST else 120)),
}


@pytest.mark.parametrize("model, client", [
    pytest.param(model, client, id=f"{model}-{client}",
                 marks=[pytest.mark.matrix] if (model, client) == ("prefork", "slow-sender") else [])
    for model in [*BLOCKING, "loop+pool-writes"] for client in CLIENTS
    if is_run(model, client) and
    (model not in POOLS or not client.startswith("slow-sender"))  # there the loop reads the request: below
])
def test_clients(model, client, observe):
    knobs, family, options = CLIENTS[client]
    slow_reader = client.startswith("slow-reader")
    doc, truth, load, cpu_s = observe(knobs, *(BLOCKING | POOLS)[model], family=family, connections=2, **options)
    if model in POOLS:
        check_pool(doc, truth, load, cpu_s, slow_reader)
    else:
        check_everything(doc, truth, load, slow_reader)


@pytest.mark.parametrize("client", ["slow-sender", "slow-reader-unix", "think"])
def test_slow_client_of_a_loop(client, observe):
    knobs, family, options = CLIENTS[client]
    check_loop(*observe(knobs, "--model=loop", family=family, connections=4, **options))


@pytest.mark.matrix
def test_what_comes_after_the_response_is_no_request(observe):
    """CPU and calls after the last byte (access logs, hooks) make the worker busy, not the request longer."""
    doc, truth, load, _ = observe("--cpu=1000 --call={db},1,2000 --after-cpu=3000 --after-calls=2", "--processes=2",
                                  connections=1, think=15000)
    check_everything(doc, truth, load)
    peer = service_of(doc)["peers"][0]
    assert peer["operations_outside"] == 2 * load["answered"]


def test_saturated_pool(observe):
    """More requests than pool threads: those that queue wait in the service's own memory, where nothing shows whose
    turn it is. The counts stay exact, and what cannot be attributed says so instead of going to the wrong request."""
    doc, truth, load, _ = observe("--cpu=500 --call={db},2,2000", *POOLS["loop+pool"], connections=12, requests=400)
    check_losses(doc)
    check_requests(doc, load["answered"])
    check_service_time(doc, truth)
    service = service_of(doc)
    parts = service["per_request"]
    assert sum(parts["wait_s"].values()) + parts["cpu_s"] + parts["run_queue_s"] + parts["overlapped_s"] + \
        parts["unattributed_s"] == pytest.approx(service["service_time_s"]["mean"], rel=1 - CLOSURE)
