# SPDX-License-Identifier: GPL-2.0-or-later
"""ioprof export, read by the real programs: Prometheus, promtool, node_exporter, protobuf's parser."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest

import ioprof_run
from export_run import Export, Prometheus, answers, free_port, program, samples
from otlp_receiver import OtlpReceiver
from service_run import Downstream, Service

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "packaging/prometheus/ioprof.rules.yml"
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def db():
    with Downstream() as downstream:
        yield downstream.address


@pytest.fixture(scope="module")
def service(db):
    with Service("--processes=2", "--cpu=1000", f"--call={db},2,3000") as service:
        yield service


@pytest.fixture
def idle():
    process = subprocess.Popen(["sleep", "infinity"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return path


def documents(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def sums(docs):
    """What the ratio is made of, over documents: overlappable wait and CPU in nanoseconds."""
    wait = cpu = 0
    for service in (service for doc in docs for service in doc["services"]):
        parts = service["parts_s"]
        wait += sum(parts[p]["sum_ns"] for p in ("network", "sleep", "child")) + service["overlapped_io_ns"]
        cpu += parts["cpu"]["sum_ns"]
    return wait, cpu


# ---- Prometheus ----

def test_prometheus_over_two_exporters(service, db, token_file, tmp_path):
    """Scraped by the real one, in both formats, one behind a token: PromQL's ratio of sums is the documents'."""
    logs = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    with Service("--threads=2", "--cpu=3000", f"--call={db},1,1000") as other, \
            Export("-p", service.pid, "-i", "0.5", f"--jsonl={logs[0]}") as first, \
            Export("-p", other.pid, "-i", "0.5", f"--jsonl={logs[1]}", f"--token-file={token_file}") as second, \
            Prometheus(tmp_path, [
                {"job_name": "first", "static_configs": [{"targets": [first.address]}]},
                {"job_name": "second", "static_configs": [{"targets": [second.address]}],
                 "authorization": {"credentials": TOKEN}},
            ], [RULES]).running() as prometheus:
        prometheus.wait_value("count(ioprof_requests_total == 0)", 2)
        service.load(requests=300, connections=2)
        other.load(requests=200, connections=2)
        prometheus.wait_value("sum(ioprof_requests_total)", 500)
        ratio = prometheus.value('sum(ioprof_request_overlappable_seconds_total)'
                                 ' / sum(ioprof_request_time_seconds_total{part="cpu"})')
        rates = prometheus.query("sum by (job) (rate(ioprof_requests_total[1m]))")
        median = prometheus.value('histogram_quantile(0.5, sum by (le) ('
                                  'ioprof_request_service_time_seconds_bucket{job="first"}))')
        count = prometheus.value('ioprof_request_duration_seconds_count{job="first"}')
        operations = prometheus.value(f'ioprof_peer_operations_total{{job="first",peer="{db}"}}')
        recorded = prometheus.query("service:ioprof_blocking_ratio:rate5m")
        targets = prometheus.get("targets")["activeTargets"]
        first.end_export()
        second.end_export()
    assert [(t["health"], t["lastError"]) for t in targets] == [("up", "")] * 2
    docs = [document for log in logs for document in documents(log)]
    wait, cpu = sums(docs)
    assert ratio == pytest.approx(wait / cpu, rel=1e-12)
    assert all(rate > 0 for _, rate in rates) and len(rates) == 2
    times = [d["services"][0]["service_time_s"] for d in documents(logs[0])]
    means = sum(t["sum_ns"] for t in times) / sum(t["count"] for t in times) / 1e9
    assert means / 2 <= median <= means * 2
    assert count == sum(d["services"][0]["latency_s"]["count"] for d in documents(logs[0]))
    assert operations == 600
    assert {labels["service"] for labels, _ in recorded} == {"service"}


def test_promtool_finds_nothing(service):
    with Export("-p", service.pid) as export:
        text = export.get("/metrics")[2]
    check = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


def test_formats_are_negotiated(idle):
    with Export("-p", idle.pid) as export:
        _, headers, text = export.get("/metrics")
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert "# EOF" not in text
        _, headers, text = export.get("/metrics", Accept="application/openmetrics-text;version=1.0.0,*/*;q=0.1")
        assert headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert text.endswith("# EOF\n")


def test_counters_add_up_over_intervals(service):
    """Through many intervals no counter falls, and at the end they are the sum of the documents."""
    with Export("-p", service.pid, "-i", "0.1", "--jsonl=-") as export:
        before = export.metrics()
        with service.client(requests=300, connections=2) as client:
            for _ in range(20):
                now = export.metrics()
                for name, value in before.items():
                    if not re.match(r"ioprof_(workers|service_|event_loops|build)", name):
                        assert now[name] >= value, name
                before = now
            client.result()
        export.wait_requests(300)
        last = export.metrics()
        export.end_export()
        docs = [json.loads(line) for line in export.output().splitlines()]
    assert sum(d["services"][0]["requests"]["completed"] for d in docs) == 300
    parts = [d["services"][0]["parts_s"]["network"]["sum_ns"] for d in docs]
    assert last['ioprof_request_time_seconds_total{service="service",part="network"}'] == pytest.approx(sum(parts) / 1e9)


def test_snapshot_is_the_document_of_the_last_interval(service):
    schema = json.loads((ROOT / "docs/ioprof-1.schema.json").read_text())
    with Export("-p", service.pid, "-i", "1000") as export:
        assert export.get("/snapshot")[0] == 503
        assert export.get("/healthz")[0::2] == (200, "ok\n")
    with Export("-p", service.pid, "-i", "0.2") as export:
        ioprof_run.wait_until(lambda: export.get("/snapshot")[0] == 200, what="the first interval")
        document = json.loads(export.get("/snapshot")[2])
    jsonschema.Draft7Validator(schema).validate(document)
    assert document["services"][0]["pids"][0] == service.pid


def test_advice_is_exported(service):
    """Found by the third interval, of all that was seen by then."""
    with Export("-p", service.pid, "-i", "0.5") as export:
        service.load(requests=100, connections=2)
        ioprof_run.wait_until(lambda: "ioprof_verdict_info{" in export.get("/metrics")[2], what="advice")
        found = {name: value for name, value in export.metrics().items() if re.match(r"ioprof_(verdict|gain)", name)}
    assert len([name for name in found if "verdict" in name]) == 1
    for name, value in found.items():
        assert re.fullmatch(r'ioprof_verdict_info\{service="service",verdict="[a-z-]+"\}|'
                            r'ioprof_gain_ratio\{service="service",gain="\w+",bound="(estimate|lower|upper)"\}', name)
        assert value > 0


# ---- the rules and the dashboard that come with it ----

def test_rules_fire_and_do_not_fire():
    for command in (["check", "rules", RULES], ["test", "rules", RULES.with_name("ioprof.rules.test.yml")]):
        result = subprocess.run(["promtool", *command], capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr


def test_dashboard_asks_for_what_there_is(service, tmp_path):
    """Every query of the dashboard is PromQL, and every metric in it and in the rules is exported."""
    dashboard = json.loads((ROOT / "packaging/grafana/ioprof.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(queries) >= 8
    queries = [re.sub(r"\$__rate_interval", "5m", q).replace("$service", ".*") for q in queries]
    rules = {"groups": [{"name": "dashboard", "rules": [
        {"record": f"dashboard:{i}", "expr": q} for i, q in enumerate(queries)]}]}
    (tmp_path / "rules.yml").write_text(json.dumps(rules))
    subprocess.run(["promtool", "check", "rules", tmp_path / "rules.yml"], check=True, capture_output=True)
    with Export("-p", service.pid) as export:
        types = re.findall(r"^# TYPE (\w+) (\w+)$", export.get("/metrics")[2], re.M)
    known = {name + suffix for name, kind in types
             for suffix in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}
    expressions = " ".join(queries) + re.sub(r"\bservice:\w+:\w+", "", RULES.read_text())
    asked = set(re.findall(r"\bioprof_\w+", expressions))
    assert len(asked) > 10 and asked <= known


# ---- who may read, and what they can do to it ----

def test_token(idle, token_file):
    with Export("-p", idle.pid, f"--token-file={token_file}") as export:
        status, headers, _ = export.get("/metrics")
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert export.get("/snapshot")[0] == 401
        for wrong in ("Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN):
            assert export.get("/metrics", Authorization=wrong)[0] == 401
        assert export.get("/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200
        assert export.get("/healthz")[0] == 200


def test_a_browser_cannot_be_made_to_read(idle):
    """By a name of the attacker's that leads here: only our own names are answered."""
    with Export("-p", idle.pid) as export:
        port = export.address.rsplit(":", 1)[1]
        for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example"):
            assert export.get("/metrics", Host=host)[0] == 421
        for host in ("localhost", f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
            assert export.get("/metrics", Host=host)[0] == 200


def test_only_get_and_head(idle):
    with Export("-p", idle.pid) as export:
        status, headers, body = export.get("/metrics", method="HEAD")
        assert (status, body) == (200, "") and int(headers["Content-Length"]) > 1000
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"):
            status, headers, _ = export.get("/metrics", method=method)
            assert (status, headers["Allow"]) == (405, "GET, HEAD")
        assert export.get("/nothing")[0] == 404
        assert export.get("/../etc/passwd")[0] == 404


def connect(export):
    host, port = export.address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=10)


