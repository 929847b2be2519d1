/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread's way between running, runnable and blocked, and what each stretch was.
 *
 * Question: of the time a thread is not running, what is run queue, what is waiting for whom, what
 * is idle? A wait is closed when its thread runs again and is cut in two at its wake-up: before, it
 * waited; after, it was runnable.
 *
 * Futex waits are the hard ones. They are locks, or waiting for work. A thread with a request of
 * its own open cannot wait for work, so its wait is a lock, and so is from then on every wait on
 * that address (the interpreter's lock, a mutex), unless more are without a request. A thread that
 * waits elsewhere without a request is idle; if a thread that works for a request wakes it, it has
 * been handed that request and works for it until it waits for work again. A thread with a request
 * that was handed to it may wait for either: for a lock if one of its like wakes it while that
 * request goes on.
 *
 * Switches can be missing: the kernel skips a program that already runs on the same CPU, and some
 * kernels switch without saying so. A thread that does what only a running thread does has been
 * switched in since it was woken; one that is woken or switched in has been switched out before.
 * The scheduler's own account says how much of the time in between it ran.
 */
#ifndef IOPROF_RUN_BPF_H
#define IOPROF_RUN_BPF_H

#include "wait.bpf.h"

/* Whether what it does now is for requests. What lies before the first is not, nor what comes after
 * an answer, but for event loops, which do little else. */
static __always_inline bool thread_works(const struct thread *t)
{
	return t->open || t->adopted || t->loop || thread_is_pooled(t);
}

/*
 * Of the `missing` ns that a thread did not run of a slice of so many, what lies in the stretches
 * it worked for requests. Mostly it is one piece, when the hypervisor took the processor, and the
 * longer stretch is the one it has made longer.
 */
static __always_inline s64 missing_of_requests(const struct thread *t, s64 missing, s64 slice)
{
	s64 worked = (s64)t->slice_worked, others = slice - worked;

	if (worked >= others)
		return missing < worked ? missing : worked;
	return missing > others ? missing - others : 0;
}

/*
 * The scheduler's own account of the slice that ends: it also charges what it takes to leave the
 * idle loop for the thread, which lies before the switch, and leaves out what the hypervisor took.
 * What differs moves between CPU and run queue, as long as the request is the same: of one that has
 * been answered since, or of several, in the service's sums.
 */
static __always_inline void correct_slice(struct thread *t, struct task_struct *task, u64 now)
{
	u64 start = t->slice_start;
	struct iop_totals *totals;
	s64 slice, shift;
	bool several;

	if (!start)
		return;
	slice = (s64)(now - start);
	shift = (s64)(task->se.sum_exec_runtime - t->slice_exec) - slice;
	if (shift > (s64)t->slice_runnable)
		shift = (s64)t->slice_runnable;
	t->slice_start = 0;
	t->cpu_ns += shift;
	t->run_queue_ns -= shift;
	several = t->request != t->slice_request;
	if (shift < 0)
		shift = -missing_of_requests(t, -shift, slice);
	else if (t->slice_read || several) /* what lies before the switch is not a request's that
					      was read after it */
		return;
	if (!t->slice_answered && !several) {
		t->cost.ns[IOP_CPU] += shift;
		t->cost.ns[IOP_RUN_QUEUE] -= shift;
		return;
	}
	totals = totals_of(t->service);
	if (totals && (several ? in_sample(start) : request_in_sample(t->request))) {
		__sync_fetch_and_add(&totals->sum_ns[IOP_CPU], shift);
		__sync_fetch_and_add(&totals->sum_ns[IOP_RUN_QUEUE], -shift);
	}
}

static __always_inline void close_futex_wait(struct thread *t, u64 ns)
{
	if (t->handoff) {
		thread_adopt(t, t->handoff);
		thread_pool(t);
	} else if (waits_for_work(t)) {
		/* Held aside rather than dropped: a response that goes on shows it was a lock. */
		if (t->request && !t->open && !t->adopted)
			t->cost.ns[IOP_LOCK] += ns;
		else
			thread_release(t);
	} else {
		t->cost.ns[IOP_LOCK] += ns;
		t->cost.waits++;
		loop_blocked(t, IOP_LOCK, ns);
		thread_trace(t, IOP_LOCK, TRACE_NO_PEER, ns);
	}
}

/* A wait whose class is known when it ends. */
static __always_inline void charge_wait(struct thread *t, u32 class, u64 ns, bool idle)
{
	if (class >= IOP_WAITS)
		return;
	/* What is checked may not be the register that is used. */
	_Static_assert(IOP_COSTS > 7, "the mask keeps within the array");
	asm volatile("%0 &= 7" : "+r"(class));
	t->cost.ns[class] += ns;
	t->cost.waits++;
	if (!idle)
		loop_blocked(t, class, ns);
	thread_trace(t, class, TRACE_NO_PEER, ns);
}

/* Of a thread that nobody is seen to hand work: it may have waited for a peer's answer or a mutex.
 */
static __always_inline bool may_be_of_a_piece(const struct thread *t)
{
	switch (t->wait) {
	case WAIT_SOCKET:
		return true;
	case WAIT_READY:
		return !(t->wait_pending & (PENDING_EPOLL | PENDING_TIMEOUT));
	case WAIT_FUTEX:
		return t->plain;
	default:
		return false;
	}
}

static __always_inline void close_wait(struct thread *t, u64 ns, u64 wake)
{
	bool idle = waits_for_work(t);

	if (idle)
		t->idle_ns += ns;
	if (idle && !may_be_of_a_piece(t))
		t->pieces = 0;
	switch (t->wait) {
	case WAIT_FUTEX:
		close_futex_wait(t, ns);
		return;
	case WAIT_CLASS:
		charge_wait(t, t->wait_class, ns, idle);
		return;
	case WAIT_EVENT:
		charge_wait(t, pending_class(t->wait_pending), ns, idle);
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

/* It runs from `now` on, having been runnable since `wake`. exec: the scheduler's account then. */
static __always_inline void slice_begin(struct thread *t, u64 wake, u64 now, u64 exec)
{
	t->cost.ns[IOP_RUN_QUEUE] += now - wake;
	t->run_queue_ns += now - wake;
	thread_trace(t, IOP_RUN_QUEUE, TRACE_NO_PEER, now - wake);
	t->slice_start = now;
	t->slice_exec = exec;
	t->slice_runnable = now - wake;
	t->slice_request = t->request;
	t->slice_worked = 0;
	t->slice_read = t->slice_answered = false;
	t->run = RUN_ON_CPU;
	t->since = now;
}

/*
 * Of those that requests are handed to, one wakes another: for `request`, or for one that nothing
 * names (0). If that one works for a request that goes on, it is a lock given back. Otherwise it is
 * idle, and woken for more of the same work: who takes a piece of work from a queue wakes the next
 * thread if there is more. A thread that has never had any may wait for a lock it shares with them.
 */
static __always_inline void woken_by_pool(struct thread *t, u64 request)
{
	if (t->wait != WAIT_FUTEX || t->lock || t->loop)
		return;
	if (t->adopted && !request_is_answered(t->request))
		t->lock = true;
	else if (t->requests || (t->plain && !t->pooled) || !waits_for_work(t))
		return;
	else if (request)
		t->handoff = request;
	else
		thread_pool(t); /* nothing says for which request */
}

/* Whether it waits for one that has read a request to hand it over. */
static __always_inline bool waits_for_reader(const struct thread *t)
{
	return t->wait == WAIT_FUTEX && !t->lock && !t->loop && waits_for_work(t);
}

/*
 * It was woken before it was seen to go to sleep: between leaving the run queue and its
 * sched_switch there are hundreds of ns, or more, if the hypervisor takes the processor there. Only
 * now is it known what it waited for.
 */
static __always_inline void woken_early(struct thread *t)
{
	t->woken = t->early.at > t->since ? t->early.at : t->since;
	if (t->wait == WAIT_EVENT || t->wait == WAIT_READY)
		t->wait_pending |= t->early.pending;
	else if (t->early.by_pool)
		woken_by_pool(t, t->early.request);
	else if (t->early.request && waits_for_reader(t))
		t->handoff = t->early.request;
}

/* Since when it has been runnable, its wait closed. */
static __always_inline u64 runnable_since(struct thread *t, u64 now)
{
	u64 wake = now;

	if (t->run == RUN_BLOCKED) {
		if (!t->woken && t->early.at)
			woken_early(t);
		wake = t->woken ? t->woken : now;
		close_wait(t, wake - t->since, wake);
	} else if (t->run == RUN_RUNNABLE) {
		wake = t->since;
	}
	t->early.at = 0;
	return wake;
}

/* Charges the CPU time since the last charge. Only for a thread that is running. */
static __always_inline void thread_charge(struct thread *t, u64 now)
{
	u64 ns;

	if (t->run != RUN_ON_CPU) {
		/* Its switch-in was not seen: it ran since its wake-up, but for what correct_slice
		 * will take back. slice_exec still is what it was when it was switched out. */
		ns = t->run == RUN_UNKNOWN ? now : runnable_since(t, now);
		slice_begin(t, ns, ns, t->slice_exec);
	}
	ns = now - t->since;
	t->cpu_ns += ns;
	if (thread_works(t))
		t->slice_worked += ns;
	t->cost.ns[IOP_CPU] += ns;
	thread_trace(t, IOP_CPU, TRACE_NO_PEER, ns);
	t->since = now;
}

/* What it waits for from now on, and what that says of its request. */
static __always_inline void sleep_begins(struct thread *t, struct task_struct *task, u32 state,
					 u64 at)
{
	wait_classify(t, task, state, at);
	if (t->loop && t->wait == WAIT_READY)
		t->resumed.n = 0;
	else
		loop_stops(t);
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

/* It went to sleep at `at`, in this state. Another processor may be waking it already: only what
 * is written before `run` is what that one sees. */
static __always_inline void block(struct thread *t, struct task_struct *task, u32 state, u64 at)
{
	t->since = at;
	t->woken = 0;
	t->handoff = 0;
	t->slept = true;
	sleep_begins(t, task, state, at);
	__sync_lock_test_and_set(&t->run, RUN_BLOCKED);
}

static __always_inline void switch_out(struct thread *t, struct task_struct *task, u32 state,
				       u64 now)
{
	thread_charge(t, now);
	correct_slice(t, task, now);
	t->slice_exec = task->se.sum_exec_runtime;
	if (state) {
		block(t, task, state, now);
		return;
	}
	t->run = RUN_RUNNABLE;
	t->since = now;
}

/* The CPU of a thread that is ending becomes its service's. ns: the scheduler's account of it. */
static __always_inline void move_cpu(struct thread *t, u64 ns)
{
	struct iop_totals *totals = totals_of(t->service);

	if (!totals || ns < t->cpu_base)
		return;
	__sync_fetch_and_add(&totals->ended_cpu_ns, ns - t->cpu_base);
	__sync_fetch_and_add(&totals->ended_cpu_observed_ns, t->cpu_ns);
	t->cpu_base = ns;
	t->cpu_ns = 0;
}

/* Its switch-out was not seen. It ran as long as the scheduler says, and what is left it did not.
 */
static __always_inline u64 unseen_switch_out(struct thread *t, struct task_struct *task, u64 now)
{
	u64 end = t->slice_start + (task->se.sum_exec_runtime - t->slice_exec);

	if (!t->slice_start || end > now)
		end = now;
	if (end < t->since)
		end = t->since;
	if (t->run == RUN_ON_CPU)
		thread_charge(t, end);
	t->slice_start = 0;
	t->slice_exec = task->se.sum_exec_runtime;
	return end;
}

static __always_inline void switch_in(struct thread *t, struct task_struct *task, u64 now)
{
	u64 wake;

	if (t->run == RUN_ON_CPU) /* and was not woken: preempted */
		wake = unseen_switch_out(t, task, now);
	else
		wake = runnable_since(t, now);
	slice_begin(t, wake, now, task->se.sum_exec_runtime);
}

#endif
