#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# boot.sh KERNEL BUSYBOX FILE... -- COMMAND
#
# Runs COMMAND (for sh) in an arm64 guest that has nothing but busybox and these files, in its root folder. Its output
# goes to standard output, the kernel's console to standard error if the guest does not end by itself within
# $VM_TIMEOUT (120) seconds. The exit status is COMMAND's.
set -euo pipefail
kernel=$1 busybox=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/root/{bin,dev,proc,sys,tmp}
cp "$busybox" "$work/root/bin/busybox"
while [[ $1 != -- ]]; do
	cp "$1" "$work/root/"
	shift
done
shift
cat >"$work/root/init" <<-END
	#!/bin/busybox sh
	export PATH=/bin
	/bin/busybox --install /bin
	mount -t proc proc /proc
	mount -t sysfs sys /sys
	mount -t devtmpfs dev /dev
	ip link set lo up
	cd /
	{ $*; } >/tmp/out 2>&1
	status=\$?
	echo BEGIN-OUTPUT
	cat /tmp/out
	echo END-OUTPUT \$status
	poweroff -f
END
chmod +x "$work/root/init"
(cd "$work/root" && find . | cpio --quiet -o -H newc) >"$work/initrd"
timeout "${VM_TIMEOUT:-120}" qemu-system-aarch64 -accel tcg,thread=single -M virt -cpu max,pauth-impdef=on -smp 2 -m 1024 \
	-nodefaults -no-user-config -display none -no-reboot -serial "file:$work/console" \
	-kernel "$kernel" -initrd "$work/initrd" -append "console=ttyAMA0 quiet loglevel=4 panic=-1 oops=panic" </dev/null >&2 || true
tr -d '\r' <"$work/console" >"$work/text"
status=$(sed -n 's/^END-OUTPUT //p' "$work/text")
if [[ -z $status ]]; then
	tail -n 40 "$work/text" >&2
	echo "boot.sh: the guest ended without a status" >&2
	exit 125
fi
sed -n '/^BEGIN-OUTPUT$/,/^END-OUTPUT/p' "$work/text" | sed '1d;$d'
exit "$status"
