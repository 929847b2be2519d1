# SPDX-License-Identifier: GPL-2.0-or-later
"""The dashboard in a real terminal: under tmux, which shows it as a person would see it, and on a bare pseudo-terminal."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

import ioprof_run
from service_run import Client, Downstream, Service

LOCALE = "C.UTF-8"


class Tmux:
    """A terminal of its own, with a shell in it."""

    def __init__(self, directory, columns=80, lines=24):
        self.socket = str(directory / "tmux")
        self.directory = directory
        env = {**os.environ, "LC_ALL": LOCALE, "TERM": "xterm-256color", "HISTFILE": ""}
        env.pop("TMUX", None)
        env.pop("NO_COLOR", None)
        self.run("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", lines, "-c", directory,
                 "bash --norc --noprofile", env=env)
        self.run("set-option", "-g", "window-size", "manual")
        self.run("set-option", "-g", "history-limit", "5000")

    def run(self, *argv, **kwargs):
        return subprocess.run(["tmux", "-S", self.socket, *map(str, argv)], check=True, capture_output=True, text=True,
                              **kwargs).stdout

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if exc[0]:
            print(self.screen())
        self.run("kill-server")

    def keys(self, *keys):
        self.run("send-keys", *keys)

    def type(self, text):
        self.run("send-keys", "-l", text)

    def screen(self, scrollback=0):
        return self.run("capture-pane", "-p", "-S", -scrollback)

    def shows(self, *patterns, scrollback=0):
        """Waits until the screen shows all of these."""
        def seen():
            screen = self.screen(scrollback)
            return screen if all(re.search(p, screen, re.M) for p in patterns) else None

        return ioprof_run.wait_until(seen, what=f"{patterns} on the screen")

    def fills(self, lines, second, last):
        """Waits until the screen has so many lines, two of them like this: it has been drawn in its new size."""
        def filled():
            rows = self.screen().rstrip("\n").split("\n")
            return rows if len(rows) == lines and re.search(second, rows[1]) and re.search(last, rows[-1]) else None

        return ioprof_run.wait_until(filled, what=f"{lines} lines")

    def state(self):
        """Modes of the terminal: visible cursor, alternate screen, mouse, and those of the line discipline."""
        flags = self.run("display-message", "-p", "#{cursor_flag} #{alternate_on} #{mouse_any_flag} #{keypad_cursor_flag}")
        tty = self.run("display-message", "-p", "#{pane_tty}").strip()
        return flags.split(), subprocess.run(["stty", "-g", "-F", tty], check=True, capture_output=True, text=True).stdout

    def command(self):
        return self.run("display-message", "-p", "#{pane_current_command}").strip()

    def command_line(self, text):
        self.type(text)
        self.keys("Enter")

    def wait_for_shell(self):
        ioprof_run.wait_until(lambda: self.command() == "bash", what="the shell")

    def wait_for_state(self, state):
        ioprof_run.wait_until(lambda: self.state() == state, what=f"the terminal's state {state}, not {self.state()}")


@pytest.fixture
def terminal(tmp_path):
    with Tmux(tmp_path) as terminal:
        terminal.shows(r"[#$] *$")
        yield terminal


@pytest.fixture(scope="module")
def service():
    with Downstream() as db, Service("--processes=2", "--cpu=500", f"--call={db.address},2,2000") as service:
        yield service


@pytest.fixture
def load(service):
    """Requests without end."""
    with Client(service.address, requests=1_000_000, connections=2) as client:
        yield
        client.process.kill()


def start(terminal, pid):
    """The dashboard, open; returns its PID."""
    terminal.command_line(f"{ioprof_run.binary()} -p {pid}")
    terminal.shows(r"^ioprof 1", r"^\S*.service ")
    shell = int(terminal.run("display-message", "-p", "#{pane_pid}"))
    return int(Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])


VIEWS = {
    "1": r"REQ/s", "2": r"MEAN +P50 +P90 +P99", "3": r"OPS/REQ", "4": r"THREAD", "5": r"now", "6": r"PROGRAM",
}


def test_from_opening_to_leaving(terminal, service, load):
    before = terminal.state()
    start(terminal, service.pid)
    assert terminal.state()[0][1] == "1"
    terminal.shows(r"service +[1-9]")
    for key, content in VIEWS.items():
        terminal.keys(key)
        terminal.shows(content)
    terminal.keys("1")
    for columns, lines in ((40, 10), (200, 60), (80, 24)):
        terminal.run("resize-window", "-x", columns, "-y", lines)
        rows = terminal.fills(lines, second=r"REQ/s", last=r"^\? help")
        assert max(map(len, rows)) <= columns
    terminal.run("resize-window", "-x", 30, "-y", 8)
    terminal.shows("enlarge")
    terminal.run("resize-window", "-x", 80, "-y", 24)
    terminal.keys("?")
    terminal.shows(r"the next view")
    terminal.keys("x")
    terminal.shows(r"leave; the report stays")
    terminal.keys("x")
    terminal.keys("/")
    terminal.type("zzz")
    terminal.keys("Enter")
    terminal.shows(r"nothing matches /zzz")
    terminal.keys("/", "Enter")
    terminal.shows(r"service +[1-9]")
    terminal.keys("w")
    terminal.shows(r"3 processes|3 workers")
    terminal.keys("s")
    terminal.shows(r"saved in ioprof-\d+-\d+\.json")
    document = json.loads(next(terminal.directory.glob("ioprof-*.json")).read_text())
    assert document["schema"] == "ioprof/1" and document["services"][0]["requests"]["completed"] > 0
    terminal.keys("q")
    terminal.wait_for_shell()
    terminal.wait_for_state(before)
    terminal.shows(r"per request +mean", r"quality", scrollback=200)


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "SEGV", "ABRT"])
def test_killed(terminal, service, load, name):
    """However it ends, the terminal is as it was."""
    before = terminal.state()
    pid = start(terminal, service.pid)
    terminal.shows(r"service +[1-9]")
    os.kill(pid, getattr(signal, f"SIG{name}"))
    terminal.wait_for_shell()
    terminal.wait_for_state(before)
    if name in ("INT", "TERM"):
        terminal.shows(r"per request +mean", scrollback=200)


def test_stopped_and_continued(terminal, service, load):
    before = terminal.state()
    start(terminal, service.pid)
    during = terminal.state()
    for _ in range(2):
        terminal.keys("C-z")
        terminal.shows(r"Stopped")
        assert terminal.state()[0] == before[0]
        terminal.command_line("clear; fg")
        terminal.shows(r"^ioprof 1", r"service +[1-9]")
        terminal.wait_for_state(during)
    terminal.keys("q")
    terminal.wait_for_shell()
    terminal.wait_for_state(before)


def test_standard_error(terminal, service, load):
    """What others say there stands in the last line, tears nothing, and is not lost."""
    pid = start(terminal, service.pid)
    with open(f"/proc/{pid}/fd/2", "wb", buffering=0) as errors:
        errors.write(b"a library \033[2Jspeaks\n")
    rows = terminal.shows(r"a library", r"^ioprof 1").rstrip("\n").split("\n")
    assert rows[-1].startswith("a library")
    terminal.keys("q")
    terminal.wait_for_shell()
    terminal.shows(r"^a library", scrollback=200)


def test_service_ends(terminal):
    with Service("--cpu=200") as service:
        start(terminal, service.pid)
        assert service.load(requests=50, connections=1)["answered"] == 50
        service.truth(50)
    screen = terminal.shows(r"has ended")
    assert "50 requests" in screen
    terminal.keys("2")
    terminal.shows(r"MEAN +P50", r"has ended")
    terminal.keys("q")
    terminal.wait_for_shell()
    terminal.shows(r"requests +50,", scrollback=200)


class Terminal:
    """A pseudo-terminal that is read only when the test says so."""

    def __init__(self, *argv, **env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"LC_ALL": LOCALE, "TERM": "xterm-256color", **env})
            os.execv(argv[0], argv)
        os.set_blocking(self.fd, False)
        self.read = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.fd)

    def read_some(self):
        """False at the end."""
        if not select.select([self.fd], [], [], 0.05)[0]:
            return True
        try:
            chunk = os.read(self.fd, 65536)
        except OSError:
            return False
        self.read += chunk
        return bool(chunk)

    def read_until(self, pattern):
        deadline = time.monotonic() + 30
        while not re.search(pattern, self.read):
            assert self.read_some() and time.monotonic() < deadline, self.read[-2000:]

    def read_to_end(self):
        deadline = time.monotonic() + 30
        while self.read_some():
            assert time.monotonic() < deadline, self.read[-2000:]
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_terminal_that_does_not_read(service):
    """Nothing waits for it: neither the service, nor the figures, nor a key pressed meanwhile."""
    with Terminal(ioprof_run.binary(), "-p", str(service.pid), "-i", "0.25") as terminal:
        terminal.read_until(rb"ioprof")
        # Frame by frame its buffer fills; more than a hundred whole screens of other content.
        for _ in range(60):
            os.write(terminal.fd, b"2?xx6?xx3?xx")
        assert service.load(requests=300, connections=2)["answered"] == 300
        with open(f"/proc/{terminal.pid}/wchan") as wchan:
            assert "tty" not in wchan.read()
        os.write(terminal.fd, b"q")
        assert terminal.read_to_end() == 0
        assert re.search(rb"requests +300,", re.sub(rb"\x1b\[[0-9;]*m", b"", terminal.read))


@pytest.mark.parametrize("term", ["xterm", "vt100"])
def test_all_of_the_screen_scrolls(service, term):
    """Curses is not told the size by the file it writes to: it must not take the terminal for one of 24 lines."""
    with Terminal(ioprof_run.binary(), "-p", str(service.pid), TERM=term) as terminal:
        fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        terminal.read_until(rb"REQ/s")
        os.write(terminal.fd, b"q")
        assert terminal.read_to_end() == 0
        assert set(re.findall(rb"\x1b\[1;(\d+)r", terminal.read)) == {b"40"}


COLOUR = rb"\x1b\[[0-9;]*(3[0-7]|38;5;\d+|9[0-7])m"


@pytest.mark.parametrize("env, coloured", [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "vt100"}, False),
                                           ({"TERM": "xterm"}, True)])
def test_colours(service, env, coloured):
    with Client(service.address, requests=1_000_000, connections=2) as client, \
            Terminal(ioprof_run.binary(), "-p", str(service.pid), **env) as terminal:
        terminal.read_until(rb"REQ/s")
        terminal.read_until(rb"network")
        dashboard = terminal.read
        os.write(terminal.fd, b"q")
        assert terminal.read_to_end() == 0
        client.process.kill()
        assert bool(re.search(COLOUR, dashboard)) == coloured


def test_ascii(service):
    with Terminal(ioprof_run.binary(), "-p", str(service.pid), LC_ALL="C") as terminal:
        terminal.read_until(rb"REQ/s")
        os.write(terminal.fd, b"123456?xxq")
        assert terminal.read_to_end() == 0
        assert all(c < 0x80 for c in terminal.read)


def test_hostile_name(tmp_path):
    """What a process is called reaches the terminal as text, never as a control sequence."""
    hostile = "x\x1b]0;owned\x07\x1b[2J\u202e"
    program = tmp_path / hostile
    program.symlink_to("/usr/bin/sleep")
    with subprocess.Popen([program, "100"]) as process:
        with Terminal(ioprof_run.binary(), "-p", str(process.pid)) as terminal:
            terminal.read_until(rb"REQ/s")
            os.write(terminal.fd, b"12345")
            terminal.read_until(rb"owned")
            os.write(terminal.fd, b"q")
            terminal.read_to_end()
            assert b"\x1b]0;" not in terminal.read
            assert "\u202e".encode() not in terminal.read
        process.kill()


def test_unknown_terminal(service):
    with Terminal(ioprof_run.binary(), "-p", str(service.pid), TERM="no-such-terminal") as terminal:
        status = terminal.read_to_end()
    assert status == 1
    assert b"--text" in terminal.read
