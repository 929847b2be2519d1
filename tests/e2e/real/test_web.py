# SPDX-License-Identifier: GPL-2.0-or-later
"""Web servers as people run them, each handler with three downstream turns of 5 ms.

Every test warms its server up first (workers connect to their database, code is compiled), then attaches, loads, and
compares with the generator. The generator and the service share the loopback, so what the generator sees beyond
arrival to end is its own system calls and wake-ups: some 50 us of 20 ms and more.
"""

import json

import generators
import ioprof_run
import pytest
import servers
from findings import Findings


def observe(server, url, generate, amount, connections, also=()):
    """Warms up, attaches, loads: the load and the document."""
    generators.hey(url, 20 * connections, connections)
    with ioprof_run.start(server.pid, *also) as prof:
        load = generate(url, amount, connections)
        return load, prof.stop()


def expect_three_waits(found):
    """Three waits of at least 5 ms, on the thread (network) or beside it (overlapped), and hardly anything else."""
    waited_s = found.part_s("network") + found.part_s("overlapped")
    found.expect(waited_s >= 0.97 * 0.015, f"network and overlapped: 15 ms expected, found {waited_s * 1e3:.3f} ms")
    for name in ("client", "disk", "sleep", "child", "other"):
        found.expect_part(name, at_most=0.01)
    found.expect_part("unattributed", at_most=0.03)


def test_gunicorn_sync(database):
    """gunicorn's sync worker closes each connection, so each request waits in the listen backlog: queue wait."""
    with servers.gunicorn_queries(database, "--workers", "2") as server:
        load, document = observe(server, f"{server.url}/queries", generators.hey, 300, 4)
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("prefork")
        found.expect_sound()
        found.expect_workers(2)
        found.expect_operations(load, database.address, 3)
        expect_three_waits(found)
        found.expect_part("network", at_least=0.75)
        found.expect_part("lock", at_most=0.01)


def test_gunicorn_sync_short_of_processors(database):
    """Eight workers that only compute, on fewer processors: the delay is run queue, and no wait of any class."""
    with servers.gunicorn_queries(database, "--workers", "8") as server:
        load, document = observe(server, f"{server.url}/cpu", generators.hey, 480, 8)
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("prefork")
        found.expect_sound()
        found.expect_part("run_queue", at_least=0.3)
        for name in ("network", "client", "disk", "lock", "sleep", "child", "other"):
            found.expect_part(name, at_most=0.01)


def test_gunicorn_gthread(database):
    with servers.gunicorn_queries(database, "--threads", "4") as server:
        load, document = observe(server, f"{server.url}/queries", generators.hey, 480, 8)
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("threads")
        found.expect_sound()
        found.expect_workers(4)
        found.expect_operations(load, database.address, 3)
        expect_three_waits(found)
        found.expect_part("network", at_least=0.7)


def test_gunicorn_gthread_gil(database):
    """
    Four threads that compute under one GIL: three of four wait for it, and that is lock, never network. Some of the
    time they hold it and wait for a processor: the kernel's account says how much that is at most.
    """
    with servers.gunicorn_queries(database, "--threads", "4") as server:
        before_s = server.run_delay_s()
        load, document = observe(server, f"{server.url}/cpu", generators.hey, 240, 4)
        run_delay_s = (server.run_delay_s() - before_s) / load.at_least
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("threads")
        found.expect_sound()
        lock_s = found.service_time_s - found.part_s("cpu") - run_delay_s
        found.expect(found.part_s("lock") >= lock_s, f"lock: {lock_s} s at least, found {found.part_s('lock')} s")
        found.expect(found.part_s("run_queue") <= run_delay_s,
                     f"run queue: {run_delay_s} s at most, found {found.part_s('run_queue')} s")
        for name in ("network", "client", "disk", "sleep", "child", "other"):
            found.expect_part(name, at_most=0.01)


def test_gunicorn_gthread_with_a_pool_inside(database):
    """Each handler hands eight queries to an executor and waits: its pool's threads wake each other, under one GIL."""
    with servers.gunicorn_queries(database, "--threads", "4") as server:
        load, document = observe(server, f"{server.url}/parts", generators.hey, 240, 4)
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("threads")
        found.expect_sound()
        found.expect_workers(4)
        found.expect_operations(load, database.address, 8)
        found.expect_nothing_outside()


@pytest.mark.parametrize("connections", [2, 16])
def test_gunicorn_gthread_with_a_full_pool(connections, database):
    """The same, attached to under a load for which the pool is too small: its threads never wait for work to be handed them.
    What handlers wait for the pool is not for a lock; what threads wait for the interpreter's lock is, and that is some
    where a machine is so slow that it is never free."""
    with servers.gunicorn_queries(database, "--threads", "4") as server:
        generators.hey(f"{server.url}/parts", 64, 16)
        before_s = server.cpu_s()
        with generators.running(f"{server.url}/parts", connections):
            ioprof_run.wait_until(lambda: server.cpu_s() > before_s + 0.1, what="the load")
            document = json.loads(ioprof_run.run("--json", "-p", server.pid, "-d", 4).stdout)
    with Findings(document) as found:
        found.expect_model("threads")
        found.expect_sound()
        # All but what it takes to see who is of the pool, and the requests that were there before.
        operations, outside = found.service["per_request"]["operations"], found.peer(database.address)["operations_outside"]
        found.expect(0.96 * 8 <= operations <= 1.01 * 8, f"operations: 8 per request expected, found {operations}")
        found.expect(outside <= 0.04 * found.service["requests"]["operations"], f"operations outside: {outside}")
        found.expect_part("lock", at_most=0.3)


