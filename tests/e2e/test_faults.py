# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong around ioprof while it observes, or in it: nothing crashes, nothing stays in the kernel, no wrong figure
is shown as right, and what is lost is counted."""

import ctypes
import json
import os
import resource
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import bpf_info
import ioprof_run
from service_run import Downstream, Service, tasks
from truth_compare import (GUEST, check_closure, check_cpu, check_everything, check_losses, check_operations,
                           check_requests, check_wait, service_of)

in_guests = pytest.mark.skipif(not GUEST, reason="changes the whole machine: runs in guests only (tests/vm)")


@pytest.fixture(scope="module")
def db():
    with Downstream("tcp") as downstream:
        yield downstream.address


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


# ioprof itself

def pinned():
    return sorted(Path("/sys/fs/bpf").rglob("*"))


def test_ioprof_is_killed(db):
    """Nothing of it stays loaded, attached or pinned, the service goes on, and a second ioprof starts from nothing."""
    before = pinned()
    with Service("--processes=2", "--cpu=500", f"--call={db},2,1000") as service:
        with ioprof_run.start(service.pid) as prof, service.client(requests=200, connections=2) as client:
            ioprof_run.wait_until(lambda: service.read_truth()["requests"] > 20, what="load")
            held = ioprof_run.bpf_objects(prof.pid)
            assert all(held.values()), held
            prof.process.kill()
            prof.process.wait()
            load = client.result()
        assert (load["answered"], load["failed"]) == (200, 0)
        service.truth(200)
        # The kernel frees them after a grace period.
        ioprof_run.wait_until(lambda: not bpf_info.left(held), what="the end of all programs, maps and links")
        assert pinned() == before
        service.reset_truth()
        with ioprof_run.start(service.pid) as prof:
            load = service.load(requests=50, connections=2)
            truth = service.truth(50)
            check_everything(prof.stop(), truth, load)


def test_ioprof_is_stopped_meanwhile(db):
    """As by Ctrl-Z: the kernel goes on counting."""
    with Service("--processes=2", "--cpu=500", f"--call={db},2,1000") as service, \
            ioprof_run.start(service.pid, args=["-i", "0.2"]) as prof:
        first = service.load(requests=100, connections=2)
        prof.process.send_signal(signal.SIGSTOP)
        ioprof_run.wait_until(lambda: state_of(prof.pid) == "T", what="ioprof stopped")
        second = service.load(requests=200, connections=2)
        service.truth(300)
        prof.process.send_signal(signal.SIGCONT)
        documents = prof.stop_all()
    for doc in documents:
        check_losses(doc)
    assert sum(service_of(doc)["requests"]["completed"] for doc in documents) == first["answered"] + second["answered"]
    assert sum(service_of(doc)["requests"]["operations"] for doc in documents) == 600


def test_two_on_one_service(db):
    with Service("--processes=2", "--cpu=1000", f"--call={db},3,2000") as service, \
            ioprof_run.start(service.pid) as one, ioprof_run.start(service.pid) as other:
        load = service.load(requests=100, connections=2)
        truth = service.truth(100)
        for prof in (one, other):
            check_everything(prof.stop(), truth, load)


def test_asked_to_observe_itself():
    run = subprocess.run(["sh", "-c", 'exec "$0" -p $$', ioprof_run.binary()], capture_output=True, text=True, timeout=30)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.count("\n") == 1 and "itself" in run.stderr


def test_one_observes_the_other():
    with Service("--processes=1") as service, ioprof_run.start(service.pid) as one, ioprof_run.start(one.pid) as other:
        service.load(requests=20)
        service.truth(20)
        check_requests(one.stop(), 20)
        (document,) = other.end()
    assert service_of(document)["concurrency_model"] == "batch"
    assert service_of(document)["requests"]["completed"] == 0
    check_losses(document)


def test_in_a_time_namespace(db):
    """Where the monotonic clock is not the kernel's own."""
    with Service("--processes=2", "--cpu=500", f"--call={db},2,1000") as service:
        outer = subprocess.Popen(["unshare", "--time", "--monotonic", "500000", "--fork", "--kill-child", ioprof_run.binary(),
                                  "--json", "-p", str(service.pid)], stdout=subprocess.PIPE, text=True)
        try:
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
            inner = int(ioprof_run.wait_until(lambda: outer.poll() is not None or children.read_text().split(),
                                              what="ioprof's start")[0])
            ioprof_run.wait_until(lambda: ioprof_run.observing(inner), what="ioprof observing")
            load = service.load(requests=100, connections=2)
            truth = service.truth(100)
            os.kill(inner, signal.SIGINT)
            document = json.loads(outer.communicate(timeout=20)[0])
        finally:
            outer.kill()
            outer.wait()
    check_everything(document, truth, load)
    assert 0 < document["interval"]["duration_s"] < 60


