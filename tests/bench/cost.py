#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What observing costs: nanoseconds per event by the kernel's own statistics, and the throughput of a server that is
observed against the same server that is not, in interleaved runs.

    sudo tests/bench/cost.py [--rounds N]

The worst case is taken on purpose: redis with one command per request, all of it messages and nothing else. Beside
ioprof runs offcputime of libbpf-tools (Debian), if installed, which aggregates off-CPU time by stack and knows no requests.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

IOPROF = os.environ.get("IOPROF", "build/release/ioprof")
OFFCPUTIME = shutil.which("offcputime") or shutil.which("bpf-offcputime")
REQUESTS = 200_000
PORT = 7391


def observe(pid):
    """ioprof on a process; returns when it observes."""
    prof = subprocess.Popen([IOPROF, "-p", str(pid), "--json"], stdout=subprocess.PIPE)
    deadline = time.monotonic() + 10
    while "poll" not in open(f"/proc/{prof.pid}/wchan").read():
        if time.monotonic() > deadline or prof.poll() is not None:
            sys.exit("ioprof did not begin to observe")
    return prof


def finish(prof, told=True):
    """Its document; told: it is to end now, and does not end by itself with what it observes."""
    if told:
        prof.send_signal(signal.SIGINT)
    return json.loads(prof.communicate()[0])


def per_event(document):
    return {p["name"]: p["run_ns"] / p["runs"] for p in document["overhead"]["programs"] if p["runs"] > 1000}


def ping_pong(rounds):
    """Two processes that wake each other over pipes: two switches a round. Returns their parent, to be waited for."""
    program = f"""
import os
a, b = os.pipe(), os.pipe()
if os.fork():
    for _ in range({rounds}):
        os.write(a[1], b"x"); os.read(b[0], 1)
else:
    for _ in range({rounds}):
        os.read(a[0], 1); os.write(b[1], b"x")
"""
    return subprocess.Popen(["/usr/bin/taskset", "-c", "0", "/usr/bin/python3", "-c",
                             "import sys; sys.stdin.readline()" + program], stdin=subprocess.PIPE, text=True)


def switches():
    """Cost of a context switch: of threads that are not observed, and of those that are."""
    idle = subprocess.Popen(["/usr/bin/sleep", "1000"])
    work = ping_pong(100_000)
    prof = observe(idle.pid)
    work.communicate("go\n")
    unobserved = per_event(finish(prof))
    idle.kill()
    work = ping_pong(100_000)
    prof = observe(work.pid)
    work.communicate("go\n")
    observed = per_event(finish(prof, told=False))
    print(f"switch of unobserved threads  {unobserved['on_switch']:6.0f} ns, waking {unobserved['on_waking']:.0f} ns")
    print(f"switch of observed threads    {observed['on_switch']:6.0f} ns, waking {observed['on_waking']:.0f} ns")


def redis_load():
    out = subprocess.run(["redis-benchmark", "-p", str(PORT), "-t", "get", "-n", str(REQUESTS), "-c", "20", "--csv"],
                         capture_output=True, text=True, check=True).stdout.splitlines()
    return float(out[-1].split(",")[1].strip('"'))


def redis(rounds):
    server = subprocess.Popen(["redis-server", "--port", str(PORT), "--save", "", "--appendonly", "no"],
                              stdout=subprocess.DEVNULL)
    while subprocess.run(["redis-cli", "-p", str(PORT), "ping"], capture_output=True).stdout != b"PONG\n":
        time.sleep(0.05)
    redis_load()
    ratios = {"ioprof": [], "offcputime": []}
    for _ in range(rounds):
        alone = redis_load()
        prof = observe(server.pid)
        ratios["ioprof"].append(redis_load() / alone)
        document = finish(prof)
        if OFFCPUTIME:
            peer = subprocess.Popen([OFFCPUTIME, "-p", str(server.pid), "60"], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
            time.sleep(1)  # it says nothing once it observes
            ratios["offcputime"].append(redis_load() / alone)
            peer.send_signal(signal.SIGINT)
            peer.wait()
    server.kill()
    service = document["services"][0]
    print(f"redis, per request            {document['overhead']['probe_cpu_s'] / service['requests']['completed'] * 1e9:6.0f} ns"
          f" of all programs on all processes;", ", ".join(f"{k} {v:.0f}" for k, v in per_event(document).items()))
    for name, values in ratios.items():
        if values:
            print(f"redis, throughput under {name:11}{statistics.median(values):.3f} of that alone"
                  f" ({min(values):.3f} to {max(values):.3f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs (default 5)")
    args = parser.parse_args()
    switches()
    redis(args.rounds)


if __name__ == "__main__":
    main()
