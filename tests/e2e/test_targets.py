# SPDX-License-Identifier: GPL-2.0-or-later
"""What to observe, said by a property: names, groups, ports, everything."""

import json
import os
import re
import signal
import socket
import subprocess

import pytest

import ioprof_run
from cgroups import Group
from service_run import Service

PYTHON = "/usr/bin/python3"
ID = "0123456789abcdef" * 4

# Many services of many threads: each answers on a socket of its own.
CROWD = """
import os, socket, sys, threading
services, threads, directory = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
threading.stack_size(65536)
def serve(n, ready):
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{directory}/{n}")
    server.listen()
    for _ in range(threads - 1):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    os.write(ready, b"x")
    while True:
        client, _ = server.accept()
        while client.recv(64):
            client.sendall(b"answer")
        client.close()
read, ready = os.pipe()
for n in range(services):
    if os.fork() == 0:
        serve(n, ready)
left = services
while left:
    left -= len(os.read(read, 4096))
print("ready", flush=True)
sys.stdin.read()
os.killpg(0, 9)
"""


def start(*args):
    prof = ioprof_run.Ioprof(["--json", "--no-traces", *args])
    try:
        return prof.wait_observing()
    except BaseException:
        prof.__exit__()
        raise


def written(file):
    """What ioprof has written so far, its position in the file left alone."""
    return os.pread(file.fileno(), 1 << 26, 0).decode(errors="replace")


def named(doc, name):
    """The one service of this name."""
    found = [service for service in doc["services"] if service["name"] == name]
    assert len(found) == 1, f"{name} in {[service['name'] for service in doc['services']]}"
    return found[0]


def port_of(service):
    return int(service.address.rpartition(":")[2])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def followed(prof, service_pid):
    """
    True once ioprof follows the process: it is in its map of processes, where it is put first, and ioprof waits for its
    next event, so that the threads that were there already have been taken in as well.
    """
    maps = ioprof_run.bpf_ids(prof.pid, "map_id")
    for number in maps:
        shown = subprocess.run(["bpftool", "-j", "map", "show", "id", str(number)], capture_output=True, text=True)
        if '"name":"processes"' in shown.stdout.replace(" ", ""):
            key = [str(byte) for byte in service_pid.to_bytes(4, "little")]
            found = subprocess.run(["bpftool", "map", "lookup", "id", str(number), "key", *key], capture_output=True)
            return found.returncode == 0 and ioprof_run.observing(prof.pid)
    return False


def test_by_port():
    with Service() as service, start("--port", port_of(service)) as prof:
        service.load(requests=20, connections=1)
        doc = prof.stop()
    assert [s["name"] for s in doc["services"]] == [str(port_of(service))]
    assert doc["services"][0]["pids"] == [service.pid]
    assert doc["services"][0]["requests"]["completed"] == 20
    assert sum(doc["losses"].values()) == 0


def test_by_port_with_prefork_workers():
    with Service("--processes=3") as service, start("--port", port_of(service)) as prof:
        service.load(requests=30, connections=3)
        found = prof.stop()["services"][0]
        assert sorted(found["pids"]) == sorted(service.pids())
    assert found["requests"]["completed"] == 30


