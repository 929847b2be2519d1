# SPDX-License-Identifier: GPL-2.0-or-later
"""What `ioprof calibrate` runs: measures what runtimes, servers and libraries cost here, in CPU time per operation.

usage: measure.py [--quick]

Prints one line of JSON per cost: {"cost": NAME, "us": [a, b, c]}, the name one of kappa.def's, each figure from a run
of its own; and {"component": NAME, "version": V} for what was found. What is missing or fails is left out. Everything
happens on the loopback and in the current directory; children end with this process.

An operation is 64 bytes sent and 64 received on a TCP connection, as a small query or call. A server's request is HTTP,
with an application that does nothing; a framework's cost is what it adds to that, and a client library's what four calls
within the request add, a quarter of it: measured in a server under load, where it is up to twice that of a loop that does
nothing but call, from warm caches.
"""

import asyncio
import collections
import concurrent.futures
import contextlib
import ctypes
import importlib
import json
import math
import os
import selectors
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

QUICK = "--quick" in sys.argv[1:]
RUNS = 2 if QUICK else 3
RUN_S = 0.1 if QUICK else 0.15  # of wall time, each run of each cost
CONCURRENCY = 16  # of loops and pools: as many turns at once
DELAY_S = 0.001  # after which HTTP and PostgreSQL answer: a call makes its caller wait
CLIENTS = 32  # of a server under load
CALLS = 4  # of a client library in a request
VARIABLES = 100  # by which an environment is made larger
PAUSES_S = (0.002, 0.008, 0.032)  # before requests that find the server asleep
MESSAGE = b"x" * 64
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: calibrate\r\nAccept: */*\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\ndone\n"
PR_SET_PDEATHSIG = 1


def tell(**fact):
    print(json.dumps(fact), flush=True)


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


CPUS = sorted(os.sched_getaffinity(0))


def start_server():
    """In a server's process before it runs: it has a processor of its own, as far as there are any."""
    die_with_parent()
    os.sched_setaffinity(0, CPUS[:1])


def keep_off_the_servers(pid):
    os.sched_setaffinity(pid, CPUS[1:] or CPUS)


def version_of(module):
    version = getattr(importlib.import_module(module), "__version__", None)
    return version if isinstance(version, str) else "?"


# ---- peers: one process, three ports ----

def listen():
    server = socket.create_server(("127.0.0.1", 0), backlog=512)
    server.setblocking(False)
    return server


def packet(kind, *parts):
    body = b"".join(parts)
    return kind + struct.pack("!I", len(body) + 4) + body


ROW = packet(b"D", struct.pack("!HI", 1, 4), struct.pack("!I", 7))
ROW_TEXT = packet(b"D", struct.pack("!HI", 1, 1), b"7")
COLUMN = packet(b"T", struct.pack("!H", 1), b"n\0", struct.pack("!IhIhih", 0, 0, 23, 4, -1, 0))
READY = packet(b"Z", b"I")
WELCOME = packet(b"R", struct.pack("!I", 0)) + b"".join(
    packet(b"S", name, b"\0", value, b"\0") for name, value in (
        (b"server_version", b"15.0"), (b"client_encoding", b"UTF8"), (b"server_encoding", b"UTF8"),
        (b"standard_conforming_strings", b"on"), (b"integer_datetimes", b"on"), (b"DateStyle", b"ISO"))) + packet(
    b"K", struct.pack("!II", 1, 1)) + READY
# What PostgreSQL answers to each message of a query "select 7", in text and in the extended protocol.
ANSWERS = {b"Q": COLUMN + ROW_TEXT + packet(b"C", b"SELECT 1\0") + READY, b"P": packet(b"1"),
           b"D": packet(b"t", struct.pack("!H", 0)) + COLUMN, b"B": packet(b"2"),
           b"E": ROW + packet(b"C", b"SELECT 1\0"), b"S": READY, b"C": packet(b"3")}


class Postgres:
    """As much of PostgreSQL as a driver that repeats one query needs."""

    def __init__(self):
        self.received, self.started = b"", False

    def feed(self, data):
        self.received += data
        answer = b""
        while True:
            head = 1 if self.started else 0
            if len(self.received) < head + 4:
                return answer
            size = head + struct.unpack_from("!I", self.received, head)[0]
            if len(self.received) < size:
                return answer
            message, self.received = self.received[:size], self.received[size:]
            if self.started:
                answer += ANSWERS.get(message[:1], b"")
            elif struct.unpack_from("!I", message, 4)[0] == 80877103:
                answer += b"N"  # no encryption
            else:
                self.started = True
                answer += WELCOME


class Http:
    def __init__(self):
        self.received = b""

    def feed(self, data):
        self.received += data
        *requests, self.received = self.received.split(b"\r\n\r\n")
        return RESPONSE * len(requests)


class Echo:
    def feed(self, data):
        return data


def serve(kinds):
    selector = selectors.DefaultSelector()
    for server, kind in kinds:
        selector.register(server, selectors.EVENT_READ, kind)
    late = collections.deque()  # what is due, all equally late
    while True:
        events = selector.select(max(0, late[0][0] - time.monotonic()) if late else None)
        while late and late[0][0] <= time.monotonic():
            _, client, answer = late.popleft()
            with contextlib.suppress(OSError):
                client.sendall(answer)
        for key, _ in events:
            if isinstance(key.data, type):
                try:
                    client, _ = key.fileobj.accept()
                except BlockingIOError:
                    continue
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(client, selectors.EVENT_READ, key.data())
                continue
            try:
                data = key.fileobj.recv(65536)
                answer = key.data.feed(data)
                if answer and not isinstance(key.data, Echo):
                    late.append((time.monotonic() + DELAY_S, key.fileobj, answer))
                elif answer:
                    key.fileobj.sendall(answer)
            except OSError:
                data = b""
            if not data:
                selector.unregister(key.fileobj)
                key.fileobj.close()


def start_peers():
    """An echo, an HTTP and a PostgreSQL peer in a process of their own: its PID, and their ports."""
    kinds = [(listen(), Echo), (listen(), Http), (listen(), Postgres)]
    pid = os.fork()
    if pid == 0:
        die_with_parent()
        serve(kinds)
    ports = [server.getsockname()[1] for server, _ in kinds]
    for server, _ in kinds:
        server.close()
    return pid, ports


# ---- measuring ----

def timed(operations):
    """CPU per operation, us, of operations(), which does some and says how many, for RUN_S."""
    operations()
    runs = []
    for _ in range(RUNS):
        end, done, cpu = time.monotonic() + RUN_S, 0, time.process_time()
        while time.monotonic() < end:
            done += operations()
        runs.append((time.process_time() - cpu) / done * 1e6)
    return runs


async def timed_loop(turn):
    """The same of an awaitable turn(i), CONCURRENCY at a time."""
    async def some(i, end):
        done = 0
        while time.monotonic() < end:
            await turn(i)
            done += 1
        return done

    await asyncio.gather(*[some(i, time.monotonic() + RUN_S / 2) for i in range(CONCURRENCY)])
    runs = []
    for _ in range(RUNS):
        end, cpu = time.monotonic() + RUN_S, time.process_time()
        done = sum(await asyncio.gather(*[some(i, end) for i in range(CONCURRENCY)]))
        runs.append((time.process_time() - cpu) / done * 1e6)
    return runs


def less(runs, *others):
    """What is left of runs without the medians of others."""
    return [run - sum(map(statistics.median, others)) for run in runs]


def report(cost, runs):
    tell(cost=cost, us=[round(run, 3) for run in runs])


def attempt(measure, *args):
    """None where what is measured is missing or does not work here."""
    try:
        return measure(*args)
    except Exception as error:  # whatever a library throws
        print(f"{measure.__name__}: {error}", file=sys.stderr)
        return None


# ---- operations ----

def connect(port):
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def blocking_turns(client, n):
    for _ in range(n):
        client.sendall(MESSAGE)
        client.recv(4096)
    return n


def blocking(port):
    with connect(port) as client:
        return timed(lambda: blocking_turns(client, 50))


def in_threads(port):
    def turns():
        threads = [threading.Thread(target=blocking_turns, args=(client, 40)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return 40 * len(clients)

    clients = [connect(port) for _ in range(CONCURRENCY)]
    try:
        return timed(turns)
    finally:
        for client in clients:
            client.close()


async def streams(port):
    pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONCURRENCY)]

    async def turn(i):
        reader, writer = pairs[i]
        writer.write(MESSAGE)
        await reader.readexactly(len(MESSAGE))

    try:
        return await timed_loop(turn)
    finally:
        for _, writer in pairs:
            writer.close()


async def tasks():
    async def nothing():
        pass

    async def some(_):
        await asyncio.gather(*[nothing() for _ in range(20)])

    return [run / 20 for run in await timed_loop(some)]


async def hops():
    loop = asyncio.get_running_loop()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return await timed_loop(lambda _: loop.run_in_executor(pool, int))


def with_uvloop(port):
    import uvloop
    tell(component="uvloop", version=version_of("uvloop"))
    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(streams(port))
    finally:
        loop.close()


# ---- servers and frameworks ----

WSGI = """
def call():
    pass

{client}
def app(environ, start):
    for _ in range({calls}):
        call()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
    return [b"{{}}"]
"""
FLASK = """
import flask
app = flask.Flask(__name__)
def call():
    pass

{client}
@app.get("/")
def handle():
    for _ in range({calls}):
        call()
    return flask.jsonify(ok=True)
"""
DJANGO = """
import django.conf, django.core.wsgi, django.http, django.urls
django.conf.settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x")
urlpatterns = [django.urls.path("", lambda request: django.http.JsonResponse({{"ok": True}}))]
app = django.core.wsgi.get_wsgi_application()
"""
ASGI = """
async def call():
    pass

{client}
async def app(scope, receive, send):
    if scope["type"] == "http":
        for _ in range({calls}):
            await call()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({{"type": "http.response.start", "status": 200, "headers": headers}})
        await send({{"type": "http.response.body", "body": b"{{}}"}})
"""
STARLETTE = """
import starlette.applications, starlette.responses, starlette.routing
async def call():
    pass

{client}
async def handle(request):
    for _ in range({calls}):
        await call()
    return starlette.responses.JSONResponse({{}})
app = starlette.applications.Starlette(routes=[starlette.routing.Route("/", handle)])
"""
FASTAPI = """
import fastapi
app = fastapi.FastAPI()
@app.get("/")
async def handle():
    return {{}}
"""


# What a request calls, by client library: URL, HOST and PORT are filled in.
SYNC_CLIENTS = {
    "http.client": """
import http.client
connection = http.client.HTTPConnection("HOST", PORT)
def call():
    connection.request("GET", "/")
    connection.getresponse().read()
""",
    "urllib3": """
import urllib3
pool = urllib3.PoolManager()
def call():
    pool.request("GET", "URL").data
""",
    "requests": """
import requests
session = requests.Session()
def call():
    session.get("URL").content
""",
    "httpx": """
import httpx
client = httpx.Client()
def call():
    client.get("URL").content
""",
    "psycopg2": """
import psycopg2
connection = None
def call():
    global connection
    if connection is None:
        connection = psycopg2.connect(host="HOST", port=PORT, user="u", dbname="d", sslmode="disable",
                                      gssencmode="disable")
        connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("select 7")
        cursor.fetchall()
""",
}
LOOP_CLIENTS = {
    "aiohttp": """
import aiohttp
session = None
async def call():
    global session
    if session is None:
        session = aiohttp.ClientSession()
    async with session.get("URL") as response:
        await response.read()
""",
    "asyncpg": """
import asyncpg
connections = []
async def call():
    connection = connections.pop() if connections else await asyncpg.connect(
        host="HOST", port=PORT, user="u", database="d", ssl=False)
    await connection.fetch("select 7")
    connections.append(connection)
""",
}


def cpu_of(pid):
    """CPU seconds of a process and its children so far."""
    pids = [pid]
    for parent in pids:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            pids += map(int, children.read_text().split())
    accounts = [account for each in pids for account in Path(f"/proc/{each}/task").glob("*/schedstat")]
    return sum(int(account.read_text().split()[0]) for account in accounts) / 1e9


