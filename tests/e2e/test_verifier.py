# SPDX-License-Identifier: GPL-2.0-or-later
"""How many instructions the kernel's verifier looks at before it takes each program: it gives up at a million.

verifier.budget records them. A program that grows by half, or a new one, has to be recorded on purpose:
tests/e2e/record_verifier.sh."""

import os
import platform
import subprocess
from pathlib import Path

import pytest

import bpf_info
import ioprof_run

BUDGET = Path(__file__).with_name("verifier.budget")
HEADER = "# Instructions the verifier looks at, by kernel, variant and program: written by record_verifier.sh.\n"
GROWTH = 1.5
KERNEL = ".".join(platform.release().split(".")[:2])

VARIANTS = {
    "tracepoint": ["--socket-set", "tracepoint"],
    "fexit": ["--socket-set", "fexit"],
    "syscall": ["--socket-set", "syscall"],
    "syscall-hash": ["--socket-set", "syscall", "--no-task-storage"],
}


def read_budget():
    rows = (line.split() for line in BUDGET.read_text().splitlines() if not line.startswith("#"))
    return {(kernel, variant, name): int(n) for kernel, variant, name, n in rows}


def write_budget(budget):
    rows = (f"{kernel:<5} {variant:<13} {name:<16} {n:>7}\n" for (kernel, variant, name), n in sorted(budget.items()))
    BUDGET.write_text(HEADER + "".join(rows))


def recorded(variant):
    """By program, on this kernel; on one that nothing is recorded of, the most that is recorded of any."""
    budget = read_budget()
    kernels = {KERNEL} & {kernel for kernel, *_ in budget} or {kernel for kernel, *_ in budget}
    most = {}
    for (kernel, of, name), n in budget.items():
        if of == variant and kernel in kernels:
            most[name] = max(n, most.get(name, 0))
    return most


def verified(args):
    """By program. None where this kernel does not take the set."""
    idle = subprocess.Popen(["sleep", "infinity"])
    try:
        with ioprof_run.Ioprof(["-p", idle.pid, *args]) as prof:
            try:
                prof.wait_observing()
            except ioprof_run.IoprofError:
                assert prof.process.returncode == 4, prof.errors()
                return None
            return dict(map(bpf_info.program, prof.program_ids()))
    finally:
        idle.kill()
        idle.wait()


@pytest.mark.vm
@pytest.mark.parametrize("variant", VARIANTS)
def test_budget(variant):
    found = verified(VARIANTS[variant])
    if os.environ.get("IOPROF_BLESS"):
        others = {key: n for key, n in read_budget().items() if key[:2] != (KERNEL, variant)}
        write_budget(others | {(KERNEL, variant, name): n for name, n in (found or {}).items()})
        return
    if found is None:
        assert not any(key[:2] == (KERNEL, variant) for key in read_budget()), "this kernel took it once"
        pytest.skip(f"this kernel does not take the set {variant}")
    assert found and all(found.values()), found
    known = recorded(variant)
    assert not found.keys() - known.keys(), "not recorded: tests/e2e/record_verifier.sh"
    grown = {name: (known[name], n) for name, n in found.items() if n > GROWTH * known[name]}
    assert not grown, f"recorded, found: {grown}; if it has to be: tests/e2e/record_verifier.sh"