# Memory that runs out

def run_short_of_memory(pid, **environment):
    return subprocess.run([ioprof_run.testbin("ioprof_allocation"), "--json", "-p", str(pid), "-d", "0.01"],
                          capture_output=True, text=True, timeout=60,
                          env={**os.environ, **environment})


def check_short_of_memory(pid, at, all_after):
    """One line and no report, or a whole one. Whether it failed."""
    run = run_short_of_memory(pid, FAIL_ALLOCATION=str(at), **({"FAIL_ALL": "1"} if all_after else {}))
    if run.returncode == 0:
        assert run.stderr == "", at
        assert service_of(json.loads(run.stdout))["requests"]["completed"] == 0, at
        return False
    assert run.returncode in (1, 2, 4), (at, run)
    assert run.stderr.startswith("ioprof: ") and run.stderr.count("\n") == 1, (at, run)
    with pytest.raises(ValueError):  # at most part of a document: nobody can take it for one
        json.loads(run.stdout)
    return True


@pytest.mark.parametrize("all_after", [False, True], ids=["one", "all-after"])
def test_allocation_fails(all_after, tmp_path):
    """At each step from start to end, its libraries' included: each place in the code that allocates, by its nearest callers,
    as it is first passed; some 370, of which every eighth. Of those from which on all allocations fail, every sixteenth. With
    IOPROF_FAULTS=all it is each of some 6,600 allocations."""
    listed = tmp_path / "steps"
    idle = subprocess.Popen(["sleep", "infinity"])
    try:
        assert run_short_of_memory(idle.pid, LIST_STEPS=str(listed)).returncode == 0
        *steps, last = map(int, listed.read_text().split())
        assert len(steps) > 300 and last > 1000
        if os.environ.get("IOPROF_FAULTS") == "all":
            steps = range(1, last + 1)
        else:
            steps = steps[::16 if all_after else 8]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            failed = list(pool.map(lambda at: check_short_of_memory(idle.pid, at, all_after), steps))
        assert any(failed)
    finally:
        idle.kill()
        idle.wait()


# What the probes cost

SAMPLED = "part of the time"
SAMPLES_S = 15


@pytest.mark.parametrize("args", [("--processes=4",), ("--model=loop+pool", "--threads=8")], ids=["prefork", "loop+pool"])
def test_sample(args, db):
    """Beyond the limit requests are measured part of the time; what is said of all of them is still right."""
    with Service(*args, "--cpu=300", f"--call={db},2,2000") as service, \
            service.client(requests=10000000, connections=4) as client:
        ioprof_run.wait_until(lambda: service.read_truth()["requests"] > 50, what="load")
        service.reset_truth()
        begin = time.monotonic()
        with ioprof_run.start(service.pid, args=["--max-overhead", "0.02", "-d", SAMPLES_S]) as prof:
            (document,) = prof.end(SAMPLES_S + 60)
            assert "--max-overhead" in prof.errors()
        truth, seconds = service.read_truth(), time.monotonic() - begin
        client.stop()
    found, interval = service_of(document), document["interval"]
    assert any(SAMPLED in note for note in document["notes"])
    assert 0 < interval["sampled_s"] < 0.8 * interval["duration_s"] <= SAMPLES_S
    check_losses(document)
    check_closure(document)
    # What a sample of some hundred requests can tell, on a machine that does not run evenly: all requests take the same,
    # but where a processor stands still for a tenth of a second, it does so in a sample or in none.
    assert found["per_request"]["operations"] == pytest.approx(2, rel=0.02)
    assert found["requests"]["rate_per_s"] == pytest.approx(truth["requests"] / seconds, rel=0.25)
    assert found["service_time_s"]["p50"] == pytest.approx(truth["service_s"] / truth["requests"], rel=0.25)
    assert found["per_request"]["cpu_s"] == pytest.approx(truth["cpu_s"] / truth["requests"], rel=0.25, abs=100e-6)
    assert found["service_time_s"]["mean"] == pytest.approx(
        sum(found["per_request"]["wait_s"].values()) + sum(found["per_request"][part] for part in (
            "cpu_s", "run_queue_s", "overlapped_s", "unattributed_s")) - found["per_request"]["parallel_s"], rel=0.01)


def test_overhead_within_its_limit(db):
    with Service("--processes=2", "--cpu=500", f"--call={db},2,1000") as service, \
            ioprof_run.start(service.pid, args=["--max-overhead", "100", "-d", "2"]) as prof:
        load = service.load(requests=100, connections=2)
        truth = service.truth(100)
        (document,) = prof.end()
    assert not any(SAMPLED in note for note in document["notes"])
    assert document["interval"]["sampled_ns"] == document["interval"]["duration_ns"]
    check_everything(document, truth, load)


