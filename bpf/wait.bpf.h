/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a thread goes to sleep, from the system call it is in and the file behind its first argument.
 * No system call is traced for this: the registers are read when the thread is switched out.
 */
#ifndef IOPROF_WAIT_BPF_H
#define IOPROF_WAIT_BPF_H

#include "connection.bpf.h"

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000

#define FUTEX_COMMAND 0x7f /* without PRIVATE and CLOCK_REALTIME */
#define FUTEX_WAIT 0
#define FUTEX_LOCK_PI 6

/* Whether this wait is for work to come: nothing open, or (an event loop) for whatever comes. */
static __always_inline bool waits_for_work(const struct thread *t)
{
	bool open = t->request && t->open;

	switch (t->wait) {
	case WAIT_READY:
		return t->loop || !open;
	case WAIT_FUTEX:
		return t->green || (!t->lock && (t->adopted || !open));
	case WAIT_CLASS:
		/* A master waits for its workers. */
		return !open && (t->wait_class == IOP_SLEEP || t->wait_class == IOP_CHILD);
	default:
		return !open;
	}
}

static __always_inline void wait_is(struct thread *t, u32 class)
{
	t->wait = WAIT_CLASS;
	t->wait_class = class;
}

static __always_inline void wait_on_socket(struct thread *t)
{
	t->wait = WAIT_SOCKET;
	t->wait_pending = PENDING_SOCKET;
}

/* The name of the file an event loop waits for. */
static __always_inline void remember_file(struct thread *t, struct file *file)
{
	const unsigned char *name;

	t->file[0] = 0;
	if (!stops_loop(t) || !file || !bpf_core_field_exists(file->f_path))
		return;
	name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	bpf_probe_read_kernel_str(t->file, sizeof(t->file), name);
}

static __always_inline void wait_on_file(struct thread *t, struct task_struct *task, u64 fd)
{
	struct file *file = task_file(task, fd);

	if (!file) {
		wait_is(t, IOP_OTHER);
		return;
	}
	switch (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) {
	case S_IFSOCK:
		wait_on_socket(t);
		break;
	case S_IFREG:
	case S_IFBLK:
	case S_IFDIR:
		remember_file(t, file);
		wait_is(t, IOP_DISK);
		break;
	default:
		t->wait = WAIT_EVENT;
		break;
	}
}

/* poll() for one thing, and that is a connection. */
static __always_inline bool polls_connection(struct task_struct *task, const struct syscall *call)
{
	struct socket *socket;
	struct file *file;
	s32 fd;

	if (call->args[1] != 1 || bpf_probe_read_user(&fd, sizeof(fd), (void *)call->args[0]))
		return false;
	file = task_file(task, (u32)fd);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return false;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk, __sk_common.skc_state) != TCP_LISTEN;
}

/* A thread that sleeps in epoll and calls poll or select waits there for one thing alone, and
 * nothing else goes on meanwhile. A loop that always has something to do never sleeps in epoll; but
 * none waits for whatever comes at one connection. */
static __always_inline bool polls_aside(const struct thread *t, struct task_struct *task,
					const struct syscall *call, bool poll)
{
	return stops_loop(t) && (t->in_epoll || (poll && polls_connection(task, call)));
}

static __always_inline void wait_for_ready(struct thread *t, u32 pending, u64 now, s32 timeout_ms)
{
	t->parked = false; /* it watches its sockets itself */
	t->in_epoll |= (pending & PENDING_EPOLL) != 0;
	t->wait = WAIT_READY;
	t->wait_pending = pending;
	t->deadline = timeout_ms > 0 ? now + timeout_ms * 1000000ull : 0;
}

/* Goroutines move between all threads of their process. */
static __always_inline bool process_is_green(struct task_struct *task)
{
	u32 tgid = task->tgid;
	struct iop_process *process = bpf_map_lookup_elem(&processes, &tgid);

	return process && process->green == IOP_GREEN_YES;
}

/* It left an operation that would have blocked and sleeps on a futex: it runs a scheduler of its
 * own. Unless it only waits for its turn to poll, as Ruby does: such programs have been looked at.
 */
static __always_inline bool process_turns_green(struct task_struct *task)
{
	u32 tgid = task->tgid;
	struct iop_process *process = bpf_map_lookup_elem(&processes, &tgid);

	if (!process || process->green != IOP_GREEN_UNKNOWN)
		return false;
	process->green = IOP_GREEN_YES;
	return true;
}

/* A lock of the interpreter itself, by which its threads take turns. */
static __always_inline bool lock_is_interpreters(u32 tgid, u64 address)
{
	struct iop_process *process = bpf_map_lookup_elem(&processes, &tgid);

	return process && address - process->locks_at < process->locks_size;
}

/* Whether it waits for a lock, as far as the futex tells. A mutex of glibc's is nothing else. */
static __always_inline bool waits_at_lock(const struct thread *t, const struct lock_key *key,
					  u64 address)
{
	const struct lock interpreters = {.with_request = LOCK_ALWAYS, .turns = true};
	struct lock *known = bpf_map_lookup_elem(&locks, key);

	if (!known)
		return lock_is_interpreters((u32)key->tgid, address) &&
		       !bpf_map_update_elem(&locks, key, &interpreters, BPF_ANY);
	if (!t->requests)
		known->turns = true;
	if (!t->loop && (!t->request || !t->open))
		known->without++;
	return t->plain || known->with_request > known->without;
}

