# SPDX-License-Identifier: GPL-2.0-or-later
"""ioprof export --all over real services: one that starts later, one that ends, more peers than have room."""

import contextlib
import json
import re
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jsonschema

import ioprof_run
from export_run import Export
from service_run import Downstream, Service
from truth_compare import approx_cpu

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e/real"))

import generators  # noqa: E402
import servers  # noqa: E402

PYTHON = "/usr/bin/python3"
PEERS_MOST = 20  # of a service, beside "other"
SERIES_MOST = int(re.search(r"A service has at most\s+(\d+) series", (ROOT / "docs/monitoring.md").read_text())[1])
LABEL = re.compile(r'service="((?:[^"\\]|\\.)*)"')


class Watch:
    """Reads /metrics over and over: no counter ever falls and no series goes."""

    def __init__(self, export):
        self.export = export
        self.past = {}
        self.readings = 0

    def read(self):
        text = self.export.get("/metrics")[2]
        gauges = {name for name, kind in re.findall(r"^# TYPE (\S+) (\w+)$", text, re.M) if kind == "gauge"}
        now = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        now = {series: float(value) for series, value in now.items() if series.split("{")[0] not in gauges}
        fallen = {series: (value, now.get(series)) for series, value in self.past.items()
                  if now.get(series, -1) < value}
        assert not fallen
        self.past = now
        self.readings += 1
        return now

    def wait(self, name, value, **labels):
        """Until the counter is exactly that."""
        series = f"{name}{{{','.join(f'{label}=' + chr(34) + text + chr(34) for label, text in labels.items())}}}"

        def there():
            now = self.read().get(series, 0)
            assert now <= value, f"{series} is {now}"
            return now == value

        ioprof_run.wait_until(there, 20, f"{series} {value}")


def labels_of(document):
    """{pid: the label of its service}: others of the machine may have the same name."""
    seen, found = Counter(), {}
    for service in document["services"]:
        seen[service["name"]] += 1
        n = seen[service["name"]]
        for pid in service["pids"]:
            found[pid] = service["name"] if n == 1 else f"{service['name']} ({n})"
    return found


def wait_label(export, pid):
    """The label of the service of that process, once it is exported."""
    def label():
        status, _, body = export.get("/snapshot")
        return status == 200 and labels_of(json.loads(body)).get(pid)

    return ioprof_run.wait_until(label, 20, f"process {pid} exported")


def value(now, name, **labels):
    """The one series that has these labels."""
    found = [v for series, v in now.items() if series.split("{")[0] == name
             and all(f'{label}="{text}"' in series for label, text in labels.items())]
    assert len(found) == 1, (name, labels, found)
    return found[0]


def peer_operations(now, label):
    return {series: v for series, v in now.items()
            if series.startswith("ioprof_peer_operations_total{") and f'service="{label}"' in series}


def completed(document, label):
    """Of the services of a document, what the one with that label answered."""
    seen = Counter()
    for service in document["services"]:
        seen[service["name"]] += 1
        n = seen[service["name"]]
        if label == (service["name"] if n == 1 else f"{service['name']} ({n})"):
            return service["requests"]["completed"]
    return 0


