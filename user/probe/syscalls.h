/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each system call of this architecture means to the BPF programs, by number (bpf/abi.h: enum
 * iop_kind, iop_message). */
#ifndef IOPROF_PROBE_SYSCALLS_H
#define IOPROF_PROBE_SYSCALLS_H

#include "abi.h"

/* Fill tables of IOP_SYSCALLS entries. */
void syscalls_fill_kinds(unsigned char *ret_kinds);
void syscalls_fill_messages(unsigned char *ret_messages);

#endif
