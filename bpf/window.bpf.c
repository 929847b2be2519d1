/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left of a thread's and a connection's state when a new window opens (maps.bpf.h):
 * what they are, but not what they were doing. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "connection.bpf.h"
#include "wait.bpf.h"

/* The time it spent until the last window closed. */
static __always_inline void settle(struct thread *t)
{
	u64 ns = window_closed > t->since ? window_closed - t->since : 0;

	if (t->run == RUN_BLOCKED && waits_for_work(t))
		t->idle_ns += ns;
	else if (t->run == RUN_RUNNABLE)
		t->run_queue_ns += ns;
	else if (t->run == RUN_ON_CPU)
		t->cpu_ns += ns;
	if (t->observed_since < window_closed)
		t->observed_since += window_opened - window_closed;
	else if (t->observed_since < window_opened)
		t->observed_since = window_opened;
}

__noinline int thread_renew(struct thread *t)
{
	if (!t)
		return 0;
	t->window = window_open;
	settle(t);
	t->run = RUN_UNKNOWN;
	t->since = bpf_ktime_get_ns();
	t->woken = t->deadline = t->early.at = t->woken_ran = 0;
	t->request = t->handoff = t->pending_ns = t->pending = 0;
	t->answered_cpu_ns = 0;
	t->slice_start = t->slice_request = t->slice_worked = 0;
	cost_clear(&t->cost);
	t->open = t->adopted = t->handed = false;
	t->slice_read = t->slice_answered = false;
	t->parked = t->leftover = t->full = t->lock = t->taken = false;
	t->asked = t->answering = 0;
	t->resumed.n = 0;
	return 0;
}

__noinline int conn_renew(struct conn *c)
{
	if (!c)
		return 0;
	c->window = window_open;
	c->state = CONN_IDLE;
	c->at_attach = c->role == ROLE_SERVER;
	c->arrival = c->id = c->start = c->wait_ns = c->leftover = 0;
	c->flying = 0;
	c->counted = false;
	return 0;
}
