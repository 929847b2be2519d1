# SPDX-License-Identifier: GPL-2.0-or-later
"""With which privileges ioprof works, what it says about those it lacks, and what it keeps once it observes."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import ioprof_run
from service_run import Downstream, Service

NOBODY = 65534
NEEDED = ("bpf", "perfmon", "sys_ptrace")
SYS_PTRACE = 1 << 19


@pytest.fixture
def idle():
    process = subprocess.Popen(["sleep", "infinity"])
    yield process
    process.kill()
    process.wait()


def as_nobody(*capabilities):
    """The command line that runs another one as an ordinary user with just these."""
    names = ",".join(f"+{name}" for name in capabilities)
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return prefix + ([f"--inh-caps={names}", f"--ambient-caps={names}"] if capabilities else [])


def run(prefix, *args):
    return subprocess.run([*prefix, *map(str, args)], capture_output=True, text=True, timeout=60)


def assert_refused(result, named):
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith(f"ioprof: not permitted to observe: missing {named}: run as root"), result.stderr
    assert result.stderr.count("\n") == 1


def held(pid):
    """What /proc says that a process may do and become."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} | {
        "NoNewPrivs": int(fields["NoNewPrivs"]), "Uid": set(map(int, fields["Uid"].split())),
        "Gid": set(map(int, fields["Gid"].split())), "Groups": set(map(int, fields["Groups"].split()))}


def observe(*command, env=None):
    """Observes a service of root that gets its load once ioprof keeps what it keeps: that, and the document."""
    with Downstream() as db, Service("--processes=2", f"--call={db.address},1,100") as service:
        prof = subprocess.Popen([*command, "-p", str(service.pid), "--json"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        ioprof_run.wait_until(lambda: prof.poll() is not None or ioprof_run.observing(prof.pid), what="observing")
        assert prof.poll() is None, prof.communicate()
        kept = held(prof.pid)
        service.load(requests=50, connections=2)
        prof.terminate()
        output, errors = prof.communicate(timeout=20)
        address = db.address
    assert (prof.returncode, errors) == (0, "")
    document = json.loads(output)
    (found,) = document["services"]
    assert found["requests"]["completed"] == 50
    assert found["per_request"]["operations"] == 1
    assert [peer["address"] for peer in found["peers"]] == [address]
    return kept, document


@pytest.mark.vm
def test_root_keeps_what_reading_takes():
    kept, document = observe(ioprof_run.binary())
    assert kept["CapPrm"] == kept["CapEff"] == SYS_PTRACE
    assert kept["CapInh"] == kept["CapBnd"] == kept["CapAmb"] == 0
    assert kept["NoNewPrivs"] == 1
    assert kept["Uid"] == {0}
    assert document["overhead"]["probe_cpu_s"] > 0


def test_root_without_setpcap():
    """What takes a capability that it never had is left out, as in many containers."""
    kept, _ = observe("setpriv", "--bounding-set=-setpcap", ioprof_run.binary())
    assert kept["CapPrm"] == kept["CapEff"] == SYS_PTRACE
    assert kept["CapBnd"] != 0
    assert kept["NoNewPrivs"] == 1


def test_under_sudo_it_becomes_the_caller(binary_for_all):
    kept, _ = observe(binary_for_all, env={"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY)})
    assert kept["Uid"] == kept["Gid"] == kept["Groups"] == {NOBODY}
    assert kept["CapPrm"] == kept["CapEff"] == SYS_PTRACE
    assert kept["CapBnd"] == 0
    assert kept["NoNewPrivs"] == 1


@pytest.mark.parametrize("uid, gid", [("0", "0"), ("", ""), ("-1", "-1"), ("4294967295", "1"), ("1x", "1")])
def test_no_such_caller(uid, gid, idle):
    with ioprof_run.Ioprof(["-p", idle.pid], env={**os.environ, "SUDO_UID": uid, "SUDO_GID": gid}) as prof:
        prof.wait_observing()
        assert held(prof.pid)["Uid"] == {0}


@pytest.mark.vm
def test_the_named_capabilities_suffice(binary_for_all):
    """As another user with just these, observing a service of root."""
    kept, document = observe(*as_nobody(*NEEDED), binary_for_all)
    assert kept["CapPrm"] == kept["CapEff"] == SYS_PTRACE
    assert kept["CapInh"] == kept["CapAmb"] == 0
    assert kept["NoNewPrivs"] == 1
    assert kept["Uid"] == {NOBODY}
    assert document["overhead"]["probe_cpu_s"] is None


@pytest.mark.parametrize("missing", NEEDED)
def test_each_of_them_is_needed_and_named(missing, binary_for_all, idle):
    prefix = as_nobody(*(name for name in NEEDED if name != missing))
    assert_refused(run(prefix, binary_for_all, "-p", idle.pid), f"CAP_{missing.upper()}")
    doctor = run(prefix, binary_for_all, "doctor")
    assert (doctor.returncode, doctor.stderr) == (3, "")
    lines = doctor.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("FAIL  capabilities"))
    assert lines[at].endswith(f"missing CAP_{missing.upper()}")
    assert lines[at + 1].lstrip().startswith("fix: ")
    assert "does not work here" in lines[-1]


def test_limit_of_the_overhead_takes_one_more(binary_for_all, idle):
    result = run(as_nobody(*NEEDED), binary_for_all, "-p", idle.pid, "--max-overhead", "1")
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (3, "", 1)
    assert "CAP_SYS_ADMIN" in result.stderr


def test_doctor_with_them(binary_for_all):
    doctor = run(as_nobody(*NEEDED), binary_for_all, "doctor")
    assert (doctor.returncode, doctor.stderr) == (0, "")
    assert any(line.startswith("ok    capabilities") for line in doctor.stdout.splitlines())


def test_without_any(binary_for_all, idle):
    assert_refused(run(as_nobody(), binary_for_all, "-p", idle.pid), "CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE")


@pytest.mark.parametrize("dropped, named", [
    ("-bpf,-sys_admin", "CAP_BPF"), ("-perfmon,-sys_admin", "CAP_PERFMON"), ("-sys_ptrace", "CAP_SYS_PTRACE"),
    ("-bpf,-perfmon,-sys_admin", "CAP_BPF, CAP_PERFMON"),
])
def test_root_that_lacks_some(dropped, named, idle):
    assert_refused(run(["setpriv", f"--bounding-set={dropped}"], ioprof_run.binary(), "-p", idle.pid), named)
