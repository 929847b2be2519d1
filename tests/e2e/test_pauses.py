# SPDX-License-Identifier: GPL-2.0-or-later
"""How long processes pause before requests, and the CPU of these: against what the load leaves them."""

import contextlib
import socket
import subprocess

import pytest

import ioprof_run
from service_run import Client, Downstream, Program, Service
from truth_compare import GUEST, check_count, check_losses, check_requests, service_of

CPU_SHARE = 0.2 if GUEST else 0.03
TIME_SHARE = 0.1 if GUEST else 0.05

# Where rows begin (bpf/pause.h).
FLOORS = [0, 1, *(1 << bit for bit in range(17, 28))]


class Pauses:
    """The rows of a document's one service, each within its bounds."""

    def __init__(self, doc):
        self.rows = service_of(doc)["pauses"]
        for floor, requests, sum_ns, cpu_ns, squares in self.rows:
            row = FLOORS.index(floor)
            assert floor * requests <= sum_ns
            if row == 0:
                assert sum_ns == 0
            elif row + 1 < len(FLOORS):
                assert sum_ns < FLOORS[row + 1] * requests
            # A mean of squares is no less than the square of the mean; durations are cut before they are squared.
            assert squares >= 0.99 * (cpu_ns / 1e9) ** 2 / requests
        self.requests = sum(row[1] for row in self.rows)
        self.sum_s = sum(row[2] for row in self.rows) / 1e9
        self.cpu_s = sum(row[3] for row in self.rows) / 1e9
        self.squares = sum(row[4] for row in self.rows)

    def at_least(self, ns):
        """How many requests began after a pause of so long or more, where a row begins."""
        assert ns in FLOORS
        return sum(row[1] for row in self.rows if row[0] >= ns)


@contextlib.contextmanager
def observed(*knobs):
    """A service on which the block puts its load, and a function that ends its observation: the document."""
    with Downstream() as db, Service(*(knob.format(db=db.address) for knob in knobs)) as service, \
            ioprof_run.start(service.pid) as prof:
        def stop():
            doc = prof.stop()
            check_losses(doc)
            return doc

        yield service, stop


def observe(*knobs, requests, **load_options):
    """Document and client's figures of a load."""
    with observed(*knobs) as (service, stop):
        load = service.load(requests=requests, **load_options)
        assert load["answered"] == requests
        service.truth(requests)
        return stop(), load


def check_counted(doc, without):
    """All requests but so many, exactly."""
    check_count(doc, Pauses(doc).requests, service_of(doc)["requests"]["completed"] - without)


def cpu_of_workers_s(doc):
    return sum(lane["cpu_ns"] for lane in service_of(doc)["lanes"] if lane["serving"]) / 1e9


MODELS = {
    "prefork": (["--processes=2"], {}),
    "threads": (["--threads=2"], {}),
    "acceptor": (["--model=acceptor", "--threads=2"], {}),
    "processes-with-threads": (["--processes=2", "--threads=2"], {"connections": 4}),
    "new-connections": (["--processes=2", "--close"], {"connections": 4, "close": True}),
    "streamed": (["--processes=2", "--chunks=4", "--chunk-pause=1000"], {}),
    "after-the-response": (["--processes=2", "--after-cpu=500", "--after-calls=1"], {"think": 4000}),
    "think": (["--threads=2"], {"think": 4000}),
    "two-reads": (["--processes=2"], {"body": 20000, "pieces": 3, "piece_gap": 1000}),
}


@pytest.mark.parametrize("model", [pytest.param(name, marks=[pytest.mark.matrix] if name == "prefork" else []) for name in MODELS])
def test_every_request_but_the_first_counts(model):
    """Each thread's first has none before it. All CPU of these threads since is some request's."""
    args, options = MODELS[model]
    n = 150 if GUEST else 400
    doc, load = observe("--cpu=800", "--call={db},1,1000", *args, requests=n, **{"connections": 2, **options})
    check_requests(doc, load["answered"])
    threads = service_of(doc)["evidence"]["threads_serving"]
    check_counted(doc, threads)
    pauses = Pauses(doc)
    assert pauses.cpu_s == pytest.approx(cpu_of_workers_s(doc) * (n - threads) / n, rel=CPU_SHARE)
    assert pauses.cpu_s >= 0.97 * service_of(doc)["per_request"]["cpu_s"] * (n - threads)
    if model == "after-the-response":
        assert pauses.cpu_s >= (service_of(doc)["per_request"]["cpu_s"] + 400e-6) * (n - threads)


def test_worker_that_never_sleeps():
    """More clients than it can serve: as it has answered one, the next one is there."""
    doc, load = observe("--processes=1", "--cpu=2000", "--close", requests=200, connections=8, close=True)
    pauses = Pauses(doc)
    check_counted(doc, 1)
    assert pauses.at_least(1) <= 0.1 * load["answered"]
    assert pauses.sum_s <= 0.1 * load["duration_s"]


