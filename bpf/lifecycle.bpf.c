/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who belongs to a service: threads and processes that come and go, seen as they do, without a
 * race. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "thread.bpf.h"

/* A child process belongs to its parent's service, and inherits nothing else. */
static __always_inline void process_add(u32 tgid, u32 service)
{
	struct iop_process process = {.service = service};

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

	of = thread_lookup(parent);
	if (!of)
		return 0;
	t = thread_create(child, of->service, now);
	if (!t)
		return 0;
	t->run = RUN_RUNNABLE;
	if (child->tgid != parent->tgid) {
		process_add(child->tgid, of->service);
		return 0;
	}
	/* A thread started by one that has read a request works for it, as one woken for it does.
	 */
	if (of->request && of->open && !of->adopted && !of->loop)
		thread_adopt(t, of->request);
	return 0;
}

/* A new program: nothing of the old one's requests goes on. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	struct thread *t = thread_lookup(task);

	if (!t)
		return 0;
	thread_release(t);
	thread_take_pending(t);
	t->loop = t->green = t->parked = t->full = false;
	return 0;
}

/* The thread's totals move to its service; its state goes with it. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct thread *t = thread_lookup(task);
	struct iop_totals *totals;
	u32 pid = task->pid, tgid = task->tgid;

	if (!t)
		return 0;
	thread_charge(t, bpf_ktime_get_ns());
	if (t->adopted && t->open)
		thread_share(t);
	totals = totals_of(t->service);
	if (totals) {
		__sync_fetch_and_add(&totals->ended_cpu_ns,
				     task->se.sum_exec_runtime - t->cpu_base);
		__sync_fetch_and_add(&totals->ended_cpu_observed_ns, t->cpu_ns);
	}
	t->ended = true;
	if (pid == tgid)
		bpf_map_delete_elem(&processes, &tgid);
	if (!has_task_storage)
		bpf_map_delete_elem(&threads_hash, &pid);
	return 0;
}
