# SPDX-License-Identifier: GPL-2.0-or-later
"""Recordings: written while a service runs, whatever happens meanwhile; read, summed up and compared afterwards."""

import fcntl
import gzip
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import termios
import zlib
from pathlib import Path

import pytest

import ioprof_run
from service_run import Downstream, Service

NOBODY = 65534


def members(path):
    """The whole gzip members of a file, uncompressed, by Python's own zlib."""
    found, rest = [], Path(path).read_bytes() if Path(path).exists() else b""
    while rest:
        member = zlib.decompressobj(31)
        text = member.decompress(rest)
        if not member.eof:
            break
        found.append(json.loads(text))
        rest = member.unused_data
    return found


def completed(documents):
    return sum(service["requests"]["completed"] for doc in documents for service in doc["services"])


def record(service, path, *args, **popen_args):
    """ioprof record, observing."""
    prof = ioprof_run.Ioprof(["record", "-p", service.pid, "-o", path, *args], **popen_args)
    try:
        return prof.wait_observing()
    except BaseException:
        prof.__exit__()
        raise


def end(prof, sig=signal.SIGINT):
    prof.process.send_signal(sig)
    return prof.process.wait(20)


def report(*args, **run_args):
    result = ioprof_run.run("report", "--json", *args, **run_args)
    return result, [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A recording of 200 requests over several intervals."""
    path = tmp_path_factory.mktemp("recording") / "whole.ioprof"
    with Service("--cpu=500", "--sleep=2000", "--processes=2") as service, record(service, path, "-i", 0.2) as prof:
        for n in (50, 150):
            service.load(requests=n, connections=2)
            ioprof_run.wait_until(lambda: len(members(path)) >= n // 50, what="intervals")
        assert end(prof) == 0, prof.errors()
        assert prof.output() == "" and prof.errors() == ""
    return path


def test_intervals_sum_to_the_whole(recording):
    """What the intervals hold is what was sent; the report is their sum."""
    intervals = members(recording)
    assert len(intervals) > 3 and completed(intervals) == 200
    result, (whole,) = report(recording)
    assert result.returncode == 0 and result.stderr == ""
    assert whole["host"] == os.uname().nodename
    assert whole["services"][0]["requests"]["completed"] == 200
    for name in ("latency_s", "queue_wait_s", "service_time_s"):
        for field in ("count", "sum_ns"):
            assert whole["services"][0][name][field] == sum(d["services"][0][name][field] for d in intervals)
    assert whole["interval"]["duration_ns"] == sum(d["interval"]["duration_ns"] for d in intervals)
    kept = [row[0] for d in intervals for row in d["services"][0]["traces"]["kept"]]
    assert [row[0] for row in whole["services"][0]["traces"]["kept"]] == sorted(kept)[:256]


def test_modes_and_readers(recording):
    assert recording.stat().st_mode & 0o777 == 0o600
    lines = gzip.open(recording).read().splitlines()
    assert [json.loads(line) for line in lines] == members(recording)
    text = ioprof_run.run("report", recording)
    assert text.returncode == 0 and "200, " in text.stdout and text.stderr == ""
    plain = subprocess.run([ioprof_run.binary(), "report", "--json", "-"], input=b"\n".join(lines), capture_output=True,
                           check=True, timeout=60)
    assert plain.stdout.decode() == report(recording)[0].stdout


def test_killed(tmp_path):
    """SIGKILL at any moment: what was recorded before is there, and more can be added."""
    path = tmp_path / "killed.ioprof"
    with Service("--cpu=200") as service:
        with record(service, path, "-i", 0.1) as prof:
            for n in (20, 40):
                service.load(requests=20, connections=1)
                ioprof_run.wait_until(lambda: completed(members(path)) == n, what="the requests on disk")
            assert end(prof, signal.SIGKILL) == -signal.SIGKILL
        result, (whole,) = report(path)
        assert result.returncode == 0 and completed([whole]) == 40
        # As if it had been killed while it wrote.
        os.truncate(path, path.stat().st_size - 9)
        before = len(members(path))
        result, _ = report(path)
        assert result.returncode == 0
        assert result.stderr == f"ioprof: warning: {path}: it was cut off: its last interval is missing\n"
        with record(service, path, "-i", 60, "--append") as prof:
            service.load(requests=7, connections=1)
            assert end(prof) == 0
            assert "never completed: removed" in prof.errors()
        assert len(members(path)) == before + 1 and completed(members(path)[-1:]) == 7
        assert report(path)[0].stderr == ""


@pytest.fixture
def small_disk(tmp_path):
    """A file system with room for a few intervals."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "ioprof-test", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_full_disk(small_disk):
    path = small_disk / "full.ioprof"
    with Service("--cpu=200") as service, record(service, path, "-i", 0.1) as prof:
        with service.client(connections=1):
            status = prof.process.wait(30)
        errors = prof.errors()
    assert status == 1
    assert "the disk is full" in errors and errors.count("\n") == 1
    intervals = members(path)
    assert f"the {len(intervals)} intervals before are whole" in errors and intervals
    result, (whole,) = report(path)
    assert result.returncode == 0 and result.stderr == "" and completed([whole]) == completed(intervals)


def refused(path, *args, env=None):
    """ioprof record does not write there: its one line on stderr."""
    with Service("--cpu=200") as service:
        result = ioprof_run.run("record", "-p", service.pid, "-d", 0.05, "-o", path, *args,
                                env={**os.environ, **(env or {})})
    assert result.returncode == 1 and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def test_what_is_there_stays(tmp_path, recording):
    """No file is overwritten, and none added to that is no sound recording."""
    mine = tmp_path / "mine"
    mine.write_text("precious\n")
    assert "exists already" in refused(mine)
    assert "no recording" in refused(mine, "--append")
    assert mine.read_text() == "precious\n"
    backup = tmp_path / "backup.gz"
    backup.write_bytes(gzip.compress(b"precious\n"))
    content = backup.read_bytes()
    assert "no recording" in refused(backup, "--append")
    assert backup.read_bytes() == content
    damaged = tmp_path / "damaged"
    content = bytearray(recording.read_bytes())
    content[100] ^= 0xff
    damaged.write_bytes(content)
    assert "damaged" in refused(damaged, "--append")
    assert damaged.read_bytes() == content
    link = tmp_path / "link"
    link.symlink_to(mine)
    assert "exists already" in refused(link)
    assert "symbolic link" in refused(link, "--append")
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    refused(dangling)
    assert not (tmp_path / "nowhere").exists()
    assert mine.read_text() == "precious\n"


def test_as_the_invoking_user(tmp_path):
    """Under sudo the file is the user's, and only where that user may write."""
    sudo = {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY)}
    shared, private = tmp_path / "shared", tmp_path / "private"
    shared.mkdir()
    shared.chmod(0o1777)
    private.mkdir(mode=0o700)
    for directory in tmp_path.parents:
        if directory != Path("/tmp") and directory != Path("/"):
            directory.chmod(directory.stat().st_mode | 0o011)
    tmp_path.chmod(0o711)
    with Service("--cpu=200") as service:
        with record(service, shared / "theirs", "-i", 60, env={**os.environ, **sudo}) as prof:
            service.load(requests=3, connections=1)
            assert end(prof) == 0, prof.errors()
    status = (shared / "theirs").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (NOBODY, NOBODY, 0o600)
    assert completed(members(shared / "theirs")) == 3
    assert "may not write there" in refused(private / "new", env=sudo)
    # A link of theirs as a directory of the path: it leads where they may not write either.
    (shared / "way").symlink_to(private)
    os.lchown(shared / "way", NOBODY, NOBODY)
    refused(shared / "way" / "new", env=sudo)
    # A file of root's, in a directory that is everybody's.
    (shared / "roots").write_bytes((shared / "theirs").read_bytes())
    (shared / "roots").chmod(0o644)
    assert "may not write there" in refused(shared / "roots", "--append", env=sudo)
    assert list(private.iterdir()) == []