def gone(connection):
    """True once the other end has closed."""
    connection.setblocking(False)
    try:
        return connection.recv(65536) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def memory_kb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def open_files(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_hostile_clients(idle):
    """Slow, many and malformed ones: others are answered meanwhile, and nothing grows."""
    with Export("-p", idle.pid, "-i", "0.5") as export:
        export.get("/metrics")
        files, memory = open_files(export.pid), memory_kb(export.pid)
        slow = connect(export)
        malformed = []
        slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")

        for garbage in (b"\x00\xff" * 2000, b"GET\r\n\r\n", b"\r\n" * 5000, b"GET /metrics HTTP/9.9\r\n\r\n",
                        b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20000,
                        b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                        b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
                        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            malformed.append(connect(export))
            try:
                malformed[-1].sendall(garbage)
            except ConnectionError:
                pass  # it has been told already
            assert export.get("/metrics")[0] == 200

        many = [connect(export) for _ in range(100)]
        connected = time.monotonic()
        for client in many[::2]:
            client.sendall(b"GET /metr")
        for _ in range(20):
            assert export.get("/metrics")[0] == 200
        ioprof_run.wait_until(lambda: sum(map(gone, many)) >= 68, what="the end of the oldest")
        assert open_files(export.pid) <= files + 33
        ioprof_run.wait_until(lambda: gone(slow), what="the end of the first")
        ioprof_run.wait_until(lambda: all(map(gone, malformed)), what="the end of malformed requests")
        for client in [slow, *malformed, *many[:50]]:
            client.close()

        # One that is alone, and keeps sending, has its ten seconds.
        last = many[-1]
        while not gone(last):
            assert time.monotonic() - connected < 60
            try:
                last.setblocking(True)
                last.sendall(b"a")
            except ConnectionError:
                break
            time.sleep(0.2)
        assert time.monotonic() - connected > 9
        for client in many[50:]:
            client.close()
        ioprof_run.wait_until(lambda: open_files(export.pid) <= files, what="all connections closed")
        assert memory_kb(export.pid) < memory + 4096
        export.end_export()
        assert export.errors().count("\n") == 1


# ---- OpenTelemetry ----

def test_otlp(service, tmp_path):
    """A receiver that is busy at first gets everything, checked by the protocol's own messages."""
    busy = [(503, {}), (429, {"Retry-After": "1"})]
    with OtlpReceiver(busy) as receiver:
        env = {**os.environ, "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b,x=y"}
        with Export("-p", service.pid, "-i", "0.2", f"--otlp={receiver.url}", f"--jsonl={tmp_path}/a.jsonl",
                    env=env) as export:
            service.load(requests=200, connections=2)
            export.wait_requests(200)
            export.end_export()
            errors = export.errors()
        receiver.wait_for(2)
    docs = documents(tmp_path / "a.jsonl")
    checker = receiver.checker
    assert receiver.headers["api-key"] == "a b" and receiver.headers["x"] == "y"
    assert checker.value("service", "ioprof.requests") == 200
    cpu = sum(d["services"][0]["parts_s"]["cpu"]["sum_ns"] for d in docs)
    assert checker.value("service", "ioprof.request_time", part="cpu") == pytest.approx(cpu / 1e9)
    assert receiver.n_documents == len(docs)
    assert "answered with status 503: trying again" in errors
    assert "takes metrics again" in errors


def test_otlp_receiver_that_is_away(idle):
    """What waits is bounded, what is dropped is counted and shown; nothing else suffers."""
    with Export("-p", idle.pid, "-i", "0.02", f"--otlp=http://127.0.0.1:{free_port()}") as export:
        name = 'ioprof_output_dropped_total{output="otlp"}'
        ioprof_run.wait_until(lambda: export.metrics()[name] >= 10, what="documents dropped")
        metrics = export.metrics()
        export.end_export()
        errors = export.errors()
    assert metrics['ioprof_output_sent_total{output="otlp"}'] == 0
    assert errors.count("cannot push metrics") == 1
    assert re.search(r"(\d+) of \1 documents did not reach the OTLP receiver", errors)


def test_otlp_receiver_that_refuses(idle):
    with OtlpReceiver([(400, {})] * 1000) as receiver, \
            Export("-p", idle.pid, "-i", "0.05", f"--otlp={receiver.url}") as export:
        name = 'ioprof_output_dropped_total{output="otlp"}'
        ioprof_run.wait_until(lambda: export.metrics()[name] >= 3, what="documents dropped")
        export.end_export()
        assert export.errors().count("refused metrics with status 400") == 1


# ---- files ----

def test_node_exporter_reads_the_textfile(service, tmp_path):
    path = tmp_path / "ioprof.prom"
    url = f"http://127.0.0.1:{free_port()}/metrics"
    with Export("-p", service.pid, "-i", "0.1", f"--textfile={path}", serve=False) as export, \
            program("prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
                    f"--collector.textfile.directory={tmp_path}", f"--web.listen-address={url.split('/')[2]}",
                    ready=lambda: answers(url)):
        ioprof_run.wait_until(path.exists, what="the file")
        assert path.stat().st_mode & 0o777 == 0o644
        service.load(requests=50)

        def read():
            text = subprocess.run(["curl", "-s", url], capture_output=True, text=True, check=True).stdout
            found = samples(text)
            assert found["node_textfile_scrape_error"] == 0
            return found.get('ioprof_requests_total{service="service"}') == 50

        ioprof_run.wait_until(read, what="the requests at node_exporter")
        for _ in range(200):  # whole, whenever it is read
            text = path.read_text()
            assert text.startswith("# HELP ioprof_") and "\nioprof_build_info{" in text and text.endswith("\n")
        export.end_export()
    assert list(tmp_path.iterdir()) == []


def test_textfile_replaces_a_link(idle, tmp_path):
    victim, path = tmp_path / "victim", tmp_path / "a.prom"
    victim.write_text("mine")
    path.symlink_to(victim)
    with Export("-p", idle.pid, "-i", "0.1", f"--textfile={path}", serve=False) as export:
        ioprof_run.wait_until(lambda: not path.is_symlink(), what="the file")
        export.end_export()
    assert victim.read_text() == "mine"


def test_jsonl_is_appended_and_may_be_moved_away(idle, tmp_path):
    path, moved = tmp_path / "a.jsonl", tmp_path / "a.jsonl.1"
    path.write_text('{"before": true}\n')
    with Export("-p", idle.pid, "-i", "0.1", f"--jsonl={path}", serve=False) as export:
        ioprof_run.wait_until(lambda: len(path.read_text().splitlines()) >= 3, what="documents")
        path.rename(moved)
        ioprof_run.wait_until(path.exists, what="a new file")
        export.end_export()
    docs = documents(moved) + documents(path)
    assert docs[0] == {"before": True}
    starts = [d["interval"]["start_unix_ns"] for d in docs[1:]]
    assert starts == sorted(starts) and len(set(starts)) == len(starts)


def test_an_output_that_fails_leaves_the_others(idle, tmp_path):
    link = tmp_path / "link.jsonl"
    link.symlink_to(tmp_path / "elsewhere")
    with Export("-p", idle.pid, "-i", "0.1", f"--jsonl={link}") as export:
        name = 'ioprof_output_dropped_total{output="jsonl"}'
        ioprof_run.wait_until(lambda: export.metrics()[name] >= 3, what="documents dropped")
        link.unlink()
        ioprof_run.wait_until(link.exists, what="the file written")
        export.end_export()
        assert "it is a symbolic link" in export.errors() and "is written again" in export.errors()
        assert export.errors().count("cannot write") == 1
    assert not (tmp_path / "elsewhere").exists()


# ---- beginning and end ----

@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, "service", "duration"])
def test_ends_with_all_that_was_seen(service, idle, end):
    if end == "service":
        with Export("-p", idle.pid, "-i", "1000", "--jsonl=-", serve=False) as export:
            idle.kill()
            assert len(export.end()) == 1
        return
    args = ["-d", "1"] if end == "duration" else []
    with Export("-p", service.pid, "-i", "1000" if not args else "1", "--jsonl=-", *args, serve=False) as export:
        service.load(requests=20)
        docs = export.end() if end == "duration" else export.stop_all(end)
    assert sum(d["services"][0]["requests"]["completed"] for d in docs) == 20


