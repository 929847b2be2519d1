#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
#
# Process 1 of the guest that vmrun.sh starts. First in the initramfs, until the host's files are the root under a
# writable overlay; then there, with "run" as its argument: runs /run/vm/command and switches the machine off. With a
# file /vm/systemd, systemd becomes process 1 there, and this script, with "command", its only service.
bb=/bin/busybox
[ "${1-}" ] && bb=/run/vm/busybox

give_up() {
	echo "guest-init: $*" >/dev/console
	$bb poweroff -f
}

enter_root() {
	$bb mkdir -p /proc /sys /dev /host /rw /new
	$bb mount -t devtmpfs dev /dev
	$bb mount -t proc proc /proc
	for module in /vm/modules/*; do # numbered in the order of their dependencies
		$bb insmod "$module" || give_up "cannot load $module"
	done
	$bb mount -t virtiofs -o ro root /host || give_up "cannot mount the host's root"
	$bb mount -t tmpfs -o size=75% rw /rw
	$bb mkdir /rw/upper /rw/work
	$bb mount -t overlay -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work overlay /new ||
		give_up "cannot mount the overlay"
	$bb mount --move /dev /new/dev
	$bb mount --move /proc /new/proc
	$bb mount -t tmpfs run /new/run
	$bb mkdir /new/run/vm /new/run/out
	$bb cp $bb /init /vm/command /new/run/vm/
	[ ! -e /vm/systemd ] || $bb cp /vm/systemd /new/run/vm/
	exec $bb switch_root /new /run/vm/busybox sh /run/vm/init run
}

set_up() {
	$bb mkdir -p /dev/pts /dev/shm
	$bb mount -t devpts -o gid=5,mode=620 pts /dev/pts
	$bb mount -t tmpfs shm /dev/shm
	$bb ln -sf /proc/self/fd /dev/fd
	$bb ln -sf /proc/self/fd/0 /dev/stdin
	$bb ln -sf /proc/self/fd/1 /dev/stdout
	$bb ln -sf /proc/self/fd/2 /dev/stderr
	$bb mount -t sysfs sys /sys
	$bb mount -t cgroup2 cgroup /sys/fs/cgroup
	$bb mount -t bpf bpf /sys/fs/bpf
	$bb mount -t tracefs tracefs /sys/kernel/tracing
	$bb mount -t debugfs debugfs /sys/kernel/debug
	$bb mount -t securityfs securityfs /sys/kernel/security
	$bb mount -t virtiofs out /run/out || give_up "cannot mount the way out"
	$bb mount -t ext4 /dev/vda /var/tmp || give_up "cannot mount the disk"
	$bb ip link set lo up
	$bb hostname guest
	for controller in $($bb cat /sys/fs/cgroup/cgroup.controllers); do
		echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
	done
}

# Beside the command only what every system has: none of the services that are enabled on the host. Nor is /tmp
# emptied: the command may lie there.
become_systemd() {
	$bb rm -rf /etc/systemd/system/*.wants
	# Without one it is the machine's first boot, which asks questions.
	$bb tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
	$bb mkdir -p /run/systemd/system /run/tmpfiles.d
	$bb ln -s /dev/null /run/tmpfiles.d/tmp.conf
	$bb cp /run/vm/systemd /run/systemd/system/command.service
	exec /lib/systemd/systemd --unit=command.service
}

run_command() {
	: >/run/out/started
	$bb setsid /bin/bash /run/vm/command </dev/null >/run/out/stdout 2>/run/out/stderr
	echo $? >/run/out/status
	$bb sync
	$bb poweroff -f
}

case ${1-} in
'') enter_root ;;
run)
	set_up
	[ ! -e /run/vm/systemd ] || become_systemd
	run_command
	;;
command) run_command ;;
esac
