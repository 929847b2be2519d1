# SPDX-License-Identifier: GPL-2.0-or-later
"""A real server in a container of a real engine: podman, under the systemd of this guest. It has its own PID namespace, and
Debian's files for its root."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import ioprof_run

PORT = 7777
NAME = "redis-in-a-box"
ENGINE = ("podman", "--storage-driver=vfs", "--root=/var/tmp/pods", "--runroot=/run/pods")
# Emulated, an engine takes its time.
PATIENCE_S = 60


def output(*command):
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


def inspect(field):
    return output(*ENGINE, "inspect", "--format", f"{{{{{field}}}}}", NAME).strip()


def answers():
    return subprocess.run(["redis-cli", "-p", str(PORT), "ping"], capture_output=True).stdout == b"PONG\n"


def pings(n):
    """So many requests, on one connection."""
    assert output("redis-cli", "-p", PORT, "-r", n, "ping") == "PONG\n" * n


def observes():
    """Whether some ioprof does: its programs are attached. bpftool fails when a link comes or goes while it lists them."""
    listed = subprocess.run(["bpftool", "-j", "link", "list"], capture_output=True, text=True)
    links = json.loads(listed.stdout or "[]") if listed.returncode == 0 else []
    return len([link for link in links if link.get("type") == "tracing"]) > 5


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The least that a container of Debian's own files needs."""
    root = tmp_path_factory.mktemp("root")
    for name in ("usr", "proc", "sys", "dev", "tmp", "run", "etc", "var"):
        (root / name).mkdir()
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / name).symlink_to(f"usr/{name}")
    return root


@pytest.fixture(scope="module")
def container(root):
    """Its ID."""
    assert shutil.which("podman"), "scripts/install-deps containers"
    output("systemctl", "start", "dbus")
    output(*ENGINE, "run", "--detach", "--name", NAME, "--network=host", "--volume=/usr:/usr:ro", "--rootfs", root,
           "/usr/bin/redis-server", "--port", PORT, "--save", "")
    ioprof_run.wait_until(answers, PATIENCE_S, "redis", 0.1)
    yield inspect(".Id")
    output(*ENGINE, "rm", "--force", "--time=0", NAME)


def check_found(doc, n):
    """The one process of the container, by its PID in this namespace, and all its requests."""
    pid = int(inspect(".State.Pid"))
    with open(f"/proc/{pid}/status") as status:
        assert f"NSpid:\t{pid}\t1\n" in status.read()
    (found,) = [service for service in doc["services"] if pid in service["pids"]]
    assert found["pids"] == [pid]
    assert found["requests"]["completed"] == n
    return found


@pytest.mark.parametrize("length", [12, 64])
def test_a_container_by_its_id(container, length):
    with ioprof_run.Ioprof(["--json", "--container", container[:length]]) as prof:
        prof.wait_observing(PATIENCE_S)
        pings(50)
        doc = prof.stop()
    assert len(doc["services"]) == 1
    check_found(doc, 50)


def test_a_container_is_a_service_of_its_own_among_all(container):
    with ioprof_run.Ioprof(["--json", "--all"]) as prof:
        prof.wait_observing(PATIENCE_S)
        pings(50)
        doc = prof.stop()
    assert container[:12] in check_found(doc, 50)["name"]


def test_one_that_is_started_again(container):
    """By the same ID: another process, in another control group of the same name."""
    output(*ENGINE, "stop", "--time=0", NAME)
    with ioprof_run.Ioprof(["--json", "--wait", "--container", container, "-i", "1"]) as prof:
        output(*ENGINE, "start", NAME)
        ioprof_run.wait_until(lambda: '"pids"' in prof.output(), PATIENCE_S, "the container observed", 0.1)
        pings(50)
        docs = prof.stop_all()
    pid = int(inspect(".State.Pid"))
    found = [service for doc in docs for service in doc["services"]]
    assert found and all(service["pids"] == [pid] for service in found)
    assert sum(service["requests"]["completed"] for service in found) == 50


@pytest.mark.parametrize("rights", ["--privileged", "--cap-drop=all --cap-add=BPF,PERFMON,SYS_PTRACE --security-opt=seccomp=unconfined"])
def test_ioprof_in_a_container_itself(container, root, rights):
    """As docs/monitoring.md says, with the host's PIDs."""
    pid = inspect(".State.Pid")
    binary = Path(ioprof_run.binary()).resolve()
    with subprocess.Popen([*ENGINE, "run", "--rm", *rights.split(), "--pid=host", "--cgroupns=host", "--network=host",
                           "--volume=/usr:/usr:ro", f"--volume={binary}:/ioprof:ro", "--rootfs", f"{root}:O", "/ioprof",
                           "-p", pid, "-d", "10", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        ioprof_run.wait_until(lambda: run.poll() is not None or observes(), PATIENCE_S, "ioprof observing", 0.1)
        pings(50)
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, stderr
    check_found(json.loads(stdout), 50)


def test_an_id_that_nobody_has(container):
    result = ioprof_run.run("--container", "0123456789ab", "-d", "1")
    assert result.returncode == 1 and "0123456789ab" in result.stderr, result
