# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs in the guest: with what the end-to-end tests have."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))


def pytest_configure(config):
    config.addinivalue_line("markers", "vm: runs under other kernels, in a guest")
    config.addinivalue_line("markers", "matrix: the same, where there is time for all of it")
