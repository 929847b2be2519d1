# SPDX-License-Identifier: GPL-2.0-or-later
"""On a kernel that is too old ioprof says so in one line, and leaves nothing behind. Runs in such a guest only."""

import os
import subprocess
from pathlib import Path

import pytest

import bpf_info
import ioprof_run

ENVIRONMENT = {**os.environ, "XDG_CONFIG_HOME": "/nonexistent"}


@pytest.mark.parametrize("args", [[], ["--socket-set", "tracepoint"], ["--socket-set", "fexit"], ["--socket-set", "syscall"],
                                  ["--no-task-storage"]], ids=" ".join)
def test_one_line_and_nothing_left(args):
    before = bpf_info.objects()
    idle = subprocess.Popen(["sleep", "infinity"])
    try:
        run = ioprof_run.run("-p", idle.pid, *args, env=ENVIRONMENT)
    finally:
        idle.kill()
        idle.wait()
    assert (run.returncode, run.stdout) == (4, "")
    assert run.stderr.startswith("ioprof: this kernel does not ") and run.stderr.count("\n") == 1, run.stderr
    ioprof_run.wait_until(lambda: bpf_info.objects() == before, what="the end of all it loaded")
    assert not list(Path("/sys/fs/bpf").iterdir())


def test_doctor_says_which_kernel_it_takes():
    run = ioprof_run.run("doctor")
    assert (run.returncode, run.stderr) == (4, "")
    assert "FAIL  socket messages" in run.stdout
    assert "use kernel 5.15 or later" in run.stdout
    assert "does not work here" in run.stdout
