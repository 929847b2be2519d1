/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Set C, the last resort: messages seen as system calls return. Works everywhere and costs every
 * system call of the machine. Blind to sendfile, splice and io_uring.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "message.bpf.h"

/* Which way a system call moves a socket's bytes, by number. Set by user space. */
const volatile unsigned char syscall_messages[IOP_SYSCALLS] = {};

/*
 * The address may have been another socket's: a socket's inode number is its own while it lives.
 * What became readable since the other one's last response arrived for this one.
 */
static __always_inline struct conn *conn_of_inode(struct sock *sk, u64 inode, u64 *ret_arrival)
{
	struct conn *c = conn_lookup(sk);
	u64 key = (u64)sk;

	if (!c || c->inode == inode)
		return c;
	if (!c->inode) { /* made when data arrived, before it was accepted */
		c->inode = inode;
		return c;
	}
	*ret_arrival = c->state == CONN_OPEN ? 0 : c->arrival;
	bpf_map_delete_elem(&conns_hash, &key);
	return NULL;
}

/* Every return of every system call of the machine. Others' end at the first look-up. */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_syscall_exit, struct pt_regs *regs, long ret)
{
	struct thread *t = thread_current();
	struct task_struct *task;
	struct syscall call = {};
	struct socket *socket;
	struct file *file;
	struct conn *c;
	struct sock *sk;
	u64 inode, arrival = 0;
	u8 way;

	if (!t)
		return 0;
	task = bpf_get_current_task_btf();
	task_syscall(task, &call);
	if (call.number < 0 || call.number >= IOP_SYSCALLS)
		return 0;
	way = syscall_messages[call.number & (IOP_SYSCALLS - 1)];
	if (way == IOP_NO_MESSAGE)
		return 0;
	file = task_file(task, call.args[0]);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (!sk)
		return 0;
	inode = BPF_CORE_READ(file, f_inode, i_ino);
	c = conn_of_inode(sk, inode, &arrival);
	if (!c) {
		c = conn_create(sk, t, way == IOP_SENDS);
		if (!c)
			return 0;
		c->inode = inode;
		c->arrival = arrival;
	}
	return message(sk, c, t, (int)ret, way == IOP_RECEIVES_FLAGS ? (int)call.args[3] : 0,
		       way == IOP_SENDS);
}
