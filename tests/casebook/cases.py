# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases: what each service does, how its synchronous side and its asynchronous twin are run, with how many workers.

Times are those of the published case, scaled so that a run has enough requests on one core; what a case is about, the
ratio of waiting to work and the kind of stack, is kept. docs/validation.md says what each stands for.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    name: str
    like: str  # the published case, or what it is about
    calls: int = 0  # turns with the downstream per request
    cpu_ms: float = 0  # interpreter work per request besides what the libraries take
    delay_us: int = 0  # of each turn
    fan_out: int = 1  # turns at once
    query: str = ""  # the turns are queries on PostgreSQL
    sync: str = "gunicorn"  # twins.py: gunicorn, gthread, fpm, hidden
    client: str = "requests"
    twin: str = "uvicorn"  # uvicorn, uvloop, aiohttp, node
    twin_client: str = "aiohttp"
    workers: tuple = ((3, 1), (8, 1))  # processes, threads in each
    stub_servers: int = 0  # the downstream works on so many at once; 0: on all
    database_core: int = 0
    quota: float = 0  # of a core; 0: all of it
    idle: int = 0  # connections that only stay open
    clients: int = 64  # of the closed loop on the twin
    loads: tuple = (0.3, 0.6, 0.9)
    options: tuple = ()  # of ioprof
    batch: bool = False

    @property
    def asynchronous(self):
        """Before anybody migrates it."""
        return self.sync in ("hidden", "asyncio")


SLEEP = "select pg_sleep({})"

CASES = [
    Case("duolingo", "Duolingo 2025: some calls and much CPU, prefork", calls=4, cpu_ms=2, delay_us=2500,
         workers=((1, 1), (3, 1), (8, 1))),
    Case("duolingo-memory", "the same with memory for three workers", calls=4, cpu_ms=2, delay_us=2500,
         workers=((3, 1),), options=("--memory-budget", "three-workers")),
    Case("supercom", "Super.com 2020: 42 calls in sequence; the twin gathers", calls=42, cpu_ms=0.4, delay_us=1500,
         twin_client="aiohttp", workers=((3, 1), (8, 1)), loads=(0.6, 0.9)),
    Case("feature-store", "Lemonade 2022: threads with an inner pool of 8; the twin gathers", calls=8, cpu_ms=0.5,
         delay_us=3000, fan_out=8, sync="gthread", workers=((1, 4), (1, 16))),
    Case("talk-python", "Talk Python: much CPU, three queries below 1 ms", calls=3, cpu_ms=5, delay_us=800,
         query=SLEEP.format("0.0008"), client="psycopg2", twin_client="asyncpg", workers=((2, 1), (4, 1))),
    Case("cal-paterson", "Cal Paterson 2020: one query by primary key on PostgreSQL", calls=1,
         query="select abalance from pgbench_accounts where aid = 4711", client="psycopg2", twin_client="asyncpg",
         workers=((1, 1), (4, 1), (16, 1))),
    Case("cal-paterson-shared", "the same, the database on the service's own core", calls=1, database_core=1,
         query="select abalance from pgbench_accounts where aid = 4711", client="psycopg2", twin_client="asyncpg",
         workers=((4, 1),)),
    Case("cpu-bound", "CPU-bound: 5 ms of CPU and one call of 0.2 ms", calls=1, cpu_ms=5, delay_us=200,
         workers=((1, 1), (3, 1))),
    Case("instagram", "an event loop with hidden blocking calls; the twin awaits them", calls=3, cpu_ms=0.5,
         query=SLEEP.format("0.003"), sync="hidden", client="psycopg2", twin_client="asyncpg", workers=((1, 1),)),
    Case("grinberg", "Miguel Grinberg 2020: one query of 20 ms", calls=1, query=SLEEP.format("0.02"),
         client="psycopg2", twin_client="asyncpg", workers=((4, 1), (19, 1)), clients=224),  # 64 would limit it
    Case("gateway", "aiohttp against requests: hardly anything but one call", calls=1, delay_us=5000, twin="aiohttp",
         workers=((1, 1), (3, 1), (8, 1))),
    Case("gateway-uvloop", "the same, the twin on uvloop", calls=1, delay_us=5000, twin="uvloop",
         workers=((3, 1), (8, 1)), options=("--target", "uvloop")),
    Case("uvloop", "uvloop against asyncio: the service is asynchronous already", calls=1, delay_us=5000,
         sync="asyncio", client="aiohttp", twin="uvloop", workers=((1, 1),), options=("--target", "uvloop")),
    Case("php-fpm", "php-fpm: five calls by curl; the twin is Node", calls=5, cpu_ms=0.3, delay_us=3000, sync="fpm",
         twin="node", workers=((4, 1), (10, 1)), options=("--target", "node")),
    Case("json", "TechEmpower: JSON only, no downstream", client="none", twin_client="none",
         workers=((1, 1), (3, 1))),
    Case("downstream-bound", "the downstream works on four at once", calls=2, cpu_ms=0.3, delay_us=8000,
         stub_servers=4, workers=((8, 1), (16, 1))),
    Case("gil-bound", "one process of threads, all CPU under one GIL", calls=1, cpu_ms=4, delay_us=1000,
         sync="gthread", workers=((1, 4), (1, 16))),
    Case("quota", "half a core by cgroup quota", calls=3, cpu_ms=1, delay_us=3000, quota=0.5,
         workers=((2, 1), (6, 1))),
    Case("idle", "mostly idle keep-alive connections at a low rate", calls=1, cpu_ms=1, delay_us=2000,
         sync="gthread", workers=((1, 16),), idle=400, loads=(0.1,)),
    Case("urls", "10,000 URLs: a client, not a service", calls=1, delay_us=20000, workers=((1, 100),), batch=True),
]
