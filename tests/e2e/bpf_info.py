# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel has of BPF, asked directly: what bpftool does not print, or fails to list while others come and go. As root."""

import ctypes
import errno
import os
import platform

SYS_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD = 13, 15
GET_NEXT_ID = {"prog": 11, "map": 12, "link": 31}

# struct bpf_prog_info, linux/bpf.h: its size here, and where in it.
INFO_BYTES = 224
NAME = slice(64, 80)
VERIFIED_INSNS = slice(216, 220)

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    found = libc.syscall(SYS_BPF, command, attributes, ctypes.sizeof(attributes))
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found


def ids(kind):
    """Of all programs, maps or links: "prog", "map", "link"."""
    found, next_id = set(), 0
    while True:
        attributes = (ctypes.c_uint32 * 3)(next_id)
        try:
            bpf(GET_NEXT_ID[kind], attributes)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            return found
        next_id = attributes[1]
        found.add(next_id)


def objects():
    """The ids of all programs, maps and links, by kind."""
    return {kind: ids(kind) for kind in GET_NEXT_ID}


def left(of):
    """Of these ids, by kind, those that the kernel still has; empty if it has none."""
    alive = {kind: ids(kind) & before for kind, before in of.items()}
    return {kind: found for kind, found in alive.items() if found}


def program(program_id):
    """Its name, and how many instructions the verifier looked at before it took it (0 before Linux 5.16)."""
    fd = bpf(PROG_GET_FD_BY_ID, (ctypes.c_uint32 * 4)(program_id))
    try:
        info = ctypes.create_string_buffer(INFO_BYTES)
        address = ctypes.addressof(info)
        bpf(OBJ_GET_INFO_BY_FD, (ctypes.c_uint32 * 4)(fd, INFO_BYTES, address & 0xffffffff, address >> 32))
    finally:
        os.close(fd)
    return info.raw[NAME].rstrip(b"\0").decode(), int.from_bytes(info.raw[VERIFIED_INSNS], "little")
