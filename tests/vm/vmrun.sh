#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# vmrun.sh SUITE COMMAND [ARG...]     e.g. vmrun.sh bookworm uname -r
#
# Runs COMMAND as root under the kernel of that Debian suite (kernel.sh), in a QEMU guest whose root file system is
# this machine's own: read-only underneath, an overlay in memory on top. An empty ext4 disk is at /var/tmp. The
# working directory stays; output, error output and exit status are passed through.
#
#   VM_TIMEOUT=300  seconds for everything      VM_APPEND=  more kernel parameters
#   VM_MEMORY=1024  MiB                         VM_ENV=     names of environment variables to pass on
#   VM_CPUS=2                                   VM_CPU=     the processor, as QEMU names it
#   VM_SYSTEMD=     not empty: systemd is process 1, and COMMAND a service of its
#
# Exit status: COMMAND's; 124 timed out; 125 the guest ended without one; 126 something is missing here.
# The last two and 124 show the console's tail.
#
# Nothing outlives a run, however it ends. The inner half of this script is process 1 of its own PID and mount
# namespaces, and keeps all its files on a tmpfs mounted there: once it is gone, the kernel removes QEMU, virtiofsd,
# mounts and files. setpriv and --kill-child pass the death of the outer half on, SIGKILL included.
set -u

here=$(cd "$(dirname "$0")" && pwd)
die() { echo "vmrun.sh: $*" >&2; exit 126; }

if [ -z "${VMRUN_INNER-}" ]; then
	[ $# -ge 2 ] || die "usage: vmrun.sh SUITE COMMAND [ARG...]"
	[ "$(id -u)" = 0 ] || die "needs root: it makes namespaces and mounts"
	kernel=$("$here/kernel.sh" "$1") || exit 126
	shift
	VMRUN_INNER=1 setpriv --pdeathsig KILL \
		unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$BASH" "$0" "$kernel" "$@" &
	trap 'kill -KILL $! 2>/dev/null' EXIT
	trap 'exit 130' INT TERM HUP
	wait $!
	exit
fi
unset VMRUN_INNER

# From here on: inside the namespaces.
elapsed_ms() { echo $(($(date +%s%3N) - begin_ms)); }
begin_ms=$(date +%s%3N)
kernel=$1
shift
release=$(cat "$kernel/release") || exit 126
[ "$(uname -m)" = x86_64 ] || die "the guests are x86_64, this machine is not"
virtiofsd=/usr/lib/qemu/virtiofsd
for program in qemu-system-x86_64 busybox cpio mkfs.ext4 xz "$virtiofsd"; do
	command -v "$program" >/dev/null || die "no $program: apt-get install qemu-system-x86" \
		"qemu-system-common busybox-static cpio e2fsprogs xz-utils"
done

work=${XDG_CACHE_HOME:-$HOME/.cache}/ioprof-kernels/run # an empty folder, to all others
{ mkdir -p "$work" && mount -t tmpfs -o mode=700 vmrun "$work" && cd "$work"; } || die "cannot mount a tmpfs at $work"
mkdir root out initramfs initramfs/{bin,vm,vm/modules}


# bind MOUNTED: shows that mount of the host, without those below it, to the guest through root/. Read-only.
bind() {
	{ mount --bind "$1" "root$1" && mount -o remount,bind,ro "root$1"; } || die "cannot bind $1"
}

# share PATH: lets the guest see PATH, on whichever of the host's mounts it lies.
share() {
	local mounted='' part
	while IFS= read -r -d / part; do
		mounted=$mounted/$part
		if mountpoint -q "$mounted" && ! mountpoint -q "root$mounted"; then
			bind "$mounted"
		fi
	done <<<"$(realpath "$1" | cut -c 2-)/"
}
bind /
for path in /usr /etc /var "$OLDPWD" "$here" "${IOPROF:-/}" "${IOPROF_TESTBIN:-/}"; do
	share "$path"
done

# Modules on the way to the root, in the order of their dependencies. What is built in is simply not there.
n=10
for name in virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci fuse virtiofs overlay virtio_blk; do
	file=$(find "$kernel/modules/kernel" -name "$name.ko*" -print -quit)
	case $file in
	*.ko) cp "$file" "initramfs/vm/modules/$n-$name.ko" ;;
	*.xz) xz -dc "$file" >"initramfs/vm/modules/$n-$name.ko" ;;
	?*) die "$file: unknown compression" ;;
	esac
	n=$((n + 1))
done

