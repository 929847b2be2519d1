# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules of docs/architecture.md and CONTRIBUTING.md that a machine can hold. Each failure names file and line."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("IOPROF_BUILD", ROOT / "build" / "release"))

# Who may include whom. A layer may always include itself.
LAYERS = {
    "base": set(),
    "target": {"base"},
    "model": {"base"},
    "probe": {"base", "target", "model"},
    "advise": {"base", "model"},
    "report": {"base", "model", "advise"},
    "record": {"base", "model", "report"},
    "tui": {"base", "model", "advise", "report"},
    "app": {"base", "target", "model", "probe", "advise", "report", "record", "tui"},
}

# Each outside thing has one door: what must not appear, and the files where it may.
DOORS = [
    (r'#include\s*[<"](bpf/|linux/bpf|ioprof\.skel\.h|abi\.h)', r"user/probe/"),
    (r"#include\s*<n?curses", r"tui/term\.c"),
    (r"#include\s*<jansson", r"user/report/"),
    (r"#include\s*<zlib", r"user/record/"),
    (r"#include\s*<microhttpd", r"user/app/serve\.c"),
    (r"#include\s*<curl", r"user/app/push\.c"),
    (r'"/proc[/"]|"/sys/fs/cgroup', r"user/target/"),
]

# What model and advise, being pure, have no use for.
IMPURE = (
    r"#include\s*<(unistd|fcntl|time|dirent|signal|sys/(stat|time|random|socket|mman))\.h>"
    r"|\b(fopen|f?printf|puts|getenv|rand|random|time|clock_gettime|gettimeofday)\("
)


def files(*suffixes, under="."):
    """Every file of ours with one of these suffixes, as a path relative to the root."""
    for directory, folders, names in os.walk(ROOT / under):
        folders[:] = sorted(d for d in folders if d not in {".git", "build", "__pycache__", ".pytest_cache"})
        for name in sorted(names):
            if name.endswith(suffixes):
                yield (Path(directory) / name).relative_to(ROOT)


def code_lines(path):
    """The lines of a C file with comments blanked out, numbered from 1."""
    text = (ROOT / path).read_text()
    blank = lambda match: re.sub(r"[^\n]", " ", match.group()) if match.group().startswith("/") else match.group()
    text = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)
    return enumerate(text.splitlines(), 1)


def offences(paths, pattern):
    """file:line: text of every line of code that matches."""
    return [f"{path}:{n}: {line.strip()}" for path in paths for n, line in code_lines(path) if re.search(pattern, line)]


def report(found):
    assert not found, "\n" + "\n".join(found)


def layer_of(path):
    """The layer a file of user/ or tui/ belongs to."""
    return path.parts[1] if path.parts[0] == "user" else "tui"


def sources():
    """The C files of the command itself."""
    yield from files(".c", ".h", under="user")
    yield from files(".c", ".h", under="tui")


def test_layers_include_only_layers_below():
    found = []
    for path in sources():
        for n, line in code_lines(path):
            match = re.match(r'#include\s*"(?:\.\./)*(\w+)/', line)
            if match and match[1] in LAYERS and match[1] != layer_of(path) and match[1] not in LAYERS[layer_of(path)]:
                found.append(f"{path}:{n}: {layer_of(path)} must not include {match[1]}")
    report(found)


def test_each_outside_thing_has_one_door():
    report([f for pattern, door in DOORS
            for f in offences([p for p in sources() if not re.match(door, p.as_posix())], pattern)])


def test_model_and_advise_are_pure():
    report(offences([p for p in sources() if layer_of(p) in {"model", "advise"}], IMPURE))


def test_no_goto():
    report(offences([*sources(), *files(".c", ".h", under="bpf"), *files(".c", ".h", under="tests")], r"\bgoto\b"))


def test_no_mutable_globals():
    """Outside app/main.c, base/log.c, and tui/term.c, whose handler of crashes has nothing else. Asked of the objects, where nothing is hidden by a macro."""
    found = []
    for library in sorted([*BUILD.glob("user/*/*.a"), *BUILD.glob("tui/*.a")]):
        member = ""
        for line in subprocess.run(["objdump", "-t", library], capture_output=True, text=True, check=True).stdout.splitlines():
            member = line.split(":")[0] if ": " in line and "file format" in line else member
            if re.search(r" O \.(data|bss)(?!\.rel\.ro)", line) and member not in {"log.c.o", "term.c.o"}:
                found.append(f"{library.relative_to(BUILD)}: {member}: {line.split()[-1]} can be changed")
    report(found)


def test_every_file_names_its_licence():
    found = []
    for path in files(".c", ".h", ".def", ".py", ".sh", ".cmake", "CMakeLists.txt", ".clang-format", ".clang-tidy"):
        head = (ROOT / path).read_text().split("\n")[:2]
        if not any("SPDX-License-Identifier: GPL-2.0-or-later" in line for line in head):
            found.append(f"{path}:1: no SPDX-License-Identifier: GPL-2.0-or-later")
    report(found)


def test_file_names_say_what_is_inside():
    vague = re.compile(r"(^|[_-])(utils?|helpers?|common|misc|logic)([_.-]|$)")
    report([f"{path}: says nothing about its content" for path in files("") if vague.search(path.name)])


def test_open_points_name_an_issue():
    open_point = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))")
    found = []
    for path in files(".c", ".h", ".def", ".sh", ".cmake"):
        for n, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            if open_point.search(line):
                found.append(f"{path}:{n}: {line.strip()}")
    report(found)


def test_vmlinux_stays_small():
    lines = len((ROOT / "vmlinux/vmlinux.h").read_text().splitlines())
    assert lines < 400, f"vmlinux/vmlinux.h has {lines} lines: only what is read belongs there"


def test_links_in_documents_lead_somewhere():
    found = []
    for path in files(".md"):
        for n, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            for target in re.findall(r"\]\(([^)#\s]+)", line):
                if not re.match(r"[a-z]+:", target) and not ((ROOT / path).parent / target).exists():
                    found.append(f"{path}:{n}: {target} does not exist")
    report(found)
