# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole run under valgrind: no error but valgrind's own (valgrind.supp), no leak."""

import json
import subprocess
from pathlib import Path

import ioprof_run
from service_run import Downstream, Service

COMMAND = ["valgrind", "--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible",
           "--error-exitcode=9", f"--suppressions={Path(__file__).with_name('valgrind.supp')}"]


def without_warnings(errors):
    """Of commands of bpf(2) that valgrind does not know."""
    return [line for line in errors.splitlines() if "WARNING: unhandled eBPF command" not in line]


def test_live_run():
    with Downstream() as db, Service("--processes=2", f"--call={db.address},2,1000") as service:
        prof = subprocess.Popen([*COMMAND, ioprof_run.testbin("ioprof_valgrind"), "--json", "-p", str(service.pid), "-i", "1"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            ioprof_run.wait_until(lambda: prof.poll() is not None or ioprof_run.observing(prof.pid), 60, "observing")
            for _ in range(2):
                service.load(requests=50, connections=2)
            prof.terminate()
            output, errors = prof.communicate(timeout=60)
        finally:
            prof.kill()
    assert (prof.returncode, without_warnings(errors)) == (0, [])
    documents = [json.loads(line) for line in output.splitlines()]
    assert sum(doc["services"][0]["requests"]["completed"] for doc in documents) == 100
