/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Iterators: what is already there at attach, and the threads' own counters whenever user space
 * asks. They cost nothing in between.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "connection.bpf.h"
#include "wait.bpf.h"

#define TCP_ESTABLISHED 1

/* Threads of the observed processes that exist already, at attach and when a window opens. What
 * waits now has been waiting since now, not unseen. */
SEC("iter/task")
int find_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct iop_process *process;
	struct thread *t;
	u64 now;
	u32 tgid, state;

	if (!task)
		return 0;
	tgid = task->tgid;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (!process)
		return 0;
	t = thread_find(task);
	if (t && (thread_is_current(t) || !window_open))
		return 0;
	now = bpf_ktime_get_ns();
	if (t) {
		thread_renew(t);
	} else {
		t = thread_create(task, process->service, now);
		if (!t)
			return 0;
		t->cpu_base = task->se.sum_exec_runtime;
		t->green = t->loop = process->green == IOP_GREEN_YES;
	}
	state = task_state(task) & TASK_STATES;
	if (task->on_cpu) {
		t->run = RUN_ON_CPU;
	} else if (!state) {
		t->run = RUN_RUNNABLE;
	} else {
		wait_classify(t, task, state, now);
		t->run = RUN_BLOCKED;
	}
	return 0;
}

/* The socket behind a file, NULL if it is none. */
static __always_inline struct sock *file_sock(struct file *file)
{
	struct socket *socket;

	if (has_socket_storage) {
		socket = bpf_sock_from_file(file);
		return socket ? socket->sk : NULL;
	}
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

/*
 * Sockets that exist already: everybody's listeners, for roles; the observed processes' accepted
 * connections, which may have a request in work whose beginning nobody saw. Run twice: a
 * connection's role is known once all listeners are.
 */
SEC("iter/task_file")
int find_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct iop_process *process;
	struct conn *c;
	struct sock *sk;
	u16 family;
	u32 tgid;
	u8 state;

	if (!task || !file)
		return 0;
	sk = file_sock(file);
	if (!sk)
		return 0;
	tgid = task->tgid;
	process = bpf_map_lookup_elem(&processes, &tgid);
	family = sock_family(sk);
	state = SOCK_READ(sk, __sk_common.skc_state);
	if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
		return 0;
	if (state == TCP_LISTEN)
		listener_add(sk, family, process ? process->service : IOP_NOT_OURS);
	if (!process || state != TCP_ESTABLISHED || conn_find(sk) ||
	    role_of(sk, family, true) != ROLE_SERVER)
		return 0;
	c = conn_new(sk);
	if (!c)
		return 0;
	c->service = process->service;
	c->role = ROLE_SERVER;
	c->timed = arrivals_seen(family);
	c->at_attach = true;
	c->known = true;
	return 0;
}

/* Who listens, on the whole machine: stream sockets, each with every process that holds it. */
SEC("iter/task_file")
int report_listeners(struct bpf_iter__task_file *ctx)
{
	struct iop_listener_record record = {};
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct sock *sk;
	u16 family;
	u8 state;

	if (!task || !file)
		return 0;
	sk = file_sock(file);
	if (!sk)
		return 0;
	family = sock_family(sk);
	state = SOCK_READ(sk, __sk_common.skc_state);
	if (state != TCP_LISTEN || (family != AF_UNIX && family != AF_INET && family != AF_INET6))
		return 0;
	record.socket = (u64)sk;
	record.tgid = task->tgid;
	record.port = family == AF_UNIX ? 0 : SOCK_READ(sk, __sk_common.skc_num);
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

/* What every observed thread has done so far, what it is doing right now included. */
SEC("iter/task")
int report_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct iop_thread_record record = {};
	struct thread *t;
	u64 now, since, ns;

	if (!task)
		return 0;
	t = thread_find(task);
	if (!t || t->ended)
		return 0;
	now = observed_until(t);
	since = t->since;
	ns = now > since ? now - since : 0;
	record.start_time = task->start_time;
	record.observed_ns = observed_ns(t, now);
	record.idle_ns = t->idle_ns;
	record.cpu_ns = task->se.sum_exec_runtime - t->cpu_base;
	record.cpu_observed_ns = t->cpu_ns;
	record.run_queue_ns = t->run_queue_ns;
	if (t->run == RUN_BLOCKED && waits_for_work(t))
		record.idle_ns += ns;
	else if (t->run == RUN_ON_CPU)
		record.cpu_observed_ns += ns;
	else if (t->run == RUN_RUNNABLE)
		record.run_queue_ns += ns;
	record.requests = t->requests;
	record.tid = task->pid;
	record.tgid = task->tgid;
	record.parent_tgid = BPF_CORE_READ(task, real_parent, tgid);
	record.service = t->service;
	record.loop = t->loop;
	record.pooled = thread_is_pooled(t);
	bpf_probe_read_kernel(record.comm, sizeof(record.comm), task->comm);
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}
