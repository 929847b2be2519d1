# SPDX-License-Identifier: GPL-2.0-or-later
"""The casebook's command does what it says, on one short case: structure only, its figures are for docs/validation.md."""

import hashlib
import json
import subprocess
from pathlib import Path

RUN = Path(__file__).resolve().parent / "run"


def casebook(*args):
    return subprocess.run([RUN, *map(str, args)], capture_output=True, text=True, timeout=120)


def test_one_case(tmp_path):
    done = casebook("json", "--smoke", "--seconds", 1, "--longest", 1, "--dir", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "json.predicted.json").read_text())
    assert [row["load"] for row in rows] == [0.3, 0.6, 0.9]
    hashes = [hashlib.sha256(json.dumps(row).encode()).hexdigest() for row in rows]
    assert [line.split()[2:] for line in (tmp_path / "log").read_text().splitlines()] == [
        ["json", "1x1", load, digest] for load, digest in zip(("30%", "60%", "90%"), hashes)]
    assert all(row["document"]["services"][0]["requests"]["completed"] > 100 for row in rows)
    measured = json.loads((tmp_path / "json.measured.json").read_text())
    for found in measured:
        assert 3 <= len(found["now"]) == len(found["twin"]) <= 9
        assert not any(run["failed"] for side in ("now", "twin") for run in found[side])
    table = [line for line in done.stdout.splitlines() if line.startswith("| json |")]
    assert len(table) == 3
    again = casebook("json", "--table", "--dir", tmp_path)
    assert again.returncode == 0 and [line for line in again.stdout.splitlines() if line.startswith("| json |")] == table


def test_unknown_case(tmp_path):
    done = casebook("nonsense", "--dir", tmp_path)
    assert done.returncode == 2 and "no such case: nonsense" in done.stderr
