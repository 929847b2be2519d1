# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel has nothing to complain about. To be run last."""

import re
import subprocess
from pathlib import Path

import pytest

# Bits of /proc/sys/kernel/tainted that the kernel sets when something went wrong.
TAINTS = {4: "machine check", 5: "bad page", 7: "oops", 9: "warning", 14: "soft lockup"}
# What it says without tainting itself.
COMPLAINTS = re.compile(r"BUG:|WARNING: CPU|INFO: rcu|rcu:.*stall|blocked for more than|Call Trace|general protection")


@pytest.mark.vm
def test_no_taint():
    bits = int(Path("/proc/sys/kernel/tainted").read_text())
    assert [name for bit, name in TAINTS.items() if bits >> bit & 1] == []


@pytest.mark.vm
def test_no_complaint():
    log = subprocess.run(["dmesg"], capture_output=True, text=True, errors="replace", check=True).stdout
    complaint = COMPLAINTS.search(log)
    if complaint:
        start = log.rfind("\n", 0, complaint.start()) + 1
        pytest.fail("\n".join(log[start:].splitlines()[:40]), pytrace=False)