def test_each_service_has_its_own_figures(tmp_path):
    """Real servers side by side. What one calls, the other answers: their counts agree."""
    log = tmp_path / "all.jsonl"
    with Downstream() as db, servers.delay() as delay, servers.gunicorn_calls(delay, "--workers", "2") as web, \
            Service("--processes=2", "--cpu=1000", f"--call={db.address},2,3000") as ending, \
            Export("--all", "-i", "0.3", f"--jsonl={log}") as export:
        watch = Watch(export)
        labels = {name: wait_label(export, server.pid)
                  for name, server in {"db": db, "delay": delay, "web": web, "ending": ending}.items()}
        assert len(set(labels.values())) == 4

        with ending.client(requests=300, connections=2) as client:
            generators.hey(web.url + "/", 100, 2)
            client.result()
        truth = ending.truth(300)
        for name, n in ("ending", 300), ("db", 600), ("web", 100), ("delay", 300):
            watch.wait("ioprof_requests_total", n, service=labels[name])

        with servers.redis() as later:
            labels["later"] = wait_label(export, later.pid)
            load = generators.redis_benchmark(later.port, 2000, 4, "-t", "get")
            watch.wait("ioprof_requests_total", load.at_least, service=labels["later"])
        ending.process.terminate()
        ending.process.wait(20)
        ioprof_run.wait_until(lambda: value(export.metrics(), "ioprof_service_processes",
                                            service=labels["ending"]) == 0, 20, "the end of a service")
        generators.hey(web.url + "/", 50, 2)
        watch.wait("ioprof_requests_total", 150, service=labels["web"])
        watch.wait("ioprof_requests_total", 450, service=labels["delay"])

        last, everything = watch.read(), export.metrics()
        snapshot = json.loads(export.get("/snapshot")[2])
        export.end_export()
    assert watch.readings >= 8
    check_figures(last, labels, truth, db, delay)
    check_bounds(everything)
    jsonschema.Draft7Validator(json.loads((ROOT / "docs/ioprof-1.schema.json").read_text())).validate(snapshot)
    # What the counters say is the sum of the documents, service by service.
    documents = [json.loads(line) for line in log.read_text().splitlines()]
    for name, n in ("ending", 300), ("db", 600), ("web", 150), ("delay", 450), ("later", load.at_least):
        assert sum(completed(document, labels[name]) for document in documents) == n, name
    assert labels_of(snapshot).keys().isdisjoint({ending.pid, later.pid})
    assert labels_of(snapshot)[web.pid] == labels["web"]


def check_figures(last, labels, truth, db, delay):
    for name, peer, n in ("ending", db, 600), ("web", delay, 450):
        address = peer.address
        assert value(last, "ioprof_peer_operations_total", service=labels[name], peer=address) == n
    ending = {"service": labels["ending"]}
    cpu = value(last, "ioprof_request_time_seconds_total", part="cpu", **ending)
    assert cpu / 300 == approx_cpu(truth["cpu_s"] / 300)
    for name in "db", "delay", "later":
        assert sum(peer_operations(last, labels[name]).values()) == 0, name


def check_bounds(everything):
    series = Counter(match[1] for match in map(LABEL.search, everything) if match)
    assert series and max(series.values()) <= SERIES_MOST, series


# Answers what it is sent, on as many ports as it is told.
ECHO = """
import selectors, socket, sys
ready = selectors.DefaultSelector()
listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
for server in listening:
    ready.register(server, selectors.EVENT_READ)
print(*(server.getsockname()[1] for server in listening), flush=True)
while True:
    for key, _ in ready.select():
        if key.fileobj in listening:
            ready.register(key.fileobj.accept()[0], selectors.EVENT_READ)
        elif data := key.fileobj.recv(64):
            key.fileobj.sendall(data)
        else:
            ready.unregister(key.fileobj)
"""
# Asks each of those ports once per request.
ASK = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
peers = [socket.create_connection(("127.0.0.1", int(port))) for port in sys.argv[1:]]
print(server.getsockname()[1], flush=True)
client, _ = server.accept()
while data := client.recv(64):
    for peer in peers:
        peer.sendall(data)
        peer.recv(64)
    client.sendall(data)
"""


@contextlib.contextmanager
def script(text, *args):
    """A Python program that runs until the end of the block: its process, and the words it says when it is ready."""
    with subprocess.Popen([PYTHON, "-c", text, *map(str, args)], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().split()
        finally:
            process.kill()


def test_peers_beyond_the_first_are_others():
    """More peers than have room: the first have their series, all others share one, and nothing is lost."""
    n, requests = PEERS_MOST + 5, 40
    with script(ECHO, n) as (_, ports), script(ASK, *ports) as (asking, (port,)), \
            Export("--all", "-i", "0.3") as export:
        watch = Watch(export)
        label = wait_label(export, asking.pid)
        with socket.create_connection(("127.0.0.1", int(port))) as client:
            for answered in range(requests):
                client.sendall(b"request")
                assert client.recv(64) == b"request"
                if answered in (requests // 2, requests - 1):
                    watch.wait("ioprof_requests_total", answered + 1, service=label)
        found = peer_operations(watch.read(), label)
        check_bounds(export.metrics())
        export.end_export()
    assert sorted(found.values()) == [requests] * PEERS_MOST + [requests * (n - PEERS_MOST)]
    assert [v for series, v in found.items() if 'peer="other"' in series] == [requests * (n - PEERS_MOST)]
