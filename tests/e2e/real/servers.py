# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts real servers from Debian's packages: in a temporary directory, on free ports, gone when the block ends.

Each function is a context manager that yields a Server once it answers. Whatever the server forks dies with it: it
leads a process group of its own, and the kernel ends it should the test be killed (setpriv --pdeathsig).
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request
from pathlib import Path

from ioprof_run import wait_until

SERVICES = Path(__file__).resolve().parent / "services"
# Debian names both after their version.
POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin"))
PHP_FPM = max(Path("/usr/sbin").glob("php-fpm*"))
TOMCAT = Path("/usr/share/tomcat10")


class Server:
    def __init__(self, process, url, **facts):
        self.process = process
        self.pid = process.pid
        self.url = url
        self.__dict__.update(facts)

    def children(self):
        """The pids of the processes it has forked."""
        lists = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [int(pid) for children in lists for pid in children.read_text().split()]

    def account_s(self, column):
        """The kernel's own account of its children's threads."""
        accounts = [path for pid in self.children() for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
        return sum(int(account.read_text().split()[column]) for account in accounts) / 1e9

    def cpu_s(self):
        return self.account_s(0)

    def run_delay_s(self):
        """How long they have waited for a processor."""
        return self.account_s(1)


@contextlib.contextmanager
def directory():
    """A temporary directory that unprivileged servers can enter."""
    with tempfile.TemporaryDirectory(prefix="ioprof-real-") as path:
        os.chmod(path, 0o755)
        yield Path(path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url):
    def ask():
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return response.status == 200
        except OSError:
            return False

    return ask


def listens(port):
    def connect():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return connect


@contextlib.contextmanager
def process(log, *argv, ready, user=None, stop=signal.SIGTERM, **popen_args):
    """Runs argv, as user, until the block ends; returns its Popen once ready() is true."""
    setpriv = ["setpriv", "--pdeathsig", stop.name.removeprefix("SIG")]
    if user:
        setpriv += ["--reuid", user, "--regid", user, "--init-groups"]
    with open(log, "w+") as output:
        child = subprocess.Popen([*setpriv, "--", *map(str, argv)], stdin=subprocess.DEVNULL, stdout=output,
                                 stderr=subprocess.STDOUT, start_new_session=True, **popen_args)
        try:
            def running():
                if child.poll() is not None:
                    raise RuntimeError(f"{argv[0]} ended with {child.returncode}: {Path(log).read_text()}")
                return ready()

            wait_until(running, 60, f"{argv[0]} answering", pause=0.02)
            yield child
        finally:
            child.send_signal(stop)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                pass
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def environment(**variables):
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
            **{name: str(value) for name, value in variables.items()}}


@contextlib.contextmanager
def delay():
    """The HTTP server that answers after 5 ms."""
    port = free_port()
    with directory() as place, process(place / "log", "/usr/bin/python3", SERVICES / "delay.py", port,
                                       ready=listens(port)) as child:
        yield Server(child, f"http://127.0.0.1:{port}/", address=f"127.0.0.1:{port}")


@contextlib.contextmanager
def postgres(port=None, connections=100):
    """A cluster of its own, with pgbench's tables; nothing in it runs but what a client asks for."""
    port = port or free_port()
    with directory() as place:
        shutil.chown(place, "postgres", "postgres")
        data = place / "data"
        as_postgres = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", "--"]
        quiet = {"check": True, "cwd": place, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([*as_postgres, POSTGRES / "initdb", "--no-sync", "-A", "trust", "-D", data], **quiet)
        options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": place, "fsync": "off",
                   "autovacuum": "off", "jit": "off", "max_connections": connections, "shared_buffers": "64MB"}
        argv = [POSTGRES / "postgres", "-D", data]
        for name, value in options.items():
            argv += ["-c", f"{name}={value}"]
        ready = [POSTGRES / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        with process(place / "log", *argv, user="postgres", stop=signal.SIGINT, cwd=place,
                     ready=lambda: subprocess.run(ready).returncode == 0) as child:
            subprocess.run([POSTGRES / "pgbench", "-i", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres",
                            "postgres"], **quiet)
            yield Server(child, f"host=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=disable",
                         port=port, address=f"127.0.0.1:{port}")


@contextlib.contextmanager
def gunicorn(app, path, *args, **variables):
    """A Flask application of ours behind gunicorn, which answers at path; args choose the worker class."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with directory() as place, process(
            place / "log", "/usr/bin/gunicorn", "--chdir", SERVICES, "--bind", f"127.0.0.1:{port}",
            "--worker-tmp-dir", place, *args, app, ready=answers(url + path), env=environment(**variables)) as child:
        yield Server(child, url)


def gunicorn_queries(database, *args, **variables):
    """With psycopg2."""
    return gunicorn("flask_app:app", "/queries", *args, DATABASE=database.url, **variables)


def gunicorn_calls(downstream, *args, **variables):
    """With http.client."""
    return gunicorn("calls_app:app", "/", *args, DOWNSTREAM=downstream.url, **variables)


@contextlib.contextmanager
def waitress_calls(downstream, threads):
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    with directory() as place, process(place / "log", "/usr/bin/python3", SERVICES / "waitress_app.py", port, threads,
                                       ready=answers(url), env=environment(DOWNSTREAM=downstream.url)) as child:
        yield Server(child, url)


@contextlib.contextmanager
def puma_calls(downstream, threads):
    """One process, as many threads at all times."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    with directory() as place, process(
            place / "log", "/usr/bin/puma", "--bind", f"tcp://127.0.0.1:{port}", "--threads", f"{threads}:{threads}",
            SERVICES / "calls.ru", ready=answers(url), env=environment(DOWNSTREAM=downstream.url)) as child:
        yield Server(child, url)


