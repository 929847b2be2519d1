# SPDX-License-Identifier: GPL-2.0-or-later
"""The servers that others are clients of, started once."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import servers  # noqa: E402


@pytest.fixture(scope="session")
def database():
    with servers.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def downstream():
    with servers.delay() as server:
        yield server