def test_by_name_of_the_kernel_and_of_a_person(tmp_path):
    script = tmp_path / "ioprof-named.py"
    script.write_text("import sys\nprint('ready', flush=True)\nsys.stdin.read()\n")
    with subprocess.Popen([PYTHON, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        with start("--comm", script.name) as prof:
            doc = prof.stop()
        process.stdin.close()
    assert named(doc, script.name)["pids"] == [process.pid]


@pytest.mark.parametrize("controller", [None, "cpu"])
def test_by_control_group(controller):
    with Group(controller) as group, Service() as inside, Service() as outside:
        group.add(inside.pid)
        path = "/" + str(group.path.relative_to(group.mount))
        with start("--cgroup", path) as by_path, start("--cgroup", group.path) as by_file:
            inside.load(requests=10, connections=1)
            outside.load(requests=5, connections=1)
            for doc in by_path.stop(), by_file.stop():
                assert doc["services"][0]["pids"] == [inside.pid]
                assert doc["services"][0]["requests"]["completed"] == 10


@pytest.mark.parametrize("option, value, group", [
    ("--unit", "ioprof-test", "system.slice/ioprof-test.service"),
    ("--unit", "ioprof-test.service", "system.slice/ioprof-test.service"),
    ("--container", ID[:12], f"docker/{ID}"),
    ("--container", ID, f"kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope"),
    ("--container", ID[:4], f"machine.slice/libpod-{ID}.scope"),
])
def test_by_unit_and_container(option, value, group):
    with Group(name=group) as made, Service("--processes=2") as service:
        for pid in service.pids():
            made.add(pid)
        with start(option, value) as prof:
            service.load(requests=10, connections=2)
            doc = prof.stop()
            assert sorted(doc["services"][0]["pids"]) == sorted(service.pids())
    assert doc["services"][0]["name"] == value
    assert doc["services"][0]["requests"]["completed"] == 10


def test_several_at_once_each_process_once():
    with Service() as first, Service() as second:
        with start("-p", first.pid, "--port", port_of(first), "--port", port_of(second)) as prof:
            first.load(requests=7, connections=1)
            second.load(requests=9, connections=1)
            doc = prof.stop()
    assert [s["requests"]["completed"] for s in doc["services"]] == [7, 0, 9]
    assert [s["pids"] for s in doc["services"]] == [[first.pid], [], [second.pid]]


def test_everything_that_accepts_connections_and_not_ioprof():
    with Group(name="system.slice/ioprof-test.service") as unit, Group(name=f"docker/{ID}") as container, \
            Service("--processes=2") as in_unit, Service() as in_container, Service("--processes=2") as tree, \
            Service(family="unix") as local:
        for pid in in_unit.pids():
            unit.add(pid)
        container.add(in_container.pid)
        with start("-a") as prof:
            for n, service in enumerate([in_unit, in_container, tree, local], 1):
                service.load(requests=10 * n, connections=1)
            doc = prof.stop()
            pids = {pid: s for s in doc["services"] for pid in s["pids"]}
            assert sorted(named(doc, "ioprof-test.service")["pids"]) == sorted(in_unit.pids())
            assert named(doc, ID[:12])["pids"] == [in_container.pid]
            assert sorted(pids[tree.pid]["pids"]) == sorted(tree.pids())
            assert pids[local.pid]["pids"] == [local.pid]
            assert prof.pid not in pids
            for n, service in enumerate([in_unit, in_container, tree, local], 1):
                assert pids[service.pid]["requests"]["completed"] == 10 * n


def test_what_starts_later_joins():
    with Service() as first, start("-a") as prof:
        with Service() as later:
            ioprof_run.wait_until(lambda: followed(prof, later.pid), what="the new service joined")
            first.load(requests=5, connections=1)
            later.load(requests=6, connections=1)
            doc = prof.stop()
    pids = {pid: s for s in doc["services"] for pid in s["pids"]}
    assert pids[first.pid]["requests"]["completed"] == 5
    assert pids[later.pid]["requests"]["completed"] == 6


def test_waits_for_what_is_not_there_yet():
    port = free_port()
    prof = ioprof_run.Ioprof(["--json", "--port", port, "--wait"])
    with prof:
        ioprof_run.wait_until(lambda: "waiting" in written(prof.stderr), what="the message that it waits")
        with subprocess.Popen([PYTHON, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            ioprof_run.wait_until(lambda: followed(prof, server.pid), what="the server joined")
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                while client.recv(65536):
                    pass
            doc = prof.stop()
            server.kill()
    assert doc["services"][0]["requests"]["completed"] == 1


def test_ends_waiting_by_a_signal():
    with ioprof_run.Ioprof(["--port", free_port(), "--wait"]) as prof:
        ioprof_run.wait_until(lambda: "waiting" in written(prof.stderr), what="the message that it waits")
        prof.process.send_signal(signal.SIGINT)
        assert prof.process.wait(10) == 1
        assert "no process matched" in prof.errors()


@pytest.mark.parametrize("args", [
    ["--port", "1"], ["--comm", "no such program"], ["--unit", "no-such"], ["--cgroup", "/no/such"],
    ["--container", "ffffffffffff"], ["--cgroup", "/"],
])
def test_what_matches_nothing_is_said(args):
    done = ioprof_run.run(*args)
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(r"ioprof: no process matches --\w+=.*: check it, .*--wait\)\n", done.stderr), done.stderr


def test_pids_of_a_container_resolve():
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
               "while [ $n ] && [ $n -ge 60000 ] || ! [ $n ]; do n=1; done; "
               "echo 59998 > /proc/sys/kernel/ns_last_pid; sleep 1000 & echo $!; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        inner = int(process.stdout.readline())
        assert not os.path.exists(f"/proc/{inner}")
        done = ioprof_run.run("-p", inner, "-d", "0.1", "--json")
        process.kill()
    assert done.returncode == 0, done.stderr
    outer = re.fullmatch(rf"ioprof: {inner} in its container is process (\d+) \(sleep\) here\n", done.stderr)
    assert outer, done.stderr
    assert f'"pids":[{outer[1]}]' in done.stdout.replace(" ", "")


def test_more_services_than_there_is_room_for_are_a_loss():
    with Service() as one, Service() as two, Service() as three:
        assert one and two and three
        with start("-a", "--max-services", 2) as prof:
            doc = prof.stop()
    assert len(doc["services"]) == 2
    assert doc["losses"]["services"] >= 1


def peak_bytes(pid):
    """The most memory the process has had at once."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def map_bytes(pid):
    """What the kernel holds for it in maps, by its own account."""
    held = 0
    for number in ioprof_run.bpf_ids(pid, "map_id"):
        shown = subprocess.run(["bpftool", "-j", "map", "show", "id", str(number)], capture_output=True, check=True)
        held += json.loads(shown.stdout)["bytes_memlock"]
    return held


def test_200_services_and_10000_threads(tmp_path):
    services, requests = 200, 5
    script = tmp_path / "crowd.py"
    script.write_text(CROWD)
    with subprocess.Popen([PYTHON, script, str(services), "50", tmp_path], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True, start_new_session=True) as crowd:
        assert crowd.stdout.readline() == "ready\n"
        with ioprof_run.Ioprof(["--json", "-a", "-i", "1"]) as prof:
            prof.wait_observing()
            for n in range(services):
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(str(tmp_path / str(n)))
                    for _ in range(requests):
                        client.sendall(b"request")
                        assert client.recv(64)
            ioprof_run.wait_until(lambda: written(prof.stdout).count("\n") >= 3, 30, "three reports")
            peak, maps = peak_bytes(prof.pid), map_bytes(prof.pid)
            documents = prof.stop_all()
        crowd.stdin.close()
    # Of this directory's: other services of the machine may be among them.
    completed, threads = {}, 0
    for doc in documents:
        # The kernel may skip an event of whatever else runs here.
        assert {cause for cause, n in doc["losses"].items() if n} <= {"busy", "recursion"}
        for at, service in enumerate(doc["services"]):
            if service["name"] == script.name:
                completed[at] = completed.get(at, 0) + service["requests"]["completed"]
    for service in documents[-1]["services"]:
        if service["name"] == script.name:
            threads += len(service["lanes"]) + service["lanes_left_out"]
    assert sorted(completed.values()) == [requests] * services
    assert threads >= 49 * services
    assert peak + maps < 64 << 20, f"{peak >> 20} MiB and {maps >> 20} MiB in maps"


def test_a_pid_namespace_of_its_own_is_refused():
    done = subprocess.run(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
                           'sleep 60 & exec "$0" -p $!', ioprof_run.binary()],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "PID namespace" in done.stderr