def test_reader_of_documents_that_leaves_ends_it(idle):
    reader, writer = os.pipe()
    export = subprocess.Popen([ioprof_run.binary(), "export", "-p", str(idle.pid), "--jsonl=-"], stdout=writer,
                              stderr=subprocess.PIPE)
    os.close(writer)
    ioprof_run.wait_until(lambda: ioprof_run.observing(export.pid), what="observing")
    os.close(reader)
    assert export.communicate(timeout=20) == (None, b"")
    assert export.returncode == 1


def test_reader_of_nothing_may_leave(idle):
    """Standard output is no output here: its end means nothing, and wakes nobody."""
    reader, writer = os.pipe()
    with Export("-p", idle.pid, "-i", "1000") as export:
        os.close(writer)
        os.close(reader)
        assert export.get("/healthz")[0] == 200
        export.end_export()


@pytest.mark.parametrize("args, says", [
    (["--listen=localhost:80"], "'localhost:80' is not an address and a port: use for example"),
    (["--listen=9977"], "'9977' is not an address and a port: use for example"),
    (["--textfile=/tmp/x"], "node_exporter does not read '/tmp/x': use a name that ends in .prom"),
    (["--otlp=ftp://x"], "'ftp://x' is no URL to push to: use for example --otlp="),
    (["--otlp="], "'' is no URL to push to: use for example --otlp="),
    (["--jsonl=-", "--token-file=/x"], "--token-file is for readers, and nothing is served: add --listen"),
    (["--no-traces"], "there is no option '--no-traces': see 'ioprof export --help'"),
    (["--jsonl"], "option --jsonl needs a value: see 'ioprof export --help'"),
])
def test_bad_usage(args, says):
    result = ioprof_run.run("export", "-p", os.getpid(), *args)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"ioprof: {says}") and result.stderr.count("\n") == 1