class Client:
    """One that asks again and again, on a kept connection or a new one where the server closes it."""

    def __init__(self, port):
        self.port, self.connection = port, None

    def ask(self):
        if self.connection is None:
            self.connection = connect(self.port)
            self.connection.settimeout(5)
        self.connection.sendall(REQUEST)

    def take_answer(self):
        response = b""
        while not response.rstrip().endswith((b"}", b"}\r\n0")):  # the latter in chunks
            data = self.connection.recv(65536)
            if not data:
                raise OSError(f"no answer: {response[:80]!r}")
            response += data
        if b"connection: close" in response.lower():
            self.close()

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class FastCgiClient(Client):
    """The same as a web server asks php-fpm, which closes each connection."""

    def ask(self):
        variables = {"SCRIPT_FILENAME": f"{os.getcwd()}/{PHP_SCRIPT}", "REQUEST_METHOD": "GET", "REQUEST_URI": "/"}
        pairs = b"".join(bytes([len(name), len(value)]) + name.encode() + value.encode() for name, value in variables.items())
        self.connection = connect(self.port)
        self.connection.settimeout(5)
        self.connection.sendall(self.record(1, struct.pack("!HB5x", 1, 0)) + self.record(4, pairs) + self.record(4)
                                + self.record(5))

    @staticmethod
    def record(kind, content=b""):
        return struct.pack("!BBHHBx", 1, kind, 1, len(content), 0) + content

    def take_answer(self):
        response = b""
        while data := self.connection.recv(65536):
            response += data
        if b"{}" not in response:
            raise OSError(f"no answer: {response[:80]!r}")
        self.close()


