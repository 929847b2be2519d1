# SPDX-License-Identifier: GPL-2.0-or-later
"""What `ioprof calibrate` runs: measures what runtimes, servers and libraries cost here, in CPU time per operation.

usage: measure.py [--quick]

Prints one line of JSON per cost: {"cost": NAME, "us": [a, b, c]}, the name one of kappa.def's, each figure from a third
of the runs; and {"component": NAME, "version": V} for what was found. What is missing or fails is left out. Everything
happens on the loopback and in the current directory; children end with this process. gunicorn and uvicorn load this
file, too: it holds what they serve.

An operation is 64 bytes sent and 64 received on a TCP connection, as a small query or call. A server's request is HTTP,
with an application that does nothing; a framework's cost is what it adds to that. A client library is measured in a
server under load, where it takes up to twice what it does in a loop that only calls, from warm caches; and what a
request takes more that waits is the library's, too, as it has used the caches meanwhile.
"""

import asyncio
import collections
import concurrent.futures
import contextlib
import ctypes
import functools
import importlib.util
import json
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
RUNS = 3 if QUICK else 9
SPARE_RUNS = 3  # instead of those in which something failed: a hiccup of the machine loses no cost
RUN_S = 0.02  # of wall time, each run of each cost
CONCURRENCY = 16  # of loops and pools: as many turns at once
CLIENTS = 16  # of a server under load
WORKERS = 4  # of a server with processes
CALLS = 4  # of a client library in a request
MODULES = ["gunicorn", "uvicorn", "flask", "starlette", "requests", "aiohttp"] + ([] if QUICK else [
    "django", "fastapi", "uvloop", "urllib3", "httpx", "psycopg2", "asyncpg"])
VARIABLES = [f"VARIABLE_{i}" for i in range(100)]  # by which an environment is made larger
COMPILED = 2000  # requests, after which Node has compiled what answers them
MESSAGE = b"x" * 64
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\ndone\n"
PR_SET_PDEATHSIG = 1
NODE_SERVER = "Node's HTTP server"


def tell(**fact):
    print(json.dumps(fact), flush=True)


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


FOLDER, MODULE = str(Path(__file__).resolve().parent), Path(__file__).stem
CPUS = sorted(os.sched_getaffinity(0))


def start_server():
    """In a server's process before it runs: it has a processor of its own, as far as there are any."""
    die_with_parent()
    os.sched_setaffinity(0, CPUS[:1])


def keep_off_the_servers(pid):
    os.sched_setaffinity(pid, CPUS[1:] or CPUS)


def tell_version(module):
    version = getattr(importlib.import_module(module), "__version__", None)
    tell(component=module, version=version if isinstance(version, str) else "?")


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


def serve_alone(client, kind):
    """A process of its own for this connection, as PostgreSQL has: each message to it wakes one up."""
    if os.fork():
        return
    try:
        die_with_parent()
        peer = kind()
        client.setblocking(True)
        while data := client.recv(65536):
            client.sendall(peer.feed(data))
    finally:
        os._exit(0)


def serve(kinds):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that serve alone
    selector = selectors.DefaultSelector()
    for server, kind in kinds:
        selector.register(server, selectors.EVENT_READ, kind)
    while True:
        for key, _ in selector.select():
            if isinstance(key.data, type):
                try:
                    client, _ = key.fileobj.accept()
                except BlockingIOError:
                    continue
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if key.data is Postgres:
                    serve_alone(client, key.data)
                    client.close()
                else:
                    selector.register(client, selectors.EVENT_READ, key.data())
                continue
            try:
                data = key.fileobj.recv(65536)
                key.fileobj.sendall(key.data.feed(data))
            except OSError:
                data = b""
            if not data:
                selector.unregister(key.fileobj)
                key.fileobj.close()


