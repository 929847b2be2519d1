/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request's life on its accepted connection: IDLE -first byte read-> OPEN -first byte sent->
 * RESPONDED -first byte read-> the next one, OPEN.
 *
 * Its end is the last send, and no one can know which send is the last. So each send commits all
 * there is to the service's counters and remembers it; a further send (a streamed response) commits
 * the difference and moves the histogram entries. Nothing is left to finish when a connection
 * closes, a worker dies or an interval ends, and what a thread does after the last send is never
 * counted: trailing idle cannot be mistaken for a wait.
 */
#ifndef IOPROF_REQUEST_BPF_H
#define IOPROF_REQUEST_BPF_H

#include "thread.bpf.h"

/*
 * Functions of their own to the verifier, which looks at them once instead of at every call.
 * request.bpf.c.
 */
/* Counts a duration n times, n possibly negative. */
int hist_count(struct iop_hist *hist, u64 ns, int n);
/* Commits everything known of the request up to now, which is its end unless more is sent. */
int request_commit(struct conn *c, u64 now, bool loop);

/* A thread has read its first request: it is a worker. */
static __always_inline void serving_begins(u32 service)
{
	struct iop_serving *workers = bpf_map_lookup_elem(&serving, &service);

	if (!workers)
		return;
	__sync_fetch_and_add(&workers->now, 1);
	if (workers->now > workers->most)
		workers->most = workers->now;
}

/* Something is done for a request in the process that runs: how long after the last time. Where
 * another of its threads does something at this moment, hardly. */
static __always_inline u64 process_works(const struct thread *t, u64 now)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct iop_process *process;
	u64 worked;

	if (t->loop)
		return UNKNOWN_PAUSE;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (!process)
		return UNKNOWN_PAUSE;
	worked = process->worked;
	process->worked = now;
	if (!worked || worked < window_opened)
		return UNKNOWN_PAUSE;
	return worked < now ? now - worked : 1;
}

/* A request that thread t began to read then. c->cost, and what t has waited for, stay as they are.
 */
static __always_inline void request_begin(struct conn *c, struct thread *t, u32 tid, u64 now)
{
	struct iop_totals *totals = totals_of(t->service);
	struct share share = {};

	/* It reads another while the one it gave to other threads is being worked on, and not given
	 * up, which nothing shows over AF_UNIX. */
	if (t->request && t->open && t->handed && !t->adopted && !c->local &&
	    !request_is_answered(t->request))
		t->loop = true;
	thread_release(t);
	t->request = request_number(now);
	t->open = true;
	t->slice_request = t->slice_worked ? SEVERAL : t->request;
	t->slice_read = true;
	t->slice_answered = false;
	if (!t->requests++)
		serving_begins(t->service);
	__builtin_memset(c->done_ns, 0, sizeof(c->done_ns));
	c->done_parallel_ns = c->done_io_ns = 0;
	c->done_operations = c->done_waits = 0;
	c->service = t->service;
	c->id = t->request;
	/* What does not lie between the last request and now was told too late: it had been read.
	 */
	if (c->arrival && (c->arrival <= c->start || c->arrival > now))
		c->arrival = now;
	c->request_arrival = c->arrival;
	c->start = now;
	c->pause_ns = process_works(t, now);
	c->before_ns = c->pause_cpu_ns = 0;
	if (!t->answered_cpu_ns)
		c->pause_ns = UNKNOWN_PAUSE;
	else if (!t->slept && c->pause_ns != UNKNOWN_PAUSE)
		c->pause_ns = 0;
	c->arrival = 0;
	c->leftover = 0;
	t->leftover = false;
	c->opener = tid;
	c->loop = t->loop;
	c->state = CONN_OPEN;
	if (t->green) /* whose goroutines go on on other threads */
		share_begin(c->id, c->service, &share);
	if (!in_sample(now))
		return;
	trace_begin(c);
	if (totals)
		__sync_fetch_and_add(t->loop ? &totals->opened_by_loop : &totals->opened_by_worker,
				     1);
}

/*
 * It answers, or goes on to. What its thread has done since it last did so and is not the request's
 * came before it; so does what the scheduler's account adds for waking that thread up.
 */
static __always_inline void request_answers(struct conn *c, struct thread *t, u32 tid)
{
	if (c->opener == tid && t->answered_cpu_ns)
		c->before_ns += t->cpu_ns - t->answered_cpu_ns - t->cost.ns[IOP_CPU];
	t->answered_cpu_ns = t->cpu_ns;
	t->slept = false;
}

/* The first byte of a request has been read by thread t. */
static __always_inline void request_open(struct conn *c, struct thread *t, u32 tid, u64 now)
{
	cost_clear(&c->cost);
	t->pending_ns = 0;
	t->pending = 0;
	request_begin(c, t, tid, now);
}

/* Its connection has closed, or its worker has died, before a byte of response. */
static __always_inline void request_abort(struct conn *c)
{
	struct iop_totals *totals = totals_of(c->service);
	struct share *share;

	if (c->state != CONN_OPEN)
		return;
	c->state = CONN_IDLE;
	share = bpf_map_lookup_elem(&shares, &c->id);
	if (share) /* those who still work for it go on to another */
		share->answered = 1;
	bpf_map_delete_elem(&traces, &c->id);
	if (totals && request_in_sample(c->id))
		__sync_fetch_and_add(&totals->aborted, 1);
	c->id = 0;
}

/* Gathers what other threads, or this one before it went on to something else, have spent on it. */
static __always_inline void request_collect(struct conn *c)
{
	u32 service = c->service, *shared = bpf_map_lookup_elem(&sharing, &service);
	struct share *share;
	struct cost *cost;

	if (!shared || !*shared)
		return;
	share = bpf_map_lookup_elem(&shares, &c->id);
	if (share) {
		share->answered = 1;
		cost_collect(&c->cost, &share->cost);
	}
	if (c->state != CONN_OPEN || !request_in_sample(c->id))
		return;
	cost = bpf_map_lookup_elem(&unnamed, &service);
	if (cost)
		cost_collect(&c->cost, cost);
}

#endif
