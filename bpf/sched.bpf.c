/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scheduler's events. What they mean for a thread: run.bpf.h. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "run.bpf.h"

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

/*
 * Of those that requests are handed to, one wakes another. If that one works for a request that
 * goes on, it is a lock given back. Otherwise it is idle, and woken for more of the same work: who
 * takes a piece of work from a queue wakes the next thread if there is more. A thread that has
 * never had any may wait for a lock it shares with them.
 */
static __always_inline void woken_by_pool(struct thread *t, const struct thread *waker)
{
	if (t->wait != WAIT_FUTEX || t->lock || t->loop)
		return;
	if (t->adopted && !request_is_answered(t->request))
		t->lock = true;
	else if (t->requests || (t->plain && !t->pooled) || !waits_for_work(t))
		return;
	else if (waker->open)
		t->handoff = waker->request;
	else
		thread_pool(t); /* nothing says for which request */
}

#define PIECE_NS 50000 /* less is no piece of work, but one of several wake-ups in a row */
#define PIECES 3       /* so many without being idle are no coincidence */

/* Whether others than those who read requests wait there, too, as for a lock. */
static __always_inline bool takes_turns(const struct thread *t, pid_t tgid)
{
	struct lock_key key = {.address = t->futex >> 3, .tgid = tgid};
	u32 *lock = bpf_map_lookup_elem(&locks, &key);

	return !lock || *lock & LOCK_TURNS;
}

/*
 * A pool with too much to do never waits for work, so nobody is seen to hand it any. But a thread
 * that waits with a request of its own, and not for its turn, waits for a piece of work to be done.
 * The thread that wakes it, and has done the next such piece without ever being idle, is of a pool.
 */
static __always_inline bool ends_piece(const struct thread *t, const struct thread *waker,
				       pid_t tgid)
{
	return t->wait == WAIT_FUTEX && t->lock && !t->plain && t->requests && t->open &&
	       !t->adopted && !waker->open && !waker->pooled && !waker->requests && !waker->loop &&
	       !takes_turns(t, tgid);
}

static __always_inline void piece_done(struct thread *waker, const struct thread *t)
{
	if (cost_worked_ns(&waker->cost) < PIECE_NS)
		return;
	cost_clear(&waker->cost); /* its operations have been counted as outside */
	if (++waker->pieces < PIECES)
		return;
	waker->pooled = true;
	waker->pooled_at = t->futex >> 3;
}

/* The waker has read its request itself, or is a loop. */
static __always_inline void woken_by_reader(struct thread *t, struct thread *waker)
{
	if (t->wait != WAIT_FUTEX || t->lock || t->loop || !waits_for_work(t))
		return;
	if (waker->open) {
		loop_act(waker);
		t->handoff = waker->request;
		waker->handed = true;
	} else if (waker->loop && !t->plain) {
		/* It goes on with a request, but nothing shows with which. */
		thread_pool(t);
	}
}

/* The waker is of the same process. It may hand out work, or report it done. */
static __always_inline void woken_by_thread(struct thread *t, struct thread *waker, pid_t tgid,
					    u64 now)
{
	bool adopted = waker->adopted && waker->open, pooled, piece;

	if (t->wait_pending & PENDING_EPOLL && t->requests)
		waker->pooled = true;
	pooled = !waker->open && thread_is_pooled(waker);
	piece = ends_piece(t, waker, tgid);
	if (adopted || pooled || piece)
		thread_charge(waker, now);
	if (piece) {
		piece_done(waker, t);
	} else if (adopted || pooled) {
		if (adopted)
			thread_share(waker);
		else
			thread_share_unnamed(waker);
		woken_by_pool(t, waker);
	} else {
		woken_by_reader(t, waker);
	}
}

/* An interrupt wakes above a task that has nothing to do with it, as timers and the network do: the
 * task must be in a system call, for a futex in one on futexes. */
static __always_inline bool can_wake(struct task_struct *waker_task, const struct thread *t)
{
	struct syscall call = {};

	task_syscall(waker_task, &call);
	if (call.number < 0 || call.number >= IOP_SYSCALLS)
		return false;
	return t->wait != WAIT_FUTEX ||
	       syscall_kinds[call.number & (IOP_SYSCALLS - 1)] == IOP_KIND_FUTEX;
}

/* Who wakes it tells what a futex or an event was about. */
static __always_inline void woken_by(struct thread *t, struct task_struct *task,
				     struct task_struct *waker_task, u64 now)
{
	struct thread *waker = thread_lookup(waker_task);
	pid_t tgid = task->tgid;

	if (!waker || waker == t || waker->service != t->service || waker->busy ||
	    !can_wake(waker_task, t))
		return;
	if (waker_task->tgid == tgid)
		woken_by_thread(t, waker, tgid, now);
	if (t->wait == WAIT_FUTEX)
		return;
	t->wait_pending |=
		waker_task->tgid != tgid && BPF_CORE_READ(waker_task, real_parent, tgid) == tgid
			? PENDING_CHILD
			: PENDING_MEMBER;
}

/* Every wake-up of the machine; acts on those of observed threads. Runs in the waker, or in an
 * interrupt above anybody. */
SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	struct thread *t = thread_lookup(task);
	u64 now;

	if (!t || (t->run == RUN_BLOCKED && t->woken))
		return 0;
	now = bpf_ktime_get_ns();
	if (t->run != RUN_BLOCKED) {
		if (task->on_cpu || task->on_rq) /* about to sleep, and now will not */
			return 0;
		block(t, task, task_state(task) & TASK_STATES, unseen_switch_out(t, task, now));
	}
	t->woken = now;
	if (t->wait == WAIT_FUTEX || t->wait == WAIT_EVENT || t->wait == WAIT_READY)
		woken_by(t, task, bpf_get_current_task_btf(), now);
	return 0;
}
