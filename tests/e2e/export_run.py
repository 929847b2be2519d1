# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs "ioprof export", and the real programs that read from it."""

import contextlib
import http.client
import json
import re
import socket
import subprocess
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

import ioprof_run


class Export(ioprof_run.Ioprof):
    """A running exporter that serves on a free port; .address is where."""

    def __init__(self, *args, serve=True, **popen_args):
        listen = ["--listen=127.0.0.1:0"] if serve else []
        super().__init__(["export", *listen, *args], **popen_args)
        try:
            self.wait_observing()
            if serve:
                self.address = ioprof_run.wait_until(self.serving, what="exporter serving")
        except BaseException:
            self.__exit__()
            raise

    def serving(self):
        match = re.search(r"serving http://(\S+)/metrics", self.errors())
        return match and match[1]

    def get(self, path, method="GET", **headers):
        """Status, headers, body."""
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def metrics(self):
        """{name and labels as they stand: value}"""
        status, _, text = self.get("/metrics")
        assert status == 200
        return samples(text)

    def wait_requests(self, n):
        """Until it has exported that many requests."""
        def arrived():
            found = [v for name, v in self.metrics().items() if name.startswith("ioprof_requests_total{")]
            assert sum(found) <= n
            return sum(found) == n

        ioprof_run.wait_until(arrived, what=f"{n} requests exported")

    def end_export(self):
        self.process.terminate()
        assert self.process.wait(20) == 0, self.errors()


def samples(text):
    return {name: float(value) for name, value in
            (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def program(*command, ready, **popen_args):
    """A program that runs until the end of the block, from when ready() is true on."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen([*map(str, command)], stdout=log, stderr=log, **popen_args)

        def started():
            if process.poll() is not None:
                log.seek(0)
                raise AssertionError(f"{command[0]} ended: {log.read()}")
            return ready()

        try:
            ioprof_run.wait_until(started, 20, f"{command[0]} ready")
            yield process
        finally:
            process.terminate()
            process.wait(20)


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


class Prometheus:
    """A real Prometheus that scrapes these addresses every half second."""

    def __init__(self, directory, scrapes, rules=()):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.directory = Path(directory)
        config = {
            "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
            "scrape_configs": scrapes,
            "rule_files": [str(rule) for rule in rules],
        }
        self.config = self.directory / "prometheus.yml"
        self.config.write_text(json.dumps(config))  # JSON is YAML too

    @contextlib.contextmanager
    def running(self):
        subprocess.run(["promtool", "check", "config", self.config], check=True, capture_output=True)
        with program("prometheus", f"--config.file={self.config}", f"--storage.tsdb.path={self.directory}/data",
                     f"--web.listen-address={urllib.parse.urlsplit(self.url).netloc}", "--log.level=warn",
                     ready=lambda: answers(f"{self.url}/-/ready")):
            yield self

    def get(self, path, **query):
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, promql):
        """[(labels, value)]"""
        return [(r["metric"], float(r["value"][1])) for r in self.get("query", query=promql)["result"]]

    def value(self, promql):
        found = self.query(promql)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def wait_value(self, promql, expected):
        ioprof_run.wait_until(lambda: self.value(promql) == expected, 20, f"{promql} == {expected}", 0.05)