def requests_at(port, seconds, kind=Client):
    """From so many clients, in turn: a server that answers in order always has the next one waiting, as at its capacity."""
    clients, n, end = [kind(port) for _ in range(CLIENTS)], 0, time.monotonic() + seconds
    for client in clients:
        client.ask()
    while time.monotonic() < end:
        for client in clients:
            client.take_answer()
            client.ask()
            n += 1
    for client in clients:
        client.take_answer()
        client.close()
    return n + len(clients)


def after_pauses(server, port, pause_s):
    """CPU, us, of a request that finds its server asleep for so long."""
    with contextlib.closing(Client(port)) as client:
        n, end = 0, time.monotonic() + 2 * RUN_S
        cpu = cpu_of(server)
        while time.monotonic() < end:
            client.ask()
            client.take_answer()
            time.sleep(pause_s)
            n += 1
        return (cpu_of(server) - cpu) / n * 1e6


@contextlib.contextmanager
def serving(name, source, argv, variables=0):
    """PID and port of a server that argv(port, app) starts on the module NAME.py, with so many variables more."""
    Path(f"{name}.py").write_text(source)
    with running(name, lambda port: argv(port, f"{name}:app"), Client, variables) as (server, port):
        yield server, port


@contextlib.contextmanager
def running(name, argv, kind, variables=0):
    """The same of a server that argv(port) starts, asked by clients of a kind until every worker has done some."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen(argv(port), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, preexec_fn=start_server,
                              env={**os.environ, **{f"VARIABLE_{i}": "10.0.0.1" for i in range(variables)}})
    try:
        deadline = time.monotonic() + 5
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if server.poll() is not None or time.monotonic() > deadline:
                raise OSError(f"{name} did not start")
            time.sleep(0.02)
        requests_at(port, 2 * RUN_S, kind)
        yield server.pid, port
    finally:
        server.terminate()
        try:
            server.wait(3)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def loaded(server, port, kind=Client):
    """CPU per request, us, of a server that always has the next one waiting."""
    runs = []
    for _ in range(RUNS):
        cpu = cpu_of(server)
        n = requests_at(port, RUN_S, kind)
        runs.append((cpu_of(server) - cpu) / n * 1e6)
    return runs


def serve_app(name, source, argv, variables=0):
    with serving(name, source, argv, variables) as (server, port):
        return loaded(server, port)


def gunicorn(port, app, workers=4):
    # Loaded before it is forked, or some workers would still be loading it while others are measured.
    return [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--log-level", "critical", "--preload",
            "--worker-tmp-dir", os.getcwd(), "--workers", str(workers), app]


def one_worker(port, app):
    return gunicorn(port, app, 1)


def uvicorn(port, app, loop="asyncio"):
    return [sys.executable, "-m", "uvicorn", "--port", str(port), "--loop", loop, "--no-access-log", "--log-level",
            "critical", app]


def uvicorn_on_uvloop(port, app):
    return uvicorn(port, app, "uvloop")


def source_with(template, client="", calls=0, port=0):
    client = client.replace("URL", f"http://127.0.0.1:{port}/").replace("HOST", "127.0.0.1").replace("PORT", str(port))
    return template.format(client=client, calls=calls)


def environment(source, server, runs):
    """What the variables of this environment take of a call, having reported it for one."""
    larger = serve_app("in_environment", source, server, VARIABLES)
    each = [run / CALLS / VARIABLES for run in less(larger, runs)]
    report("requests, per environment variable", each)
    return [run * len(os.environ) for run in each]


def connecting(client, template, server, port, runs):
    """What a call takes more that opens a connection of its own."""
    each_anew = client.replace("session = requests.Session()\n", "").replace("session.get", "requests.get")
    anew = serve_app("connecting", source_with(template, each_anew, CALLS, port), server)
    report("requests, per connection", [run / CALLS for run in less(anew, runs)])


def clients(server, template, free, libraries, ports, extra, where=""):
    """Per call in a server, above its requests without, and without what a loop costs per operation. Besides, the first
    library there is, what each call through it takes in all, and what a request takes more that has any."""
    found, each, waiting, first = {}, [0], [0], None
    for name, client in libraries.items():
        if QUICK and name not in ("requests", "aiohttp"):
            continue
        module = name.split(".")[0]
        if attempt(importlib.import_module, module) is None:
            continue
        port = ports["postgres" if name in ("psycopg2", "asyncpg") else "http"]
        source = source_with(template, client, CALLS, port)
        runs = attempt(serve_app, f"with_{module}", source, server)
        if not runs:
            continue
        if not QUICK and not first:
            # What the first call adds beyond the others is the waiting's, whichever the client is.
            once = attempt(serve_app, "once", source_with(template, client, 1, port), server)
            each, first = [run / (CALLS - 1) for run in less(runs, once)] if once else [0], client
            waiting = less(once, free, each) if once else [0]
        found[name] = less([run / CALLS for run in less(runs, free, waiting)], extra)
        if name == "requests" and not QUICK:
            attempt(connecting, client, template, server, port, runs)
            found[name] = less(found[name], attempt(environment, source, server, runs) or [0])
        report(name + where, found[name])
        if name != "http.client" and not where:
            tell(component=name, version=version_of(name))
    return found, first, each, waiting


def cold(ports):
    """What a request takes more that finds its worker asleep; with the time asleep it grows as user/advise/warm.c has it."""
    template = FLASK if attempt(importlib.import_module, "flask") else WSGI
    client = "requests" if attempt(importlib.import_module, "requests") else "http.client"
    source = source_with(template, SYNC_CLIENTS[client], 1, ports["http"])
    doublings = statistics.mean(math.log2(1 + pause_s / 0.001) for pause_s in PAUSES_S)
    with serving("asleep", source, one_worker) as (server, port):
        awake = loaded(server, port)
        asleep = [statistics.mean(after_pauses(server, port, pause_s) for pause_s in PAUSES_S) for _ in range(RUNS)]
    report("wake-up after 1 ms", [run / doublings for run in less(asleep, awake)])


def servers(name, server, template, frameworks, libraries, ports, extra):
    """A server by itself, what each client library and each framework adds to it, and what a request that waits takes
    more, besides its calls: others have used the caches meanwhile."""
    importlib.import_module(name)
    bare = serve_app(f"bare_{name}", source_with(template), server)
    report(name, bare)
    tell(component=name, version=version_of(name))
    found, client, each, waiting = clients(server, template, bare, libraries, ports, extra)
    if QUICK:
        return found
    for framework, application in frameworks.items():
        if attempt(importlib.import_module, framework) is None:
            continue
        runs = attempt(serve_app, f"on_{framework}", source_with(application), server)
        if not runs:
            continue
        tell(component=framework, version=version_of(framework))
        report(framework, less(runs, bare))
        found[framework] = runs
        # With more code than the bare server's, more has to come back into the caches.
        if client and framework == next(iter(frameworks)):
            once = attempt(serve_app, "once", source_with(application, client, 1, ports["http"]), server)
            waiting = less(once, runs, each) if once else waiting
    report(f"{name}, request that waits", waiting)
    return found


def servers_on_uvloop(ports, extra):
    """The same of what runs on asyncio, on the other loop."""
    importlib.import_module("uvloop")
    bare = serve_app("bare_on_uvloop", source_with(ASGI), uvicorn_on_uvloop)
    report("uvicorn on uvloop", bare)
    clients(uvicorn_on_uvloop, ASGI, bare, LOOP_CLIENTS, ports, extra, " on uvloop")


# ---- other runtimes ----

PHP_SCRIPT = "index.php"
PHP = """<?php
$curl = curl_init("ADDRESS");
curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
for ($i = 0; $i < CALLS; $i++)
	curl_exec($curl);
