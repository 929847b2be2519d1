# SPDX-License-Identifier: GPL-2.0-or-later
"""An OTLP/HTTP receiver that takes nothing on trust.

Bodies are read by protobuf's own JSON parser with the protocol's messages (otlp/metrics_service.proto), which refuses
unknown fields and wrong types; then by the rules of the metrics data model that a parser cannot know.

    with OtlpReceiver() as receiver:
        ...push to receiver.url...
        receiver.wait_for(3)        # documents, checked
"""

import http.server
import importlib.util
import json
import math
import re
import subprocess
import tempfile
import threading
from pathlib import Path

from google.protobuf import json_format

import ioprof_run

HERE = Path(__file__).resolve().parent / "otlp"
CUMULATIVE = 2


def load_messages():
    with tempfile.TemporaryDirectory(prefix="ioprof-") as out:
        subprocess.run(["protoc", f"--proto_path={HERE}", f"--python_out={out}", "metrics_service.proto"], check=True)
        spec = importlib.util.spec_from_file_location("metrics_service_pb2", f"{out}/metrics_service_pb2.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


MESSAGES = load_messages()


def attributes_of(owner):
    keys = [a.key for a in owner.attributes]
    assert all(keys) and len(set(keys)) == len(keys), f"attributes are not unique: {keys}"
    return {a.key: a.value.string_value for a in owner.attributes}


def check_point(point, previous):
    assert 0 < point.start_time_unix_nano < point.time_unix_nano
    if previous:
        assert point.start_time_unix_nano == previous.start_time_unix_nano, "cumulative: the start stays"
        assert point.time_unix_nano > previous.time_unix_nano


def check_number(point, previous, monotonic):
    check_point(point, previous)
    kind = point.WhichOneof("value")
    assert kind, "a point without a value"
    value = getattr(point, kind)
    assert math.isfinite(value)
    if monotonic:
        assert value >= 0
        assert not previous or (previous.WhichOneof("value") == kind and value >= getattr(previous, kind))


def check_histogram(point, previous):
    check_point(point, previous)
    bounds, counts = list(point.explicit_bounds), list(point.bucket_counts)
    assert bounds == sorted(set(bounds)) and len(counts) == len(bounds) + 1
    assert sum(counts) == point.count
    assert point.HasField("sum") and point.sum >= 0 and (point.sum > 0 or point.count == 0)
    if previous:
        assert bounds == list(previous.explicit_bounds) and point.sum >= previous.sum
        assert all(now >= then for now, then in zip(counts, previous.bucket_counts))


class Checker:
    """Checks documents one after the other and remembers each stream's last point."""

    def __init__(self):
        self.last = {}

    def check_metric(self, resource, metric):
        assert re.fullmatch(r"ioprof\.[a-z][a-z0-9_]*", metric.name), metric.name
        assert metric.unit in ("", "1", "s", "s2") and metric.description
        kind = metric.WhichOneof("data")
        data = getattr(metric, kind)
        assert data.data_points, f"{metric.name} has no points"
        if kind != "gauge":
            assert data.aggregation_temporality == CUMULATIVE
        if kind == "sum":
            assert data.is_monotonic
        for point in data.data_points:
            stream = (resource, metric.name, tuple(sorted(attributes_of(point).items())))
            assert stream not in self.seen, f"{stream} twice in a document"
            self.seen.add(stream)
            previous = self.last.get(stream)
            if kind == "histogram":
                check_histogram(point, previous)
            else:
                check_number(point, previous, kind == "sum")
            self.last[stream] = point

    def check(self, body):
        request = json_format.Parse(body, MESSAGES.ExportMetricsServiceRequest())
        # The parser takes numbers for strings and names for numbers; the mapping of OTLP does not write them so.
        for match in re.findall(rb'"(?:startTimeUnixNano|timeUnixNano|count|asInt)":(.)', body):
            assert match == b'"', "64-bit integers are strings"
        self.seen = set()
        assert request.resource_metrics
        for rm in request.resource_metrics:
            resource = attributes_of(rm.resource)["service.name"]
            assert resource
            for sm in rm.scope_metrics:
                assert sm.scope.name == "ioprof" and sm.scope.version
                names = [m.name for m in sm.metrics]
                assert len(set(names)) == len(names)
                for metric in sm.metrics:
                    self.check_metric(resource, metric)

    def value(self, service, name, **labels):
        """The last value of a stream."""
        point = self.last[service, name, tuple(sorted(labels.items()))]
        return getattr(point, point.WhichOneof("value"))


class OtlpReceiver:
    """answers: what to answer at first, [(status, headers)...]; from then on 200. Those count neither as documents nor
    as errors."""

    def __init__(self, answers=()):
        self.checker, self.errors, self.n_documents, self.requests = Checker(), [], 0, 0
        self.answers = list(answers)
        self.headers = None
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers, answer = receiver.take(self.path, self.headers, body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    def take(self, path, headers, body):
        self.requests += 1
        if self.answers:
            status, more = self.answers.pop(0)
            return status, more, b""
        try:
            assert path == "/v1/metrics"
            assert headers["Content-Type"] == "application/json"
            self.checker.check(body)
            self.headers = headers
            self.n_documents += 1
        except Exception as error:  # whatever is wrong with it, the test must hear of it
            self.errors.append(repr(error))
            return 400, {}, b""
        return 200, {"Content-Type": "application/json"}, json.dumps({"partialSuccess": {}}).encode()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def wait_for(self, n):
        ioprof_run.wait_until(lambda: self.errors or self.n_documents >= n, 20, f"{n} documents")
        assert not self.errors