# The service

def test_service_is_killed(db):
    with Service("--processes=2", "--cpu=500", f"--call={db},2,1000") as service, \
            ioprof_run.start(service.pid) as prof, service.client(requests=100000, connections=2) as client:
        ioprof_run.wait_until(lambda: service.read_truth()["requests"] > 50, what="load")
        for pid in service.pids():
            os.kill(pid, signal.SIGKILL)
        service.process.wait()
        (document,) = prof.end()
        client.process.terminate()
        load = client.result()
    check_losses(document)
    check_closure(document)
    requests = service_of(document)["requests"]
    assert load["answered"] <= requests["completed"] <= load["answered"] + 2
    assert requests["completed"] + requests["aborted"] <= load["answered"] + 2
    assert service_of(document)["pids"] == []


def test_service_is_stopped(db):
    """In the middle of its requests; it goes on after a while. That it was stopped is no wait for its peer."""
    pause, requests = 0.3, 200
    with Service("--processes=2", "--cpu=1000", f"--call={db},3,2000") as service, \
            ioprof_run.start(service.pid) as prof, \
            service.client(requests=requests, connections=2) as client:
        ioprof_run.wait_until(lambda: service.read_truth()["requests"] > 20, what="load")
        workers = [pid for pid in service.pids() if pid != service.pid]
        begin = time.monotonic()
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        ioprof_run.wait_until(lambda: all(state_of(pid) == "T" for pid in workers), what="workers stopped")
        time.sleep(pause)  # the fault itself
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        stopped = len(workers) * (time.monotonic() - begin) / requests
        load = client.result()
        truth = service.truth(requests)
        doc = prof.stop()
    check_losses(doc)
    check_requests(doc, load["answered"])
    check_operations(doc, truth)
    check_cpu(doc, truth)
    check_closure(doc)
    # A stop on the way back from reading the request is in it and not in its truth; on the way back from sending the
    # response it is the other way round.
    found = service_of(doc)
    assert found["service_time_s"]["mean"] == pytest.approx(truth["service_s"] / requests, abs=stopped)
    assert 0 <= found["per_request"]["wait_s"]["other"] <= stopped
    check_wait("network", found["per_request"]["wait_s"]["network"], truth["wait_s"]["network"] / requests,
               stopped + found["per_request"]["run_queue_s"])
    assert found["latency_s"]["max"] >= pause


def test_thousand_children_a_second():
    """As fast as it goes, one after the other: a table of eight processes never fills up."""
    script = "read line; i=0; while [ $i -lt 2000 ]; do ( : ); i=$((i+1)); done; echo done; read line"
    shell = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        with ioprof_run.start(shell.pid, args=["--max-processes", "8"]) as prof:
            shell.stdin.write("go\n")
            shell.stdin.flush()
            assert shell.stdout.readline() == "done\n"
            document = prof.stop()
    finally:
        shell.communicate("end\n", timeout=20)
    check_losses(document)
    found = service_of(document)
    assert found["pids"] == [shell.pid]
    assert found["cpu_observed_ns"] == pytest.approx(found["cpu_total_ns"], rel=0.05)


def test_ten_thousand_threads(db):
    with Service("--threads=10000", "--cpu=500", f"--call={db},2,2000") as service:
        ioprof_run.wait_until(lambda: len(tasks(service.pid)) > 10000, what="10,000 threads")
        with ioprof_run.start(service.pid) as prof:
            load = service.load(requests=100, connections=2)
            truth = service.truth(100)
            doc = prof.stop()
    check_everything(doc, truth, load)


def test_more_threads_than_the_table_has_rows(db):
    """Where threads are followed in a hash table: what does not fit is a loss, not part of a figure."""
    n = 16384 + 100
    open_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (n + 100, max(n + 100, open_files[1])))  # accept() takes one beforehand
    with Service(f"--threads={n}", "--cpu=500", f"--call={db},2,2000") as service:
        ioprof_run.wait_until(lambda: len(tasks(service.pid)) > n, what="all threads")
        with ioprof_run.start(service.pid, args=["--no-task-storage"]) as prof:
            service.load(requests=100, connections=2)
            doc = prof.stop()
    resource.setrlimit(resource.RLIMIT_NOFILE, open_files)
    assert doc["losses"]["threads"] >= n - 16384
    assert service_of(doc)["requests"]["completed"] <= 100