header("Content-Type: application/json");
echo "{}";
"""
PHP_FPM = """[global]
error_log = /dev/null
daemonize = no
[www]
listen = 127.0.0.1:{port}
listen.backlog = 512
pm = static
pm.max_children = 4
{user}"""
NODE_WEB = """
const http = require("http"), agent = new http.Agent({ keepAlive: true });
const call = () => new Promise((done, failed) => http.get("ADDRESS", { agent }, (response) => {
	response.resume();
	response.on("end", done);
}).on("error", failed));
http.createServer(async (request, response) => {
	for (let i = 0; i < CALLS; i++)
		await call();
	response.setHeader("Content-Type", "application/json");
	response.end("{}");
}).listen(Number(process.argv[2]), "127.0.0.1");
"""


def php_fpm():
    """Debian's has its version in its name, in a place that users need not search."""
    found = [path for place in (*os.environ.get("PATH", "").split(":"), "/usr/sbin", "/usr/local/sbin")
             for path in sorted(Path(place or ".").glob("php-fpm*")) if os.access(path, os.X_OK)]
    if not found:
        raise FileNotFoundError("no php-fpm")
    return str(found[0])


def in_php(port, calls):
    program = php_fpm()

    def argv(own_port):
        # As root it wants to know who its workers are.
        user = "user = root\n" if os.geteuid() == 0 else ""
        Path("fpm.conf").write_text(PHP_FPM.format(port=own_port, user=user))
        return [program, "-F", "-R", "-y", f"{os.getcwd()}/fpm.conf"]

    Path(PHP_SCRIPT).write_text(PHP.replace("ADDRESS", f"http://127.0.0.1:{port}/").replace("CALLS", str(calls)))
    with running("php-fpm", argv, FastCgiClient) as (server, own_port):
        return loaded(server, own_port, FastCgiClient)