@pytest.mark.parametrize("threads, aside", [("1", "queries"), ("4", "queries"), ("1", "computing"), ("4", "computing")])
def test_gunicorn_with_a_thread_aside(threads, aside, database):
    """A thread that works for no request, and takes turns under the GIL with those that do."""
    with servers.gunicorn_queries(database, "--threads", threads, ASIDE=aside) as server:
        load, document = observe(server, f"{server.url}/queries", generators.hey, 80, 4)
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_sound()
        found.expect_operations(load, database.address, 3)
        found.expect((found.peer(database.address)["operations_outside"] > 0) == (aside == "queries"), "operations outside")
        found.expect_part("sleep", at_most=0.01)
        # That thread computes all the time it is let.
        found.expect(aside == "queries" or found.cpu_inside() <= 0.3, f"CPU inside requests: {found.cpu_inside():.1%}")


def test_puma(downstream):
    """Its threads leave a read that would block, and wait for their turn before they poll: no goroutines, though it looks so."""
    with servers.puma_calls(downstream, 4) as server:
        load, document = observe(server, server.url, generators.hey, 240, 4)
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("threads")
        found.expect_sound()
        found.expect_operations(load, downstream.address, 3)
        expect_three_waits(found)
        found.expect_part("network", at_least=0.7)


def test_waitress(downstream):
    """A thread that polls reads all requests, more of them than its pool has threads: it is a loop."""
    with servers.waitress_calls(downstream, 4) as server:
        load, document = observe(server, server.url, generators.hey, 240, 8)
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("event-loop+threads")
        found.expect_sound()
        found.expect_operations(load, downstream.address, 3)
        found.expect_nothing_outside()
        # What it can take is what its threads can, 4 in some 15 ms each, whatever its processor could.
        now = found.service["advice"]["capacity_per_s"]["now"]
        found.expect(now is None or now <= 4 / 0.015, f"capacity: 4 threads of 15 ms each, found {now} per second")


def test_fastapi_executor(downstream, database):
    with servers.uvicorn(downstream, database) as server:
        load, document = observe(server, f"{server.url}/parts", generators.hey, 240, 4)
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("event-loop+threads")
        found.expect_sound()
        found.expect_operations(load, database.address, 8)
        found.expect_nothing_outside()


def test_fastapi_async(downstream, database):
    with servers.uvicorn(downstream, database) as server:
        load, document = observe(server, f"{server.url}/async", generators.wrk, 3, 8)
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("event-loop")
        found.expect_sound()
        found.expect_operations(load, downstream.address, 3)
        expect_three_waits(found)
        found.expect_part("lock", at_most=0.03)


def test_fastapi_def(downstream, database):
    """The loop reads the request, a pool thread runs the handler: its queries belong to the request."""
    with servers.uvicorn(downstream, database) as server:
        load, document = observe(server, f"{server.url}/def", generators.wrk, 3, 8)
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("event-loop+threads")
        found.expect_sound()
        found.expect_operations(load, database.address, 3)
        expect_three_waits(found)
        found.expect_part("network", at_least=0.6)


def test_php_fpm_behind_nginx(database):
    """
    Both observed at once. nginx is whom the client talks to, so its latency is the client's; that of php-fpm lacks what
    nginx adds before and after, and is compared with the same tolerance. A connection that pg_pconnect kept is reset
    by a RESET ALL first: four operations.
    """
    with servers.php_fpm(database) as (fpm, nginx):
        load, document = observe(fpm, nginx.url, generators.wrk, 3, 8, also=[nginx.pid])
    with Findings(document, 0) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("prefork")
        found.expect_sound()
        found.expect_workers(4)
        found.expect_operations(load, database.address, 4)
        expect_three_waits(found)
        found.expect_part("network", at_least=0.75)
    with Findings(document, 1) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("event-loop")
        found.expect_sound()
        found.expect_operations(load, nginx.upstream, 1)
        expect_three_waits(found)


def test_node(downstream):
    with servers.node(downstream) as server:
        load, document = observe(server, server.url, generators.wrk, 3, 8)
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("event-loop")
        found.expect_sound()
        found.expect_operations(load, downstream.address, 3)
        expect_three_waits(found)
        found.expect_part("lock", at_most=0.03)


def test_go(downstream):
    """Goroutines on the runtime's poller: any thread reads, sends and receives for any request."""
    with servers.go(downstream) as server:
        load, document = observe(server, server.url, generators.hey, 1200, 8)
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("event-loop")
        found.expect_sound()
        found.expect_operations(load, downstream.address, 3)
        expect_three_waits(found)
        found.expect_part("lock", at_most=0.03)


def test_tomcat(downstream):
    """The poller thread hands a readable connection to a pool thread, which reads the request: threads."""
    with servers.tomcat(downstream) as server:
        load, document = observe(server, server.url, generators.wrk, 3, 8)
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("threads")
        found.expect_sound()
        found.expect_operations(load, downstream.address, 3)
        expect_three_waits(found)
        found.expect_part("network", at_least=0.7)


def test_tomcat_with_a_pool_inside(downstream):
    """Java's threads wait for work and for locks alike, each at an address of its own."""
    with servers.tomcat(downstream, "parts.jsp") as server:
        load, document = observe(server, server.url, generators.hey, 240, 4)
    with Findings(document) as found:
        found.expect_requests(load)
        found.expect_latency(load)
        found.expect_model("threads")
        found.expect_sound()
        found.expect_operations(load, downstream.address, 8)
