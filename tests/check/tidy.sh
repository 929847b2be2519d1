#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# clang-tidy finds nothing: in what the build compiled (its compile_commands.json), and in the BPF programs.
set -eu
build=${IOPROF_BUILD:-build/release}
jobs=$(nproc)
failed=0

# run-clang-tidy asks the environment for a Python; Debian's is the one that has what it needs.
found=$(/usr/bin/python3 "$(command -v run-clang-tidy)" -quiet -j "$jobs" -p "$build" \
	"$PWD/(user|tui|tests)/" 2>/dev/null) || {
	printf '%s\n' "$found" | sed -e '/^clang-tidy/d' -e 's/\x1b\[[0-9;]*m//g'
	failed=1
}

# In BPF programs arguments are there for the hook's sake.
find bpf -name '*.bpf.c' -print0 | xargs -0 -r -n 1 -P "$jobs" clang-tidy --quiet \
	--checks=-misc-unused-parameters,-readability-non-const-parameter \
	--extra-arg=-g --extra-arg=-O2 --extra-arg=--target=bpf --extra-arg=-mcpu=v3 --extra-arg=-D__TARGET_ARCH_x86 \
	--extra-arg=-Ivmlinux --extra-arg=-Ibpf 2>/dev/null || failed=1
exit "$failed"