def start_peers():
    """An echo, an HTTP and a PostgreSQL peer in processes of their own: its PID, and the echo's port. The others' are in
    the environment."""
    kinds = [(listen(), Echo), (listen(), Http), (listen(), Postgres)]
    pid = os.fork()
    if pid == 0:
        die_with_parent()
        serve(kinds)
    echo_port, *ports = [str(server.getsockname()[1]) for server, _ in kinds]
    os.environ.update(zip(("HTTP_PORT", "POSTGRES_PORT"), ports))
    for server, _ in kinds:
        server.close()
    return pid, echo_port


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
    """What is left of each run without that of the others."""
    return [run - sum(other) for run, *other in zip(runs, *others)]


def report(cost, runs):
    """As three figures, of each third of the runs the median: others slow the machine down for moments."""
    third = len(runs) // 3
    tell(cost=cost, us=[round(statistics.median(runs[i:i + third]), 3) for i in range(0, len(runs), third)])


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


def on_uvloop(port):
    import uvloop
    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(streams(port))
    finally:
        loop.close()


# ---- what gunicorn and uvicorn serve: they load this file ----

def wsgi(path, call, calls):
    def app(environ, start):
        for _ in range(calls):
            call()
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
        return [b"{}"]

    return app


def with_flask(path, call, calls):
    import flask
    app = flask.Flask(__name__)

    @app.get(path)
    def handle():
        for _ in range(calls):
            call()
        return flask.jsonify(ok=True)

    return app


def with_django(path, call, calls):
    import django.conf
    import django.core.wsgi
    import django.http
    import django.urls

    class Urls:
        urlpatterns = [django.urls.path(path[1:], lambda request: django.http.JsonResponse({"ok": True}))]

    django.conf.settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=Urls, SECRET_KEY="x")
    return django.core.wsgi.get_wsgi_application()


def asgi(path, call, calls):
    async def app(scope, receive, send):
        for _ in range(calls):
            await call()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    return app


def with_starlette(path, call, calls):
    import starlette.applications
    import starlette.responses
    import starlette.routing

    async def handle(request):
        for _ in range(calls):
            await call()
        return starlette.responses.JSONResponse({})

    return starlette.applications.Starlette(routes=[starlette.routing.Route(path, handle)])


def with_fastapi(path, call, calls):
    import fastapi
    app = fastapi.FastAPI()

    @app.get(path)
    async def handle():
        return {}

    return app


def url():
    return f"http://127.0.0.1:{os.environ['HTTP_PORT']}/"


def call_http_client():
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["HTTP_PORT"]))

    def call():
        connection.request("GET", "/")
        connection.getresponse().read()

    return call


def call_urllib3():
    import urllib3
    pool, address = urllib3.PoolManager(), url()
    return lambda: pool.request("GET", address).data


def call_requests(more=False):
    """In a larger environment if there shall be more variables."""
    import requests
    session, address = requests.Session(), url()

    def call():
        if (VARIABLES[0] in os.environ) != more:
            for name in VARIABLES:
                if more:
                    os.environ[name] = "10.0.0.1"
                else:
                    del os.environ[name]
        session.get(address).content

    return call


def call_requests_get():
    import requests
    address = url()
    return lambda: requests.get(address).content


def call_httpx():
    import httpx
    client, address = httpx.Client(), url()
    return lambda: client.get(address).content


def call_psycopg2():
    import psycopg2
    connection = None

    def call():
        nonlocal connection
        if connection is None:
            connection = psycopg2.connect(host="127.0.0.1", port=os.environ["POSTGRES_PORT"], user="u", dbname="d",
                                          sslmode="disable", gssencmode="disable")
            connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("select 7")
            cursor.fetchall()

    return call


def call_aiohttp():
    import aiohttp
    address = url()
    session = functools.lru_cache(None)(aiohttp.ClientSession)  # one, made on the loop

    async def call():
        async with session().get(address) as response:
            await response.read()

    return call


