/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads: finding their state, charging them, and moving them from one request to another. */
#ifndef IOPROF_THREAD_BPF_H
#define IOPROF_THREAD_BPF_H

#include "drift.bpf.h"
#include "maps.bpf.h"
#include "trace.bpf.h"

/*
 * What a thread did in an earlier window is over, and what it did between then and now was not
 * seen. Function of its own to the verifier: window.bpf.c.
 */
int thread_renew(struct thread *t);

/* An observed thread's state as the last window it was seen in left it, NULL for all others.
 * Cheapest for those. */
static __always_inline struct thread *thread_find(struct task_struct *task)
{
	struct thread *t;
	u32 pid;

	if (!task_has_storage(task))
		return NULL;
	if (has_task_storage) {
		t = bpf_task_storage_get(&threads, task, 0, 0);
		if (!t) {
			/* Another program's storage, or (before 6.2) storage busy on this CPU. */
			pid = task->tgid;
			if (observing && bpf_map_lookup_elem(&processes, &pid))
				count_loss(IOP_LOSS_BUSY);
		}
		return t;
	}
	pid = BPF_CORE_READ(task, pid);
	return bpf_map_lookup_elem(&threads_hash, &pid);
}

static __always_inline bool thread_is_current(const struct thread *t)
{
	return window_open && t->window == window_open;
}

/* The same in the window that is open; NULL between windows. */
static __always_inline struct thread *thread_lookup(struct task_struct *task)
{
	struct thread *t;

	if (!window_open)
		return NULL;
	t = thread_find(task);
	if (t && t->window != window_open)
		thread_renew(t);
	return t;
}

/* Until when it has been observed, and how long. */
static __always_inline u64 observed_until(const struct thread *t)
{
	return thread_is_current(t) ? bpf_ktime_get_ns() : window_closed;
}

static __always_inline u64 observed_ns(const struct thread *t, u64 until)
{
	return until > t->observed_since ? until - t->observed_since : 0;
}

static __always_inline struct thread *thread_current(void)
{
	return thread_lookup(bpf_get_current_task_btf());
}

/* Starts to observe a thread. NULL, counted as a loss, where that cannot be. */
static __always_inline struct thread *thread_create(struct task_struct *task, u32 service, u64 now)
{
	static const struct thread none = {};
	struct thread *t;
	u32 pid;

	if (has_task_storage) {
		t = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	} else {
		pid = BPF_CORE_READ(task, pid);
		bpf_map_update_elem(&threads_hash, &pid, &none, BPF_NOEXIST);
		t = bpf_map_lookup_elem(&threads_hash, &pid);
	}
	if (!t) {
		count_loss(IOP_LOSS_THREADS);
		return NULL;
	}
	t->service = service;
	t->window = window_open;
	t->since = now;
	t->observed_since = now;
	return t;
}

static __always_inline struct iop_totals *totals_of(u32 service)
{
	return bpf_map_lookup_elem(&totals, &service);
}

static __always_inline void cost_clear(struct cost *cost)
{
	__builtin_memset(cost, 0, sizeof(*cost));
}

/* Adds and clears src, which is this thread's alone. dst may be shared with other CPUs. */
static __always_inline void cost_move(struct cost *dst, struct cost *src)
{
	for (int i = 0; i < IOP_COSTS; i++)
		if (src->ns[i])
			__sync_fetch_and_add(&dst->ns[i], src->ns[i]);
	if (src->io_ns)
		__sync_fetch_and_add(&dst->io_ns, src->io_ns);
	if (src->operations)
		__sync_fetch_and_add(&dst->operations, src->operations);
	if (src->waits)
		__sync_fetch_and_add(&dst->waits, src->waits);
	cost_clear(src);
}

/* Takes all of src, to which other CPUs may be adding. dst is this request's alone. */
static __always_inline void cost_collect(struct cost *dst, struct cost *src)
{
	for (int i = 0; i < IOP_COSTS; i++)
		if (src->ns[i])
			dst->ns[i] += __sync_lock_test_and_set(&src->ns[i], 0);
	if (src->io_ns)
		dst->io_ns += __sync_lock_test_and_set(&src->io_ns, 0);
	if (src->operations)
		dst->operations += __sync_lock_test_and_set(&src->operations, 0);
	if (src->waits)
		dst->waits += __sync_lock_test_and_set(&src->waits, 0);
}

static __always_inline u64 cost_worked_ns(const struct cost *cost)
{
	u64 ns = cost->ns[IOP_CPU];

	for (int i = 0; i < IOP_WAITS; i++)
		ns += cost->ns[i];
	return ns;
}

