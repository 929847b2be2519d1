# SPDX-License-Identifier: GPL-2.0-or-later
"""Loads a service and says what came of it; profiles it with ioprof under a given load."""

import contextlib
import http.client
import json
import os
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import twins
from ioprof_run import Ioprof, testbin, wait_until

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Run:
    per_s: float
    cpu_s: float  # of the service per request
    p50_s: float
    p99_s: float
    failed: int
    foreign: float  # share of the service's core that others had
    busy: float  # share of the service's core that anybody had
    other_busy: float  # of the core of load and downstream

    def dict(self):
        return asdict(self)


def family(pid):
    """pid and its descendants."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:
                pass  # gone
    return found


def cpu_of(pid):
    """CPU seconds of a family so far, those of its reaped members included."""
    total = 0
    for member in family(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / TICKS_PER_S


def core_times(core):
    """(busy, all) seconds of a core so far. Time stolen by other machines counts as busy: nobody here had it."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            ticks = list(map(int, fields[:8]))
            return (sum(ticks) - ticks[3] - ticks[4]) / TICKS_PER_S, sum(ticks) / TICKS_PER_S
    raise LookupError(f"no processor {core}")


def busy_share(core, seconds):
    (busy, total), _ = core_times(core), time.sleep(seconds)
    busy_after, total_after = core_times(core)
    return (busy_after - busy) / max(total_after - total, 1e-9)


def wait_until_idle(core):
    """Servers that start compute for some seconds, on a core that others are measured on; and what a load leaves behind it,
    in backlogs, is worked on although nobody waits for it."""
    wait_until(lambda: busy_share(core, 0.3) < 0.2, timeout=60, what="an idle core")


def connections_for(workers):
    """Of a closed load that keeps all workers busy."""
    return 2 * workers[0] * workers[1] + 8


@contextlib.contextmanager
def idle_connections(server, n):
    """Connections that have had a request each and stay open. One that never sends anything keeps a thread of gthread."""
    with contextlib.ExitStack() as stack:
        for _ in range(n):
            client = stack.enter_context(contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)))
            client.request("GET", "/")
            client.getresponse().read()
        yield


def load_argv(server, seconds, connections, rate=None):
    """The client under the load: closed, or open with Poisson arrivals at a rate."""
    argv = twins.pinned(twins.OTHER_CORE, testbin("client"), "-c", connections, "--duration", int(seconds * 1000))
    if rate:
        argv += ["--rate", str(max(1, round(rate * 1000)))]
    return [*argv, f"127.0.0.1:{server.port}"]


def load(server, seconds, connections, rate=None):
    if rate:
        wait_until_idle(twins.SERVICE_CORE)
    busy, total = core_times(twins.SERVICE_CORE)
    other_busy, other_total = core_times(twins.OTHER_CORE)
    cpu = cpu_of(server.pid)
    output = subprocess.run(load_argv(server, seconds, connections, rate), capture_output=True, text=True,
                            timeout=seconds + 60, check=True, start_new_session=True).stdout
    cpu = cpu_of(server.pid) - cpu
    busy, total = (after - before for before, after in zip((busy, total), core_times(twins.SERVICE_CORE)))
    other_busy, other_total = (after - before for before, after in
                               zip((other_busy, other_total), core_times(twins.OTHER_CORE)))
    seen = json.loads(output)
    return Run(seen["answered"] / max(seen["duration_s"], 1e-9), cpu / max(seen["answered"], 1),
               seen["latency_s"]["p50"], seen["latency_s"]["p99"], seen["failed"],
               max(0.0, (busy - cpu) / total), busy / total, other_busy / other_total)


def profile(server, seconds, connections, rate, idle, options):
    """ioprof's document on the service under an open load."""
    argv = load_argv(server, seconds + 1, connections, rate)
    wait_until_idle(twins.SERVICE_CORE)
    with idle_connections(server, idle), subprocess.Popen(argv, stdout=subprocess.PIPE, text=True,
                                                          start_new_session=True) as generator:
        try:
            time.sleep(0.3)  # let the load begin: its first requests are no different, so this decides nothing
            with Ioprof(["--json", *options, "-d", seconds, "-p", server.pid]) as prof:
                document = prof.end(seconds + 60)[0]
        finally:
            output, _ = generator.communicate()
    return document, json.loads(output)
