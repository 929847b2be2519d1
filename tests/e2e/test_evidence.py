# SPDX-License-Identifier: GPL-2.0-or-later
"""What the advisor stands on beside the sums: sampled requests, load per peer, what blocks a loop, backlog, lanes."""

import math
import statistics
import subprocess

import pytest

import ioprof_run
from service_run import Client, Downstream, Program, Service
from truth_compare import check_losses, service_of

PARTS = ("network", "client", "disk", "lock", "sleep", "child", "other", "cpu", "run_queue", "overlapped", "unattributed")


def observe(*knobs, requests, **load_options):
    """Document and truth of a load on the known-answer service with one downstream, {db}."""
    with Downstream() as db:
        with Service(*(knob.format(db=db.address) for knob in knobs)) as service, ioprof_run.start(service.pid) as prof:
            load = service.load(requests=requests, **load_options)
            assert load["answered"] == requests
            truth = service.truth(requests)
            doc = prof.stop()
    check_losses(doc)
    return doc, truth


class Trace:
    def __init__(self, row):
        self.key, self.start_ns, self.queue_wait_ns, self.wall_ns, self.truncated, self.segments = row

    def ns(self, part):
        return sum(s[1] for s in self.segments if PARTS[s[0]] == part)


def traces_of(doc):
    traces = service_of(doc)["traces"]
    assert tuple(traces["parts"]) == PARTS
    return traces["limit"], [Trace(row) for row in traces["kept"]]


MODELS = {
    "prefork": ["--processes=2"],
    "threads": ["--threads=2"],
    "loop": ["--model=loop"],
    "loop+pool": ["--model=loop+pool", "--threads=2"],
}


@pytest.mark.parametrize("model", MODELS)
def test_traces_tell_the_requests(model):
    """Segments add up to the request, and their means over the sample are those of all requests."""
    doc, _ = observe("--cpu=500", "--call={db},3,2000", *MODELS[model], requests=200, connections=2)
    _, traces = traces_of(doc)
    per_request = service_of(doc)["per_request"]
    assert len(traces) >= 50
    wall = sum(t.wall_ns for t in traces)
    told = sum(s[1] for t in traces for s in t.segments)
    assert not any(t.truncated for t in traces)
    assert told == pytest.approx(wall, rel=0.03)
    if model == "loop+pool":  # where a thread finds its next request waiting, nothing tells whose its work is
        return
    cpu_s = statistics.mean(t.ns("cpu") for t in traces) / 1e9
    # A sample, on machines whose speed changes within seconds.
    assert cpu_s == pytest.approx(per_request["cpu_s"], rel=0.3, abs=50e-6)
    if model == "loop":  # which request a piece of work belongs to is inferred
        return
    network_s = statistics.mean(t.ns("network") for t in traces) / 1e9
    assert network_s == pytest.approx(per_request["wait_s"]["network"], rel=0.1)
    assert all(peer == 0 for t in traces for part, _, *peers in t.segments for peer in peers if PARTS[part] == "network")


def test_sample_is_not_biased_by_length():
    """Half of the time in long requests, one in twenty: the sample has them in the same share."""
    doc, _ = observe("--processes=4", "--call={db},1,200-20000", requests=1200, connections=4)
    limit, traces = traces_of(doc)
    service = service_of(doc)
    assert limit < 1 << 32 and len(traces) <= 256  # it did sample
    walls = [t.wall_ns / 1e9 for t in traces]
    error = statistics.stdev(walls) / math.sqrt(len(walls))
    assert abs(statistics.mean(walls) - service["service_time_s"]["mean"]) < 4.5 * error
    # As many as the limit says, within what chance allows.
    expected = 1200 * limit / (1 << 32)
    assert abs(len(traces) - expected) < 5 * math.sqrt(expected)
    assert all(t.key < limit for t in traces)


def test_few_requests_are_all_kept():
    doc, _ = observe("--processes=2", "--call={db},1,40000", requests=40, connections=2)
    limit, traces = traces_of(doc)
    assert limit == 1 << 32
    # A response may go on: those of the last 20 ms are not yet taken for whole.
    assert 38 <= len(traces) <= 40


def test_long_requests_are_told_to_their_end():
    doc, _ = observe("--processes=2", "--cpu=100", "--call={db},40,300", requests=40, connections=2)
    _, traces = traces_of(doc)
    assert traces and all(len(t.segments) > 64 and not t.truncated for t in traces)
    for t in traces:
        assert sum(s[1] for s in t.segments) == pytest.approx(t.wall_ns, rel=0.05)


def test_long_requests_are_cut():
    doc, _ = observe("--processes=1", "--cpu=100", "--call={db},60,300", "--peer-pieces=3", requests=10, connections=1)
    _, traces = traces_of(doc)
    assert traces and all(len(t.segments) == 256 and t.truncated > 0 for t in traces if t.truncated)
    assert any(t.truncated for t in traces)


@pytest.mark.parametrize("model", MODELS)
def test_load_per_peer(model):
    """Every operation is counted once, with no more in flight than there were clients."""
    doc, truth = observe("--call={db},4,3000", *MODELS[model], requests=100, connections=2)
    peer = service_of(doc)["peers"][0]
    loads = peer["loads"]
    assert sum(n for _, n, _ in loads) == 400
    assert loads[-1][0] <= 2
    latency_s = sum(ns for _, _, ns in loads) / 400 / 1e9
    assert 0.003 <= latency_s <= 0.006
    assert truth["requests"] == 100


