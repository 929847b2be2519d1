# SPDX-License-Identifier: GPL-2.0-or-later
"""`ioprof calibrate`: measures, keeps its result in the config folder, and refuses what is not its own."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import ioprof_run

NOBODY = 65534


@pytest.fixture
def config(tmp_path):
    return tmp_path / "config"


def calibrate(config, *args, **variables):
    env = {name: value for name, value in os.environ.items() if not name.startswith("SUDO_")}
    return ioprof_run.run("calibrate", *args, env={**env, "XDG_CONFIG_HOME": str(config), **variables})


def open_to_all(folder):
    """Up to the root: who measures is nobody."""
    for parent in folder.parents:
        if parent.stat().st_uid == 0 and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)


def scratch_folders():
    return set(Path("/tmp").glob("ioprof-calibrate-*"))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What a quick run says and where it left its file."""
    config, before = tmp_path_factory.mktemp("config"), scratch_folders()
    result = calibrate(config, "--quick")
    assert result.returncode == 0, result.stderr
    assert scratch_folders() == before, "its folder is gone"
    return result, config / "ioprof/calibration.json"


def test_measures_what_is_here(measured):
    result, file = measured
    document = json.loads(file.read_text())
    costs = document["costs_s"]
    # What scripts/install-deps installs is found.
    assert {"operation on asyncio", "gunicorn", "flask", "uvicorn", "starlette", "requests", "aiohttp",
            "requests, request that waits", "aiohttp, request that waits"} <= set(costs)
    for name, (lo, estimate, hi) in costs.items():
        assert lo <= estimate <= hi, name
    # Known without measuring: asyncio's own work is a small part of a call through aiohttp.
    assert costs["aiohttp"][1] > costs["operation on asyncio"][1]
    assert str(file) in result.stdout
    assert file.stat().st_mode & 0o777 == 0o644


def test_whole_run_measures_other_runtimes(config):
    result = calibrate(config, IOPROF_DEBUG="1")
    assert result.returncode == 0, result.stderr
    costs = json.loads((config / "ioprof/calibration.json").read_text())["costs_s"]
    wanted = {"flask", "fastapi", "operation on Node", "uvicorn on uvloop", "php-fpm", "php-fpm, request that waits",
              "curl in PHP", "Node's HTTP server", "Node's HTTP server, request that waits", "Node's HTTP client",
              "requests, per connection", "requests, per environment variable"}
    # What a request takes that waits is each library's.
    for client in ("http.client", "urllib3", "requests", "httpx", "psycopg2", "aiohttp", "asyncpg", "aiohttp on uvloop",
                   "asyncpg on uvloop"):
        wanted |= {client, f"{client}, request that waits"}
    assert not wanted - set(costs), (wanted - set(costs), result.stderr)
    # A bare request costs something anywhere, and a call through a library more than a bare turn of 64 bytes.
    assert all(costs[server][1] > 0 for server in ("php-fpm", "Node's HTTP server", "gunicorn", "uvicorn"))
    assert all(costs[client][1] > 5e-6 for client in ("curl in PHP", "Node's HTTP client", "requests", "aiohttp"))


def test_leaves_out_what_fails(config, tmp_path):
    """A library whose calls fail, a framework that cannot be imported: the rest is measured."""
    os.chmod(tmp_path, 0o755)
    open_to_all(tmp_path)
    (tmp_path / "requests.py").write_text("def Session():\n    raise OSError\n")
    (tmp_path / "starlette.py").write_text("raise ImportError\n")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec /usr/bin/python3 "$@"\n')
    python.chmod(0o755)
    result = calibrate(config, "--quick", f"--python={python}")
    assert result.returncode == 0, result.stderr
    costs = json.loads((config / "ioprof/calibration.json").read_text())["costs_s"]
    assert {"gunicorn", "flask", "uvicorn", "aiohttp"} <= set(costs)
    assert not [name for name in costs if "requests" in name or "starlette" in name]


def test_shows_it_again(measured):
    result, file = measured
    shown = calibrate(file.parents[1], "--show")
    assert shown.returncode == 0 and shown.stderr == ""
    assert shown.stdout == result.stdout[:result.stdout.index("\nSaved in")]


def test_shows_nothing_without_a_file(config):
    result = calibrate(config, "--show")
    assert result.returncode == 1
    assert "run 'ioprof calibrate'" in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize("damage, says", [
    (lambda text: text[:-20], "not JSON"),
    (lambda text: text.replace('"version":1', '"version":9'), "another version"),
    (lambda text: text.replace('"processor":"', '"processor":"other '), "another kind of processor"),
    (lambda text: "x" * 70000, "too large"),
])
def test_refuses_other_files(measured, config, damage, says):
    file = config / "ioprof/calibration.json"
    file.parent.mkdir(parents=True)
    file.write_text(damage(measured[1].read_text()))
    result = calibrate(config, "--show")
    assert result.returncode == 1
    assert says in result.stderr and result.stderr.count("\n") == 1


def test_never_reads_through_a_link(measured, config):
    file = config / "ioprof/calibration.json"
    file.parent.mkdir(parents=True)
    file.symlink_to(measured[1])
    result = calibrate(config, "--show")
    assert result.returncode == 1 and "symbolic link" in result.stderr


def test_runs_as_nobody(config, tmp_path):
    """An interpreter that only says who runs it, and where, in the script's own way."""
    says = tmp_path / "says"
    os.chmod(tmp_path, 0o755)
    says.write_text("#!/bin/sh\nprintf '{\"component\": \"%s\", \"version\": \"%s\"}\\n' \"$(id -u)\" \"$(stat -c %u .)\"\n"
                    "printf '{\"cost\": \"gunicorn\", \"us\": [1]}\\n'\n")
    says.chmod(0o755)
    open_to_all(tmp_path)
    result = calibrate(config, f"--python={says}")
    assert result.returncode == 0, result.stderr
    assert f"Found {NOBODY} {NOBODY}" in result.stdout


@pytest.mark.parametrize("args, status, says", [
    (["--python=/nonexistent/python"], 1, "cannot run /nonexistent/python"),
    (["--python=/bin/false"], 1, "measuring failed"),
    (["--python=/bin/true"], 1, "what was measured cannot be"),
    (["--show", "--quick"], 2, "--show measures nothing"),
    (["now"], 2, "leave out 'now'"),
])
def test_bad_input(config, args, status, says):
    result = calibrate(config, *args)
    assert result.returncode == status
    assert says in result.stderr and result.stderr.count("\n") == 1
    assert not (config / "ioprof").exists()


def test_ends_when_interrupted(config, tmp_path):
    """Ctrl-C: the script and its folder go, too."""
    before = scratch_folders()
    process = subprocess.Popen([ioprof_run.binary(), "calibrate"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, "XDG_CONFIG_HOME": str(config)})
    ioprof_run.wait_until(lambda: [f for f in scratch_folders() - before if (f / "measure.py").exists()],
                          what="the script")
    process.terminate()
    process.wait(10)
    ioprof_run.wait_until(lambda: scratch_folders() == before, what="the end of the script")
