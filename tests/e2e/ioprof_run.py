# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs ioprof and reads its JSON documents.

    with ioprof_run.start(pid) as prof:     # returns once ioprof observes
        ...load...
        doc = prof.stop()                   # SIGINT, one document

The binary is $IOPROF, or build/release/ioprof.
"""

import json
import os
import platform
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# System calls in which ioprof waits for its next event: poll, select, epoll and their p- variants. What it reads while it
# attaches may make it sleep, too, but not in these.
WAITING_CALLS = {
    "x86_64": {7, 23, 232, 270, 271, 281, 441},
    "aarch64": {22, 72, 73, 441},
}


# Of ioprof to begin and to end: emulation is slow, and some machines emulate at half the speed of others.
PATIENCE_S = 60 if os.environ.get("IOPROF_GUEST") else 20


class IoprofError(Exception):
    """ioprof did not do what the test needs to begin; carries its stderr."""


def binary():
    return os.environ.get("IOPROF", str(ROOT / "build/release/ioprof"))


def testbin(name):
    """The path of a test program (tests/service and others)."""
    return str(Path(os.environ.get("IOPROF_TESTBIN", str(ROOT / "build/release/tests/bin"))) / name)


def wait_until(condition, timeout=30.0, what="condition", pause=0.005):
    """Polls until condition() is true and returns its value; TimeoutError names what never came."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come about within {timeout} s")
        time.sleep(pause)


def run(*args, timeout=60, **popen_args):
    """Runs ioprof to its end: a CompletedProcess with text stdout and stderr."""
    return subprocess.run([binary(), *map(str, args)], capture_output=True, text=True, errors="replace",
                          timeout=timeout, **popen_args)


def bpf_ids(pid, kind="prog_id"):
    """The ids of the BPF programs (or kind="map_id", "link_id") a process holds."""
    found = set()
    try:
        for info in Path(f"/proc/{pid}/fdinfo").iterdir():
            try:
                for line in info.read_text().splitlines():
                    key, _, value = line.partition(":")
                    if key == kind:
                        found.add(int(value))
            except (FileNotFoundError, ProcessLookupError):
                continue  # closed meanwhile
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def bpf_objects(pid):
    """The ids of the programs, maps and links a process holds, by kind."""
    return {kind: bpf_ids(pid, f"{kind}_id") for kind in ("prog", "map", "link")}


def observing(pid):
    """True once the ioprof process has attached its programs and sleeps until its next event."""
    try:
        call = Path(f"/proc/{pid}/syscall").read_text().split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    waiting = call.isdigit() and int(call) in WAITING_CALLS[platform.machine()]
    return waiting and bool(bpf_ids(pid, "link_id"))


class Ioprof:
    """A running ioprof. Ends it, and fails the test on a crash, when the with block ends."""

    def __init__(self, args, **popen_args):
        self.stdout = tempfile.TemporaryFile("w+")
        self.stderr = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.argv(args), stdin=subprocess.DEVNULL,
                                        stdout=self.stdout, stderr=self.stderr, **popen_args)
        self.pid = self.process.pid

    def argv(self, args):
        """The whole command line."""
        return [binary(), *map(str, args)]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.stdout.close()
        self.stderr.close()

    def errors(self):
        self.stderr.seek(0)
        return self.stderr.read()

    def output(self):
        self.stdout.seek(0)
        return self.stdout.read()

    def wait_observing(self, timeout=PATIENCE_S):
        def ready():
            if self.process.poll() is not None:
                raise IoprofError(f"ioprof ended with {self.process.returncode}: {self.errors()}")
            return observing(self.pid)

        wait_until(ready, timeout, "ioprof observing")
        return self

    def program_ids(self):
        return bpf_ids(self.pid)

    def end(self, timeout=PATIENCE_S):
        """Waits for ioprof to end by itself: the list of its documents."""
        status = self.process.wait(timeout)
        assert status == 0, f"ioprof ended with {status}: {self.errors()}"
        return [json.loads(line) for line in self.output().splitlines()]

    def documents(self):
        """Those it has written so far, its position in the file left alone."""
        written = os.pread(self.stdout.fileno(), 1 << 28, 0).decode(errors="replace")
        return [json.loads(line) for line in written.splitlines(keepends=True) if line.endswith("\n")]

    def stop_all(self, sig=signal.SIGINT):
        """Ends it by a signal: the list of its documents."""
        self.process.send_signal(sig)
        return self.end()

    def stop(self, sig=signal.SIGINT):
        """Ends it by a signal: its one document."""
        documents = self.stop_all(sig)
        assert len(documents) == 1, f"{len(documents)} documents"
        return documents[0]


def start(*pids, args=(), **popen_args):
    """ioprof --json on the given processes; returns once it observes."""
    argv = ["--json", *args]
    if os.environ.get("IOPROF_GUEST") and "--max-overhead" not in args:
        argv += ["--max-overhead", "100"]  # what the probes cost an emulated processor is no measure
    for pid in pids:
        argv += ["-p", pid]
    prof = Ioprof(argv, **popen_args)
    try:
        return prof.wait_observing()
    except BaseException:
        prof.__exit__()
        raise
