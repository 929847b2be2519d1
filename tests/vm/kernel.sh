#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# kernel.sh SUITE [ARCHITECTURE [PACKAGE...]]     e.g. kernel.sh bookworm
#
# Prints the folder of that Debian suite's newest cloud kernel: vmlinuz, modules/ and release (its name); and root/, what
# those packages hold. It is downloaded once, with the archive and the keys this machine already trusts, and kept under
# ${XDG_CACHE_HOME:-~/.cache}/ioprof-kernels; remove the folder to get a newer one. Nothing is installed.
set -euo pipefail

die() { echo "kernel.sh: $*" >&2; exit 1; }

[ $# -ge 1 ] || die "usage: kernel.sh SUITE [ARCHITECTURE [PACKAGE...]]"
suite=$1 arch=${2:-amd64}
more=("${@:3}")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ioprof-kernels
name=$suite
[ "$arch" = amd64 ] || name=$suite-$arch
ready=$cache/$name
part=$cache/$name.part

mkdir -p "$cache"
exec 9>"$cache/$name.lock"
flock 9
if [ -d "$ready" ]; then
	echo "$ready"
	exit
fi

# What an interrupted run left goes first; what this one leaves, at its end.
rm -rf "$part"
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$part"/apt/{lists,cache/archives}/partial "$part"/{debs,unpacked}
: >"$part/apt/status"

# archive [OPTION...]: the address of the Debian archive that this machine uses.
archive() {
	# shellcheck disable=SC2016 # $(...) is apt's own format
	apt-get indextargets "$@" --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' |
		sed -n 's/ Debian$//p' | sort -u | head -n 1
}
lists=(-o Dir::State::Lists="$part/apt/lists" -o APT::Sandbox::User=root)
archive=$(archive)
# Images often come without apt's lists, which tell one archive from another.
[ -n "$archive" ] || archive=$(apt-get -qq "${lists[@]}" update >&2 && archive "${lists[@]}")
[ -n "$archive" ] || die "no Debian archive in apt's sources"
echo "deb [arch=$arch signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $suite main" \
	>"$part/apt/sources.list"

# apt TOOL ARG...: apt of this suite, without a trace in the machine's own.
apt() {
	local tool=$1
	shift
	"$tool" -q "${lists[@]}" -o Dir::State::status="$part/apt/status" \
		-o Dir::Etc::sourcelist="$part/apt/sources.list" -o Dir::Etc::sourceparts=- \
		-o Dir::Cache="$part/apt/cache" -o APT::Architecture="$arch" -o APT::Architectures::="$arch" "$@"
}

# depends PACKAGE: the names it depends on, one a line.
depends() {
	apt apt-cache show --no-all-versions "$1" | sed -n 's/^Depends: //p' | sed 's/[,|] */\n/g' | awk '{ print $1 }'
}

apt apt-get update >"$part/apt/log" 2>&1 || { cat "$part/apt/log" >&2; die "cannot read $suite of $archive"; }
image=$(depends "linux-image-cloud-$arch" | grep -E '^linux-image-[0-9]' | head -n 1) ||
	die "$suite has no linux-image-cloud-$arch"
release=${image#linux-image-}
# Newer images are split into packages that carry the release in their names.
mapfile -t packages < <(depends "$image" | grep -Fx -e "linux-binary-$release" -e "linux-modules-$release")
echo "kernel.sh: fetching $release of $suite" >&2
(cd "$part/debs" && apt apt-get download "$image" "${packages[@]}" "${more[@]}" >"$part/apt/log" 2>&1) ||
	{ cat "$part/apt/log" >&2; die "cannot download $image"; }
for deb in "$part"/debs/*.deb; do
	dpkg -x "$deb" "$part/unpacked"
done

first() { local f; for f in "$@"; do [ -e "$f" ] && echo "$f" && return; done; return 1; }
modules=$(first "$part/unpacked"/{usr/lib,lib}/modules/"$release") || die "no modules in $image"
vmlinuz=$(first "$part/unpacked/boot/vmlinuz-$release" "$modules/vmlinuz") || die "no vmlinuz in $image"
mkdir "$part/ready"
mv "$vmlinuz" "$part/ready/vmlinuz"
mv "$modules" "$part/ready/modules"
echo "$release" >"$part/ready/release"
mv "$part/unpacked" "$part/ready/root"
mv "$part/ready" "$ready"
echo "$ready"
