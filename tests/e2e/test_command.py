# SPDX-License-Identifier: GPL-2.0-or-later
"""The command itself: when it reports, how it ends, what it leaves behind."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
from pathlib import Path

import pytest

import bpf_info
import ioprof_run
from service_run import Downstream, Service


@pytest.fixture
def idle():
    """A process that does nothing."""
    process = subprocess.Popen(["sleep", "infinity"])
    yield process
    process.kill()
    process.wait()


def documents(text):
    return [json.loads(line) for line in text.splitlines()]


def watched(prof, pid):
    """True once ioprof waits for the end of that process."""
    for info in Path(f"/proc/{prof.pid}/fdinfo").iterdir():
        try:
            if re.search(rf"^Pid:\t{pid}$", info.read_text(), re.M):
                return True
        except FileNotFoundError:
            continue  # closed meanwhile
    return False


@pytest.mark.parametrize("args, says", [
    (["--help"], "Examples:"), (["-h"], "Examples:"), (["-p", "1", "--help"], "Examples:"),
    (["-hp"], "Examples:"), (["--help", "--no-such"], "Examples:"), (["-Vzp"], "ioprof "),
    (["doctor", "--help"], "Exit status"), (["--version"], "ioprof "), (["-V"], "ioprof "), (["doctor", "-V"], "ioprof "),
])
def test_help_and_version_go_to_stdout(args, says):
    run = ioprof_run.run(*args)
    assert (run.returncode, run.stderr) == (0, "")
    assert says in run.stdout
    assert max(map(len, run.stdout.splitlines())) <= 80


def test_doctor_says_yes_where_it_works(idle):
    run = ioprof_run.run("doctor")
    assert (run.returncode, run.stderr) == (0, "")
    *checks, verdict = run.stdout.splitlines()
    assert all(re.match(r"(ok|note|FAIL|) *  \S", line) for line in checks)
    assert not [line for line in checks if line.startswith("FAIL")]
    assert verdict == "'ioprof -p PID' works here."
    assert ioprof_run.run("-p", idle.pid, "-d", "0.1").returncode == 0


def test_duration_gives_one_document(idle):
    run = ioprof_run.run("-p", idle.pid, "-d", "0.3", "--json")
    assert (run.returncode, run.stderr) == (0, "")
    (doc,) = documents(run.stdout)
    assert doc["interval"]["duration_s"] >= 0.3
    assert [service["pids"] for service in doc["services"]] == [[idle.pid]]


def test_intervals_cover_the_duration(idle):
    run = ioprof_run.run("-p", idle.pid, "-d", "0.5", "-i", "0.2", "--json")
    assert (run.returncode, run.stderr) == (0, "")
    docs = documents(run.stdout)
    # Two whole ones and what is left; fewer where the machine slept over a tick.
    assert 1 <= len(docs) <= 3
    assert sum(doc["interval"]["duration_s"] for doc in docs) >= 0.5
    starts = [doc["interval"]["start_unix_ns"] for doc in docs]
    assert starts == sorted(starts)


def test_interval_text_reports_are_apart(idle):
    run = ioprof_run.run("-p", idle.pid, "-d", "0.4", "-i", "0.2")
    assert (run.returncode, run.stderr) == (0, "")
    headings = len(re.findall(r"^\S.* sleep ", run.stdout, re.M))
    assert headings >= 1
    assert len(re.findall(r"^\n\S.* sleep ", run.stdout, re.M)) == headings - 1


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("args", [[], ["--json"], ["--json", "-i", "1000"]], ids=["text", "json", "interval"])
def test_signals_end_with_the_report(idle, sig, args):
    with ioprof_run.Ioprof(["-p", idle.pid, *args]) as prof:
        prof.wait_observing()
        prof.process.send_signal(sig)
        assert prof.process.wait(20) == 0
        assert prof.errors() == ""
        if args:
            assert len(documents(prof.output())) == 1
        else:
            assert "sleep" in prof.output()


def test_nohup_is_respected(idle):
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ioprof_run.start(idle.pid, preexec_fn=ignore) as prof:
        status = Path(f"/proc/{prof.pid}/status").read_text()
        blocked = int(re.search(r"^SigBlk:\t(\w+)$", status, re.M)[1], 16)
        assert not blocked & 1 << (signal.SIGHUP - 1)  # a blocked signal would be kept although it is ignored
        prof.process.send_signal(signal.SIGHUP)
        prof.stop()


def test_second_interrupt_ends_at_once(idle):
    """While the report waits for a reader that does not read."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 65536)
    fcntl.fcntl(writer, fcntl.F_SETFL, 0)
    prof = subprocess.Popen([ioprof_run.binary(), "-p", str(idle.pid)], stdout=writer, stderr=subprocess.PIPE)
    try:
        ioprof_run.wait_until(lambda: ioprof_run.observing(prof.pid), what="ioprof observing")
        held = ioprof_run.bpf_objects(prof.pid)
        prof.send_signal(signal.SIGINT)
        # Blocked in write() on standard output, the service no longer observed.
        ioprof_run.wait_until(lambda: Path(f"/proc/{prof.pid}/syscall").read_text().split()[1:2] == ["0x1"]
                              and "pipe" in Path(f"/proc/{prof.pid}/wchan").read_text(), what="ioprof writing")
        assert not ioprof_run.bpf_ids(prof.pid)
        prof.send_signal(signal.SIGINT)
        assert prof.wait(20) == -signal.SIGINT
        assert prof.stderr.read() == b""
        ioprof_run.wait_until(lambda: not bpf_info.left(held), what="nothing of it in the kernel")
    finally:
        prof.kill()
        prof.wait()
        prof.stderr.close()
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_end_of_the_service_ends_with_the_report(idle, end):
    with ioprof_run.start(idle.pid) as prof:
        idle.send_signal(end)
        idle.wait()
        (doc,) = prof.end()
        assert prof.errors() == ""
    assert doc["services"][0]["name"] == "sleep"