def test_more_listeners_than_the_table_has_rows():
    script = ("import socket, sys; sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(8300)]\n"
              "print(flush=True); sys.stdin.read()")
    process = subprocess.Popen(["/usr/bin/python3", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    try:
        with ioprof_run.start(process.pid) as prof:
            document = prof.stop()
    finally:
        process.communicate()
    assert document["losses"]["listeners"] >= 8300 - 8192


# Process IDs

CLONE3 = 435


class CloneArgs(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in (
        "flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls", "set_tid", "set_tid_size",
        "cgroup")]


def spawn_as(pid, *argv):
    """Starts a program as the process of that number."""
    wanted = ctypes.c_int32(pid)
    args = CloneArgs(exit_signal=signal.SIGCHLD, set_tid=ctypes.addressof(wanted), set_tid_size=1)
    child = ctypes.CDLL(None, use_errno=True).syscall(CLONE3, ctypes.byref(args), ctypes.sizeof(args))
    if child == 0:
        os.execv(argv[0], argv)
    assert child == pid, os.strerror(ctypes.get_errno())


def test_number_of_a_worker_is_another_process(db, tmp_path):
    """A worker ends, and a service that is none of ours gets its number: its requests are not ours."""
    with Service("--processes=2", "--cpu=500", f"--call={db},1,1000") as service, \
            Service("--processes=1", "--cpu=500") as stranger, ioprof_run.start(service.pid) as prof:
        first = service.load(requests=50, connections=2)
        service.truth(50)
        worker = min(set(service.pids()) - {service.pid})
        os.kill(worker, signal.SIGKILL)
        ioprof_run.wait_until(lambda: worker not in service.pids() and len(service.pids()) == 3, what="a new worker")
        stranger.process.terminate()
        stranger.process.wait()
        spawn_as(worker, ioprof_run.testbin("service"), f"--listen={stranger.address}", f"--truth={tmp_path}/truth",
                 "--cpu=500")
        try:
            ioprof_run.wait_until(lambda: answers(stranger.address), what="the process of that number")
            stranger.load(requests=40)
        finally:
            os.kill(worker, signal.SIGTERM)
            os.waitpid(worker, 0)
        second = service.load(requests=50, connections=2)
        truth = service.truth(100)
        doc = prof.stop()
        assert sorted(service_of(doc)["pids"]) == sorted(service.pids())
    check_everything(doc, truth, {"answered": first["answered"] + second["answered"]})


def answers(address):
    run = subprocess.run([ioprof_run.testbin("client"), address, "--requests=1"], stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=20)
    return run.returncode == 0 and json.loads(run.stdout)["answered"] == 1


# The machine

@in_guests
@pytest.mark.vm
def test_processor_goes_and_comes_back(db):
    online = Path("/sys/devices/system/cpu/cpu1/online")
    with Service("--processes=2", "--cpu=500", f"--call={db},2,1000") as service, \
            ioprof_run.start(service.pid) as prof, service.client(requests=150, connections=2) as client:
        ioprof_run.wait_until(lambda: service.read_truth()["requests"] > 20, what="load")
        online.write_text("0")
        ioprof_run.wait_until(lambda: service.read_truth()["requests"] > 80, what="load on one processor")
        online.write_text("1")
        load = client.result()
        truth = service.truth(150)
        doc = prof.stop()
    check_losses(doc)
    check_requests(doc, load["answered"])
    check_operations(doc, truth)
    check_closure(doc)


@in_guests
@pytest.mark.parametrize("step_s", [7200, pytest.param(-7200, marks=pytest.mark.vm)])
def test_wall_clock_is_set(step_s, db):
    """Intervals follow the monotonic clock, and each begins where the last one ended."""
    with Service("--processes=2", "--cpu=500", f"--call={db},2,1000") as service, \
            ioprof_run.start(service.pid, args=["-i", "1"]) as prof:
        begin = time.monotonic()
        service.load(requests=50, connections=2)
        time.clock_settime(time.CLOCK_REALTIME, time.time() + step_s)
        try:
            load = service.load(requests=100, connections=2)
            service.truth(150)
            documents = prof.stop_all()
            elapsed = time.monotonic() - begin
        finally:
            time.clock_settime(time.CLOCK_REALTIME, time.time() - step_s)
    assert load["failed"] == 0
    assert sum(service_of(doc)["requests"]["completed"] for doc in documents) == 150
    assert sum(doc["interval"]["duration_s"] for doc in documents) < elapsed + 5
    for doc, following in zip(documents, documents[1:]):
        end = doc["interval"]["start_unix_ns"] + doc["interval"]["duration_ns"]
        assert following["interval"]["start_unix_ns"] == end
    for doc in documents:
        check_losses(doc)
