# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian package under a systemd that is process 1: its unit, its sandbox, and that nothing is left of either."""

import glob
import json
import os
import re
import subprocess
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

import bpf_info
import ioprof_run
from export_run import samples

PACKAGE = max(Path(os.environ["IOPROF_PACKAGE"]).glob("*.deb"), key=os.path.getmtime)
UNIT = "ioprof-export.service"
ADDRESS = "http://127.0.0.1:9977"
SYS_PTRACE, PERFMON, BPF = 1 << 19, 1 << 38, 1 << 39
# Emulated, an interpreter or a daemon takes its time to start.
PATIENCE_S = 60


def output(*command):
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


def get(path):
    """The body; None as long as nobody answers."""
    try:
        with urllib.request.urlopen(ADDRESS + path, timeout=20) as answer:
            return answer.read().decode()
    except OSError:
        return None


def exporting():
    """Once the exporter answers: its PID."""
    def answers():
        assert output("systemctl", "show", "--value", "-p", "Result", UNIT) == "success\n", journal()
        return get("/healthz")

    ioprof_run.wait_until(answers, PATIENCE_S, "the exporter answering", 0.1)
    return main_pid(UNIT)


def journal(*options):
    return output("journalctl", "-q", "-u", UNIT, "-o", "cat", *options)


def main_pid(unit):
    return int(output("systemctl", "show", "--value", "-p", "MainPID", unit))


def wait_gone(held):
    """Until the kernel has none of those."""
    ioprof_run.wait_until(lambda: not bpf_info.left(held), what="the end of its programs")


def bpf_names():
    """Of all BPF programs and maps. systemd has some of its own, and loads them anew now and then."""
    return Counter((kind, found.get("name")) for kind in ("prog", "map")
                   for found in json.loads(output("bpftool", "-j", kind, "list") or "[]"))


def get_pages(n):
    """So many requests to nginx, one after the other, by curl."""
    output("curl", "-s", "-o", "/dev/null", "--fail", f"http://127.0.0.1/?[1-{n}]")


def requests_of(unit):
    return samples(get("/metrics")).get(f'ioprof_requests_total{{service="{unit}"}}')


def wait_requests(unit, n):
    def arrived():
        found = requests_of(unit)
        assert found is None or found <= n
        return found == n

    ioprof_run.wait_until(arrived, PATIENCE_S, f"{n} requests of {unit}", 0.1)


def inside(pid, *command):
    """Runs a command in the mount namespace of a process."""
    return subprocess.run(["nsenter", "--mount", "--target", str(pid), *command], capture_output=True, text=True,
                          timeout=60)


def install():
    """No triggers: that of the manual reads every page of the host's."""
    output("dpkg", "--no-triggers", "--install", PACKAGE)


def traces_of_it():
    """What bears its name, where systemd, dpkg and administrators keep things; beside the package's own files."""
    places = ("/etc/*", "/etc/systemd/system/*", "/etc/systemd/system/*/*", "/usr/share/*", "/usr/share/doc/*", "/usr/bin/*",
              "/usr/lib/systemd/system/*", "/run/systemd/system/*", "/var/lib/*", "/var/lib/private/*",
              "/var/lib/systemd/deb-systemd-helper-enabled/*", "/var/cache/private/*", "/etc/default/*", "/tmp/systemd-*")
    return [path for place in places for path in glob.glob(f"{place}ioprof*")]


@pytest.fixture(scope="module")
def nginx():
    """A real service, in Debian's own unit."""
    output("systemctl", "start", "nginx")
    yield "nginx.service"
    output("systemctl", "stop", "nginx")


@pytest.fixture(scope="module")
def exporter(nginx):
    """Installed and started as the documentation says; gone at the end."""
    assert Path("/proc/1/comm").read_text() == "systemd\n"
    assert traces_of_it() == []
    before = bpf_names()
    install()
    files = [path for path in output("dpkg", "-L", "ioprof").splitlines() if os.path.isfile(path)]
    Path("/etc/default/ioprof-export").write_text("IOPROF_OPTIONS=--all --wait -i 1\n")
    output("systemctl", "enable", "--now", UNIT)
    yield exporting
    output("dpkg", "--no-triggers", "--purge", "ioprof")
    assert subprocess.run(["systemctl", "is-active", UNIT], capture_output=True).returncode != 0
    assert "LoadState=not-found" in output("systemctl", "show", "-p", "LoadState", UNIT)
    assert [path for path in files if os.path.exists(path)] == []
    ioprof_run.wait_until(lambda: bpf_names() == before, what="the kernel as it was before")
    assert traces_of_it() == []