/* Operations in flight at a peer: n more. */
static __always_inline void in_flight_add(u32 row, u64 n)
{
	struct iop_peer *peer = bpf_map_lookup_elem(&peers, &row);

	if (peer)
		__sync_fetch_and_add(&peer->in_flight, n);
}

/* Time that stopped an event loop: all its requests waited. Goroutines' threads are none. */
static __always_inline bool stops_loop(const struct thread *t)
{
	return t->loop && !t->green;
}

static __always_inline void blocked_count(struct iop_blocked *blocked, u64 ns)
{
	__sync_fetch_and_add(&blocked->count, 1);
	__sync_fetch_and_add(&blocked->ns, ns);
	peak_take(&blocked->longest, ns);
}

static __always_inline void loop_blocked(struct thread *t, u32 class, u64 ns)
{
	u32 key = t->service * IOP_WAITS + class;
	struct iop_blocked_class *row;

	if (!stops_loop(t) || !ns || class >= IOP_WAITS || !in_sample_now())
		return;
	row = bpf_map_lookup_elem(&blocked, &key);
	if (!row)
		return;
	blocked_count(&row->blocked, ns);
	if (class != IOP_DISK || ns <= row->file_ns || !t->file[0])
		return;
	row->file_ns = ns;
	__builtin_memcpy(row->file, t->file, sizeof(row->file));
}

/* One of a pool: it works on requests that others read, and never reads any itself. */
static __always_inline bool thread_is_pooled(const struct thread *t)
{
	return t->pooled && !t->requests;
}

/* It has been woken for work on requests that others read. */
static __always_inline void thread_pool(struct thread *t)
{
	t->pooled = true;
	t->pooled_at = t->futex >> 3;
}

/* From now on, those who answer requests of this service look for what other threads spent on them.
 */
static __always_inline void service_shares(u32 service)
{
	u32 *shared = bpf_map_lookup_elem(&sharing, &service);

	if (shared && !*shared)
		*shared = 1;
}

/* What it spent within requests counts for the pool, or for those who read them. */
static __always_inline void count_worked(const struct thread *t)
{
	struct iop_totals *totals = totals_of(t->service);

	if (totals && in_sample_now())
		__sync_fetch_and_add(t->adopted || thread_is_pooled(t) ? &totals->pool_ns
								       : &totals->own_ns,
				     cost_worked_ns(&t->cost));
}

static __always_inline void cost_to_unnamed(struct thread *t)
{
	u32 service = t->service;
	struct cost *cost = bpf_map_lookup_elem(&unnamed, &service);

	if (cost && in_sample_now())
		cost_move(cost, &t->cost);
	else
		cost_clear(&t->cost);
	service_shares(service);
}

/* It works for requests, but nothing says for which. */
static __always_inline void thread_share_unnamed(struct thread *t)
{
	count_worked(t);
	cost_to_unnamed(t);
}

static __always_inline bool request_is_answered(u64 request)
{
	struct share *share = bpf_map_lookup_elem(&shares, &request);

	return share && share->answered;
}

/* Makes a request's share, with what is given: from then on it can be marked as answered. */
static __always_inline void share_begin(u64 request, u32 service, struct share *share)
{
	if (bpf_map_update_elem(&shares, &request, share, BPF_ANY))
		count_loss(IOP_LOSS_SHARES);
	service_shares(service);
}

/* Puts what a thread has spent on its request where the thread that answers it will find it. */
static __always_inline void thread_share(struct thread *t)
{
	struct share *known, share = {};

	thread_trace_visit(t, t->request);
	count_worked(t);
	known = bpf_map_lookup_elem(&shares, &t->request);
	if (known && known->answered) {
		cost_to_unnamed(t);
	} else if (known) {
		cost_move(&known->cost, &t->cost);
	} else {
		share.cost = t->cost;
		cost_clear(&t->cost);
		share_begin(t->request, t->service, &share);
	}
}

/* The thread no longer works for its request; what it spent after the response belongs to none. */
static __always_inline void thread_release(struct thread *t)
{
	if (t->request && t->open)
		thread_share(t);
	else if (!t->request && (thread_is_pooled(t) || (t->loop && t->cost.operations)))
		thread_share_unnamed(t);
	else
		cost_clear(&t->cost);
	t->request = 0;
	t->open = false;
	t->adopted = false;
	t->handed = false;
}

/* The thread now works for this request. What it spent since it woke, if on nothing known, was for
 * this one. */
