#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh PROGRAM NAME RUNS [CORPUS...]
#
# Fuzzes with RUNS inputs, but no longer than 60 s, beginning with corpus/NAME and the given folders. Seed and addresses are
# the same each time, so that the tests find today what they found yesterday. With $IOPROF_FUZZ_SECONDS it is a campaign:
# so many seconds, another seed each time, and beginning with what earlier campaigns found too, which is kept in
# ${XDG_CACHE_HOME:-~/.cache}/ioprof-fuzz/NAME. An input that fails is left in the current folder as NAME-crash-* or the
# like; once mended it belongs into corpus/NAME.
set -u
here=$(cd "$(dirname "$0")" && pwd)
program=$1 name=$2 runs=$3
shift 3
scratch=$(mktemp -d -p /dev/shm)
found=$scratch/found
seed=1 seconds=60
fixed=(setarch -R)
"${fixed[@]}" true 2>/dev/null || fixed=() # not allowed in every container
if [[ -n ${IOPROF_FUZZ_SECONDS:-} ]]; then
	found=${XDG_CACHE_HOME:-$HOME/.cache}/ioprof-fuzz/$name
	seed=0 # libFuzzer's word for: draw one
	runs=-1 seconds=$IOPROF_FUZZ_SECONDS
fi
mkdir -p "$found"
[[ ! -d $here/corpus/$name ]] || set -- "$here/corpus/$name" "$@"
log=$scratch/log
trap 'rm -rf "$scratch"' EXIT
left=$PWD/$name-
cd "$scratch" || exit 1
UBSAN_OPTIONS=print_stacktrace=1 "${fixed[@]}" "$program" -seed="$seed" -runs="$runs" -max_total_time="$seconds" -timeout=10 \
	-rss_limit_mb=1024 -max_len=32768 -print_final_stats=1 -verbosity=0 -artifact_prefix="$left" "$found" "$@" 2>"$log"
status=$?
grep -a '^stat::number_of_executed_units' "$log"
[[ $status == 0 ]] || grep -a -v '^ioprof: ' "$log" | tail -n 60
exit $status
