# SPDX-License-Identifier: GPL-2.0-or-later
"""Control groups for tests, in whichever version this machine has mounted.

    with Group("cpu") as group:             # a new group with that controller
        group.limit_cpus(0.5)
        group.add(pid)
"""

import os
from pathlib import Path

import ioprof_run

SERIAL = iter(range(1000))


def mount_of(controller):
    """Where the controller's hierarchy is mounted, and whether that is version 2; controller None: version 2 itself."""
    unified = None
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        at = Path(before.split()[4])
        if kind == "cgroup" and controller in options.split(","):
            return at, False
        if kind == "cgroup2":
            unified = at
    assert unified, f"no control groups with {controller or 'version 2'} are mounted"
    return unified, True


class Group:
    """A control group that is removed, its processes moved to the root, when the with block ends."""

    def __init__(self, controller=None, name=None):
        mount, self.unified = mount_of(controller)
        if controller and self.unified:
            (mount / "cgroup.subtree_control").write_text(f"+{controller}")
        self.mount = mount
        self.path = mount / (name or f"ioprof-test-{os.getpid()}-{next(SERIAL)}")

    def __enter__(self):
        self.made = [path for path in (self.path, *self.path.parents) if not path.exists()]
        self.path.mkdir(parents=True)
        return self

    def __exit__(self, *exc):
        def emptied():
            for pid in self.pids():
                try:
                    (self.mount / "cgroup.procs").write_text(str(pid))
                except ProcessLookupError:
                    pass
            return not self.pids()

        ioprof_run.wait_until(emptied, what="an empty control group")
        for path in self.made:
            path.rmdir()

    def pids(self):
        return [int(pid) for pid in (self.path / "cgroup.procs").read_text().split()]

    def add(self, pid):
        (self.path / "cgroup.procs").write_text(str(pid))

    def limit_cpus(self, cpus):
        if self.unified:
            (self.path / "cpu.max").write_text(f"{int(cpus * 100000)} 100000")
        else:
            (self.path / "cpu.cfs_quota_us").write_text(str(int(cpus * 100000)))

    def limit_memory(self, size):
        (self.path / ("memory.max" if self.unified else "memory.limit_in_bytes")).write_text(str(size))