static __always_inline void thread_switch(struct thread *t, u64 request)
{
	if (t->request == request)
		return;
	if (t->request)
		thread_release(t);
	t->request = request;
	t->open = true;
	t->adopted = false;
	t->handed = false;
}

/*
 * Event loops: for which request does the loop act? Some handle each message as they read it;
 * others (asyncio) read all that is readable first and run what waited for it afterwards, in the
 * same order. Either way the next action, a message to a peer or work given to a pool, is for the
 * oldest request taken up and not acted for yet. That is an inference, not a proof; the report says
 * so. Sums over requests, and so all means, do not depend on it.
 */
#define RESUMED_SCAN                                                                             \
	4 /* how far the queue is searched: as many requests as a loop commonly has in one round \
	   */

static __always_inline u64 resumed_at(const struct resumed *r, u32 i)
{
	return r->requests[(r->first + i) & (RESUMED_MAX - 1)];
}

static __always_inline void loop_take_up(struct thread *t, u64 request)
{
	struct resumed *r = &t->resumed;

	if (!t->loop || r->n >= RESUMED_MAX)
		return;
	/* Several answers at once are one reason to go on. */
	for (u32 i = 1; i <= RESUMED_SCAN && i <= r->n; i++)
		if (resumed_at(r, r->n - i) == request)
			return;
	r->requests[(r->first + r->n) & (RESUMED_MAX - 1)] = request;
	r->n++;
}

static __always_inline void loop_act(struct thread *t)
{
	struct resumed *r = &t->resumed;
	u64 request;

	if (!t->loop || !r->n)
		return;
	request = resumed_at(r, 0);
	r->first++;
	r->n--;
	if (request == t->request)
		return;
	/* CPU alone is the acting request's; operations and waits are the one's whose message
	 * brought them. */
	if (t->request && t->open && !t->cost.operations && !t->cost.waits)
		t->request = request;
	else
		thread_switch(t, request);
}

/* It waits in a blocking call after it has answered a request: what it has done since, and the
 * wait, are for the oldest one taken up. */
static __always_inline void loop_stops(struct thread *t)
{
	if (!t->loop || !t->resumed.n || (t->request && t->open))
		return;
	t->request = resumed_at(&t->resumed, 0);
	t->open = true;
	t->adopted = false;
	t->handed = false;
}

/*
 * It has answered this request. Those taken up before it did nothing that shows. If it was not
 * taken up at all, the oldest was taken for another: it is the one that has acted.
 */
static __always_inline void loop_answered(struct thread *t, u64 request)
{
	struct resumed *r = &t->resumed;
	u32 acted = 1;

	if (!t->loop || !r->n)
		return;
	for (u32 i = 0; i < RESUMED_SCAN && i < r->n; i++) {
		if (resumed_at(r, i) == request) {
			acted = i + 1;
			break;
		}
	}
	r->first += acted;
	r->n -= acted;
}

/* A thread of the same process handed it the request: from here on, and nothing of before. */
static __always_inline void thread_adopt(struct thread *t, u64 request)
{
	struct iop_totals *totals = totals_of(t->service);

	if (t->request != request)
		thread_release(t);
	thread_switch(t, request);
	cost_clear(&t->cost);
	t->pending_ns = 0;
	t->pending = 0;
	t->adopted = true;
	if (totals && in_sample_now())
		__sync_fetch_and_add(&totals->handed_off, 1);
	thread_share(t); /* there from the start, to be marked when the request is answered */
}

/* What it was woken for was no work but a lock given back. */
static __always_inline void thread_unpool(struct thread *t)
{
	t->pooled = false;
	t->pooled_at = 0;
	if (!t->adopted)
		return;
	t->open = false;
	thread_release(t);
}

/* Takes the waits whose purpose has now become known. */
static __always_inline u64 thread_take_pending(struct thread *t)
{
	u64 ns = t->pending_ns;

	t->pending_ns = 0;
	t->pending = 0;
	return ns;
}

/* The class of a wait for readiness that no message explains. */
static __always_inline u32 pending_class(u32 pending)
{
	if (pending & PENDING_TIMEOUT)
		return IOP_SLEEP;
	if (pending & PENDING_CHILD)
		return IOP_CHILD;
	if (pending & PENDING_MEMBER)
		return IOP_LOCK;
	return IOP_OTHER;
}

/* The wait turned out to be for no message at all: what woke the thread tells its class. */
static __always_inline void thread_charge_pending(struct thread *t)
{
	u32 class = pending_class(t->pending);
	u64 ns = thread_take_pending(t);

	t->cost.ns[class] += ns;
	thread_trace(t, class, TRACE_NO_PEER, ns);
}

#endif
