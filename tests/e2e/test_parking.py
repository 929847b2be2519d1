# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads that wait at one place of their own for everything (parking_service.py): waiting for work is not being busy,
however long one looks. And an interval holds what happened in it, also the first."""

import json
import subprocess
from pathlib import Path

import ioprof_run
from service_run import Client
from truth_compare import check_losses, service_of

THREADS = 16


class Parking:
    def __init__(self, threads=THREADS, children=0):
        self.process = subprocess.Popen(["/usr/bin/python3", Path(__file__).with_name("parking_service.py"), str(threads),
                                         str(children)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.address = self.process.stdout.readline().strip()
        assert self.address, "the service did not start"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.communicate()

    def log(self):
        """Of each request when it began and ended, in ns since 1970. The service ends."""
        out, _ = self.process.communicate("\n", timeout=20)
        return json.loads(out)


def interval_of(document):
    start = document["interval"]["start_unix_ns"]
    return start, start + document["interval"]["duration_ns"]


def busy_ns(log, start, end):
    return sum(max(min(to, end) - max(began, start), 0) for began, to in log)


def test_idle_threads_are_idle():
    with Parking() as service, Client(service.address, duration=60000, connections=4, close=True, think=20000) as client:
        out = ioprof_run.run("-p", str(service.pid), "-d", "4", "-i", "1", "--json").stdout
        load = client.stop()
        log = service.log()
    assert load["failed"] == 0
    documents = [json.loads(line) for line in out.splitlines()]
    assert len(documents) == 4
    for document in documents:
        found = service_of(document)
        check_losses(document)
        # The one that accepts cannot be told from one that has had no work yet.
        assert THREADS <= found["workers"]["count"] <= THREADS + 1
        start, end = interval_of(document)
        truth = busy_ns(log, start, end) / (end - start)
        busy = found["workers"]["busy_fraction"] * found["workers"]["count"]
        # What comes before the first and after the last byte of a request is work, too.
        assert 0.95 * truth <= busy <= 1.3 * truth + 0.5
        # A quarter of the requests waits for the lock for 2 ms.
        assert 0.0004 <= found["per_request"]["wait_s"]["lock"] <= 0.0015


def test_first_interval_begins_where_it_says():
    # Finding many processes takes ioprof a while, in which requests are answered that are of no interval.
    with Parking(children=500) as service, Client(service.address, duration=60000, connections=8, close=True) as client:
        out = ioprof_run.run("-p", str(service.pid), "-d", "1", "--json").stdout
        client.stop()
        log = service.log()
    document = json.loads(out)
    start, end = interval_of(document)
    truth = sum(start <= ended <= end for _, ended in log)
    assert truth > 200
    requests = service_of(document)["requests"]
    assert abs(requests["completed"] + requests["at_attach"] - truth) <= 0.02 * truth + 5
