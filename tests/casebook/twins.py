# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts both sides of a case: real servers, pinned to one core; their downstream and their load on the other.

Servers are scheduled as they are elsewhere, but ahead of what else runs on the machine: real-time priority would have
workers take turns as no server's do. What loads them has it. A twin is one process without uvicorn's --workers, whose
sockets would delay answers by 40 ms (TCP_NODELAY is missing on them; uvicorn #3149).
"""

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "e2e"), str(Path(__file__).resolve().parents[1] / "e2e/real")]

import ioprof_run  # noqa: E402
import servers  # noqa: E402

SERVICES = Path(__file__).resolve().parent / "services"
SERVICE_CORE, OTHER_CORE = 1, 0
CPU_CONTROLLER = Path("/sys/fs/cgroup/cpu")
groups = itertools.count()


def pinned(core, *argv):
    """Load, and what it stands for: with real-time priority, round robin, which leaves 5 % to others."""
    return ["chrt", "--rr", "5", "taskset", "-c", str(core), *map(str, argv)]


def served(core, *argv):
    """A server: the highest of the ordinary priorities but five, as a process and as a session."""
    ahead = 'test ! -e /proc/self/autogroup || echo -15 >/proc/self/autogroup; exec "$@"'
    return ["sh", "-c", ahead, "sh", "nice", "-n", "-15", "taskset", "-c", str(core), *map(str, argv)]


@contextlib.contextmanager
def stub(n_servers):
    port = servers.free_port()
    argv = pinned(OTHER_CORE, ioprof_run.testbin("stub"), f"127.0.0.1:{port}", *([n_servers] if n_servers else []))
    with servers.directory() as place, servers.process(place / "log", *argv, ready=servers.listens(port)):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def downstream(case):
    """What the service's environment says of its downstream."""
    if case.query:
        with servers.postgres(5432, connections=600) as database:
            # Its backends inherit all.
            for place in (["taskset", "-c", "-p", str(case.database_core)], ["renice", "-n", "-15", "-p"]):
                subprocess.run([*place, str(database.pid)], check=True, stdout=subprocess.DEVNULL)
            session = Path(f"/proc/{database.pid}/autogroup")
            if session.exists():
                session.write_text("-15")
            yield {"DATABASE": database.url, "QUERY": case.query, "PGHOST": "127.0.0.1", "PGPORT": database.port,
                   "PGUSER": "postgres", "PGDATABASE": "postgres"}
    elif case.calls:
        with stub(case.stub_servers) as url:
            yield {"URL": f"{url}/{case.delay_us}"}
    else:
        yield {}


@contextlib.contextmanager
def quota(share):
    """A cgroup with so much of a core, version 1 or 2; yields the argv that enters it."""
    if not share:
        yield []
        return
    version_1 = CPU_CONTROLLER.is_dir()
    group = (CPU_CONTROLLER if version_1 else Path("/sys/fs/cgroup")) / f"ioprof-casebook-{os.getpid()}-{next(groups)}"
    group.mkdir()
    try:
        if version_1:
            (group / "cpu.cfs_quota_us").write_text(str(int(share * 100000)))
        else:
            (group / "cpu.max").write_text(f"{int(share * 100000)} 100000")
        yield ["sh", "-c", f'echo $$ >{group}/cgroup.procs; exec "$@"', "sh"]
    finally:
        ioprof_run.wait_until(lambda: not (group / "cgroup.procs").read_text(), what="an empty cgroup")
        group.rmdir()


def gunicorn(port, place, processes, threads, app):
    kind = ["--worker-class", "gthread", "--threads", threads] if threads > 1 else []
    return ["/usr/bin/gunicorn", "--chdir", SERVICES, "--bind", f"127.0.0.1:{port}", "--worker-tmp-dir", place,
            "--workers", processes, "--backlog", 2048, "--keep-alive", 60, "--worker-connections", 4000, *kind, app]


def uvicorn(port, loop):
    return ["/usr/bin/uvicorn", "--app-dir", SERVICES, "--port", port, "--no-access-log", "--log-level", "warning",
            "--loop", loop, "--http", "httptools", "--backlog", 2048, "async_app:app"]


def argv_of(kind, port, place, processes, threads):
    if kind in ("gunicorn", "gthread"):
        return gunicorn(port, place, processes, threads, "sync_app:app")
    if kind in ("uvicorn", "hidden", "asyncio"):
        return uvicorn(port, "asyncio")
    if kind == "uvloop":
        return uvicorn(port, "uvloop")
    if kind == "aiohttp":
        return ["/usr/bin/python3", SERVICES / "aiohttp_app.py", port]
    if kind == "node":
        return ["node", SERVICES / "node_app.js"]
    raise ValueError(kind)


@contextlib.contextmanager
def web(kind, client, processes, threads, variables, enter):
    port = servers.free_port()
    url = f"http://127.0.0.1:{port}/"
    clients = {"CLIENT": "hidden", "HIDDEN": client} if kind == "hidden" else {"CLIENT": client}
    environment = servers.environment(**variables, **clients, PORT=port)
    with servers.directory() as place, servers.process(
            place / "log", *(enter or ()), *served(
                SERVICE_CORE, *argv_of(kind, port, place, processes, threads)),
            ready=servers.answers(url), env=environment) as child:
        yield servers.Server(child, url, port=port)


@contextlib.contextmanager
def fpm(processes, variables):
    """php-fpm behind nginx. nginx is on the other core: it stays, whatever becomes of php-fpm."""
    port = servers.free_port()
    url = f"http://127.0.0.1:{port}/"
    with servers.directory() as place:
        shutil.copy(SERVICES / "index.php", place / "queries.php")
        conf = servers.PHP_FPM_CONF.format(place=place, database="none").replace(
            "pm.max_children = 4", f"pm.max_children = {processes}\nlisten.backlog = 2048")
        (place / "fpm.conf").write_text(conf + "".join(f'env[{name}] = "{value}"\n' for name, value in variables.items() if value))
        (place / "nginx.conf").write_text(servers.NGINX_CONF.format(place=place, port=port))
        shutil.chown(place, "www-data", "www-data")
        unix = place / "php.sock"
        with servers.process(place / "php.out", *served(SERVICE_CORE, servers.PHP_FPM, "-F", "-y", place / "fpm.conf"),
                             ready=unix.exists) as child, \
                servers.process(place / "nginx.out", *served(OTHER_CORE, "nginx", "-c", place / "nginx.conf", "-e",
                                                             place / "nginx.log"), ready=servers.answers(url)):
            yield servers.Server(child, url, port=port)


@contextlib.contextmanager
def urls(how, threads, variables):
    """The client that is no service: it runs until the block ends or its URLs are fetched."""
    with servers.directory() as place, servers.process(
            place / "log", *served(SERVICE_CORE, "/usr/bin/python3", SERVICES / "urls.py", how, 10000, threads),
            ready=lambda: True, env=servers.environment(**variables)) as child:
        yield servers.Server(child, "")


def variables_of(case, downstream_variables, rounds_per_ms):
    return {**downstream_variables, "CALLS": case.calls, "ROUNDS": int(case.cpu_ms * rounds_per_ms),
            "FAN_OUT": case.fan_out, "POOL": case.clients}


@contextlib.contextmanager
def sync_side(case, workers, variables, enter=()):
    processes, threads = workers
    if case.sync == "fpm":
        with fpm(processes, variables) as server:
            yield server
    else:
        with web(case.sync, case.client, processes, threads, variables, enter) as server:
            yield server


@contextlib.contextmanager
def async_side(case, variables, enter=()):
    # What the synchronous side does one after the other Super.com's twin does at once.
    fan_out = {"FAN_OUT": case.calls} if case.name == "supercom" else {}
    with web(case.twin, case.twin_client, 1, 1, {**variables, **fan_out}, enter) as server:
        yield server
