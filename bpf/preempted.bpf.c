/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Set A where tracepoints can be preempted.
 *
 * Question: a thread is preempted in the middle of its message, and until it runs again the kernel
 * skips this program for every other thread on that CPU. How is none of their messages lost?
 *
 * Two programs per event. The first marks the thread and does the work; the second, which is called
 * right after it, finds the mark and ends, or else knows that the first was skipped, and does the
 * work. A message is lost only if a second thread was preempted in the second program meanwhile. A
 * thread's state is changed with preemption off: sched_switch, which looks at it too, comes before
 * or after.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "message.bpf.h"

/* Weak: kernels before 6.10 lack them, and these programs are not loaded there. */
extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

static __always_inline void message_at_once(struct sock *sk, struct thread *t, int ret, int flags,
					    bool sending)
{
	bpf_preempt_disable();
	message(sk, conn_lookup(sk), t, ret, flags, sending);
	bpf_preempt_enable();
}

static __always_inline int message_first(struct sock *sk, int ret, int flags, bool sending)
{
	struct thread *t = thread_current();

	if (!t)
		return 0;
	t->taken = true;
	message_at_once(sk, t, ret, flags, sending);
	return 0;
}

static __always_inline int message_again(struct sock *sk, int ret, int flags, bool sending)
{
	struct thread *t = thread_current();

	if (!t)
		return 0;
	if (t->taken) {
		t->taken = false;
		return 0;
	}
	__sync_fetch_and_add(&messages_rescued, 1);
	message_at_once(sk, t, ret, flags, sending);
	return 0;
}

/* As on_recv and on_send. Attached in this order, and called in it. */
SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_recv_first, struct sock *sk, int ret, int flags)
{
	return message_first(sk, ret, flags, false);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_recv_again, struct sock *sk, int ret, int flags)
{
	return message_again(sk, ret, flags, false);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_send_first, struct sock *sk, int ret, int flags)
{
	return message_first(sk, ret, flags, true);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_send_again, struct sock *sk, int ret, int flags)
{
	return message_again(sk, ret, flags, true);
}
