#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every C file is as clang-format leaves it. To put it right: clang-format -i FILE
set -eu
find . -path ./build -prune -o -path ./.git -prune -o -name '*.[ch]' -type f -exec clang-format --dry-run -Werror {} +