def in_node(port, calls):
    Path("web.js").write_text(NODE_WEB.replace("ADDRESS", f"http://127.0.0.1:{port}/").replace("CALLS", str(calls)))
    with running("node", lambda own_port: ["node", "web.js", str(own_port)], Client) as (server, own_port):
        requests_at(own_port, 4 * RUN_S)  # until it is compiled
        return loaded(server, own_port)


def server_and_client(measure, server, client, port, extra):
    """Of measure(port, calls): a request without calls, each call without what a loop costs per operation, and what the
    first call takes beyond the others."""
    bare, once, some = measure(port, 0), measure(port, 1), measure(port, CALLS)
    each = [run / (CALLS - 1) for run in less(some, once)]
    report(server, bare)
    report(client, less(each, extra))
    report(f"{server}, request that waits", less(once, bare, each))


NODE = """
const net = require("net"), [port, seconds, runs] = process.argv.slice(2).map(Number), message = Buffer.alloc(64);
async function one(end) {
	const client = net.connect(port, "127.0.0.1");
	let arrived, n = 0;
	client.setNoDelay(true);
	await new Promise((resolve) => client.on("connect", resolve));
	client.on("data", () => arrived());
	for (; performance.now() < end; n++)
		await new Promise((resolve) => { arrived = resolve; client.write(message); });
	client.destroy();
	return n;
}
async function run(s) {
	const end = performance.now() + s * 1000, cpu = process.cpuUsage();
	const done = await Promise.all(Array.from({ length: 16 }, () => one(end)));
	const used = process.cpuUsage(cpu);
	return (used.user + used.system) / done.reduce((a, b) => a + b);
}
(async () => {
	await run(4 * seconds);
	for (let i = 0; i < runs; i++)
		console.log(await run(seconds));
})();
"""