def test_failed_start_leaves_no_file(tmp_path):
    result = ioprof_run.run("record", "-p", 4194304, "-o", tmp_path / "new")
    assert result.returncode == 1 and not (tmp_path / "new").exists()
    result = ioprof_run.run("record", "-p", os.getpid())
    assert result.returncode == 2 and "use -o FILE" in result.stderr
    result = ioprof_run.run("record", "-o", tmp_path / "new")
    assert result.returncode == 2 and not (tmp_path / "new").exists()


def test_two_writers(tmp_path):
    path = tmp_path / "one.ioprof"
    with Service("--cpu=200") as service, record(service, path, "-i", 60) as prof:
        result = ioprof_run.run("record", "-p", service.pid, "-d", 0.05, "-o", path, "--append")
        assert result.returncode == 1 and "another ioprof writes to it" in result.stderr
        assert end(prof) == 0
    assert len(members(path)) == 1


def test_pipe():
    with Service("--cpu=200") as service:
        command = f"{ioprof_run.binary()} record -p {service.pid} -d 0.5 -i 0.1 -o - | {ioprof_run.binary()} report -"
        result = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0 and "intervals" in result.stdout and result.stderr == ""


# ---- several hosts, damage, what is no recording ----

def test_hosts(tmp_path, recording):
    """One report per host; files of the same host are one observation."""
    intervals = members(recording)
    for host in ("web-2", "web-3"):
        other = [{**doc, "host": host} for doc in intervals]
        (tmp_path / f"{host}-a").write_text("".join(json.dumps(doc) + "\n" for doc in other[:2]))
        (tmp_path / f"{host}-b").write_bytes(gzip.compress("".join(json.dumps(doc) + "\n" for doc in other[2:]).encode()))
    result, documents = report(recording, *sorted(tmp_path.iterdir()))
    assert result.returncode == 0 and result.stderr == ""
    assert sorted(doc["host"] for doc in documents) == sorted({os.uname().nodename, "web-2", "web-3"})
    assert [completed([doc]) for doc in documents] == [200] * 3
    first, *others = ([doc["services"], doc["interval"], doc["losses"]] for doc in documents)
    assert all(other == first for other in others)
    text = ioprof_run.run("report", recording, *sorted(tmp_path.iterdir()))
    assert text.stdout.count("host ") >= 3
    result, documents = report(recording, recording)
    assert completed(documents) == 400 and "count twice" in result.stderr


