/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the running kernel offers the probe, by its own type information. */
#ifndef IOPROF_PROBE_KERNEL_H
#define IOPROF_PROBE_KERNEL_H

#include <stdbool.h>

struct kernel {
	bool prev_state;     /* sched_switch says the state prev sleeps in */
	bool task_storage;   /* state can live with its thread */
	bool socket_storage; /* and with its socket, in tracing programs */
	bool task_pt_regs;   /* a helper gives a task's registers */
	bool message_events; /* set A: tp_btf/sock_{send,recv}_length */
	/* set A can be preempted: 7.0, a46023d5616e ("tracing: Guard __DECLARE_TRACE() use of
	 * __DO_TRACE_CALL() with SRCU-fast") */
	bool preemptible_events;
	bool readable_event;  /* tp_btf/sk_data_ready */
	bool inet_operations; /* set B: inet_recvmsg and its kin */
	bool unix_operations;
	bool inet_sendpage; /* kernels before 6.5 */
};

/* Returns 0, or -errno if the kernel has no type information (BTF). */
int kernel_read(struct kernel *ret_kernel);

#endif
