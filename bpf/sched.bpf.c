/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scheduler's side: when a thread runs, waits, and is waited for.
 *
 * Question: of the time a thread is not running, what is run queue, what is waiting for whom, what
 * is idle? A wait is closed when its thread runs again and is cut in two at its wake-up: before, it
 * waited; after, it was runnable.
 *
 * Futex waits are the hard ones. They are locks, or waiting for work. A thread with a request of
 * its own open cannot wait for work, so its wait is a lock, and so is from then on every wait on
 * that address (the interpreter's lock, a mutex). A thread that waits elsewhere without a request
 * is idle; if a thread that has read a request wakes it, it has been handed that request and works
 * for it until it waits for work again.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "wait.bpf.h"

/*
 * The scheduler's own account of the slice that ends: it also charges what it takes to leave the
 * idle loop for the thread, which lies before the switch, and leaves out what the hypervisor took.
 * What differs moves between CPU and run queue, as long as the request is the same and open.
 */
static __always_inline void correct_slice(struct thread *t, struct task_struct *task, u64 now)
{
	s64 shift;

	if (!t->slice_start)
		return;
	shift = (s64)(task->se.sum_exec_runtime - t->slice_exec) - (s64)(now - t->slice_start);
	if (shift > (s64)t->slice_runnable)
		shift = (s64)t->slice_runnable;
	t->slice_start = 0;
	t->cpu_ns += shift;
	if (!t->open || t->request != t->slice_request)
		return;
	t->cost.ns[IOP_CPU] += shift;
	t->cost.ns[IOP_RUN_QUEUE] -= shift;
}

static __always_inline void switch_out(struct thread *t, struct task_struct *task, u32 state,
				       u64 now)
{
	if (t->run == RUN_ON_CPU || t->run == RUN_UNKNOWN)
		thread_charge(t, now);
	correct_slice(t, task, now);
	t->since = now;
	if (!state) {
		t->run = RUN_RUNNABLE;
		return;
	}
	t->run = RUN_BLOCKED;
	t->woken = 0;
	t->handoff = 0;
	wait_classify(t, task, state, now);
	if (t->loop && t->wait == WAIT_READY)
		t->resumed.n = 0;
	if (!t->request || !t->open)
		return;
	/* It gave its request to another thread and waits for whatever comes: an event loop in
	 * front of a pool. */
	if (t->handed && t->wait_pending & PENDING_EPOLL && !t->adopted)
		t->loop = true;
	/* What is not this thread's alone must be where the thread that answers finds it, before
	 * that one runs. */
	if (t->adopted)
		thread_share(t);
	else if (t->loop && waits_for_work(t))
		thread_release(t);
}

static __always_inline void close_futex_wait(struct thread *t, u64 ns)
{
	if (t->handoff) {
		thread_adopt(t, t->handoff);
	} else if (waits_for_work(t)) {
		/* Held aside rather than dropped: a response that goes on shows it was a lock. */
		if (t->request && !t->open && !t->adopted)
			t->cost.ns[IOP_LOCK] += ns;
		else
			thread_release(t);
	} else {
		t->cost.ns[IOP_LOCK] += ns;
		t->cost.waits++;
	}
}

static __always_inline void close_wait(struct thread *t, u64 ns, u64 wake)
{
	u32 class = t->wait_class;

	if (waits_for_work(t))
		t->idle_ns += ns;
	switch (t->wait) {
	case WAIT_FUTEX:
		close_futex_wait(t, ns);
		return;
	case WAIT_CLASS:
		if (class < IOP_WAITS)
			t->cost.ns[class] += ns;
		t->cost.waits++;
		return;
	case WAIT_EVENT:
		t->cost.ns[pending_class(t->wait_pending)] += ns;
		t->cost.waits++;
		return;
	case WAIT_READY:
		if (t->deadline && wake >= t->deadline)
			t->wait_pending |= PENDING_TIMEOUT;
		break;
	default:
		break;
	}
	/* An event loop's sleep is nobody's; the requests it serves meanwhile account for it as
	 * overlapped. */
	if (t->wait == WAIT_READY && t->loop)
		return;
	t->cost.waits++;
	t->pending_ns += ns;
	t->pending |= t->wait_pending;
}

static __always_inline void switch_in(struct thread *t, struct task_struct *task, u64 now)
{
	u64 wake = now;

	if (t->run == RUN_BLOCKED) {
		wake = t->woken ? t->woken : now;
		close_wait(t, wake - t->since, wake);
	} else if (t->run == RUN_RUNNABLE) {
		wake = t->since;
	}
	t->cost.ns[IOP_RUN_QUEUE] += now - wake;
	t->slice_start = now;
	t->slice_exec = task->se.sum_exec_runtime;
	t->slice_runnable = now - wake;
	t->slice_request = t->request;
	t->run = RUN_ON_CPU;
	t->since = now;
}

/*
 * Every context switch of the machine. For threads that are not observed: two loads and two
 * branches. For an observed one: a look-up of its state, the registers at switch-out, at most one
 * hash look-up (futex waits).
 */
SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct thread *t;
	u64 now = 0;

	t = thread_lookup(prev);
	if (t) {
		now = bpf_ktime_get_ns();
		switch_out(t, prev, preempt ? 0 : switched_out_state(ctx, prev), now);
	}
	t = thread_lookup(next);
	if (t)
		switch_in(t, next, now ? now : bpf_ktime_get_ns());
	return 0;
}

/* Who wakes it tells what a futex or an event was about. */
static __always_inline void woken_by(struct thread *t, struct task_struct *task,
				     struct task_struct *waker_task, u64 now)
{
	struct thread *waker = thread_lookup(waker_task);
	struct lock_key key = {.address = t->futex >> 3, .tgid = task->tgid};
	u32 one = 1;

	if (!waker || waker == t || waker->service != t->service)
		return;
	if (t->wait != WAIT_FUTEX)
		t->wait_pending |= BPF_CORE_READ(waker_task, real_parent, tgid) == task->tgid &&
						   waker_task->tgid != task->tgid
					   ? PENDING_CHILD
					   : PENDING_MEMBER;
	if (waker_task->tgid != task->tgid || !waker->request || !waker->open)
		return;
	if (waker->adopted) {
		/* It may be about to report its work done. */
		thread_charge(waker, now);
		thread_share(waker);
		/* Work is handed out by those who read requests; among those it was handed to, it
		 * is a lock. */
		if (t->wait == WAIT_FUTEX && t->adopted && !t->lock) {
			t->lock = true;
			if (bpf_map_update_elem(&locks, &key, &one, BPF_ANY))
				count_loss(IOP_LOSS_LOCKS);
		}
	} else if (t->wait == WAIT_FUTEX && !t->lock && !t->loop && waits_for_work(t)) {
		loop_act(waker);
		t->handoff = waker->request;
		waker->handed = true;
	}
}

/* Every wake-up of the machine; acts on those of observed threads. Runs in the waker, or in an
 * interrupt above anybody. */
SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	struct thread *t = thread_lookup(task);

	if (!t || t->run != RUN_BLOCKED || t->woken)
		return 0;
	t->woken = bpf_ktime_get_ns();
	if (t->wait == WAIT_FUTEX || t->wait == WAIT_EVENT || t->wait == WAIT_READY)
		woken_by(t, task, bpf_get_current_task_btf(), t->woken);
	return 0;
}
