# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be wrong from outside: each is told in one clear line with cause and fix, by the right exit status."""

import json
import os
import subprocess
import sys
import threading

import pytest

import ioprof_run
from service_run import Downstream, Service


def assert_told(run, status, *words):
    """Nothing on stdout, one line on stderr "ioprof: cause: fix" with these words."""
    assert (run.returncode, run.stdout) == (status, ""), run.stderr
    assert run.stderr.endswith("\n") and run.stderr.count("\n") == 1, run.stderr
    assert run.stderr.startswith("ioprof: "), run.stderr
    assert run.stderr.count(": ") >= 2, run.stderr
    for word in words:
        assert word in run.stderr
    assert run.stderr.isprintable() or run.stderr[:-1].isprintable()


@pytest.fixture
def idle():
    process = subprocess.Popen(["sleep", "infinity"])
    yield process
    process.kill()
    process.wait()


def run_as(prefix, *args):
    """Runs a command line to its end with text output."""
    return subprocess.run([*prefix, *map(str, args)], capture_output=True, text=True, errors="replace", timeout=60)


# The command line

@pytest.mark.parametrize("args, word", [
    ([], "-p PID"), (["-p", "abc"], "'abc'"), (["-p", "-1"], "'-1'"), (["-p", "0"], "'0'"), (["-p", "1.5"], "'1.5'"),
    (["-p", "99999999999999999999"], "process ID"), (["-p", "1,,2"], "process ID"), (["-p"], "--pid"),
    (["-p", "1", "-d", "-1"], "'-1'"), (["-p", "1", "-d", "nan"], "'nan'"), (["-p", "1", "-d", "inf"], "'inf'"),
    (["-p", "1", "-d", "0"], "--duration"), (["-p", "1", "-d", "1e99"], "'1e99'"), (["-p", "1", "-i", "0"], "--interval"),
    (["-p", "1", "-d", "1", "-i", "2"], "-i"), (["-p", "1", "--no-such"], "'--no-such'"), (["-z"], "'-z'"),
    (["-p", "1", "--max-peers", "0"], "--max-peers"), (["-p", "1", "--socket-set", "x"], "'x'"),
    (["-p", "1", "--max-overhead", "0"], "--max-overhead"), (["-p", "1", "--max-overhead=nan"], "--max-overhead"),
    (["-p", "1", "--max-overhead", "101"], "--max-overhead"), (["-p", "1", "--max-overhead", ""], "--max-overhead"), (["1234"], "-p 1234"),
    (["doctr"], "'doctr'"), (["doctor", "now"], "'now'"), (["doctor", "--deep"], "ioprof doctor --help"),
    (["-p", "\x1b[31m\n\u202e"], "\\x1b[31m\\n\\u202e"),
])
def test_wrong_usage(args, word):
    assert_told(ioprof_run.run(*args), 2, word)


# The process

def test_no_such_process():
    process = subprocess.Popen(["true"])
    process.wait()
    assert_told(ioprof_run.run("-p", process.pid), 1, str(process.pid), "no process")


def test_kernel_thread():
    assert_told(ioprof_run.run("-p", 2), 1, "kthreadd", "thread of the kernel")


def test_ended_process_not_yet_collected():
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    run = ioprof_run.run("-p", process.pid)
    process.wait()
    assert_told(run, 1, str(process.pid), "has ended")


def test_thread_instead_of_its_process():
    script = ("import threading, sys\n"
              "t = threading.Thread(target=sys.stdin.read); t.start(); print(t.native_id, flush=True); t.join()")
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    thread = int(process.stdout.readline())
    run = ioprof_run.run("-p", thread)
    process.communicate()
    assert_told(run, 1, f"-p {process.pid}")


def test_own_ancestors_are_refused():
    assert_told(ioprof_run.run("-p", os.getpid()), 1, "itself")