GO = """
package main

import ("fmt"; "io"; "net"; "os"; "strconv"; "sync"; "sync/atomic"; "syscall"; "time")

func cpu() float64 {
	var u syscall.Rusage
	syscall.Getrusage(0, &u)
	return float64(u.Utime.Sec+u.Stime.Sec)*1e6 + float64(u.Utime.Usec+u.Stime.Usec)
}

func run(address string, seconds float64) float64 {
	var all sync.WaitGroup
	var done int64
	end, begin := time.Now().Add(time.Duration(seconds*1e9)), cpu()
	for i := 0; i < 16; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			c, err := net.Dial("tcp", address)
			if err != nil { return }
			defer c.Close()
			b := make([]byte, 64)
			for time.Now().Before(end) {
				c.Write(b)
				io.ReadFull(c, b)
				atomic.AddInt64(&done, 1)
			}
		}()
	}
	all.Wait()
	return (cpu() - begin) / float64(done)
}

func main() {
	seconds, _ := strconv.ParseFloat(os.Args[2], 64)
	runs, _ := strconv.Atoi(os.Args[3])
	run("127.0.0.1:"+os.Args[1], seconds)
	for i := 0; i < runs; i++ { fmt.Println(run("127.0.0.1:"+os.Args[1], seconds)) }
}
"""


