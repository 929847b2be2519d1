#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every header compiles alone: it includes what it needs. BPF programs start with vmlinux.h, so theirs may need that.
# Those of bpf/ that user space includes too compile on both sides.
set -eu
cc=${CC:-cc}

user() { # HEADER
	printf '#include "%s"\n' "$PWD/$1" | "$cc" -std=gnu11 -D_GNU_SOURCE= -Wall -Wextra -Werror \
		-I user -I bpf -I tui -I "$(dirname "$1")" -fsyntax-only -x c -
}

bpf() { # HEADER
	printf '#include "vmlinux.h"\n#include "%s"\n' "$PWD/$1" | clang -g -O2 -target bpf -mcpu=v3 \
		-D__TARGET_ARCH_x86 -Wall -Wextra -Werror -Wno-unused-function -Wno-unused-parameter \
		-I vmlinux -I bpf -fsyntax-only -x c -
}

find bpf user tui tests -name '*.h' | {
	failed=0
	while read -r header; do
		case $header in
		*.bpf.h) bpf "$header" ;;
		bpf/*) bpf "$header" && user "$header" ;;
		*) user "$header" ;;
		esac || {
			echo "$header: does not compile alone" >&2
			failed=1
		}
	done
	exit "$failed"
}