def call_asyncpg():
    """Through a pool, as services do; it resets each connection that is given back, which is a query more."""
    import asyncpg
    pool = None

    async def call():
        nonlocal pool
        if pool is None:
            pool = asyncio.ensure_future(asyncpg.create_pool(
                host="127.0.0.1", port=int(os.environ["POSTGRES_PORT"]), user="u", database="d", ssl=False,
                min_size=1, max_size=CLIENTS))
        async with (await pool).acquire() as connection:
            await connection.fetch("select 7")

    return call


WSGI = {"bare": wsgi, "flask": with_flask, "django": with_django}
ASGI = {"bare": asgi, "starlette": with_starlette, "fastapi": with_fastapi}
SYNC_CLIENTS = {"http.client": call_http_client, "urllib3": call_urllib3, "httpx": call_httpx,
                "psycopg2": call_psycopg2, "requests": call_requests, "requests.get": call_requests_get,
                "requests+variables": lambda: call_requests(True)}
LOOP_CLIENTS = {"aiohttp": call_aiohttp, "asyncpg": call_asyncpg}


def path_of(route):
    """Of requests that a framework answers after calls through a client library: (framework, client, calls)."""
    return "/" + "/".join(map(str, route))


def applications(frameworks, clients):
    def application(path):
        _, framework, client, calls = path.split("/")
        return frameworks[framework](path, clients[client]() if int(calls) else None, int(calls))

    return {path: attempt(application, path) for path in os.environ["PATHS"].split()}


def sync_app():
    by_path = applications(WSGI, SYNC_CLIENTS)
    return lambda environ, start: by_path[environ["PATH_INFO"]](environ, start)


def loop_app():
    by_path = applications(ASGI, LOOP_CLIENTS)

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await by_path[scope["path"]](scope, receive, send)

    return app


# ---- servers ----

