# SPDX-License-Identifier: GPL-2.0-or-later
"""What every end-to-end test needs: root, the ioprof binary, and a clean end."""

import os
import resource
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

pytest.register_assert_rewrite("truth_compare")

import ioprof_run  # noqa: E402


OPEN_FILES = 16384


def pytest_configure(config):
    config.addinivalue_line("markers", "vm: also runs under other kernels (tests/vm)")
    config.addinivalue_line("markers", "matrix: the same, where there is time for all of it")


@pytest.fixture(scope="session", autouse=True)
def ready_machine():
    """These tests observe the kernel: without root or a binary they fail, they do not pass by skipping."""
    if os.geteuid() != 0:
        pytest.exit("the end-to-end tests need root", 1)
    if not os.access(ioprof_run.binary(), os.X_OK):
        pytest.exit(f"no ioprof at {ioprof_run.binary()}: build it, or set IOPROF", 1)
    # What someone calibrated here is not for the tests, least of all in a guest, with its other processor.
    os.environ["XDG_CONFIG_HOME"] = "/nonexistent"
    # For thousands of connections; what the tests start inherits it.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))


@pytest.fixture(scope="session")
def binary_for_all(tmp_path_factory):
    """A copy of the binary that every user can run, wherever the build folder lies."""
    folder = tmp_path_factory.mktemp("bin")
    for parent in (folder, *folder.parents):
        if parent.parent == parent or parent.stat().st_mode & 0o001:
            break
        parent.chmod(0o755)
    return shutil.copy(ioprof_run.binary(), folder / "ioprof")
