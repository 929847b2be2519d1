#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh SUITE [BUILD]
#
# Cross-builds the probe, the report and the known-answer service for arm64 (in BUILD, build/arm64 if not given), boots
# the suite's arm64 kernel under QEMU, observes 200 requests there, and compares. Needs gcc-aarch64-linux-gnu and
# qemu-system-arm; what it downloads is kept (kernel.sh). Ends with 77 where one of these is missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
suite=$1 build=${2:-$top/build/arm64}
requests=200
for program in aarch64-linux-gnu-gcc qemu-system-aarch64 cpio; do
	command -v "$program" >/dev/null || { echo "run.sh: no $program: skipped" >&2; exit 77; }
done

# The libraries are the same for all kernels: those of the suite this is built for.
libraries=$("$here/../kernel.sh" bookworm arm64 busybox-static libbpf-dev libelf-dev zlib1g-dev libcap-dev \
	libjansson-dev libmicrohttpd-dev libcurl4-gnutls-dev libncurses-dev libcmocka-dev)
kernel=$libraries
[[ $suite == bookworm ]] || kernel=$("$here/../kernel.sh" "$suite" arm64)
export IOPROF_ARM64_ROOT=$libraries/root
# Of libraries that are not linked here, what they are made of is not needed either.
sed -i '/^Requires.private/d' "$IOPROF_ARM64_ROOT"/usr/lib/aarch64-linux-gnu/pkgconfig/lib{curl,microhttpd}.pc

cmake -S "$top" -B "$build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$here/toolchain.cmake" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
	-DCMAKE_EXE_LINKER_FLAGS=-static >/dev/null
cmake --build "$build" --target arm64_observe service client
document=$(mktemp)
trap 'rm -f "$document"' EXIT
"$here/boot.sh" "$kernel/vmlinuz" "$IOPROF_ARM64_ROOT/bin/busybox" "$build/tests/vm/arm64_observe" \
	"$build"/tests/bin/{service,client} -- "/arm64_observe /service /client $requests" >"$document"
/usr/bin/python3 - "$requests" "$document" <<'END'
import json, sys

lines = open(sys.argv[2]).read().splitlines()
client, document = json.loads(lines[0]), json.loads(lines[1])
(service,) = document["services"]
found = service["requests"]["completed"], service["concurrency_model"], service["requests"]["arrival_unknown"]
lost = {name: n for name, n in document["losses"].items() if n and name not in ("recursion", "busy")}
assert client["answered"] == int(sys.argv[1]), client
assert found == (int(sys.argv[1]), "prefork", 0), found
assert not lost, lost
assert document["quality"]["closure"] >= 0.99, document["quality"]
print(f"{found[0]} requests, closure {document['quality']['closure']:.4f}")
END
