# SPDX-License-Identifier: GPL-2.0-or-later
"""gunicorn and node with three HTTP calls of 5 ms per request: small enough to be the same in a guest that is emulated
(tests/vm). Counts are exact there too, and the model is right; the tolerances of times are those of truth_compare."""

import pytest

import ioprof_run
import servers
from service_run import Client
from truth_compare import GUEST, check_closure, check_count, check_latency, check_losses, check_requests, service_of

# Enough of them that what a request takes is not what the first ones take.
REQUESTS = 60 if GUEST else 300
# Each worker and each thread opens its connection downstream before.
WARM_UP = 40


@pytest.mark.parametrize("serve, close, model, waits_as, opened", [
    pytest.param(lambda to: servers.gunicorn_calls(to, "--preload", "--workers", "2"), True, "prefork", "network", 0,
                 id="gunicorn-sync", marks=pytest.mark.matrix),
    pytest.param(lambda to: servers.gunicorn_calls(to, "--preload", "--workers", "2", ANEW=1), True, "prefork", "network",
                 3, id="gunicorn-sync-anew", marks=pytest.mark.matrix),
    pytest.param(lambda to: servers.gunicorn_calls(to, "--threads", "4"), False, "threads", "network", 0,
                 id="gunicorn-gthread", marks=pytest.mark.matrix),
    pytest.param(servers.node, False, "event-loop", "overlapped", 0, id="node", marks=pytest.mark.matrix),
])
def test_three_calls(serve, close, model, waits_as, opened, downstream):
    with serve(downstream) as server:
        address = server.url.removeprefix("http://").rstrip("/")
        options = {"connections": 4, "close": close}
        with Client(address, requests=WARM_UP, **options) as client:
            assert client.result()["answered"] == WARM_UP
        with ioprof_run.start(server.pid) as prof:
            with Client(address, requests=REQUESTS, **options) as client:
                load = client.result()
            document = prof.stop()
    assert (load["answered"], load["failed"]) == (REQUESTS, 0)
    service = service_of(document)
    assert service["concurrency_model"] == model
    check_losses(document)
    check_requests(document, REQUESTS)
    check_closure(document)
    check_latency(document, load)
    check_count(document, service["requests"]["operations"], 3 * REQUESTS, 3)
    assert [peer["address"] for peer in service["peers"]] == [downstream.address]
    check_count(document, service["peers"][0]["operations"], 3 * REQUESTS, 3)
    check_count(document, service["peers"][0]["connections"], opened * REQUESTS, opened)
    parts = {**service["per_request"]["wait_s"], "overlapped": service["per_request"]["overlapped_s"]}
    assert parts.pop(waits_as) >= 0.97 * 0.015
    for name in ("client", "disk", "sleep", "child", "other"):
        assert parts[name] <= 0.01 * service["service_time_s"]["mean"], name
