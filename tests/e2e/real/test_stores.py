# SPDX-License-Identifier: GPL-2.0-or-later
"""Data stores as the service: requests of a few microseconds, and a protocol that is not HTTP.

A request of 10 us takes the generator about as long as the server: it sends, wakes up, reads, and it serves all its
connections one after the other. That time is real, but it is not between arrival and end, so for the shortest requests
the generator's mean is only a bound from above. The same is compared within 5 % on requests that keep the server busy
for longer than that.
"""

import generators
import ioprof_run
import servers
from findings import Findings


def expect_no_peers(found):
    found.expect(found.service["per_request"]["operations"] == 0, "operations, but the service has no peers")
    found.expect_part("network", at_most=0.01)


def expect_redis(found, load):
    found.expect_requests(load)
    found.expect_model("event-loop")
    found.expect_sound()
    expect_no_peers(found)


def test_redis_get():
    with servers.redis() as server, ioprof_run.start(server.pid) as prof:
        load = generators.redis_benchmark(server.port, 100_000, 20, "-t", "get")
        document = prof.stop()
    with Findings(document) as found:
        expect_redis(found, load)
        found.expect(found.latency_s <= load.mean_s, f"latency {found.latency_s} s, at the client {load.mean_s} s")


def test_redis_scripts():
    """Scripts of about 0.5 ms: 19 of 20 connections wait for the server, which serves them one by one."""
    script = "local x = 0 for i = 1, 100000 do x = x + i end return x"
    with servers.redis() as server, ioprof_run.start(server.pid) as prof:
        load = generators.redis_benchmark(server.port, 4_000, 20, "EVAL", script, 0)
        document = prof.stop()
    with Findings(document) as found:
        expect_redis(found, load)
        found.expect_latency(load)


def expect_postgres(found, load):
    found.expect_requests(load)
    found.expect_model("prefork")
    found.expect_sound()
    expect_no_peers(found)


def test_postgres_select(database):
    """Before a run of its own script pgbench asks how many branches there are, and about partitions: two queries."""
    with ioprof_run.start(database.pid) as prof:
        load = generators.pgbench(database, 4, 10_000, "-S", connection_queries=2)
        document = prof.stop()
    with Findings(document) as found:
        expect_postgres(found, load)
        found.expect(found.latency_s <= load.mean_s, f"latency {found.latency_s} s, at the client {load.mean_s} s")


def test_postgres_long_queries(database, tmp_path):
    """Queries of some milliseconds of CPU, one client: the other processor is left to pgbench."""
    script = tmp_path / "sum.sql"
    script.write_text("select sum(i) from generate_series(1, 20000) i;\n")
    with ioprof_run.start(database.pid) as prof:
        load = generators.pgbench(database, 1, 1000, "-f", script, connection_queries=0)
        document = prof.stop()
    with Findings(document) as found:
        expect_postgres(found, load)
        found.expect_latency(load)
        found.expect_part("cpu", at_least=0.5)