def test_one_service_within_another():
    outer = subprocess.Popen(["sh", "-c", "sleep infinity & echo $!; wait"], stdout=subprocess.PIPE, text=True)
    inner = int(outer.stdout.readline())
    try:
        assert_told(ioprof_run.run("-p", outer.pid, "-p", inner), 1, f"leave out {inner}")
    finally:
        os.kill(inner, 9)
        outer.communicate()


@pytest.mark.parametrize("json_wanted", [True, False])
def test_process_ends_meanwhile(json_wanted):
    """It may end at any point between the first look at it and the last: a report or one line, never a hang."""
    for _ in range(10):
        process = subprocess.Popen(["sleep", "0.05"])
        waiter = threading.Thread(target=process.wait)
        waiter.start()
        run = ioprof_run.run("-p", process.pid, *(["--json"] if json_wanted else []))
        waiter.join()
        if run.returncode == 0:
            assert run.stderr == ""
            assert "sleep" in run.stdout
        else:
            assert_told(run, 1, str(process.pid))


# The kernel

def run_with_mounts(script, *args):
    """Runs ioprof in a mount namespace of its own, where the script has mounted something over something."""
    return run_as(["unshare", "--mount", "--propagation=private", "sh", "-ec", f'{script}\nexec "$0" "$@"',
                   ioprof_run.binary()], *args)


WITHOUT_BTF = "mount -t tmpfs none /sys/kernel/btf"
LOCKED_DOWN = ("mount -t tmpfs none /sys/kernel/security\n"
               "echo 'none integrity [confidentiality]' >/sys/kernel/security/lockdown")


def test_without_btf(idle):
    assert_told(run_with_mounts(WITHOUT_BTF, "-p", idle.pid), 4, "/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF")


def test_locked_down(idle):
    assert_told(run_with_mounts(LOCKED_DOWN, "-p", idle.pid), 4, "confidentiality")


@pytest.mark.parametrize("script, what", [(WITHOUT_BTF, "BTF"), (LOCKED_DOWN, "lockdown")])
def test_doctor_on_such_a_kernel(script, what):
    run = run_with_mounts(script, "doctor")
    assert (run.returncode, run.stderr) == (4, "")
    lines = run.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(f"FAIL  {what}"))
    assert lines[at + 1].lstrip().startswith("fix: ")


@pytest.mark.parametrize("refused", ["tracepoint", "fexit", "syscall"])
def test_socket_set_is_taken_or_refused_in_one_line(idle, refused):
    run = ioprof_run.run("-p", idle.pid, "-d", "0.1", "--socket-set", refused)
    if run.returncode == 0:
        assert run.stderr == ""
    else:
        assert_told(run, 4, "--socket-set auto")


# Full tables

def test_full_peer_table_is_said():
    with Downstream() as a, Downstream() as b, Downstream() as c, \
            Service(*(f"--call={d.address},1,100" for d in (a, b, c))) as service:
        with ioprof_run.start(service.pid, args=["--max-peers", "1"]) as prof:
            service.load(requests=20, connections=1)
            document = prof.stop()
        with ioprof_run.Ioprof(["-p", service.pid, "--max-peers", "1"]) as prof:
            prof.wait_observing()
            service.load(requests=20, connections=1)
            prof.process.terminate()
            assert prof.process.wait(20) == 0
            text = prof.output()
    (found,) = document["services"]
    assert found["requests"]["completed"] == 20
    assert document["losses"]["peers"] > 0
    peers = {peer["address"]: peer["operations"] for peer in found["peers"]}
    assert peers["other peers"] == document["losses"]["peers"]
    assert sum(peers.values()) == found["requests"]["operations"] == 60
    assert "LOST" in text and "other peers" in text


def test_more_processes_than_rows_at_the_start():
    with Service("--processes=4") as service:
        assert_told(ioprof_run.run("-p", service.pid, "--max-processes", 2), 1, "--max-processes")


def test_more_processes_than_rows_later():
    script = "read line; sleep infinity >&- & a=$!; sleep infinity >&- & b=$!; echo started; read line; kill $a $b"
    shell = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        with ioprof_run.start(shell.pid, args=["--max-processes", "1"]) as prof:
            shell.stdin.write("go\n")
            shell.stdin.flush()
            assert shell.stdout.readline() == "started\n"
            document = prof.stop()
    finally:
        shell.communicate("end\n", timeout=20)
    assert document["losses"]["processes"] == 2


