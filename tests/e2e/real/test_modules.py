# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages of pure Python that a service has loaded, found in its memory; and what becomes of it where that may not be read."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest

import ioprof_run
from servers import SERVICES, answers, directory, environment, free_port, process

NOBODY = 65534
CLIENTS = {"requests", "httpx", "urllib3", "http.client"}


@contextlib.contextmanager
def serving(command, load, **popen_args):
    """A server of modules_app on the port that command(port) listens on: the process."""
    port = free_port()
    with directory() as place, process(place / "log", *command(port, place), ready=answers(f"http://127.0.0.1:{port}/"),
                                       env=environment(LOAD=load, PYTHONPATH=SERVICES), **popen_args) as child:
        yield child


def gunicorn(*args):
    return lambda port, place: ["/usr/bin/gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-tmp-dir", place, *args,
                                "modules_app:app"]


def uvicorn(port, _):
    return ["/usr/bin/uvicorn", "--port", port, "--log-level", "warning", "modules_app:app"]


def look(pid, *args, command=None):
    """The surroundings, by a short observation."""
    done = subprocess.run([*(command or [ioprof_run.binary()]), "-p", str(pid), "-d", "0.05", "--json", "--no-traces",
                           "--no-advice", *args], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    document, = map(ioprof_run.json.loads, done.stdout.splitlines())
    return document["services"][0]["surroundings"]


@pytest.mark.parametrize("args", [["--workers=2"], ["--workers=2", "--preload"], ["--worker-class=gthread", "--threads=4"]])
def test_gunicorn_flask_requests(args):
    with serving(gunicorn(*args), "flask requests") as service:
        found = look(service.pid)
        variables = Path(f"/proc/{service.pid}/environ").read_bytes().count(b"\0")
    assert found["environment_variables"] == variables > 2
    assert {"cpython", "gunicorn", "flask", "requests", "urllib3", "http.client"} <= set(found["components"])
    assert not {"httpx", "django", "starlette", "fastapi", "uvicorn"} & set(found["components"])
    assert found["modules_seen"] == "all"


def test_gunicorn_flask_without_requests():
    with serving(gunicorn(), "flask http.client") as service:
        found = look(service.pid)
    assert set(found["components"]) & CLIENTS == {"http.client"}
    assert {"flask", "gunicorn"} <= set(found["components"])
    assert found["modules_seen"] == "all"


def test_uvicorn_fastapi_httpx():
    with serving(uvicorn, "fastapi httpx aiohttp") as service:
        found = look(service.pid)
    assert {"uvicorn", "fastapi", "starlette", "httpx", "aiohttp"} <= set(found["components"])
    assert not {"requests", "flask", "gunicorn"} & set(found["components"])
    assert found["modules_seen"] == "all"


def test_a_virtual_environment_and_an_archive():
    with directory() as place:
        packages = place / "venv/lib/python3.99/site-packages/requests"
        packages.mkdir(parents=True)
        (packages / "__init__.py").write_text("from . import sessions\n")
        (packages / "sessions.py").write_text("def get():\n    pass\n")
        shutil.make_archive(place / "shop", "zip", packages.parent)
        elsewhere = shutil.copytree(packages, place / "plain/requests").parent
        for path, expected in ((packages.parent, ("requests", "all")), (place / "shop.zip", ("requests", "all")),
                               (elsewhere, (None, "part"))):
            code = f"import sys\nsys.path.insert(0, {str(path)!r})\nimport requests\nprint(flush=True)\nsys.stdin.read()"
            with subprocess.Popen(["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) as service:
                assert service.stdout.readline()
                found = look(service.pid)
                service.stdin.close()
            assert ("requests" if "requests" in found["components"] else None, found["modules_seen"]) == expected


def test_what_is_loaded_later_is_found_later():
    code = "import sys\nprint(flush=True)\nsys.stdin.readline()\nimport requests\nprint(flush=True)\nsys.stdin.read()"
    with subprocess.Popen(["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as service:
        assert service.stdout.readline()
        with ioprof_run.start(service.pid) as prof:
            service.stdin.write(b"\n")
            service.stdin.flush()
            assert service.stdout.readline()
            found = prof.stop()["services"][0]["surroundings"]
        service.stdin.close()
    assert "requests" in found["components"]


def test_it_can_be_turned_off():
    with serving(gunicorn(), "flask requests") as service:
        found = look(service.pid, "--no-module-scan")
    assert not {"requests", "flask"} & set(found["components"])
    assert {"cpython", "gunicorn"} <= set(found["components"])
    assert found["modules_seen"] == "none"


@pytest.fixture
def binary_for_all():
    with directory() as place:
        yield shutil.copy(ioprof_run.binary(), place / "ioprof")


def as_nobody(*capabilities):
    names = ",".join(f"+{name}" for name in capabilities)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", f"--inh-caps={names}",
            f"--ambient-caps={names}"]


def test_without_permission_the_rest_is_known(binary_for_all):
    """As another user than the service's, and without what lets it read that one's files."""
    needed = ("bpf", "perfmon", "sys_ptrace")
    with serving(gunicorn(), "flask requests") as service:
        found = look(service.pid, command=[*as_nobody(*needed), str(binary_for_all)])
        assert {"cpython", "gunicorn"} <= set(found["components"])
        assert "requests" not in found["components"]
        assert found["modules_seen"] == "none"
        found = look(service.pid, command=[*as_nobody(*needed, "dac_read_search"), str(binary_for_all)])
        assert "requests" in found["components"]
        assert found["modules_seen"] == "all"
    for capabilities, verdict in ((needed, "note"), ((*needed, "dac_read_search"), "ok")):
        doctor = subprocess.run([*as_nobody(*capabilities), binary_for_all, "doctor"], capture_output=True, text=True,
                                timeout=60)
        assert doctor.returncode == 0
        line, = (line for line in doctor.stdout.splitlines() if "loaded packages" in line)
        assert line.split()[0] == verdict


def test_processes_that_end_meanwhile():
    """Interpreters that come and go while they are looked at: no error, and the service's figures come."""
    code = "import os, time\nwhile True:\n    pid = os.fork()\n    if not pid: os._exit(0)\n    os.waitpid(pid, 0)\n"
    with subprocess.Popen(["/usr/bin/python3", "-c", code]) as service:
        try:
            for _ in range(10):
                assert "cpython" in look(service.pid)["components"]
        finally:
            service.kill()
    with subprocess.Popen(["/usr/bin/python3", "-c", "import sys; print(flush=True); sys.stdin.read()"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as service:
        assert service.stdout.readline()
        with ioprof_run.start(service.pid) as prof:
            service.stdin.close()
            found = prof.end()[0]["services"][0]["surroundings"]
    assert "cpython" in found["components"]


def test_the_service_keeps_its_memory(tmp_path):
    """What workers share with their master since fork stays shared, and nothing is read into memory."""
    def unique(pid):
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        return sum(int(lines[name].split()[0]) for name in ("Private_Clean", "Private_Dirty"))

    code = ("import os, sys\nkept = [str(i) * 20 for i in range(300000)]\npid = os.fork()\n"
            "if not pid:\n    sys.stdin.read()\n    os._exit(0)\nprint(pid, flush=True)\nos.waitpid(pid, 0)")
    with subprocess.Popen(["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as service:
        pid = int(service.stdout.readline())
        before = unique(pid)
        assert look(service.pid)["modules_seen"] != "none"
        assert unique(pid) - before < 1024
        service.stdin.close()
