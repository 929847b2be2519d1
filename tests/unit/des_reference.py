# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints the reference values of test_des_reference.c, from the Python prototype of the simulator:

    PYTHONPATH=<folder of des.py> /usr/bin/python3 des_reference.py

Per case the mean over SEEDS runs and the deviation of one run, of throughput, mean latency, p50, p99 and utilisation.
"""

import statistics

from des import INF, Mode, simulate

SEEDS = 6
N = 16


def spread(i):
    """A factor per trace, mean 1 over the N traces: the same arithmetic as in the test."""
    return 0.25 + 1.5 * i / (N - 1)


def profile(cpu, n_io, io, wait="net"):
    traces = []
    for i in range(N):
        steps = [("cpu", cpu / (n_io + 1) * spread(i))]
        for j in range(n_io):
            s = io * spread((7 * i + 5 * j) % N)
            steps.append(("net", "db", s) if wait == "net" or j != n_io - 1 else ("blk", s))
            steps.append(("cpu", cpu / (n_io + 1) * spread((i + j) % N)))
        traces.append(steps)
    return traces


PLAIN = profile(3e-3, 5, 6e-3)
MIXED = profile(3e-3, 5, 6e-3, "blk")
CALLS = [[("cpu", 427e-6 / 2 * spread(i)), ("svc", "pgb", 35e-6), ("svc", "pg", 130e-6 * spread(i)),
          ("cpu", 427e-6 / 2 * spread(N - 1 - i))] for i in range(N)]
FORKS = [[("cpu", 1e-3), ("par", [[("cpu", .2e-3), ("net", "db", 6e-3 * spread((i + 3 * j) % N)), ("cpu", .2e-3)]
                                  for j in range(4)]), ("cpu", 1e-3)] for i in range(N)]
COSTS = dict(per_op=40e-6, per_req=100e-6)
LOOP = dict(kind="loop", n=2, mode=Mode(**COSTS))
DB = dict(peers=dict(db=INF))
PATERSON = dict(svcs=dict(front=4, pgb=1, pg=64))

# name, profile, cores, server, load, duration, further arguments
CASES = [
    ("workers", PLAIN, 2, dict(kind="sync", n=5), ("closed", 60, 0), 100, DB),
    ("workers open", PLAIN, 2, dict(kind="sync", n=22), ("open", 400), 60, DB),
    ("peer of 8", PLAIN, 2, dict(kind="sync", n=20), ("closed", 60, 0), 80, dict(peers=dict(db=8))),
    ("loops", PLAIN, 2, LOOP, ("open", 400), 60, DB),
    ("loops sticky", PLAIN, 2, dict(LOOP, sticky="random"), ("open", 300), 80, DB),
    ("loops pool", PLAIN, 2, dict(LOOP, pool=5), ("closed", 100, 0), 80, DB),
    ("threads", PLAIN, 2, dict(kind="gthread", n=2, threads=16, mode=Mode(per_op=15e-6, splits=2, split_cost=3e-6)),
     ("closed", 100, 0), 40, DB),
    ("blocking", MIXED, 2, dict(LOOP, mode=Mode(**COSTS, blk="block")), ("open", 150), 80, DB),
    ("offloaded", MIXED, 2, dict(LOOP, mode=Mode(**COSTS, blk="offload", pool_threads=4)), ("open", 300), 80, DB),
    ("quota", PLAIN, 2, LOOP, ("open", 250), 80, dict(DB, quota=.1)),
    ("paterson sync", CALLS, 4, dict(kind="sync", n=16, front=1e-4), ("closed", 100, 3e-4), 5, PATERSON),
    ("paterson loops", CALLS, 4, dict(kind="loop", n=5, front=1e-4, mode=Mode(per_req=116e-6), pool=10),
     ("closed", 100, 3e-4), 5, PATERSON),
    ("fan-out", FORKS, 2, dict(kind="loop", n=2, mode=Mode(per_op=40e-6, fanout="par")), ("open", 300), 80, DB),
    ("no fan-out", FORKS, 2, dict(kind="sync", n=12), ("open", 200), 100, DB),
]

for name, traces, cores, server, load, seconds, more in CASES:
    runs = [simulate(traces, cores, server, load, dur=seconds, warm=3, seed=seed, **more) for seed in range(1, SEEDS + 1)]
    figures = []
    for key in ("x", "mean", "p50", "p99", "util"):
        values = [run[key] for run in runs]
        figures.append(f"{{{statistics.mean(values):.6g}, {statistics.stdev(values):.2g}}}")
    print(f'/* {name}, n = {runs[0]["n"]} */ {{{", ".join(figures)}}},', flush=True)
