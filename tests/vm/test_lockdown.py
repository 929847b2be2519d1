# SPDX-License-Identifier: GPL-2.0-or-later
"""Under a kernel in lockdown mode confidentiality, which lets no BPF program read kernel memory."""

import subprocess
from pathlib import Path

import pytest

import bpf_info
import ioprof_run

FEATURE_MISSING, NOT_PERMITTED = 4, 3


@pytest.fixture(autouse=True)
def locked_down():
    assert "[confidentiality]" in Path("/sys/kernel/security/lockdown").read_text()


@pytest.fixture
def idle():
    with subprocess.Popen(["sleep", "infinity"]) as process:
        yield process.pid
        process.kill()


def test_profiling_is_refused_with_the_cause(idle):
    before = bpf_info.objects()
    prof = ioprof_run.run("-p", idle, "-d", 1)
    assert prof.returncode in (FEATURE_MISSING, NOT_PERMITTED), prof.stderr
    assert prof.stdout == ""
    assert len(prof.stderr.splitlines()) == 1, prof.stderr
    assert "lockdown" in prof.stderr
    assert bpf_info.objects() == before


def test_doctor_names_the_cause():
    doctor = ioprof_run.run("doctor")
    assert doctor.returncode != 0
    assert "lockdown" in doctor.stdout + doctor.stderr