def output_of(argv, timeout, **popen_args):
    return subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
                          timeout=timeout, preexec_fn=die_with_parent, **popen_args).stdout


def figures(output):
    runs = [float(line) for line in output.split()]
    if len(runs) != RUNS:
        raise ValueError(f"{len(runs)} figures")
    return runs


def with_node(port):
    Path("node.js").write_text(NODE)
    runs = figures(output_of(["node", "node.js", port, RUN_S, RUNS], 10))
    tell(component="node", version=output_of(["node", "--version"], 5).strip())
    return runs


def with_go(port):
    Path("main.go").write_text(GO)
    place = os.getcwd()
    environment = {**os.environ, "GOCACHE": f"{place}/cache", "GOPATH": f"{place}/path", "GOPROXY": "off",
                   "GOFLAGS": "-mod=mod", "GO111MODULE": "off", "CGO_ENABLED": "0", "GOTMPDIR": place}
    output_of(["go", "build", "-o", "go_client", "main.go"], 15, env=environment)
    runs = figures(output_of(["./go_client", port, RUN_S, RUNS], 10))
    tell(component="go", version=output_of(["go", "version"], 5).split()[2])
    return runs


# ---- all of it ----

def measure_operations(port):
    """Above a blocking socket's. Returns what a turn on asyncio, on uvloop and on Node costs above it."""
    base = blocking(port)
    tell(component="python", version=sys.version.split()[0])
    extra, found = less(asyncio.run(streams(port)), base), {}
    report("operation on asyncio", extra)
    for cost, measure in (("operation on uvloop", with_uvloop), ("operation on Node", with_node),
                          ("operation on Go", with_go),
                          ("operation on threads with an interpreter lock", in_threads)):
        if QUICK:
            continue
        if measure is with_node and not shutil.which("node") or measure is with_go and not shutil.which("go"):
            continue
        runs = attempt(measure, port)
        if runs:
            report(cost, less(runs, base))
            found[measure] = less(runs, base)
    if not QUICK:
        report("task of a gather", asyncio.run(tasks()))
        report("hop to a thread", asyncio.run(hops()))
    return [[max(0, run) for run in runs] for runs in (extra, found.get(with_uvloop, [0]), found.get(with_node, [0]))]


def main():
    die_with_parent()
    sys.path.insert(0, os.getcwd())
    peers, (echo_port, http_port, database_port) = start_peers()
    ports = {"http": http_port, "postgres": database_port}
    # A loop that takes many turns per wake-up may cost less than a blocking socket; the advisor counts no less than none.
    extra, extra_on_uvloop, extra_on_node = measure_operations(echo_port)
    keep_off_the_servers(peers)
    keep_off_the_servers(0)
    sync = attempt(servers, "gunicorn", gunicorn, WSGI, {"flask": FLASK, "django": DJANGO}, SYNC_CLIENTS, ports,
                   [0]) or {}
    loop = attempt(servers, "uvicorn", uvicorn, ASGI, {"starlette": STARLETTE, "fastapi": FASTAPI}, LOOP_CLIENTS, ports,
                   extra) or {}
    if not QUICK:
        attempt(servers_on_uvloop, ports, extra_on_uvloop)
        if shutil.which("node"):
            attempt(server_and_client, in_node, "Node's HTTP server", "Node's HTTP client", ports["http"],
                    extra_on_node)
        if attempt(php_fpm):
            attempt(server_and_client, in_php, "php-fpm", "curl in PHP", ports["http"], [0])
            tell(component="php", version=output_of([php_fpm(), "-v"], 5).split()[1])
    attempt(cold, ports)
    if "flask" in sync and "starlette" in loop:
        report("flask on gunicorn to starlette", less(loop["starlette"], sync["flask"]))
    if "requests" in sync and "aiohttp" in loop:
        report("blocking HTTP client to aiohttp", less(loop["aiohttp"], sync["requests"]))


main()