def test_damaged(tmp_path, recording):
    content = recording.read_bytes()
    path = tmp_path / "damaged"
    n = len(members(recording))
    for at in (40, len(content) // 2, len(content) - 5):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1:])
        result, documents = report(path)
        assert result.returncode == 0 and result.stderr.startswith(f"ioprof: warning: {path}: 1 damaged part left out")
        assert 0 < completed(documents) <= 200
    path.write_bytes(content[:len(content) // 2] + os.urandom(1000) + content[len(content) // 2:])
    assert report(path)[0].returncode == 0
    text = ioprof_run.run("report", path)
    assert text.returncode == 0 and n > 3


@pytest.mark.parametrize("content, words", [
    (b"", "it is empty"),
    (b"\n\n", "it is empty"),
    (b"hello\n", "it is no JSON"),
    (b"{}\n", "no document of ioprof"),
    (b'{"schema": "ioprof/9"}\n', "its format is ioprof/9"),
    (b"\x1b[2J\x07\n", "it is no JSON"),
    (gzip.compress(b"hello\n"), "it is no JSON"),
    (gzip.compress(b"hello\n")[:-3], "within its first interval"),
    (b"\x1f\x8b", "within its first interval"),
    (b"\x7fELF" + bytes(5000), "it is no JSON"),
], ids=str)
def test_foreign(tmp_path, content, words):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    for command in (("report", path), ("diff", path, path)):
        result = ioprof_run.run(*command)
        assert result.returncode == 1 and result.stdout == ""
        assert words in result.stderr and result.stderr.count("\n") == 1
        assert "\x1b" not in result.stderr


def test_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        result = ioprof_run.run("report", path)
        assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert ioprof_run.run("report").returncode == 2
    assert ioprof_run.run("diff", "one").returncode == 2
    assert ioprof_run.run("diff", "one", "two", "three").returncode == 2


def test_bomb(tmp_path):
    """A small file that becomes a huge one: refused in bounded memory."""
    path = tmp_path / "bomb"
    with gzip.open(path, "wb", 9) as out:
        for _ in range(300):
            out.write(bytes(1 << 20))
    result = subprocess.run(["prlimit", f"--as={400 << 20}", ioprof_run.binary(), "report", path],
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and "longer than any document" in result.stderr


# ---- diff ----

def record_load(tmp_path, name, *knobs):
    path = tmp_path / name
    with Service(*knobs) as service, record(service, path, "-i", 0.1) as prof:
        for _ in range(12):
            service.load(requests=25, connections=2)
        assert end(prof) == 0, prof.errors()
    return path


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    return record_load(tmp_path_factory.mktemp("before"), "before", "--cpu=1000", "--sleep=3000", "--processes=2")


def test_diff_sees_what_changed(tmp_path, before):
    """Twice the CPU is a change beyond chance; what is the same is not called a change."""
    after = record_load(tmp_path, "after", "--cpu=2000", "--sleep=3000", "--processes=2")
    result = ioprof_run.run("diff", "--json", before, after)
    assert result.returncode == 0 and result.stderr == ""
    service, = json.loads(result.stdout)["services"]
    cpu = service["figures"]["per_request.cpu_s"]
    # It computes until its clock says so, which is a little later.
    assert cpu["change"] == "beyond" and cpu["ci99"][0] < 1.03e-3 < cpu["ci99"][1] * 1.3
    assert cpu["after"] / cpu["before"] == pytest.approx(2, rel=0.25)
    assert service["figures"]["blocking.ratio"]["change"] == "beyond"
    for name in ("per_request.operations", "per_request.wait_s.sleep"):
        figure = service["figures"][name]
        assert figure["change"] != "beyond" or abs(figure["difference"]) < 0.1 * figure["before"]
    text = ioprof_run.run("diff", before, after)
    line, = (line for line in text.stdout.splitlines() if line.startswith("  CPU within requests"))
    assert "*" in line


def test_diff_with_itself(before):
    figures = json.loads(ioprof_run.run("diff", "--json", before, before).stdout)["services"][0]["figures"]
    assert all(figure["difference"] in (0, None) and figure["change"] != "beyond" for figure in figures.values())


def test_migration(tmp_path):
    """From blocking workers to an event loop: CPU per request stays, and the capacity rises as predicted."""
    paths = []
    with Downstream() as db:
        for name, knobs in (("before", ["--processes=4"]), ("after", ["--model=loop", "--processes=2"])):
            paths.append(tmp_path / name)
            with Service(f"--call={db.address},3,5000", "--cpu=2000", "--close", *knobs) as service:
                with record(service, paths[-1], "-i", 0.2) as prof:
                    service.load(requests=700, connections=8, close=True)
                    assert end(prof) == 0, prof.errors()
    service, = json.loads(ioprof_run.run("diff", "--json", *paths).stdout)["services"]
    assert service["after"]["concurrency_model"] == "event-loop"
    kappa, gain = service["delivery"]["kappa"], service["delivery"]["async_over_now"]
    assert kappa["found"]["estimate"] == pytest.approx(1, abs=0.15)
    assert service["delivery"]["why_unknown"] is None
    # Four workers of 17 ms each, or two processors for 2 ms: about 4.2 times; unless others use the processors, too.
    assert gain["found"]["lo"] < 4.2 < gain["found"]["hi"] * 1.3
    assert gain["outcome"] in ("as-predicted", "more")
    text = ioprof_run.run("diff", *paths).stdout
    assert "CPU per request, after / before: predicted" in " ".join(text.split())
    # Nothing was migrated.
    service, = json.loads(ioprof_run.run("diff", "--json", paths[0], paths[0]).stdout)["services"]
    assert "no migration" in service["delivery"]["why_unknown"]


def test_diff_of_strangers(tmp_path, before):
    """Services that have nothing in common are not compared."""
    documents = members(before)
    other = tmp_path / "other"
    for doc in documents:
        twin = {**doc["services"][0], "name": "twin"}
        doc["services"] = [{**doc["services"][0], "name": "stranger"}, twin]
    other.write_text("".join(json.dumps(doc) + "\n" for doc in documents))
    result = ioprof_run.run("diff", before, other)
    assert result.returncode == 1 and "no service in common" in result.stderr
    shutil.copy(before, tmp_path / "same")
    assert ioprof_run.run("diff", before, tmp_path / "same").returncode == 0


# ---- top ----

class Terminal:
    """ioprof top in a terminal of 100 x 30."""

    def __init__(self, *args):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.process = subprocess.Popen([ioprof_run.binary(), "top", *map(str, args)], stdin=slave, stdout=slave,
                                        stderr=subprocess.PIPE, env={**os.environ, "TERM": "xterm"}, text=True,
                                        start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        os.set_blocking(self.master, False)
        self.text = ""

    def shows(self, words):
        try:
            self.text += os.read(self.master, 1 << 16).decode(errors="replace")
        except BlockingIOError:
            pass
        return words in self.text

    def wait(self, words):
        ioprof_run.wait_until(lambda: self.shows(words), what=f"{words!r} on the screen")

    def press(self, keys):
        self.text = ""
        os.write(self.master, keys.encode())

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        os.close(self.master)


def test_top(before):
    """The recording on the screen, to its end, back, and out."""
    with Terminal(before) as terminal:
        terminal.wait("service")
        for _ in range(len(members(before)) // 10 + 1):
            terminal.press("]")
        terminal.wait("ended")
        terminal.press("[")
        terminal.wait("last")
        terminal.press("q")
        assert terminal.process.wait(20) == 0
        assert terminal.process.stderr.read() == ""


def test_top_where_it_cannot(tmp_path, before):
    result = ioprof_run.run("top", before)
    assert result.returncode == 2 and "needs a terminal" in result.stderr
    foreign = tmp_path / "foreign"
    foreign.write_text("hello\n")
    with Terminal(foreign) as terminal:
        assert terminal.process.wait(20) == 1
        assert "it is no JSON" in terminal.process.stderr.read()
