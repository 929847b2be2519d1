# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose code a service in Python runs, on a real server whose split its own clock tells."""

import contextlib
import socket
import subprocess
import sys
import time

import pytest

import ioprof_run
from truth_compare import service_of

# What it computes is the application's, but for the share of it that is done by a package.
APP = """
import time, {package}

def compute(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass

def app(environ, start):
    compute(0.006)
    {package}.compute(0.003)
    start("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""
PACKAGE = """
import time

def compute(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
"""


@contextlib.contextmanager
def gunicorn(folder, package):
    (folder / "app.py").write_text(APP.format(package=package))
    installed = folder / "site-packages" / package
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text(PACKAGE)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--log-level", "critical",
         "--chdir", str(folder), "--pythonpath", str(installed.parent), "app:app"])
    try:
        for _ in range(500):
            with contextlib.suppress(OSError):
                ask(port)
                break
            time.sleep(0.02)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


def ask(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        while client.recv(4096):
            pass


@pytest.mark.parametrize("package, code", [("requests", "client"), ("flask", "framework"), ("nobodys", "application")])
def test_split(tmp_path, package, code):
    if not (3, 9) <= sys.version_info[:2] <= (3, 14):
        pytest.skip("frames of this version are not read")
    with gunicorn(tmp_path, package) as (pid, port):
        with ioprof_run.start(pid) as ioprof:
            for _ in range(300):
                ask(port)
            samples = service_of(ioprof.stop())["cpu_samples"]
    seen = sum(samples.values())
    assert seen >= 200 and samples["unknown"] <= 0.05 * seen, samples
    # 6 of 9 ms are the application's, 3 the package's, and the server takes some of all.
    assert samples["server"] < 0.4 * seen, samples
    computed = samples["application"] + (samples[code] if code != "application" else 0)
    assert computed > 0.5 * seen, samples
    if code != "application":
        # Five standard deviations of a share of a third, of 540 samples.
        assert abs(samples[code] / computed - 1 / 3) < 0.1, samples