def test_what_cannot_be_had_fails(idle, token_file):
    token_file.chmod(0o640)
    result = ioprof_run.run("export", "-p", idle.pid, f"--token-file={token_file}", "--listen=127.0.0.1:0")
    assert result.returncode == 1 and "it is not its owner's alone: 'chmod 600' it" in result.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = ioprof_run.run("export", "-p", idle.pid, f"--listen=127.0.0.1:{taken.getsockname()[1]}")
    assert result.returncode == 1
    assert result.stderr == "ioprof: cannot listen there: Address already in use: choose another --listen=ADDRESS:PORT\n"


def test_listening_for_others_is_warned_of(idle, token_file):
    with ioprof_run.Ioprof(["export", "-p", idle.pid, "--listen=0.0.0.0:0", "-d", "0.1"]) as export:
        assert export.process.wait(20) == 0
        assert re.search(r"warning: whoever reaches 0\.0\.0\.0:\d+ reads .*: --token-file asks", export.errors())
    with ioprof_run.Ioprof(["export", "-p", idle.pid, "--listen=0.0.0.0:0", "-d", "0.1",
                            f"--token-file={token_file}"]) as export:
        assert export.process.wait(20) == 0
        assert "and has the token reads" in export.errors() and "goes there unencrypted" in export.errors()
