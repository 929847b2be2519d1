# SPDX-License-Identifier: GPL-2.0-or-later
"""The man pages are sound, and know the same options as the commands."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs/man"
IOPROF = os.environ.get("IOPROF", ROOT / "build/release/ioprof")


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def long_options(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def page(name):
    path, = PAGES.glob(f"{name}.[18]")
    return re.sub(".\x08", "", output("mandoc", "-T", "ascii", path))  # without overstrikes


USUAL = {"--help", "--usage", "--version"}  # argp's own


@pytest.mark.parametrize("name", sorted(path.name for path in PAGES.iterdir()))
def test_page_is_sound(name):
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGES / name], capture_output=True, text=True)
    assert lint.returncode == 0, lint.stdout + lint.stderr


def test_page_and_help_name_the_same_options():
    assert long_options(output(IOPROF, "--help")) - USUAL == long_options(page("ioprof")) - USUAL


@pytest.mark.parametrize("command", ["calibrate", "diff", "export", "record", "report", "top"])
def test_page_of_a_command_has_what_is_its_own(command):
    """The options it shares with observing are in ioprof(8); it may repeat them."""
    options = long_options(output(IOPROF, command, "--help"))
    described = long_options(page(f"ioprof-{command}"))
    assert options - long_options(output(IOPROF, "--help")) <= described - USUAL <= options