# Hostile names

HOSTILE = [b"\x1b[2J\x1b]0;x\x07", b"a\nb\tc\r", b"\xff\xfe\x80", b"\"quoted'\\", b"\xe2\x80\xaeevil\xc2\x9b",
           b"\xf0\x9f\x90\x8d\xe2\x82", b"%s%n%p", b"-p"]


def check_hostile(pid, name):
    text = subprocess.run([ioprof_run.binary(), "-p", str(pid), "-d", "0.05"], capture_output=True, timeout=60,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert (text.returncode, text.stderr) == (0, b"")
    report = text.stdout.decode()  # valid UTF-8
    assert all(c.isprintable() or c == "\n" for c in report), report
    # Nothing the name holds starts a line of its own.
    assert len(report.splitlines()) == report.count("\n")
    run = subprocess.run([ioprof_run.binary(), "-p", str(pid), "-d", "0.05", "--json"], capture_output=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, b"")
    assert run.stdout.count(b"\n") == 1
    found = json.loads(run.stdout.decode())["services"][0]["name"]
    assert found.replace("\ufffd", "") == name.decode(errors="replace").replace("\ufffd", "")
    assert ("\ufffd" in found) == ("\ufffd" in name.decode(errors="replace"))


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_hostile_process_name(name):
    """A process that calls itself so."""
    script = ("import ctypes, sys\n"
              f"ctypes.CDLL(None).prctl(15, {name!r})\n"
              "print(flush=True); sys.stdin.read()")
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    try:
        check_hostile(process.pid, name[:15])
    finally:
        process.communicate()


@pytest.mark.parametrize("name", HOSTILE[:-1], ids=repr)
def test_hostile_command_line(name, tmp_path):
    """A script called so: the name is taken from the command line."""
    script = os.path.join(os.fsencode(tmp_path), name)
    with open(script, "w") as file:
        file.write("import sys; print(flush=True); sys.stdin.read()")
    process = subprocess.Popen(["/usr/bin/python3", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    try:
        check_hostile(process.pid, name)
    finally:
        process.communicate()


# The output

ANSWERS = [["--help"], ["--version"], ["doctor"], ["doctor", "--help"]]


@pytest.mark.parametrize("args", [*ANSWERS, ["-d", "0.1"], ["-d", "0.1", "--json"], ["-d", "9", "-i", "0.1"]],
                         ids=" ".join)
def test_full_disk(idle, args):
    if "-d" in args:
        args = ["-p", idle.pid, *args]
    with open("/dev/full", "w") as full:
        run = subprocess.run([ioprof_run.binary(), *map(str, args)], stdout=full, stderr=subprocess.PIPE, text=True,
                             timeout=60)
    assert (run.returncode, run.stderr) == (1, "ioprof: cannot write the report: No space left on device\n")


@pytest.mark.parametrize("args", [*ANSWERS, ["-d", "0.1"], ["-d", "0.1", "--json"], ["-d", "9", "-i", "0.1"]],
                         ids=" ".join)
def test_closed_pipe(idle, args):
    """Whoever closed it has what they want: no message, but no success either."""
    if "-d" in args:
        args = ["-p", idle.pid, *args]
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run([ioprof_run.binary(), *map(str, args)], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writer)
    assert (run.returncode, run.stderr) == (1, "")


@pytest.mark.parametrize("args", [*ANSWERS, ["-d", "0.1"]], ids=" ".join)
def test_no_standard_output_at_all(idle, args):
    """Not even then is the report written into something else."""
    if "-d" in args:
        args = ["-p", idle.pid, *args]
    run = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", ioprof_run.binary(), *map(str, args)], stderr=subprocess.PIPE,
                         text=True, timeout=60)
    assert (run.returncode, run.stderr) == (1, "ioprof: cannot write the report: Bad file descriptor\n")