def test_the_unit_counts_requests(exporter, nginx):
    pid = exporter()
    assert output("systemctl", "is-active", UNIT) == "active\n"
    assert output("systemctl", "is-enabled", UNIT) == "enabled\n"
    # That it knows of nginx is seen in its metrics.
    ioprof_run.wait_until(lambda: requests_of(nginx) == 0, PATIENCE_S, "nginx observed", 0.1)
    get_pages(100)
    wait_requests(nginx, 100)
    services = json.loads(get("/snapshot"))["services"]
    (found,) = [service for service in services if service["name"] == nginx]
    assert main_pid(nginx) in found["pids"]
    assert not [service for service in services if pid in service["pids"]]


def test_it_is_nobody_with_few_capabilities(exporter):
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{exporter()}/status").read_text().splitlines())
    held = {name: int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    assert held["CapBnd"] == BPF | PERFMON | SYS_PTRACE
    assert held["CapPrm"] == held["CapEff"] == SYS_PTRACE
    assert held["CapInh"] == held["CapAmb"] == 0
    users = set(map(int, fields["Uid"].split()))
    # Those that systemd hands out for DynamicUser=.
    assert len(users) == 1 and 61184 <= users.pop() <= 65519
    assert fields["NoNewPrivs"].strip() == "1"
    assert fields["Seccomp"].strip() == "2"


def test_the_sandbox_holds(exporter):
    """From within its mount namespace, as root: stricter than what the process itself could do."""
    pid = exporter()
    for path in ("/usr/x", "/etc/x", "/var/x", "/proc/sys/kernel/hostname", "/sys/fs/cgroup/x"):
        tried = inside(pid, "sh", "-c", f"echo x > {path}")
        assert tried.returncode != 0 and "Read-only file system" in tried.stderr, (path, tried)
    assert inside(pid, "ls", "-A", "/home", "/root").stdout.split() == ["/home:", "/root:"]
    assert inside(pid, "ls", "-A", "/tmp").stdout == ""
    assert {"vda", "mem", "kmsg"} & set(inside(pid, "ls", "/dev").stdout.split()) == set()
    group = Path("/sys/fs/cgroup/system.slice") / UNIT
    assert (group / "memory.max").read_text() == f"{256 << 20}\n"
    assert (group / "pids.max").read_text() == "16\n"
    assert (group / "cgroup.procs").read_text() == f"{pid}\n"


def test_systemd_rates_it(exporter, capsys):
    exporter()
    rating = output("systemd-analyze", "security", "--no-pager", UNIT)
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", rating)[1])
    with capsys.disabled():
        print(f"\nsystemd-analyze security: {exposure} of 10")
    assert exposure <= 2.5


def test_a_unit_is_found_by_its_name(exporter, nginx):
    exporter()
    with ioprof_run.Ioprof(["--json", "--unit", "nginx"]) as prof:
        prof.wait_observing(PATIENCE_S)
        get_pages(20)
        doc = prof.stop()
    (found,) = doc["services"]
    assert found["name"] == "nginx"
    assert sorted(found["pids"]) == sorted(map(int, members(nginx)))
    assert found["requests"]["completed"] == 20


def members(unit):
    return Path(f"/sys/fs/cgroup/system.slice/{unit}/cgroup.procs").read_text().split()


def test_the_installed_command_ends_by_itself(exporter, nginx):
    exporter()
    run = subprocess.run(["/usr/bin/ioprof", "--unit", nginx, "-d", "3", "--json"], capture_output=True, text=True,
                         timeout=120)
    assert (run.returncode, run.stderr) == (0, "")
    assert sorted(json.loads(run.stdout)["services"][0]["pids"]) == sorted(map(int, members(nginx)))


def test_it_has_nothing_to_complain_of(exporter):
    exporter()
    said = {line for line in journal().splitlines() if line.startswith("ioprof: ")}
    assert len(said) == 1 and "serving http://127.0.0.1:9977/metrics" in said.pop()


def test_an_upgrade_restarts_what_runs_and_leaves_nothing(exporter, nginx):
    first = exporter()
    held = ioprof_run.bpf_objects(first)
    assert all(held.values())
    install()
    ioprof_run.wait_until(lambda: main_pid(UNIT) not in (0, first), PATIENCE_S, "another process", 0.2)
    wait_gone(held)
    exporting()
    # Counters begin anew.
    ioprof_run.wait_until(lambda: requests_of(nginx) == 0, PATIENCE_S, "nginx observed", 0.1)


def test_a_stop_leaves_nothing_in_the_kernel(exporter):
    held = ioprof_run.bpf_objects(exporter())
    output("systemctl", "stop", UNIT)
    assert output("systemctl", "show", "--value", "-p", "Result", UNIT) == "success\n"
    wait_gone(held)