def test_several_services_end_with_the_last(idle):
    other = subprocess.Popen(["sleep", "infinity"])
    try:
        with ioprof_run.start(f"{idle.pid},{other.pid}") as prof:
            other.kill()
            other.wait()
            ioprof_run.wait_until(lambda: not watched(prof, other.pid), what="its end noticed")
            assert prof.process.poll() is None
            idle.kill()
            (doc,) = prof.end()
    finally:
        other.kill()
        other.wait()
    assert len(doc["services"]) == 2


def test_children_outlive_the_first_process():
    """As with a program that moves to the background under observation."""
    parent = subprocess.Popen(["sh", "-c", "sleep infinity & echo $!; read line; exit 0"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    try:
        with ioprof_run.start(parent.pid) as prof:
            parent.stdin.write("go\n")
            parent.stdin.close()
            parent.wait()
            ioprof_run.wait_until(lambda: watched(prof, child), what="waiting for the child")
            os.kill(child, signal.SIGKILL)
            prof.end()
    finally:
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            pass
        parent.stdout.close()


def test_closed_pipe_ends_the_observation(idle):
    """ioprof -p PID | head -c0: nobody will read the report."""
    reader, writer = os.pipe()
    prof = subprocess.Popen([ioprof_run.binary(), "-p", str(idle.pid)], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    ioprof_run.wait_until(lambda: ioprof_run.observing(prof.pid), what="ioprof observing")
    os.close(reader)
    assert prof.communicate(timeout=20) == (None, b"")
    assert prof.returncode == 1


def test_progress_line_on_a_terminal(idle):
    """Shown every second, and gone before the report."""
    terminal, its_end = pty.openpty()
    prof = subprocess.Popen([ioprof_run.binary(), "-p", str(idle.pid), "--json"], stdout=subprocess.PIPE, stderr=its_end)
    os.close(its_end)
    shown = b""
    try:
        while shown.count(b"requests; Ctrl-C ends with the report") < 2:
            assert select.select([terminal], [], [], 20)[0], shown
            shown += os.read(terminal, 4096)
        prof.send_signal(signal.SIGINT)
        output, _ = prof.communicate(timeout=20)
        while select.select([terminal], [], [], 0)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:
                break  # the other end is closed
    finally:
        prof.kill()
        prof.wait()
        os.close(terminal)
    assert shown.startswith(b"\rsleep: ")
    assert shown.endswith(b"\r\x1b[K")
    assert b"\n" not in shown
    (doc,) = documents(output)
    # Read once a second, reported as one.
    assert doc["interval"]["duration_s"] >= 1


def test_nothing_runs_between_ticks():
    """However much the service does: without -i and a terminal ioprof sleeps until the end."""
    def switches(pid):
        text = Path(f"/proc/{pid}/status").read_text()
        return sum(map(int, re.findall(r"voluntary_ctxt_switches:\t(\d+)", text)))

    with Downstream() as db, Service("--processes=2", f"--call={db.address},3,100") as service, ioprof_run.start(service.pid) as prof:
        before = switches(prof.pid)
        service.load(requests=500, connections=2)
        assert switches(prof.pid) == before
        doc = prof.stop()
    assert doc["services"][0]["requests"]["completed"] == 500


@pytest.mark.parametrize("end", ["duration", signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, "service"])
def test_nothing_stays_in_the_kernel(idle, end):
    args = ["-d", "0.5"] if end == "duration" else []
    with ioprof_run.start(idle.pid, args=args) as prof:
        held = ioprof_run.bpf_objects(prof.pid)
        assert all(held.values())
        if end == "service":
            idle.kill()
            idle.wait()
        elif end != "duration":
            prof.process.send_signal(end)
        prof.process.wait(20)
    # The kernel frees them a moment later.
    ioprof_run.wait_until(lambda: not bpf_info.left(held), what="nothing of it in the kernel")
