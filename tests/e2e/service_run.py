# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts the known-answer service (tests/service), its downstreams and its load.

    with Downstream() as db, Service("--cpu=2000", f"--call={db.address},3,5000") as service:
        with ioprof_run.start(service.pid) as prof:
            load = service.load(requests=100, connections=2)
            truth = service.truth(100)
            doc = prof.stop()

Durations on command lines are in microseconds, as in --help of the programs.
"""

import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

import ioprof_run


class Program:
    """A test program that says "listening on ADDRESS" when it is ready, and ends with the with block."""

    def __init__(self, name, *args, processor=None):
        pinned = ["taskset", "-c", str(processor)] if processor is not None else []
        self.process = subprocess.Popen([*pinned, ioprof_run.testbin(name), *map(str, args)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid

    def read_address(self):
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), f"{self.process.args} did not start: {line!r}"
        return line.removeprefix("listening on ").strip()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


def cpu_s(pids):
    """CPU of all threads of these processes that are alive, by the scheduler's own account."""
    return sum(int((task / "schedstat").read_text().split()[0]) for pid in pids for task in tasks(pid)) / 1e9


def stolen_s():
    """What the hypervisor has taken of all processors so far."""
    return int(Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")


class Downstream(Program):
    """Answers calls; family: "tcp", "tcp6" or "unix"."""

    def __init__(self, family="tcp"):
        self.sockets = tempfile.TemporaryDirectory(prefix="ioprof-")
        super().__init__("downstream", listen_address(family, self.sockets.name, "downstream"))
        self.address = self.read_address()

    def cpu_s(self):
        return cpu_s([self.pid])

    def __exit__(self, *exc):
        super().__exit__(*exc)
        self.sockets.cleanup()


class Service(Program):
    """The known-answer service, listening on the given family; on one processor only, if one is named."""

    def __init__(self, *args, family="tcp", processor=None):
        self.sockets = tempfile.TemporaryDirectory(prefix="ioprof-")
        self.truth_path = Path(self.sockets.name) / "truth.json"
        self.stolen_before_s = stolen_s()
        super().__init__("service", f"--listen={listen_address(family, self.sockets.name, 'service')}",
                         f"--truth={self.truth_path}", *args, processor=processor)
        self.address = self.read_address()

    def __exit__(self, *exc):
        super().__exit__(*exc)
        self.sockets.cleanup()

    def pids(self):
        """All processes of the service."""
        found, queue = [], [self.pid]
        while queue:
            pid = queue.pop(0)
            found.append(pid)
            for task in tasks(pid):
                try:
                    queue += map(int, (task / "children").read_text().split())
                except (FileNotFoundError, ProcessLookupError):
                    pass
        return found

    def cpu_s(self):
        return cpu_s(self.pids())

    def reset_truth(self):
        """Forgets the requests that started before; done once a truth asked for afterwards is written."""
        self.stolen_before_s = stolen_s()
        self.process.send_signal(signal.SIGUSR2)
        self.read_truth()

    def read_truth(self):
        self.truth_path.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        ioprof_run.wait_until(self.truth_path.exists, what="the service's truth")
        return {**json.loads(self.truth_path.read_text()), "stolen_s": stolen_s() - self.stolen_before_s}

    def truth(self, requests):
        """The service's truth once it has ended that many requests: the client may be a little ahead of it."""
        def complete():
            truth = self.read_truth()
            assert truth["requests"] <= requests, f"{truth['requests']} requests instead of {requests}"
            return truth if truth["requests"] == requests else None

        return ioprof_run.wait_until(complete, what=f"truth of {requests} requests")

    def client(self, **options):
        return Client(self.address, **options)

    def load(self, **options):
        """Runs the load to its end: the client's own figures."""
        with self.client(**options) as client:
            return client.result()


class Client:
    """The load, running. Options by name: requests=10 is --requests=10, close=True is --close."""

    def __init__(self, address, **options):
        argv = [ioprof_run.testbin("client"), address]
        for name, value in options.items():
            option = "--" + name.replace("_", "-")
            if value is True:
                argv.append(option)
            elif value is not False:
                argv.append(f"{option}={value}")
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        if exc[0]:
            self.process.kill()
        self.process.wait(60)
        self.process.stdout.close()

    def stop(self):
        """Its figures, once what it has begun is answered; it begins no more."""
        self.process.send_signal(signal.SIGINT)
        return self.result()

    def result(self):
        """Its figures, once all requests are answered."""
        return json.loads(self.process.stdout.readline())


def tasks(pid):
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []


def listen_address(family, directory, name):
    return {"tcp": "127.0.0.1:0", "tcp6": "[::1]:0", "unix": f"unix:{directory}/{name}"}[family]
