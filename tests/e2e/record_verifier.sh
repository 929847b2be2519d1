#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# record_verifier.sh [BUILD]
#
# Writes verifier.budget anew, for the running kernel and those of tests/vm, from the ioprof in BUILD (build/release if
# not given). As root.
set -euo pipefail
cd "$(dirname "$0")/../.."
budget=tests/e2e/verifier.budget
build=$(realpath "${1:-build/release}")
export IOPROF=$build/ioprof IOPROF_TESTBIN=$build/tests/bin IOPROF_BLESS=1
test=(/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/e2e/test_verifier.py)

: >$budget
"${test[@]}"
for suite in bookworm trixie trixie-backports; do
	# What a guest writes is gone with it.
	VM_ENV="IOPROF IOPROF_TESTBIN IOPROF_BLESS" tests/vm/vmrun.sh $suite \
		bash -c '"$@" >&2 && cat '$budget record "${test[@]}" >$budget.new
	mv $budget.new $budget
done
