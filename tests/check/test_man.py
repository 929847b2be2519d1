# SPDX-License-Identifier: GPL-2.0-or-later
"""The man page is sound, and knows the same options as the command."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/man/ioprof.8"
IOPROF = os.environ.get("IOPROF", ROOT / "build/release/ioprof")


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def long_options(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def test_page_is_sound():
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGE], capture_output=True, text=True)
    assert lint.returncode == 0, lint.stdout + lint.stderr


def test_page_and_help_name_the_same_options():
    page = re.sub(".\x08", "", output("mandoc", "-T", "ascii", PAGE))  # without overstrikes
    usual = {"--help", "--usage", "--version"}  # argp's own
    assert long_options(output(IOPROF, "--help")) - usual == long_options(page) - usual