{
	printf 'cd %q || exit 125\n' "$OLDPWD"
	echo 'export PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8'
	for name in HOME TERM ${VM_ENV-}; do
		[ -n "${!name+set}" ] && printf 'export %s=%q\n' "$name" "${!name}"
	done
	printf 'exec'
	printf ' %q' "$@"
	echo
} >initramfs/vm/command
cp "$here/guest-init.sh" initramfs/init
cp "$(command -v busybox)" initramfs/bin/busybox
[ -z "${VM_SYSTEMD-}" ] || cp "$here/command.service" initramfs/vm/systemd
chmod +x initramfs/init
(cd initramfs && find . | cpio --quiet -o -H newc) >initrd || die "cannot make the initramfs"
truncate -s 256M disk
mkfs.ext4 -q -E lazy_itable_init=1,lazy_journal_init=1 disk || die "cannot make the disk"

touch out/stdout out/stderr
# virtiofsd keeps a pid file per path of a socket, and the paths are the same in all runs.
{ mkdir -p /run/virtiofsd && mount -t tmpfs vmrun /run/virtiofsd; } || die "cannot mount a tmpfs at /run/virtiofsd"
# serve NAME CACHE: the folder NAME as the virtiofs NAME.
serve() {
	"$virtiofsd" -f --socket-path="$1.sock" --thread-pool-size=2 \
		-o "source=$work/$1,cache=$2,xattr,sandbox=chroot,log_level=err" >"$1.log" 2>&1 &
}
serve root always
serve out none
for socket in root.sock out.sock; do
	until [ -S $socket ]; do
		[ "$(elapsed_ms)" -lt 10000 ] || { cat ./*.log >&2; die "virtiofsd does not start"; }
		sleep 0.02
	done
done

# One thread for all CPUs of the guest: emulates faster. And no cmpxchg16b, after which QEMU 7.2 leaves what it should not in
# the flags, so that kernels that do without it are given none. Those from 7.0 on allocate BPF storage with it, and seldom.
cpu=max,-cx16
[[ ! $release =~ ^([7-9]|[1-9][0-9])\. ]] || cpu=max
memory=${VM_MEMORY:-1024}M
parameters="console=ttyS0 quiet loglevel=4 panic=-1 oops=panic random.trust_cpu=on mitigations=off"
parameters="$parameters tsc=reliable no_timer_check ${VM_APPEND-}"
virtiofs() {
	echo "-chardev socket,id=$1,path=$1.sock"
	echo "-device vhost-user-fs-pci,queue-size=1024,chardev=$1,tag=$1"
}
# shellcheck disable=SC2046 # words, on purpose
qemu-system-x86_64 -accel tcg,thread=single -cpu "${VM_CPU:-$cpu}" \
	-smp "${VM_CPUS:-2}" -m "$memory" \
	-object "memory-backend-memfd,id=memory,size=$memory,share=on" -numa node,memdev=memory \
	-nodefaults -no-user-config -display none -no-reboot -serial file:console \
	$(virtiofs root) $(virtiofs out) \
	-drive file=disk,format=raw,if=none,id=disk,aio=threads -device virtio-blk-pci,drive=disk \
	-kernel "$kernel/vmlinuz" -initrd initrd -append "$parameters" \
	</dev/null >qemu.log 2>&1 &
guest=$!
tail -n +1 -s 0.2 -f --pid=$guest out/stdout &
tails=($!)
tail -n +1 -s 0.2 -f --pid=$guest out/stderr >&2 &
tails+=($!)

started_ms=0 timed_out=
while kill -0 $guest 2>/dev/null; do
	[ -e out/started ] && [ "$started_ms" = 0 ] && started_ms=$(elapsed_ms)
	[ "$(elapsed_ms)" -lt $((${VM_TIMEOUT:-300} * 1000)) ] || { timed_out=1; kill $guest; }
	sleep 0.1
done
wait "${tails[@]}"

total_ms=$(elapsed_ms)
echo "vmrun.sh: Linux $release: boot $started_ms ms, command $((total_ms - started_ms)) ms" >&2
[ -z "$timed_out" ] && [ -s out/status ] && exit "$(cat out/status)"
{
	[ -e out/started ] || cat ./*.log
	tail -n 40 console
} >&2
[ -z "$timed_out" ] || { echo "vmrun.sh: timed out after ${VM_TIMEOUT:-300} s" >&2; exit 124; }
echo "vmrun.sh: the guest ended without a status" >&2
exit 125