static __always_inline void learn_lock(const struct lock_key *key)
{
	struct lock *known = bpf_map_lookup_elem(&locks, key), lock = {.with_request = 1};

	if (known)
		known->with_request++;
	else if (bpf_map_update_elem(&locks, key, &lock, BPF_ANY))
		count_loss(IOP_LOSS_LOCKS);
}

static __always_inline void wait_on_futex(struct thread *t, struct task_struct *task, u64 address,
					  u64 operation)
{
	struct lock_key key = {.address = address >> 3, .tgid = task->tgid};
	u32 command = operation & FUTEX_COMMAND;

	t->wait = WAIT_FUTEX;
	t->futex = address;
	t->plain = command == FUTEX_WAIT || command == FUTEX_LOCK_PI;
	t->lock = waits_at_lock(t, &key, address);
	if (t->lock && t->pooled && t->pooled_at == key.address)
		thread_unpool(t);
	if (!t->green && command == FUTEX_WAIT && process_is_green(task))
		t->green = t->loop = true;
	if (t->green)
		return;
	if (t->parked && command == FUTEX_WAIT && t->request && t->open &&
	    process_turns_green(task)) {
		t->green = t->loop = true;
		return;
	}
	if (t->parked && !t->plain && !t->lock && t->request && t->open) {
		/* Another thread watches the socket for it (.NET, Java): the next message shows
		 * whether it waited for that. */
		t->wait = WAIT_READY;
		t->wait_pending = PENDING_READY | PENDING_MEMBER;
		return;
	}
	if (t->adopted) {
		t->lock |= t->open && t->plain;
		return;
	}
	/* An event loop waits for work elsewhere, and a thread with a request of its own open not
	 * at all: it is a lock. */
	if (!t->loop && (!t->request || !t->open))
		return;
	learn_lock(&key);
	t->lock = true;
}

/* Uninterruptible: the block layer says so itself, the rest by the call. */
static __always_inline void wait_uninterruptible(struct thread *t, struct task_struct *task,
						 const struct syscall *call, u32 kind)
{
	int number = call->number;

	if (stops_loop(t))
		remember_file(t, kind == IOP_KIND_FILE ? task_file(task, call->args[0]) : NULL);
	if (BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait) || kind == IOP_KIND_FILE ||
	    kind == IOP_KIND_DISK)
		wait_is(t, IOP_DISK);
	else if (kind == IOP_KIND_CHILD)
		wait_is(t, IOP_CHILD);
	else if (number < 0 || kind == IOP_KIND_FUTEX)
		wait_is(t, IOP_LOCK); /* the address space's lock in a page fault */
	else
		wait_is(t, IOP_OTHER);
}

static __always_inline void wait_classify(struct thread *t, struct task_struct *task, u32 state,
					  u64 now)
{
	struct syscall call = {};
	u32 kind = IOP_KIND_OTHER;

	task_syscall(task, &call);
	if (call.number >= 0 && call.number < IOP_SYSCALLS)
		kind = syscall_kinds[call.number & (IOP_SYSCALLS - 1)];
	t->wait_pending = 0;
	t->deadline = 0;
	t->futex = 0;
	t->lock = false;
	if (state & TASK_STOPPED) { /* whatever it waited for before */
		wait_is(t, IOP_OTHER);
		return;
	}
	if (state & TASK_UNINTERRUPTIBLE) {
		wait_uninterruptible(t, task, &call, kind);
		return;
	}
	switch (kind) {
	case IOP_KIND_FILE:
		wait_on_file(t, task, call.args[0]);
		break;
	case IOP_KIND_SOCKET:
		wait_on_socket(t);
		break;
	case IOP_KIND_EPOLL:
		wait_for_ready(t, PENDING_READY | PENDING_EPOLL, now, (s32)call.args[3]);
		break;
	case IOP_KIND_EPOLL_NO_MS:
		wait_for_ready(t, PENDING_READY | PENDING_EPOLL, now, 0);
		break;
	case IOP_KIND_POLL:
	case IOP_KIND_PPOLL:
		if (polls_aside(t, task, &call, true))
			wait_on_socket(t);
		else
			wait_for_ready(t, PENDING_READY, now,
				       kind == IOP_KIND_POLL ? (s32)call.args[2] : 0);
		if (!call.args[1]) /* without descriptors it is a way to sleep */
			wait_is(t, IOP_SLEEP);
		break;
	case IOP_KIND_SELECT:
		if (polls_aside(t, task, &call, false))
			wait_on_socket(t);
		else
			wait_for_ready(t, PENDING_READY, now, 0);
		if (!call.args[0])
			wait_is(t, IOP_SLEEP);
		break;
	case IOP_KIND_FUTEX:
		wait_on_futex(t, task, call.args[0], call.args[1]);
		break;
	case IOP_KIND_ACCEPT:
	case IOP_KIND_PAUSE:
		t->wait = WAIT_IDLE;
		break;
	case IOP_KIND_SLEEP:
		wait_is(t, IOP_SLEEP);
		break;
	case IOP_KIND_CHILD:
		wait_is(t, IOP_CHILD);
		break;
	case IOP_KIND_LOCK:
		wait_is(t, IOP_LOCK);
		break;
	case IOP_KIND_DISK:
		wait_is(t, IOP_DISK);
		break;
	default:
		wait_is(t, IOP_OTHER);
		break;
	}
}

#endif
