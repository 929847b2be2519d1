/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads: finding their state, charging them, and moving them from one request to another. */
#ifndef IOPROF_THREAD_BPF_H
#define IOPROF_THREAD_BPF_H

#include "drift.bpf.h"
#include "maps.bpf.h"

/* An observed thread's state, NULL for all others. Cheapest for those. */
static __always_inline struct thread *thread_lookup(struct task_struct *task)
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
			if (bpf_map_lookup_elem(&processes, &pid))
				count_loss(IOP_LOSS_BUSY);
		}
		return t;
	}
	pid = BPF_CORE_READ(task, pid);
	return bpf_map_lookup_elem(&threads_hash, &pid);
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

/* Adds and clears src. dst may be shared with other CPUs. */
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

static __always_inline u64 cost_worked_ns(const struct cost *cost)
{
	u64 ns = cost->ns[IOP_CPU];

	for (int i = 0; i < IOP_WAITS; i++)
		ns += cost->ns[i];
	return ns;
}

/* Puts what a thread has spent on its request where the thread that answers it will find it. */
static __always_inline void thread_share(struct thread *t)
{
	u32 service = t->service;
	struct iop_totals *totals;
	struct cost *share;
	u32 *shared;

	if (t->adopted) {
		totals = totals_of(service);
		if (totals)
			__sync_fetch_and_add(&totals->pool_ns, cost_worked_ns(&t->cost));
	}
	share = bpf_map_lookup_elem(&shares, &t->request);
	if (share) {
		cost_move(share, &t->cost);
		return;
	}
	if (bpf_map_update_elem(&shares, &t->request, &t->cost, BPF_ANY))
		count_loss(IOP_LOSS_SHARES);
	cost_clear(&t->cost);
	shared = bpf_map_lookup_elem(&sharing, &service);
	if (shared && !*shared)
		*shared = 1;
}

/* The thread no longer works for its request; what it spent after the response belongs to none. */
static __always_inline void thread_release(struct thread *t)
{
	if (t->request && t->open)
		thread_share(t);
	else
		cost_clear(&t->cost);
	t->request = 0;
	t->open = false;
	t->adopted = false;
}

/* The thread now works for this request. What it spent since it woke, if on nothing known, was for this one. */
static __always_inline void thread_switch(struct thread *t, u64 request)
{
	if (t->request == request)
		return;
	if (t->request)
		thread_release(t);
	t->request = request;
	t->open = true;
	t->adopted = false;
}

/* A thread of the same process handed it the request: from here on, and nothing of before. */
static __always_inline void thread_adopt(struct thread *t, u64 request)
{
	struct iop_totals *totals = totals_of(t->service);
	u32 service = t->service, *shared = bpf_map_lookup_elem(&sharing, &service);

	thread_switch(t, request);
	cost_clear(&t->cost);
	t->pending_ns = 0;
	t->pending = 0;
	t->adopted = true;
	t->adopted_count++;
	if (totals)
		__sync_fetch_and_add(&totals->handed_off, 1);
	if (shared && !*shared)
		*shared = 1;
}

/* Charges the CPU time since the last charge. Only for a thread that is running. */
static __always_inline void thread_charge(struct thread *t, u64 now)
{
	u64 ns;

	if (t->run != RUN_ON_CPU) {
		/* Seen at attach while it ran, or the attach iterator and the scheduler crossed: it runs now. */
		t->run = RUN_ON_CPU;
		t->since = now;
		return;
	}
	ns = now - t->since;
	t->cpu_ns += ns;
	t->cost.ns[IOP_CPU] += ns;
	t->since = now;
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
}

#endif
