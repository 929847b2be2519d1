#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# No shell script, wherever it lies and whatever it is called, has anything shellcheck would find. Left out: SC2317,
# which does not see that a function is called by a name that was passed on.
set -eu
find . \( -path ./build -o -path ./.git \) -prune -o -type f -exec awk '
	FNR == 1 { if (/^#!.*\/(env )?(ba|da)?sh/) printf "%s%c", FILENAME, 0; nextfile }' {} + |
	xargs -0 shellcheck --external-sources --exclude=SC2317