class Client:
    """One that asks again and again, on a kept connection or a new one where the server closes it."""

    def __init__(self, port):
        self.port, self.connection = port, None

    @staticmethod
    def request(path):
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: calibrate\r\nAccept: */*\r\n\r\n".encode()

    def ask(self, path):
        if self.connection is None:
            self.connection = connect(self.port)
            self.connection.settimeout(5)
        self.connection.sendall(self.request(path))

    def take_answer(self):
        response = b""
        while not response.rstrip().endswith((b"}", b"}\r\n0")):  # the latter in chunks
            data = self.connection.recv(65536)
            response += data
            if not data or not response.startswith(b"HTTP/1.1 200 "):
                raise OSError(f"no answer: {response[:80]!r}")
        if b"connection: close" in response.lower():
            self.close()

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class FastCgiClient(Client):
    """The same as a web server asks php-fpm, which closes each connection."""

    @classmethod
    def request(cls, path):
        variables = {"SCRIPT_FILENAME": f"{os.getcwd()}/{PHP_SCRIPT}", "REQUEST_METHOD": "GET", "REQUEST_URI": path}
        pairs = b"".join(bytes([len(name), len(value)]) + name.encode() + value.encode()
                         for name, value in variables.items())
        return cls.record(1, struct.pack("!HB5x", 1, 0)) + cls.record(4, pairs) + cls.record(4) + cls.record(5)

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


def family(pid):
    """A process and its descendants."""
    pids = [pid]
    for parent in pids:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            pids += map(int, children.read_text().split())
    return pids


class Server:
    """One that argv(port) starts, on a processor of its own as far as there are any; and what it is asked."""

    def __init__(self, name, argv, routes):
        self.name, self.argv, self.routes = name, argv, routes
        self.start()

    def start(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.clients = [(FastCgiClient if self.argv is php else Client)(self.port) for _ in range(CLIENTS)]
        self.said = Path(f"server-{self.port}.log")
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(self.argv(self.port), stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                            preexec_fn=start_server,
                                            env={**os.environ, "PATHS": " ".join(map(path_of, self.routes))})

    def listens(self):
        for _ in range(500):
            with contextlib.suppress(OSError):
                connect(self.port).close()
                return True
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        return False

    def await_start(self):
        """Once more where somebody took its port meanwhile."""
        if self.listens():
            return True
        self.end()
        self.start()
        if self.listens():
            return True
        raise OSError(f"{self.name} did not start ({self.process.poll()}): {self.said.read_text()[-1000:]}")

    def end(self):
        for pid in family(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def cpu_s(self):
        """Of all its processes so far."""
        return sum(int(account.read_text().split()[0]) for pid in family(self.process.pid)
                   for account in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9

    def serve(self, route):
        """How many requests it answers: it always has the next one waiting, as at its capacity."""
        waiting, n, path, end = collections.deque(self.clients), 0, path_of(route), time.monotonic() + RUN_S
        try:
            for client in waiting:
                client.ask(path)
            while waiting:
                client = waiting.popleft()
                client.take_answer()
                n += 1
                if time.monotonic() < end:
                    client.ask(path)
                    waiting.append(client)
        except OSError:
            for client in self.clients:
                client.close()
            raise
        return n

    def us_per_request(self, route):
        cpu_s = self.cpu_s()
        n = self.serve(route)
        return (self.cpu_s() - cpu_s) / n * 1e6


def gunicorn(port):
    # Loaded before it is forked, or some workers would still be loading it while others are measured.
    return [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--log-level", "critical", "--preload",
            "--worker-tmp-dir", os.getcwd(), "--workers", str(WORKERS), "--pythonpath", FOLDER, f"{MODULE}:sync_app()"]


def uvicorn(port, loop="asyncio"):
    return [sys.executable, "-m", "uvicorn", "--port", str(port), "--loop", loop, "--no-access-log", "--log-level",
            "critical", "--timeout-keep-alive", "60", "--app-dir", FOLDER, "--factory", f"{MODULE}:loop_app"]


# ---- other runtimes ----

PHP_SCRIPT = "index.php"
PHP = """<?php
$curl = curl_init("ADDRESS");
curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
for ($i = (int) basename($_SERVER["REQUEST_URI"]); $i > 0; $i--)
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
pm.max_children = {workers}
{user}"""
NODE_WEB = """
const http = require("http"), path = require("path"), agent = new http.Agent({ keepAlive: true });
const call = () => new Promise((done, failed) => http.get("ADDRESS", { agent }, (response) => {
	response.resume();
	response.on("end", done);
}).on("error", failed));
const server = http.createServer(async (request, response) => {
	for (let i = Number(path.basename(request.url)); i > 0; i--)
		await call();
	response.setHeader("Content-Type", "application/json");
	response.end("{}");
});
server.keepAliveTimeout = 60000;
server.listen(Number(process.argv[2]), "127.0.0.1");
"""


def php_fpm():
    """Debian's has its version in its name, in a place that users need not search."""
    return next((str(path) for place in (*os.environ.get("PATH", "").split(":"), "/usr/sbin", "/usr/local/sbin")
                 for path in sorted(Path(place or ".").glob("php-fpm*")) if os.access(path, os.X_OK)), None)


def php(port):
    Path(PHP_SCRIPT).write_text(PHP.replace("ADDRESS", url()))
    # As root it wants to know who its workers are.
    user = "user = root\n" if os.geteuid() == 0 else ""
    Path("fpm.conf").write_text(PHP_FPM.format(port=port, user=user, workers=WORKERS))
    tell(component="php", version=output_of([php_fpm(), "-v"], 5).split()[1])
    return [php_fpm(), "-F", "-R", "-y", f"{os.getcwd()}/fpm.conf"]


def node(port):
    Path("web.js").write_text(NODE_WEB.replace("ADDRESS", url()))
    return ["node", "web.js", str(port)]


NODE = """
const net = require("net"), [port, seconds, runs] = process.argv.slice(2).map(Number), message = Buffer.alloc(64);
async function one(end) {
	const client = net.connect(port, "127.0.0.1");
	let arrived, n = 0;
	client.setNoDelay(true);
	await new Promise((resolve) => client.on("connect", resolve));
	client.on("data", () => arrived());
	for (; n < 100 || performance.now() < end; n++)
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
	for (let i = 0; i < 20; i++)
		await run(seconds); // until it is compiled
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


def on_node(port):
    Path("node.js").write_text(NODE)
    runs = figures(output_of(["node", "node.js", port, RUN_S, RUNS], 10))
    tell(component="node", version=output_of(["node", "--version"], 5).strip())
    return runs


def build_go():
    Path("main.go").write_text(GO)
    place = os.getcwd()
    environment = {**os.environ, "GOCACHE": f"{place}/cache", "GOPATH": f"{place}/path", "GOPROXY": "off",
                   "GOFLAGS": "-mod=mod", "GO111MODULE": "off", "CGO_ENABLED": "0", "GOTMPDIR": place}
    output_of(["go", "build", "-o", "go_client", "main.go"], 15, env=environment)


def on_go(port):
    runs = figures(output_of(["./go_client", port, RUN_S, RUNS], 10))
    tell(component="go", version=output_of(["go", "version"], 5).split()[2])
    return runs


# ---- all of it ----

def measure_operations(port):
    """Above a blocking socket's. Returns what a turn costs above it on a server's loop, by server."""
    base, extra = statistics.median(blocking(port)), {}
    for place, measure, server in (
            ("asyncio", lambda port: asyncio.run(streams(port)), "uvicorn"), ("uvloop", on_uvloop, "uvicorn on uvloop"),
            ("Node", on_node, NODE_SERVER), ("Go", on_go, None),
            ("threads with an interpreter lock", in_threads, None))[:1 if QUICK else None]:
        if runs := attempt(measure, port):
            runs = [run - base for run in runs]
            report(f"operation on {place}", runs)
            # One that takes many turns per wake-up may cost less; the advisor counts no less than none.
            extra[server] = max(0, statistics.median(runs))
    if not QUICK:
        report("task of a gather", asyncio.run(tasks()))
        report("hop to a thread", asyncio.run(hops()))
    return extra


def routes(frameworks, clients, here):
    """What a server is asked. What calls is the first of the frameworks, or none where that fails."""
    works = frameworks and frameworks[0] in here and attempt(importlib.import_module, frameworks[0])
    base = frameworks[0] if works else "bare"
    return [(name, "none", 0) for name in ("bare", *frameworks) if name in ("bare", *here)] + [
        (base, name, calls) for name in clients if name in here for calls in (1, CALLS)]


def plan(here):
    """Of each server, its name, how it starts and what it is asked."""
    if "gunicorn" in here:
        asked = routes(("flask", "django"), SYNC_CLIENTS, here if QUICK else [*here, "http.client"])
        if "requests" in here and not QUICK:
            asked += [(asked[-1][0], client, CALLS) for client in ("requests.get", "requests+variables")]
        yield "gunicorn", gunicorn, asked
    if "uvicorn" in here:
        yield "uvicorn", uvicorn, routes(("starlette", "fastapi"), LOOP_CLIENTS, here)
    if "uvicorn" in here and "uvloop" in here:
        yield "uvicorn on uvloop", lambda port: uvicorn(port, "uvloop"), routes(("starlette",), LOOP_CLIENTS, here)
    if shutil.which("node") and not QUICK:
        yield NODE_SERVER, node, routes((), ("node",), ("node",))
    if php_fpm() and not QUICK:
        yield "php-fpm", php, routes((), ("curl",), ("curl",))


def measure_servers(servers):
    """CPU per request, us, of each run, by server and route. What is compared is of one run, as the speed of machines
    changes within seconds."""
    for server in servers:
        server.routes = [route for route in server.routes
                         if attempt(server.serve, route) or attempt(server.serve, route)]
    servers = [server for server in servers if server.routes]
    for server in servers:
        n = 0
        while server.name == NODE_SERVER and n < COMPILED:
            n += attempt(server.serve, server.routes[-1]) or COMPILED
    runs, spare = [], SPARE_RUNS
    while len(runs) < RUNS:
        run = {}
        for server in servers:
            attempt(server.serve, server.routes[0])  # others have used the caches
            for route in server.routes:
                run[server.name, *route] = attempt(server.us_per_request, route)
        if all(run.values()) or not spare:
            runs.append(run)
        else:
            spare -= 1
    return {key: [run[key] for run in runs] for key in runs[0] if all(run[key] for run in runs)}


def report_requests(us, framework):
    """What a call takes that has to connect, and each variable. Returns what all of them take of any call."""
    kept, anew, larger = (us["gunicorn", framework, client, CALLS]
                          for client in ("requests", "requests.get", "requests+variables"))
    report("requests, per connection", [run / CALLS for run in less(anew, kept)])
    each = [run / CALLS / len(VARIABLES) for run in less(larger, kept)]
    report("requests, per environment variable", each)
    return [run * len(os.environ) for run in each]


def report_calls(us, server, framework, client, extra):
    """What each call takes, and what a request takes more that waits, however often: others have used the caches."""
    cost = {"node": "Node's HTTP client", "curl": "curl in PHP"}.get(client, client)
    cost += " on uvloop" if server.endswith(" on uvloop") else ""
    bare, once, some = (us[server, framework, *calls] for calls in (("none", 0), (client, 1), (client, CALLS)))
    call = [run / (CALLS - 1) for run in less(some, once)]
    report(f"{server if client in ('node', 'curl') else cost}, request that waits", less(once, bare, call))
    if client == "requests" and not QUICK:
        call = less(call, attempt(report_requests, us, framework) or [0] * RUNS)
    call = [run - extra for run in call]
    report(cost, call)
    return call


def report_servers(us, extra):
    """extra: what a turn costs on a server's loop."""
    calls = {}
    for (server, framework, client, n), runs in us.items():
        bare = us.get((server, "bare", "none", 0))
        if n == 1:
            calls[server, client] = attempt(report_calls, us, server, framework, client, extra.get(server, 0))
        elif n == 0 and framework == "bare":
            report(server, runs)
        elif n == 0 and bare and " on " not in server:
            report(framework, less(runs, bare))
    starlette, flask = us.get(("uvicorn", "starlette", "none", 0)), us.get(("gunicorn", "flask", "none", 0))
    if starlette and flask:
        report("flask on gunicorn to starlette", less(starlette, flask))
    aiohttp, requests = calls.get(("uvicorn", "aiohttp")), calls.get(("gunicorn", "requests"))
    if aiohttp and requests:
        report("blocking HTTP client to aiohttp", less(aiohttp, requests))


def main():
    die_with_parent()
    peers, echo_port = start_peers()
    keep_off_the_servers(peers)
    keep_off_the_servers(0)
    modules, servers = [name for name in MODULES if importlib.util.find_spec(name)], []
    with contextlib.ExitStack() as stack:
        for name, argv, asked in plan(modules):
            if server := attempt(Server, name, argv, asked):
                stack.callback(server.end)
                servers.append(server)
        # While they load:
        tell(component="python", version=sys.version.split()[0])
        for module in modules:
            attempt(tell_version, module)
        if not QUICK:
            attempt(build_go)
        servers = [server for server in servers if attempt(server.await_start)]
        os.sched_setaffinity(0, CPUS[:1])
        extra = measure_operations(echo_port)
        keep_off_the_servers(0)
        us = measure_servers(servers)
    report_servers(us, extra)


if __name__ == "__main__":
    main()
