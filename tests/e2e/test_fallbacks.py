# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands in where a kernel lacks something gives the same figures: messages seen as system calls return (set C),
sockets and threads followed in hash maps."""

import pytest

import ioprof_run
from service_run import Downstream, Service
from truth_compare import check_closure, check_losses, check_operations, check_requests, service_of

FALLBACKS = {
    "system-calls": ["--socket-set", "syscall"],
    "threads-in-a-hash": ["--no-task-storage"],
    "both": ["--socket-set", "syscall", "--no-task-storage"],
}

# Name: service, load, family, concurrency model to be found.
SERVICES = {
    "prefork": (["--processes=2"], dict(connections=2), "tcp", "prefork"),
    "threads-queue": (["--threads=3"], dict(connections=6, close=True), "unix", "threads"),
    "loop": (["--model=loop"], dict(connections=8), "tcp", "event-loop"),
    "loop+pool": (["--model=loop+pool", "--threads=6"], dict(connections=4), "tcp", "event-loop+threads"),
}


@pytest.fixture(scope="module")
def db():
    with Downstream("tcp") as downstream:
        yield downstream.address


@pytest.mark.parametrize("fallback", FALLBACKS)
@pytest.mark.parametrize("name", SERVICES)
def test_same_figures(fallback, name, db):
    args, options, family, model = SERVICES[name]
    with Service("--cpu=500", f"--call={db},3,4000", *args, family=family) as service, \
            ioprof_run.start(service.pid, args=FALLBACKS[fallback]) as prof:
        service.load(requests=200, **options)
        truth = service.truth(200)
        doc = prof.stop()
    check_losses(doc)
    check_requests(doc, 200)
    check_operations(doc, truth)
    check_closure(doc)
    found = service_of(doc)
    assert found["concurrency_model"] == model
    assert found["requests"]["arrival_unknown"] == 0
    assert [peer["address"] for peer in found["peers"]] == [db]
