# SPDX-License-Identifier: GPL-2.0-or-later
"""A real server in a container of a real engine, under the systemd of this guest. It has its own PID namespace, and Debian's
files for its root."""

import json
import subprocess
from pathlib import Path

import pytest

import ioprof_run
from engines import PATIENCE_S, Containerd, Docker, Podman, output

PORT = 7777


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
def container(request, root):
    with request.param(root) as engine:
        engine.start("/usr/bin/redis-server", "--port", PORT, "--save", "")
        ioprof_run.wait_until(answers, PATIENCE_S, "redis", 0.1)
        yield engine


def of(*engines):
    return pytest.mark.parametrize("container", engines, indirect=True, ids=lambda engine: engine.__name__.lower())


def check_found(doc, container, n):
    """The one process of the container, by its PID in this namespace, and all its requests."""
    pid = container.pid
    with open(f"/proc/{pid}/status") as status:
        assert f"NSpid:\t{pid}\t1\n" in status.read()
    (found,) = [service for service in doc["services"] if pid in service["pids"]]
    assert found["pids"] == [pid]
    assert found["requests"]["completed"] == n
    return found


@of(Podman, Docker, Containerd)
@pytest.mark.parametrize("length", [12, 64])
def test_a_container_by_its_id(container, length):
    with ioprof_run.Ioprof(["--json", "--container", container.id[:length]]) as prof:
        prof.wait_observing(PATIENCE_S)
        pings(50)
        doc = prof.stop()
    assert len(doc["services"]) == 1
    check_found(doc, container, 50)


@of(Podman, Docker, Containerd)
def test_a_container_is_a_service_of_its_own_among_all(container):
    with ioprof_run.Ioprof(["--json", "--all"]) as prof:
        prof.wait_observing(PATIENCE_S)
        pings(50)
        doc = prof.stop()
    assert container.id[:12] in check_found(doc, container, 50)["name"]


@of(Podman, Docker)
def test_one_that_is_started_again(container):
    """By the same ID: another process, in another control group of the same name."""
    container.stop()
    with ioprof_run.Ioprof(["--json", "--wait", "--container", container.id, "-i", "1"]) as prof:
        container.start_again()
        ioprof_run.wait_until(lambda: '"pids"' in prof.output(), PATIENCE_S, "the container observed", 0.1)
        pings(50)
        docs = prof.stop_all()
    found = [service for doc in docs for service in doc["services"]]
    assert found and all(service["pids"] == [container.pid] for service in found)
    assert sum(service["requests"]["completed"] for service in found) == 50


@of(Podman)
@pytest.mark.parametrize("rights", ["--privileged", "--cap-drop=all --cap-add=BPF,PERFMON,SYS_PTRACE --security-opt=seccomp=unconfined"])
def test_ioprof_in_a_container_itself(container, root, rights):
    """As docs/monitoring.md says, with the host's PIDs."""
    binary = Path(ioprof_run.binary()).resolve()
    with subprocess.Popen([*Podman.command, "run", "--rm", *rights.split(), "--pid=host", "--cgroupns=host", "--network=host",
                           "--volume=/usr:/usr:ro", f"--volume={binary}:/ioprof:ro", "--rootfs", f"{root}:O", "/ioprof",
                           "-p", str(container.pid), "-d", "10", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        ioprof_run.wait_until(lambda: run.poll() is not None or observes(), PATIENCE_S, "ioprof observing", 0.1)
        pings(50)
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, stderr
    check_found(json.loads(stdout), container, 50)


def test_an_id_that_nobody_has():
    result = ioprof_run.run("--container", "0123456789ab", "-d", "1")
    assert result.returncode == 1 and "0123456789ab" in result.stderr, result