@pytest.mark.matrix
def test_client_that_thinks():
    """The time between requests is what is left of the load's when these are taken out of it."""
    doc, load = observe("--processes=1", "--cpu=1000", requests=120, think=5000)
    service, pauses = service_of(doc), Pauses(doc)
    check_counted(doc, 1)
    left_s = load["duration_s"] - service["service_time_s"]["sum_ns"] / 1e9
    assert left_s >= 119 * 5e-3
    assert pauses.sum_s == pytest.approx(left_s, rel=TIME_SHARE)
    # Not all: what preempts the worker after its answer has left lies between.
    assert pauses.at_least(1 << 22) >= 0.9 * 119


def test_random_arrivals():
    """Some find it at work and others after long; rows tell them apart, their sums add up."""
    doc, load = observe("--processes=1", "--cpu=1000-3000", requests=400, connections=1, rate=200000)
    service, pauses = service_of(doc), Pauses(doc)
    check_counted(doc, 1)
    left_s = load["duration_s"] - service["service_time_s"]["sum_ns"] / 1e9
    assert pauses.sum_s <= left_s * 1.01
    assert len(pauses.rows) >= 3
    # From 1 to 3 ms, evenly: each row's mean and the variance are theirs, too.
    for _, requests, _, cpu_ns, _ in pauses.rows:
        assert cpu_ns / requests >= 0.9e6
    mean_s = pauses.cpu_s / pauses.requests
    assert pauses.squares / pauses.requests - mean_s ** 2 >= 0.6 * (2e-3) ** 2 / 12


@pytest.mark.parametrize("model, together", [("--threads=2", True), ("--processes=2", False)])
def test_pause_is_of_the_process(model, together):
    """One client asks seldom. The thread that it finds asleep has not paused if another in its process runs."""
    long_ns = 1 << 24
    with observed(model, "--cpu=500") as (service, stop):
        with Client(service.address, duration=60000) as busy:
            # Its connection takes one worker, so that of the other client takes the other.
            ioprof_run.wait_until(lambda: service.read_truth()["requests"] > 10, what="the busy client's requests")
            with Client(service.address, requests=40, think=25000) as seldom:
                assert seldom.result()["answered"] == 40
            n = busy.stop()["answered"] + 40
        service.truth(n)
        doc = stop()
    check_requests(doc, n)
    check_counted(doc, 2)
    found = Pauses(doc).at_least(long_ns)
    assert found <= 10 if together else found >= 37


@pytest.mark.parametrize("args", [["--model=loop"], ["--model=loop+pool", "--threads=4"],
                                  ["--model=loop+pool", "--threads=4", "--pool-writes"]], ids=lambda args: "".join(args))
def test_event_loops_have_none(args):
    doc, load = observe("--cpu=500", "--call={db},2,1000", *args, requests=100, connections=4)
    check_requests(doc, load["answered"])
    assert service_of(doc)["pauses"] == []


def test_program_that_begins_anew():
    """What a process takes to become another program is no request's."""
    with observed("--exec-at=40", "--close", "--cpu=1000") as (service, stop):
        load = service.load(requests=100, connections=2, close=True)
        assert load["answered"] == 100
        service.truth(100)
        doc = stop()
    check_counted(doc, 2)


TWO_AT_ONCE = """
import socket, time

server = socket.create_server(("127.0.0.1", 0))
print("listening on %s:%d" % server.getsockname(), flush=True)
client = server.accept()[0]
while client.recv(4):
    until = time.thread_time() + 0.002
    while time.thread_time() < until:
        pass
    client.sendall(b"done")
"""


class TwoAtOnce(Program):
    """Each four bytes are a request, of 2 ms of CPU."""

    def __init__(self):
        self.process = subprocess.Popen(["/usr/bin/python3", "-c", TWO_AT_ONCE], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.address = self.read_address()


def test_requests_sent_two_at_once():
    """The second, which had come before the first was answered, shows to be one by its answer: its CPU counts once."""
    n = 100
    with TwoAtOnce() as server, ioprof_run.start(server.pid) as prof:
        host, port = server.address.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as client:
            for _ in range(n // 2):
                client.sendall(b"ask1ask2")
                answers = b""
                while len(answers) < 8:
                    answers += client.recv(8)
            doc = prof.stop()
    check_losses(doc)
    check_requests(doc, n)
    check_counted(doc, 1)
    assert Pauses(doc).cpu_s == pytest.approx(cpu_of_workers_s(doc) * (n - 1) / n, rel=CPU_SHARE)


def test_intervals_add_up():
    """Each interval's are its own."""
    with Service("--processes=2", "--cpu=1000") as service, \
            ioprof_run.start(service.pid, args=["--interval", "1"]) as prof:
        load = service.load(requests=400, connections=2, think=4000)
        service.truth(400)
        documents = prof.stop_all()
    assert load["answered"] == 400
    assert len(documents) >= 2
    for doc in documents:
        check_losses(doc)
    completed = sum(service_of(doc)["requests"]["completed"] for doc in documents)
    counted = sum(sum(row[1] for row in service_of(doc)["pauses"]) for doc in documents)
    assert completed == 400
    assert counted == 398
