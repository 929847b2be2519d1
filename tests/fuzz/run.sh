#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh PROGRAM NAME [CORPUS...]
#
# Fuzzes for $IOPROF_FUZZ_SECONDS (5), beginning with corpus/NAME, the given folders and what earlier runs found, which
# is kept in ${XDG_CACHE_HOME:-~/.cache}/ioprof-fuzz/NAME. An input that fails is left in the current folder as
# NAME-crash-* or the like; once mended it belongs into corpus/NAME.
set -u
here=$(cd "$(dirname "$0")" && pwd)
program=$1 name=$2
shift 2
kept=${XDG_CACHE_HOME:-$HOME/.cache}/ioprof-fuzz/$name
mkdir -p "$kept"
[[ ! -d $here/corpus/$name ]] || set -- "$here/corpus/$name" "$@"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
UBSAN_OPTIONS=print_stacktrace=1 "$program" -max_total_time="${IOPROF_FUZZ_SECONDS:-5}" -timeout=10 -rss_limit_mb=1024 \
	-max_len=32768 -print_final_stats=1 -verbosity=0 -artifact_prefix="$name-" "$kept" "$@" 2>"$log"
status=$?
grep -a '^stat::number_of_executed_units' "$log"
[[ $status == 0 ]] || grep -a -v '^ioprof: ' "$log" | tail -n 60
exit $status
