# SPDX-License-Identifier: GPL-2.0-or-later
"""Installed: the Debian package, the systemd unit, completion, each as the system's own tools see it."""

import configparser
import os
import re
import subprocess
from pathlib import Path

import pytest
import seccomp

import ioprof_run
from export_run import Export
from service_run import Service

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("IOPROF_BUILD", ROOT / "build/release"))
UNIT = ROOT / "packaging/systemd/ioprof-export.service"
NOBODY = 65534


def output(*command, **popen_args):
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, **popen_args)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


def commands():
    """The commands main.c knows."""
    return set(re.findall(r'\{"([a-z]+)", \w+_run\}', (ROOT / "user/app/main.c").read_text()))


def long_options(*command):
    return set(re.findall(r"^ {2,6}(?:-\w, )?(--[a-z][a-z0-9-]*)", output(ioprof_run.binary(), *command, "--help"), re.M))


# ---- files ----

def test_installed_files(tmp_path):
    output("cmake", "--install", BUILD, "--prefix", tmp_path)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found >= {
        "bin/ioprof", "lib/systemd/system/ioprof-export.service", "share/bash-completion/completions/ioprof",
        "share/zsh/vendor-completions/_ioprof", "share/ioprof/prometheus/ioprof.rules.yml",
        "share/ioprof/grafana/ioprof.json", "share/doc/ioprof/monitoring.md", "share/doc/ioprof/copyright",
    }
    pages = {path.name for path in (tmp_path / "share/man").rglob("*.[18]")}
    assert pages == {path.name for path in (ROOT / "docs/man").iterdir()}
    assert output(tmp_path / "bin/ioprof", "--version").startswith("ioprof ")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    out = tmp_path_factory.mktemp("package")
    output("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", out)
    (found,) = out.glob("*.deb")
    return found


def test_package_installs_runs_and_goes(package, tmp_path):
    """By apt, which checks what it depends on, and leaves nothing when it is purged."""
    assert subprocess.run(["dpkg", "-s", "ioprof"], capture_output=True).returncode != 0, "ioprof is installed here"
    apt = ["apt-get", "-y", "-q", "-o", "DPkg::Lock::Timeout=120"]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    output(*apt, "install", "--no-install-recommends", package, env=env)
    try:
        files = [Path(line) for line in output("dpkg", "-L", "ioprof").splitlines()]
        output("dpkg", "--verify", "ioprof")
        with Service("--processes=1") as service:
            run = subprocess.run(["/usr/bin/ioprof", "-p", str(service.pid), "-d", "0.3", "--json"], capture_output=True)
            assert (run.returncode, run.stderr) == (0, b"")
        output("systemd-analyze", "verify", "--man=no", "ioprof-export.service")
        options = Path("/etc/default/ioprof-export")
        options.write_text("IOPROF_OPTIONS=--listen=127.0.0.1:9978\n")
    finally:
        output(*apt, "purge", "ioprof", env=env)
    assert [path for path in files if path.is_file()] == []
    assert not Path("/usr/share/ioprof").exists() and not Path("/usr/share/doc/ioprof").exists()
    assert not options.exists()
    assert subprocess.run(["dpkg", "-s", "ioprof"], capture_output=True).returncode != 0


def test_package_is_sound(package):
    fields = output("dpkg-deb", "-f", package)
    for name in ("libbpf1", "libelf1", "libjansson4", "libmicrohttpd12", "libcurl3-gnutls", "libc6"):
        assert re.search(rf"^Depends: .*\b{name}\b", fields, re.M)
    listing = output("dpkg-deb", "-c", package)
    assert not [line for line in listing.splitlines() if " root/root " not in line]


# ---- the unit ----

def unit():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(UNIT.read_text())
    return parser["Service"]


def test_systemd_rates_the_unit():
    """What it leaves open, 0 to 10; that systemd takes it is tested where it is installed."""
    output("systemd-analyze", "security", "--offline=true", "--threshold=25", UNIT)


def system_calls(spec):
    """The names of SystemCallFilter=, sets expanded by systemd's own lists."""
    names = set()
    for word in spec.split():
        if word.startswith("@"):
            lines = output("systemd-analyze", "syscall-filter", word).splitlines()[1:]
            names |= system_calls(" ".join(line.strip() for line in lines if not line.strip().startswith("#")))
        else:
            names.add(word)
    return names


def restrict(allowed):
    """Lets this process and what it executes make only these system calls."""
    rules = seccomp.SyscallFilter(seccomp.ERRNO(1))
    for name in allowed:
        try:
            rules.add_rule(seccomp.ALLOW, name)
        except (RuntimeError, ValueError):
            pass  # of another architecture
    rules.load()


def test_unit_gives_what_it_takes():
    """The command of the unit, as the unit runs it: an ordinary user, these capabilities, these system calls."""
    section = unit()
    capabilities = section["CapabilityBoundingSet"].lower().replace("cap_", "").split()
    assert section["AmbientCapabilities"] == section["CapabilityBoundingSet"]
    allowed = system_calls(section["SystemCallFilter"]) | {"execve"}
    names = ",".join(f"+{name}" for name in capabilities)
    command = section["ExecStart"]
    assert command.startswith("ioprof export ")
    with Service("--processes=2") as service:
        options = f"--port={service.address.rsplit(':', 1)[1]} --listen=127.0.0.1:0 -i 0.2"
        argv = [ioprof_run.binary(), *command.replace("$IOPROF_OPTIONS", options).split()[1:]]
        prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", f"--bounding-set=-all,{names}",
                  f"--inh-caps=-all,{names}", f"--ambient-caps=-all,{names}", "--no-new-privs"]
        with ExportAs([*prefix, *argv], env={**os.environ, "HOME": "/"},
                      preexec_fn=lambda: restrict(allowed | {"setgroups", "setresuid", "setresgid"})) as export:
            service.load(requests=50)
            export.wait_requests(50)
            export.end_export()
            assert export.errors().count("\n") == 1, export.errors()


class ExportAs(Export):
    """An exporter started by another command line."""

    def __init__(self, command, **popen_args):
        self.command = command
        super().__init__(serve=True, **popen_args)

    def argv(self, args):
        return self.command


# ---- completion ----

def complete_bash(*words):
    """What bash offers for the last word."""
    script = f"""
        set +u; source /usr/share/bash-completion/bash_completion; source {ROOT}/packaging/completions/ioprof.bash
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${{#COMP_LINE}}
        _ioprof "$1" "${{!#}}" "${{@: -2:1}}" 2>/dev/null; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return set(output("bash", "-c", script, "bash", ioprof_run.binary(), *words).split())


def complete_zsh(*words):
    """What zsh's function adds; only compadd and _call_program are not zsh's own."""
    script = f"""
        compadd() {{ print -rl -- "${{@[2,-1]}}" }}; _call_program() {{ shift; eval "$@" }}; _files() {{ }}; _pids() {{ }}
        words=("$@"); CURRENT=$#; complete_it() {{ {(ROOT / 'packaging/completions/_ioprof').read_text()}
        }}; complete_it
    """
    return set(output("zsh", "-f", "-c", script, "zsh", ioprof_run.binary(), *words).split())


@pytest.mark.parametrize("complete", [complete_bash, complete_zsh])
def test_completion_offers_what_there_is(complete):
    assert complete("") >= commands()
    assert {word.rstrip("=") for word in complete("--")} == long_options()
    for command in commands():
        assert {word.rstrip("=") for word in complete(command, "--")} == long_options(command)
