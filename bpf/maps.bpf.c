/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one place where maps and switches are defined; see maps.bpf.h and drift.bpf.h. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#define IOPROF_DEFINE_MAPS
#include "drift.bpf.h"
#include "maps.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile bool has_prev_state = true;
const volatile bool has_task_storage = true;
const volatile bool has_socket_storage = true;
const volatile bool has_readable_event = true;
const volatile bool has_task_pt_regs = true;

const volatile unsigned int service_count = 1;
const volatile unsigned int cpu_words = 1;
const volatile unsigned int hist_copies = 1;
const volatile unsigned int peer_rows = 513;
const volatile unsigned char syscall_kinds[IOP_SYSCALLS] = {};

unsigned int observing = 0;
unsigned int trace_budget = 0;
unsigned int epoch = 0;
unsigned int window_open = 0;
unsigned long window_opened = 0;
unsigned long window_closed = 0;
unsigned long sample_from = 0;
unsigned long sample_to = 0;
unsigned int peers_used = 0;
unsigned long messages_rescued = 0;
