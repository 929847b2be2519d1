# SPDX-License-Identifier: GPL-2.0-or-later
"""What a service runs on and is made of, against the system's own account."""

import os
import subprocess
from pathlib import Path

import pytest

import ioprof_run
from cgroups import Group
from service_run import Downstream, Service

PYTHON = "/usr/bin/python3"
MIB = 1 << 20

THREADED = """
import http.server, socketserver, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
hold = [threading.Thread(target=threading.Event().wait, daemon=True) for _ in range(8)]
for thread in hold: thread.start()
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
kept = bytearray(b"x") * (20 << 20)
print("ready", flush=True)
server.serve_forever()
"""


@pytest.fixture
def python_server():
    with subprocess.Popen([PYTHON, "-c", THREADED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def surroundings(doc, service=0):
    return doc["services"][service]["surroundings"]


def rollup(pid, *names):
    """Bytes of lines of a process's smaps_rollup."""
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        values = {line.split(":")[0]: line.split()[1] for line in lines if line.endswith(" kB\n")}
    return 1024 * sum(int(values[name]) for name in names)


def test_a_quota_bounds_and_its_throttling_counts():
    def throttled(group):
        lines = (group.path / "cpu.stat").read_text().splitlines()
        return {line.split()[0]: int(line.split()[1]) for line in lines}

    with Group("cpu") as group, Service("--cpu=20000") as service:
        group.limit_cpus(0.25)
        group.add(service.pid)
        before = throttled(group)
        with ioprof_run.start(service.pid) as prof:
            service.load(requests=40, connections=1)
            doc = prof.stop()
        after = throttled(group)
    found = surroundings(doc)
    assert found["cpus"] == 0.25
    assert found["host_cpus"] == os.cpu_count()
    assert 0 < found["quota_throttled"] <= after["nr_throttled"] - before["nr_throttled"]
    assert found["quota_throttled"] <= found["quota_periods"] <= after["nr_periods"] - before["nr_periods"]
    assert found["throttled_ns"] > 0


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_others_on_its_processor():
    """A neighbour that computes all the time, and the service, on one processor."""
    with Service("--cpu=2000") as service, \
            subprocess.Popen([PYTHON, "-c", "while True: pass"]) as neighbour:
        try:
            for pid in (service.pid, neighbour.pid):
                os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))})
            with ioprof_run.start(service.pid) as prof:
                before = cpu_s(neighbour.pid)
                service.load(requests=300, connections=1)
                others = cpu_s(neighbour.pid) - before
                doc = prof.stop()
        finally:
            neighbour.kill()
    found = surroundings(doc)["other_cpu_ns"] / 1e9
    (service,) = doc["services"]
    assert others > 0.2
    # ioprof and the load generator may come to that processor, too.
    assert others * 0.95 - 0.05 <= found <= doc["interval"]["duration_s"] - service["cpu_total_s"] + 0.05


def peer_cpu(downstream, processor=None):
    """What ioprof says that its peer ran, on its processors; the peer's CPU by the scheduler's account; requests."""
    with Service("--cpu=500", f"--call={downstream.address},3,1000", "--processes=2", processor=processor) as service, \
            ioprof_run.start(service.pid) as prof:
        before = downstream.cpu_s()
        service.load(requests=400, connections=4, close=True)
        account = downstream.cpu_s() - before
        (found,) = prof.stop()["services"]
    assert found["requests"]["operations"] == 1200
    return found["peer_cpu_ns"] / 1e9, account


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_cpu_of_peers(family):
    with Downstream(family) as downstream:
        found, account = peer_cpu(downstream)
        assert account > 0.01
        # What it ran before it was first asked, and after it was last, is of no operation.
        assert 0.9 * account - 0.003 <= found <= 1.001 * account + 0.001
        # It may go elsewhere.
        assert peer_cpu(downstream, processor=max(os.sched_getaffinity(0)))[0] == 0


def test_affinity_bounds():
    with Service() as service:
        os.sched_setaffinity(service.pid, {min(os.sched_getaffinity(0))})
        with ioprof_run.start(service.pid) as prof:
            service.load(requests=10, connections=1)
            found = surroundings(prof.stop())
    assert found["cpus"] == 1
    assert found["quota_periods"] == found["quota_throttled"] == found["throttled_ns"] == 0


def test_memory_is_the_systems_account(python_server):
    pid = python_server.pid
    with Group("memory") as group:
        group.limit_memory(512 * MIB)
        group.add(pid)
        with ioprof_run.start(pid) as prof:
            found = surroundings(prof.stop())
        unique = rollup(pid, "Private_Clean", "Private_Dirty", "Private_Hugetlb")
        shared = rollup(pid, "Pss") - unique
    assert unique > 20 * MIB
    assert found["process_bytes"] == pytest.approx(unique, rel=0.05)
    assert found["shared_bytes"] == pytest.approx(shared, rel=0.2, abs=MIB)
    assert 4096 <= found["thread_bytes"] <= MIB
    assert found["memory_limit_bytes"] == 512 * MIB
    # What it took before it joined the group is not charged to it.
    assert 400 * MIB < found["memory_available_bytes"] <= 512 * MIB


def test_an_interpreter_is_recognised(python_server):
    with ioprof_run.start(python_server.pid) as prof:
        found = surroundings(prof.stop())
    assert "cpython" in found["components"]
    assert found["interpreter_lock"]


def test_a_program_without_interpreter_is_none():
    with Service() as service, ioprof_run.start(service.pid) as prof:
        found = surroundings(prof.stop())
    assert found["components"] == []
    assert not found["interpreter_lock"]


def test_workers_are_measured_without_their_master():
    with Service("--processes=3") as service:
        ioprof_run.wait_until(lambda: len(service.pids()) == 4, what="three workers")
        workers = [pid for pid in service.pids() if pid != service.pid]
        with ioprof_run.start(service.pid) as prof:
            service.load(requests=60, connections=3)
            found = surroundings(prof.stop())
        unique = [rollup(pid, "Private_Clean", "Private_Dirty") for pid in workers]
    assert found["process_bytes"] == pytest.approx(sum(unique) / len(unique), rel=0.1)


def test_a_service_that_ended_leaves_what_was_known():
    with Service() as service:
        with ioprof_run.start(service.pid) as prof:
            service.process.terminate()
            found = surroundings(prof.end()[0])
    assert found["cpus"] == len(os.sched_getaffinity(0))
    assert found["process_bytes"] > 0


def test_the_text_report_says_it(python_server):
    done = ioprof_run.run("-p", python_server.pid, "-d", "0.2")
    assert done.returncode == 0, done.stderr
    assert "runs on       cpython" in done.stdout
    assert "memory per worker process" in " ".join(done.stdout.split())


