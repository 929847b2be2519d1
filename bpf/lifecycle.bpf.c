/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who belongs to a service: threads and processes that come and go, seen as they do, without a
 * race. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "run.bpf.h"

/* A child process belongs to its parent's service and runs its program. */
static __always_inline void process_add(u32 tgid, u32 parent_tgid, u32 service)
{
	struct iop_process process = {}, *parent;

	parent = bpf_map_lookup_elem(&processes, &parent_tgid);
	if (parent)
		process = *parent;
	process.service = service;
	process.worked = 0;
	if (bpf_map_update_elem(&processes, &tgid, &process, BPF_ANY))
		count_loss(IOP_LOSS_PROCESSES);
}

/* Every new thread and process of the machine; those of observed threads are observed from their
 * first instant. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	u64 now = bpf_ktime_get_ns();
	struct thread *of, *t;

	of = thread_find(parent);
	if (!of)
		return 0;
	t = thread_create(child, of->service, now);
	if (!t)
		return 0;
	t->run = RUN_RUNNABLE;
	t->green = of->green;
	t->loop = of->green;
	if (child->tgid != parent->tgid) {
		process_add(child->tgid, parent->tgid, of->service);
		return 0;
	}
	/* A thread started by one that has read a request works for it, as one woken for it does.
	 */
	if (thread_is_current(of) && of->request && of->open && !of->adopted && !of->loop) {
		t->pooled = true;
		thread_adopt(t, of->request);
	}
	return 0;
}

/* A new program: nothing of the old one's requests goes on. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	struct thread *t = thread_find(task);
	struct iop_process *process;
	u32 tgid;

	if (!t)
		return 0;
	tgid = task->tgid;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (process) {
		process->green = IOP_GREEN_UNKNOWN;
		process->locks_size = 0;
		process->python = 0;
	}
	if (thread_is_current(t)) {
		thread_release(t);
		thread_take_pending(t);
	}
	t->answered_cpu_ns = 0;
	t->loop = t->green = t->parked = t->full = t->in_epoll = false;
	return 0;
}

/* A worker is gone. */
static __always_inline void serving_ended(struct thread *t, struct iop_totals *totals, bool process,
					  u64 until)
{
	u32 service = t->service;
	struct iop_serving *workers = bpf_map_lookup_elem(&serving, &service);

	__sync_fetch_and_add(&totals->ended_serving, 1);
	if (process)
		__sync_fetch_and_add(&totals->ended_serving_processes, 1);
	__sync_fetch_and_add(&totals->ended_serving_ns, observed_ns(t, until));
	__sync_fetch_and_add(&totals->ended_serving_idle_ns, t->idle_ns);
	if (workers)
		__sync_fetch_and_add(&workers->now, -1);
}

/* The scheduler's account of the running thread, which lags until the next tick or switch: all of a
 * process that lived for less. */
static __always_inline u64 account(const struct thread *t, u64 ns, u64 now)
{
	u64 least = t->slice_exec + (now - t->slice_start);

	return t->slice_start && least > ns ? least : ns;
}

/* The thread's totals move to its service; its state goes with it. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct thread *t = thread_find(task);
	struct iop_totals *totals;
	u32 pid = task->pid, tgid = task->tgid;
	u64 until, cpu_ns;

	if (!t)
		return 0;
	until = observed_until(t);
	cpu_ns = task->se.sum_exec_runtime;
	if (thread_is_current(t)) {
		thread_charge(t, until);
		if (t->adopted && t->open)
			thread_share(t);
		if (t->asked)
			in_flight_add(t->asked - 1, -1);
		cpu_ns = account(t, cpu_ns, until);
	}
	move_cpu(t, cpu_ns);
	totals = totals_of(t->service);
	if (totals && t->requests)
		serving_ended(t, totals, pid == tgid, until);
	t->ended = true;
	if (pid == tgid)
		bpf_map_delete_elem(&processes, &tgid);
	if (!has_task_storage)
		bpf_map_delete_elem(&threads_hash, &pid);
	return 0;
}