def test_answers_that_wait_for_a_processor_are_not_in_flight():
    """Eight workers that compute on one processor, in turns: most of those that have asked have their answer and wait to run.
    An operation finds about as many others as there are by Little's law."""
    with Downstream() as db, Service("--processes=8", "--cpu=1000", f"--call={db.address},1,1000", processor=0) as service:
        with ioprof_run.start(service.pid) as prof:
            load = service.load(requests=400, connections=8)
            loads = service_of(prof.stop())["peers"][0]["loads"]
    assert sum(count for _, count, _ in loads) == 400
    in_flight = sum(ns for _, _, ns in loads) / 1e9 / load["duration_s"]
    assert sum(n * count for n, count, _ in loads) / 400 < 1 + 2 * in_flight


def test_load_does_not_drift():
    """Connections that are closed over an unanswered question do not count for ever: a new one per call."""
    doc, _ = observe("--call={db},2,500", "--new-connection", "--processes=2", requests=300, connections=2)
    loads = service_of(doc)["peers"][0]["loads"]
    assert sum(n for _, n, _ in loads) == 600
    assert loads[-1][0] <= 2


def test_backlog():
    """One worker, eight clients that connect anew each time: the others wait to be accepted."""
    doc, _ = observe("--sleep=5000", "--close", requests=80, connections=8, close=True)
    assert 1 <= service_of(doc)["surroundings"]["backlog"] <= 8


def test_lanes_add_up():
    doc, _ = observe("--cpu=2000", "--call={db},2,2000", "--processes=2", requests=200, connections=2)
    service = service_of(doc)
    serving = [lane for lane in service["lanes"] if lane["serving"]]
    assert len(serving) == 2
    for lane in serving:
        told = sum(lane[f"{part}_ns"] for part in ("cpu", "run_queue", "wait", "idle"))
        assert told == pytest.approx(doc["interval"]["duration_ns"], rel=0.02)
    cpu_s = sum(lane["cpu_ns"] for lane in service["lanes"]) / 1e9
    assert cpu_s == pytest.approx(service["cpu_total_s"], rel=0.01)
    waited_s = 200 * service["per_request"]["wait_s"]["network"]
    assert sum(lane["wait_ns"] for lane in serving) / 1e9 == pytest.approx(waited_s, rel=0.05)


BLOCKING_SERVER = """
import asyncio, socket, sys, time

host, port = sys.argv[1].rsplit(":", 1)
how = sys.argv[2]

def ask():
    with socket.create_connection((host, int(port)), timeout=10 if how == "poll" else None) as db:
        db.sendall(b"reply in 2000 us and 1 pieces\\n")
        db.recv(4096)

async def handle(reader, writer):
    while await reader.readuntil(b"\\r\\n\\r\\n"):
        time.sleep(0.003) if how == "sleep" else ask()
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")

async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    print("listening on %s:%d" % server.sockets[0].getsockname(), flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


class AsyncioServer(Program):
    """An event loop whose handler makes a blocking call: how is "sleep", "receive" or "poll"."""

    def __init__(self, db, how):
        self.process = subprocess.Popen(["/usr/bin/python3", "-c", BLOCKING_SERVER, db.address, how],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.address = self.read_address()


@pytest.mark.parametrize("how, part, least_s", [("sleep", "sleep", 0.003), ("receive", "network", 0.002),
                                                ("poll", "network", 0.002)])
def test_blocking_call_in_a_loop(how, part, least_s):
    """A blocking call in asyncio's loop is found, with its class, its peer and its length."""
    with Downstream() as db, AsyncioServer(db, how) as server, ioprof_run.start(server.pid) as prof:
        with Client(server.address, requests=60, connections=3) as client:
            assert client.result()["answered"] == 60
        doc = prof.stop()
        check_losses(doc)
        service = service_of(doc)
        blocked = service["blocked"][part]
        # The first requests prove the loop.
        assert 50 <= blocked["count"] <= 62
        assert blocked["sum_ns"] / blocked["count"] / 1e9 == pytest.approx(least_s, rel=0.5)
        assert blocked["max_ns"] >= blocked["sum_ns"] / blocked["count"]
        if part == "network":
            assert service["peers"][0]["address"] == db.address
            assert service["peers"][0]["blocked"]["count"] == blocked["count"]
        assert service["concurrency_model"] == "event-loop"


def test_blocking_call_in_a_loop_that_never_sleeps():
    """Attached to when it always has something to do: it never waits in epoll, but for each answer in poll."""
    with Downstream() as db, AsyncioServer(db, "poll") as server, \
            Client(server.address, duration=60000, connections=8) as client:
        with ioprof_run.start(server.pid, args=["-d", 2]) as prof:
            (doc,) = prof.end()
        client.stop()
    check_losses(doc)
    service = service_of(doc)
    n = service["requests"]["completed"]
    assert n > 200
    assert service["concurrency_model"] == "event-loop"
    # The first requests prove the loop.
    assert n - 40 <= service["blocked"]["network"]["count"] <= n + 8
    assert service["blocked"]["network"]["sum_ns"] / n / 1e9 == pytest.approx(0.002, rel=0.5)
    # It is read in the middle of something.
    assert abs(service["peers"][0]["blocked"]["count"] - service["blocked"]["network"]["count"]) <= 1