@contextlib.contextmanager
def uvicorn(downstream, database):
    """FastAPI behind one uvicorn process: /async calls downstream, /def queries the database."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with directory() as place, process(
            place / "log", "/usr/bin/uvicorn", "--app-dir", SERVICES, "--port", port, "--no-access-log",
            "--log-level", "warning", "fastapi_app:app", ready=answers(f"{url}/async"),
            env=environment(DATABASE=database.url, DOWNSTREAM=downstream.url)) as child:
        yield Server(child, url)


PHP_FPM_CONF = """
[global]
error_log = {place}/fpm.log
daemonize = no
[www]
user = www-data
group = www-data
listen = {place}/php.sock
listen.owner = www-data
pm = static
pm.max_children = 4
env[DATABASE] = "{database}"
"""

NGINX_CONF = """
daemon off;
pid {place}/nginx.pid;
error_log {place}/nginx.log;
user www-data;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME {place}/queries.php;
            fastcgi_pass unix:{place}/php.sock;
        }}
    }}
}}
"""


@contextlib.contextmanager
def php_fpm(database):
    """php-fpm behind nginx over a unix socket: yields both servers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    with directory() as place:
        shutil.copy(SERVICES / "queries.php", place)
        facts = {"place": place, "port": port, "database": database.url}
        (place / "fpm.conf").write_text(PHP_FPM_CONF.format(**facts))
        (place / "nginx.conf").write_text(NGINX_CONF.format(**facts))
        shutil.chown(place, "www-data", "www-data")
        unix = place / "php.sock"
        with process(place / "php.out", PHP_FPM, "-F", "-y", place / "fpm.conf", ready=unix.exists) as fpm, \
                process(place / "nginx.out", "nginx", "-c", place / "nginx.conf", "-e", place / "nginx.log",
                        ready=answers(url)) as nginx:
            yield Server(fpm, url), Server(nginx, url, upstream=f"unix:{unix}")


@contextlib.contextmanager
def node(downstream):
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    with directory() as place, process(
            place / "log", "node", SERVICES / "node_app.js", ready=answers(url),
            env=environment(PORT=port, DOWNSTREAM=downstream.url)) as child:
        yield Server(child, url)


@contextlib.contextmanager
def go(downstream):
    port = free_port()
    url = f"http://127.0.0.1:{port}/calls"
    with directory() as place:
        subprocess.run(["go", "build", "-o", place / "go_app", SERVICES / "go_app.go"], check=True, cwd=place,
                       env=environment(GOCACHE=place / "cache", GOPATH=place / "path", GOFLAGS="-mod=mod",
                                       GOPROXY="off"))
        with process(place / "log", place / "go_app", ready=answers(url),
                     env=environment(PORT=port, DOWNSTREAM=downstream.url)) as child:
            yield Server(child, url)


TOMCAT_CONF = """
<Server port="-1">
  <Service name="Catalina">
    <Connector port="{port}" address="127.0.0.1" protocol="org.apache.coyote.http11.Http11NioProtocol"
               maxKeepAliveRequests="-1"/>
    <Engine name="Catalina" defaultHost="localhost">
      <Host name="localhost" appBase="webapps" unpackWARs="false" autoDeploy="false"/>
    </Engine>
  </Service>
</Server>
"""


@contextlib.contextmanager
def tomcat(downstream, page="calls.jsp"):
    port = free_port()
    url = f"http://127.0.0.1:{port}/{page}"
    with directory() as place:
        for name in ("conf", "logs", "temp", "webapps/ROOT", "work"):
            (place / name).mkdir(parents=True)
        (place / "conf/server.xml").write_text(TOMCAT_CONF.format(port=port))
        shutil.copy("/etc/tomcat10/web.xml", place / "conf")
        shutil.copy(SERVICES / page, place / "webapps/ROOT")
        with process(place / "log", TOMCAT / "bin/catalina.sh", "run", ready=answers(url),
                     env=environment(CATALINA_BASE=place, CATALINA_HOME=TOMCAT, JAVA_OPTS="-Xmx256m",
                                     DOWNSTREAM=downstream.url)) as child:
            yield Server(child, url)


@contextlib.contextmanager
def redis():
    port = free_port()
    with directory() as place, process(
            place / "log", "redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no",
            "--dir", place, ready=listens(port)) as child:
        yield Server(child, None, port=port)
