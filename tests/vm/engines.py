# SPDX-License-Identifier: GPL-2.0-or-later
"""Container engines of Debian's, under the systemd of a guest. Each runs one container, with /usr of the guest in a root of
its own:

    with Podman(root) as engine:
        engine.start("/usr/bin/redis-server", ...)
        engine.id, engine.pid
"""

import shutil
import subprocess

import ioprof_run

PATIENCE_S = 60  # emulated, an engine takes its time
NAME = "in-a-box"


def output(*command):
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


class Engine:
    def __init__(self, root):
        self.root = root

    def __enter__(self):
        assert shutil.which(self.command[0]), "scripts/install-deps containers"
        output("systemctl", "start", "dbus")
        return self

    def __exit__(self, *exc):
        self.remove()


class Podman(Engine):
    command = ("podman", "--storage-driver=vfs", "--root=/var/tmp/pods", "--runroot=/run/pods")

    def start(self, *argv):
        output(*self.command, "run", "--detach", "--name", NAME, "--network=host", "--volume=/usr:/usr:ro", "--rootfs",
               self.root, *argv)

    def stop(self):
        output(*self.command, "stop", "--time=0", NAME)

    def start_again(self):
        output(*self.command, "start", NAME)

    def remove(self):
        output(*self.command, "kill", NAME)
        output(*self.command, "rm", "--force", NAME)

    def inspect(self, field):
        return output(*self.command, "inspect", "--format", f"{{{{{field}}}}}", NAME).strip()

    @property
    def id(self):
        return self.inspect(".Id")

    @property
    def pid(self):
        return int(self.inspect(".State.Pid"))


class WithDaemon(Engine):
    """The engine's own daemon, on a socket of the test's, for as long as the container lives."""

    def __enter__(self):
        super().__enter__()
        self.process = subprocess.Popen(self.daemon, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ioprof_run.wait_until(self.is_up, PATIENCE_S, self.daemon[0], 0.2)
        return self

    def __exit__(self, *exc):
        super().__exit__(*exc)
        self.process.terminate()
        assert self.process.wait(PATIENCE_S) == 0

    def is_up(self):
        return subprocess.run([*self.command, "version"], capture_output=True).returncode == 0


class Docker(WithDaemon, Podman):
    """Its daemon starts containerd itself. Without networks of its own: the container has the guest's."""

    socket = "unix:///run/docker-of-the-test.sock"
    command = ("/usr/bin/docker", "--host", socket)  # another may come first in the path
    daemon = ("dockerd", "--host", socket, "--data-root=/var/tmp/docker", "--exec-root=/run/docker-of-the-test",
              "--pidfile=/run/docker-of-the-test.pid", "--storage-driver=vfs", "--bridge=none", "--iptables=false",
              "--ip6tables=false")

    def __enter__(self):
        super().__enter__()
        image = subprocess.Popen(["tar", "-C", self.root, "-c", "."], stdout=subprocess.PIPE)
        subprocess.run([*self.command, "import", "-", "box"], stdin=image.stdout, stdout=subprocess.DEVNULL, check=True)
        assert image.wait() == 0
        return self

    def start(self, *argv):
        output(*self.command, "run", "--detach", "--name", NAME, "--network=host", "--volume=/usr:/usr:ro", "box", *argv)


class Containerd(WithDaemon):
    """As Kubernetes has it do: a scope of systemd's for each container, below the pod's slice."""

    id = "c0ffee" * 10 + "1234"
    socket = "/run/containerd-of-the-test/containerd.sock"
    command = ("ctr", "--address", socket)
    daemon = ("containerd", "--address", socket, "--root=/var/tmp/containerd", "--state=/run/containerd-of-the-test")
    slice = "kubepods-besteffort-pod0123.slice"

    def start(self, *argv):
        output(*self.command, "run", "--detach", "--net-host", "--runc-systemd-cgroup",
               "--cgroup", f"{self.slice}:cri-containerd:{self.id}",
               "--mount", "type=bind,src=/usr,dst=/usr,options=rbind:ro", "--rootfs", self.root, self.id, *argv)

    def remove(self):
        output(*self.command, "task", "kill", "--signal=SIGKILL", self.id)
        ioprof_run.wait_until(lambda: "STOPPED" in self.tasks(), PATIENCE_S, "the container ended", 0.1)
        output(*self.command, "task", "rm", self.id)
        output(*self.command, "container", "rm", self.id)

    def tasks(self):
        return output(*self.command, "task", "ls")

    @property
    def pid(self):
        return next(int(line.split()[1]) for line in self.tasks().splitlines() if line.startswith(self.id))
