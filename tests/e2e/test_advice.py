# SPDX-License-Identifier: GPL-2.0-or-later
"""The advice on the known-answer service: the right verdict, and the capacity of now against theory and the load."""

import json
import os
import subprocess

import pytest

import ioprof_run
from service_run import Downstream, Service
from truth_compare import service_of


def advise(*knobs, options=(), requests, **load_options):
    """The advice on the known-answer service with one downstream, {db}; the document's service; requests/s of the load."""
    with Downstream() as db:
        with Service(*(knob.format(db=db.address) for knob in knobs)) as service, \
                ioprof_run.start(service.pid, args=options) as prof:
            load = service.load(requests=requests, **load_options)
            doc = prof.stop()
    assert load["answered"] == requests
    return service_of(doc)["advice"], service_of(doc), requests / load["duration_s"]


def per_request_s(service):
    per_request = service["per_request"]
    return per_request["cpu_s"] + sum(per_request["wait_s"].values())


def test_too_few_workers():
    """Two workers that wait for most of their time: more of them, whatever async would bring."""
    advice, service, per_s = advise("--cpu=2000", "--call={db},3,5000", "--processes=2", options=["--cpu-factor=1"],
                                    requests=600, connections=4, close=True)
    assert advice["verdict"] == "tune-workers"
    assert advice["now"]["processes"] == 2
    assert advice["tuned"]["processes"] > 2
    # Two workers, each with one request after the other; slower in truth by what processors are shared with others.
    assert advice["capacity_per_s"]["now"] == pytest.approx(2 / per_request_s(service), rel=0.05)
    assert per_s <= 1.05 * advice["capacity_per_s"]["now"]
    gain = advice["gain"]["async_over_now"]
    assert gain["lo"] <= gain["estimate"] <= gain["hi"]
    # The utilisation bound: what async can gain at most, with today's CPU per request.
    assert gain["estimate"] <= 1.01 / advice["utilisation"]
    assert advice["kappa"]["estimate"] == pytest.approx(1)
    cpus = service["surroundings"]["cpus"]
    # The downstream is on the same processors.
    cpu_s = (service["cpu_total_s"] + service["peer_cpu_ns"] / 1e9) / service["requests"]["completed"]
    assert advice["capacity_per_s"]["async"] == pytest.approx(cpus / cpu_s, rel=0.02)


def test_async_capacity_does_not_depend_on_todays_workers_or_load():
    """C, 2 C + 1 and 8 C workers on one processor, at shares of what they can take, which is by the operational laws. What
    is compared is the capacity times what a request really took, by the scheduler: others slow a machine down for moments."""
    cpu_s, wait_s, requests = 0.002, 0.003, 300
    found = {}
    for workers in (1, 3, 8):
        for share in (0.3, 0.6, 0.9):
            rate_per_s = share * min(1 / cpu_s, workers / (cpu_s + wait_s))
            with Downstream() as db:
                with Service(f"--cpu={cpu_s * 1e6:.0f}", f"--call={db.address},1,{wait_s * 1e6:.0f}", f"--processes={workers}",
                             processor=max(os.sched_getaffinity(0))) as service, \
                        ioprof_run.start(service.pid, args=["--cpu-factor=1.1"]) as prof:
                    taken_s = service.cpu_s()
                    service.load(requests=requests, connections=2 * workers + 8, close=True, rate=round(1000 * rate_per_s))
                    taken_s = service.cpu_s() - taken_s
                    seen = service_of(prof.stop())
            assert seen["surroundings"]["cpus"] == 1
            found[workers, share] = seen["advice"]["capacity_per_s"]["async"] * taken_s / requests
    assert max(found.values()) <= 1.1 * min(found.values()), found
    assert list(found.values()) == pytest.approx([1 / 1.1] * len(found), rel=0.05), found


def test_nothing_to_wait_for():
    advice, _, _ = advise("--cpu=4000", "--call={db},1,100", "--processes=4", options=["--cpu-factor=1"], requests=700,
                          connections=5, close=True)
    assert (advice["verdict"], advice["reason"]) == ("do-not-migrate", "cpu-bound")


def test_an_event_loop_is_async_already():
    advice, _, _ = advise("--model=loop", "--cpu=300", "--call={db},2,2000", requests=600, connections=8)
    assert advice["verdict"] == "already-async"


def test_few_requests_are_no_ground_for_advice():
    advice, _, _ = advise("--cpu=1000", "--processes=2", requests=20, connections=2)
    assert (advice["verdict"], advice["reason"]) == ("not-enough-data", "requests")


def test_no_advice():
    advice, _, _ = advise("--cpu=1000", "--processes=2", options=["--no-advice"], requests=20, connections=2)
    assert advice is None


@pytest.mark.parametrize("options", [["--target=rust"], ["--workers=0"], ["--cpu-factor=nan"], ["--memory-budget=1"],
                                     ["--max-connections=7"], ["--no-advice", "--seed=1"]])
def test_absurd_what_if(options):
    done = ioprof_run.run("-p", os.getpid(), *options)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_a_recording_can_be_asked_again(tmp_path):
    """The same document, another question, another answer; the same question, the same answer."""
    with Downstream() as db:
        with Service("--cpu=2000", f"--call={db.address},3,5000", "--processes=2") as service, \
                ioprof_run.start(service.pid) as prof:
            service.load(requests=600, connections=4, close=True)
            doc = prof.stop()
    path = tmp_path / "document.json"
    path.write_text(json.dumps(doc) + "\n")

    def ask(*options):
        text = subprocess.run([ioprof_run.binary(), "report", str(path), "--json", *options], capture_output=True, text=True,
                              check=True).stdout
        return service_of(json.loads(text))["advice"]

    assert ask("--seed=5") == ask("--seed=5")
    assert ask("--workers=3")["tuned"]["processes"] == 3
    assert ask("--cpu-factor=2")["kappa"]["estimate"] == pytest.approx(2)
    dear = ask("--cpu-factor=20")
    assert dear["verdict"] in ("do-not-migrate", "tune-workers")
