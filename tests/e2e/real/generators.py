# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the load generators people use, and reads from them how many requests they sent and their mean latency.

They run with real-time priority: on a machine shared with the service, a generator that waits for a processor
sees its answers late, and that delay is the generator's own and not the service's.
"""

import contextlib
import csv
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from servers import POSTGRES

WRK_SCRIPT = Path(__file__).resolve().parent / "wrk.lua"


@dataclass
class Load:
    generator: str
    at_least: int  # requests answered
    at_most: int  # the same and those cut off by the end of the run, answered or not
    mean_s: float


def run(*argv, **popen_args):
    result = subprocess.run(["chrt", "--fifo", "10", *map(str, argv)], capture_output=True, text=True, timeout=120,
                            **popen_args)
    assert result.returncode == 0, f"{argv[0]} ended with {result.returncode}: {result.stderr}{result.stdout}"
    return result.stdout


def exactly(generator, requests, mean_s):
    return Load(generator, requests, requests, mean_s)


def hey(url, requests, connections):
    """
    A fixed number of requests. The mean leaves out what it took to connect, which hey counts in: against a server that
    closes every connection that is a handshake per request, done by the two kernels before the request exists.
    """
    assert requests % connections == 0, "hey would send fewer"
    rows = list(csv.DictReader(run("hey", "-n", requests, "-c", connections, "-o", "csv", url).splitlines()))
    assert [row["status-code"] for row in rows] == ["200"] * requests
    taken = [float(row["response-time"]) - float(row["DNS+dialup"]) for row in rows]
    return exactly("hey", requests, sum(taken) / requests)


@contextlib.contextmanager
def running(url, connections):
    """hey without an end, and without a result."""
    process = subprocess.Popen(["hey", "-z", "10m", "-c", str(connections), url], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def wrk(url, seconds, connections):
    """
    A fixed time, on keep-alive connections, timed from writing a request. wrk stops in the middle: up to one request
    per connection was sent and never read.

    wrk adds samples it never took: for each latency of more than twice the expected interval, those that requests
    at that interval would have seen (its correction for coordinated omission). They are taken out again here,
    longest first, by the reverse of stats_correct() in wrk's stats.c.
    """
    output = run("wrk", "-t", 1, "-c", connections, "-d", f"{seconds}s", "-s", WRK_SCRIPT, url)
    requests, duration_us, errors = map(int, re.search(r"^TOTALS (\d+) (\d+) (\d+)$", output, re.M).groups())
    assert errors == 0, output
    seen = {int(us): int(n) for us, n in re.findall(r"^LATENCY (\d+) (\d+)$", output, re.M)}
    interval = duration_us // (requests // connections)
    for us in sorted(seen, reverse=True):
        if us < 2 * interval:
            break
        for invented in range(us - interval, interval, -interval):
            seen[invented] -= seen[us]
    assert sum(seen.values()) == requests, "wrk's correction was not undone"
    mean_us = sum(us * n for us, n in seen.items()) / requests
    return Load("wrk", requests, requests + connections, mean_us / 1e6)


def redis_benchmark(port, requests, connections, *command):
    """
    Without pipelining a command is a request. One more comes before: CONFIG GET save and CONFIG GET appendonly, sent in
    one write on a connection of their own.
    """
    output = run("redis-benchmark", "-p", port, "-n", requests, "-c", connections, "--csv", *command)
    rows = list(csv.DictReader(output.splitlines()))
    assert len(rows) == 1, output
    return exactly("redis-benchmark", requests + 1, float(rows[0]["avg_latency_ms"]) / 1e3)


def pgbench(server, connections, transactions, *args, connection_queries):
    """
    One statement per transaction, so a transaction is a request. Besides: every connection starts with one
    (start-up message, answered at once as nothing authenticates), and pgbench has one connection more than clients, on
    which it makes connection_queries queries before the run. The Terminate message at the end has no answer.

    -P makes pgbench time each transaction; without it its mean is run time divided by transactions.
    """
    output = run(POSTGRES / "pgbench", "-n", "-M", "simple", "-c", connections, "-t", transactions, "-P", 1000, *args,
                 "-h", "127.0.0.1", "-p", server.port, "-U", "postgres", "postgres",
                 env={**os.environ, "PGSSLMODE": "disable", "PGGSSENCMODE": "disable"})
    assert f"actually processed: {connections * transactions}/" in output, output
    mean_ms = float(re.search(r"latency average = ([\d.]+) ms", output).group(1))
    return exactly("pgbench", connections * (transactions + 1) + 1 + connection_queries, mean_ms / 1e3)
