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
		if (t->ended) /* giving its memory back takes it a while */
			move_cpu(t, prev->se.sum_exec_runtime);
	}
	t = thread_lookup(next);
	if (t)
		switch_in(t, next, now ? now : bpf_ktime_get_ns());
	return 0;
}

#define PIECE_NS 50000 /* less is no piece of work, but one of several wake-ups in a row */
#define PIECES 3       /* so many without being idle are no coincidence */

/* Whether others than those who read requests wait there, too, as for a lock. */
static __always_inline bool takes_turns(const struct thread *t, pid_t tgid)
{
	struct lock_key key = {.address = t->futex >> 3, .tgid = tgid};
	const struct lock *lock = bpf_map_lookup_elem(&locks, &key);

	return !lock || lock->turns;
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
	if (!waits_for_reader(t))
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
		woken_by_pool(t, waker->open ? waker->request : 0);
	} else {
		woken_by_reader(t, waker);
	}
}

/* An interrupt wakes above a task that has nothing to do with it, as timers and the network do: the
 * task must be in a system call, for a futex in one on futexes. */
static __always_inline bool in_call(struct task_struct *waker_task, bool futex)
{
	struct syscall call = {};

	task_syscall(waker_task, &call);
	if (call.number < 0 || call.number >= IOP_SYSCALLS)
		return false;
	return !futex || syscall_kinds[call.number & (IOP_SYSCALLS - 1)] == IOP_KIND_FUTEX;
}

/* The task's thread that is the waker, if it is one of the same service that can say for what. */
static __always_inline struct thread *waker_of(const struct thread *t,
					       struct task_struct *waker_task)
{
	struct thread *waker = thread_lookup(waker_task);

	return waker && waker != t && waker->service == t->service && !waker->busy ? waker : NULL;
}

static __always_inline u32 pending_by(struct task_struct *waker_task, pid_t tgid)
{
	return waker_task->tgid != tgid && BPF_CORE_READ(waker_task, real_parent, tgid) == tgid
		       ? PENDING_CHILD
		       : PENDING_MEMBER;
}

/* Who wakes it tells what a futex or an event was about. */
static __always_inline void woken_by(struct thread *t, struct task_struct *task,
				     struct task_struct *waker_task, u64 now)
{
	struct thread *waker = waker_of(t, waker_task);

	if (!waker || !in_call(waker_task, t->wait == WAIT_FUTEX))
		return;
	if (waker_task->tgid == task->tgid)
		woken_by_thread(t, waker, task->tgid, now);
	if (t->wait != WAIT_FUTEX)
		t->wait_pending |= pending_by(waker_task, task->tgid);
}

/* It is about to sleep. If it still is on the run queue, it now will not; if not, woken_early()
 * will want to know this. */
static __always_inline void note_early(struct thread *t, struct task_struct *task,
				       struct task_struct *waker_task, u64 now)
{
	struct thread *waker = waker_of(t, waker_task);

	t->early = (struct early_wake){.at = now};
	if (!waker || !in_call(waker_task, false))
		return;
	t->early.pending = pending_by(waker_task, task->tgid);
	if (waker_task->tgid != task->tgid || !waker->open || !in_call(waker_task, true))
		return;
	t->early.request = waker->request;
	t->early.by_pool = waker->adopted;
	if (!waker->adopted)
		return;
	thread_charge(waker, now);
	thread_share(waker);
}

#define PF_KTHREAD 0x00200000 /* no peer: of the kernel */

/* Whether it may run nowhere but where the current thread may run, too. */
static __always_inline bool shares_processors(struct task_struct *task)
{
	struct task_struct *current = bpf_get_current_task_btf();
	const u64 *theirs = (const u64 *)BPF_CORE_READ(task, cpus_ptr);
	const u64 *ours = (const u64 *)BPF_CORE_READ(current, cpus_ptr);

	for (u32 i = 0; i < IOP_CPU_WORDS && i < cpu_words; i++) {
		u64 a = 0, b = 0;

		if (bpf_probe_read_kernel(&a, sizeof(a), theirs + i) ||
		    bpf_probe_read_kernel(&b, sizeof(b), ours + i) || a & ~b)
			return false;
	}
	return true;
}

/*
 * A thread that is not observed is woken by one that sends, as it seems: what it has run since it
 * was last woken so was for what it was asked then. Whom the message is for, a peer or a client,
 * shows as it has been sent (message.bpf.h).
 */
static __always_inline void other_is_woken(struct task_struct *task)
{
	struct thread *waker = thread_current();
	struct syscall call = {};
	struct other *known, other;
	u32 pid = task->pid, kind;

	if (!waker || waker->busy || task->flags & PF_KTHREAD)
		return;
	task_syscall(bpf_get_current_task_btf(), &call);
	if (call.number < 0 || call.number >= IOP_SYSCALLS)
		return;
	kind = syscall_kinds[call.number & (IOP_SYSCALLS - 1)];
	if ((kind != IOP_KIND_SOCKET && kind != IOP_KIND_FILE) || !shares_processors(task))
		return;
	other = (struct other){
		.start = task->start_time, .ran = task->se.sum_exec_runtime, .window = window_open};
	known = bpf_map_lookup_elem(&others, &pid);
	if (known && known->start == other.start) {
		if (known->window == other.window)
			waker->woken_ran += other.ran - known->ran;
	} else if (other.start > waker->observed_since && other.start > window_opened) {
		waker->woken_ran += other.ran;
	}
	bpf_map_update_elem(&others, &pid, &other, BPF_ANY);
}

/* Every wake-up of the machine; acts on those of observed threads, and by them. Runs in the waker,
 * or in an interrupt above anybody. */
SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	struct thread *t = thread_lookup(task);
	u64 now;

	if (!t) {
		other_is_woken(task);
		return 0;
	}
	if (t->run == RUN_BLOCKED && t->woken)
		return 0;
	now = bpf_ktime_get_ns();
	if (t->run != RUN_BLOCKED) {
		if (task->on_cpu || task->on_rq) {
			note_early(t, task, bpf_get_current_task_btf(), now);
			return 0;
		}
		block(t, task, task_state(task) & TASK_STATES, unseen_switch_out(t, task, now));
	}
	t->woken = now;
	if (t->wait == WAIT_FUTEX || t->wait == WAIT_EVENT || t->wait == WAIT_READY)
		woken_by(t, task, bpf_get_current_task_btf(), now);
	return 0;
}
