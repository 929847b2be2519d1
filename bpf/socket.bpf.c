/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets' side, by tracepoints: messages (set A), readiness, new listeners, closed
 * connections.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "message.bpf.h"

#define TCP_SYN_SENT 2
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE 7
#define TCP_LAST_ACK 9

/* Set A, kernels from 6.3: every message received, or tried to. Once per call; other processes' end
 * at the first look-up. */
SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_recv, struct sock *sk, int ret, int flags)
{
	struct thread *t = thread_current();

	return t ? message(sk, conn_lookup(sk), t, ret, flags, false) : 0;
}

/* Set A: every message sent. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(on_send, struct sock *sk, int ret, int flags)
{
	struct thread *t = thread_current();

	return t ? message(sk, conn_lookup(sk), t, ret, flags, true) : 0;
}

/*
 * Data has become readable: an answer, if one is awaited; a request, or more of the open one. The
 * latter too, since a client may have its response and send its next request before the send of
 * that response has returned. What was told before the last request was read was of that one.
 */
static __always_inline void readable(struct conn *c, u64 now)
{
	if (c->arrival > c->start || c->start > now ||
	    (c->role != ROLE_SERVER && c->state != CONN_OPEN))
		return;
	c->arrival = now;
	if (c->role == ROLE_CLIENT)
		operation_ends(c);
}

/*
 * AF_UNIX queues data before it says so, and the reader may have been quicker: what is said is then
 * old news of what has been read. Where nothing shows that it was read, after a request whose
 * arrival was told, its reader is about to say so.
 */
static __always_inline void readable_late(struct conn *c)
{
	if (c->role != ROLE_SERVER || c->arrival)
		return;
	if (c->state == CONN_OPEN && !c->request_arrival)
		c->request_arrival = c->start;
	else if (c->leftover || (c->state == CONN_RESPONDED && c->request_arrival))
		c->arrival = ARRIVAL_UNTIMED;
}

/* A socket no observed thread has touched yet: it may wait to be accepted. */
static __always_inline void readable_unknown(struct sock *sk, u16 family)
{
	struct iop_listening *listener = listener_of(sk, family);
	struct conn *c;

	if (!listener || listener->service == IOP_NOT_OURS ||
	    SOCK_READ(sk, __sk_common.skc_state) == TCP_LISTEN)
		return;
	c = conn_new(sk);
	if (!c)
		return;
	if (c->known) { /* its reader was quicker */
		readable_late(c);
		return;
	}
	c->arrival = bpf_ktime_get_ns();
	c->service = listener->service;
	c->role = ROLE_SERVER;
	c->timed = arrivals_seen(family);
	c->known = true;
}

/* Every wake-up of a socket's reader on the machine, mostly in an interrupt. Others' sockets: one
 * or two look-ups. */
SEC("tp_btf/sk_data_ready")
int BPF_PROG(on_readable, struct sock *sk)
{
	struct conn *c = NULL;
	u64 now;

	if (!window_open)
		return 0;
	if (!has_socket_storage || sk->sk_bpf_storage)
		c = conn_lookup(sk);
	if (!c) {
		readable_unknown(sk, sock_family(sk));
		return 0;
	}
	now = bpf_ktime_get_ns(); /* before looking whether it has been read */
	if (sock_family(sk) == AF_UNIX && !SOCK_READ(sk, sk_receive_queue.qlen))
		readable_late(c);
	else
		readable(c, now);
	return 0;
}

/* Where sk_data_ready is missing (before 6.3): every TCP segment received, of which those with data
 * count. */
SEC("tp_btf/tcp_probe")
int BPF_PROG(on_segment, struct sock *sk, struct sk_buff *skb)
{
	struct tcp_skb_cb *control =
		(struct tcp_skb_cb *)((char *)skb + bpf_core_field_offset(skb->cb));
	struct conn *c;

	if (!window_open || BPF_CORE_READ(control, end_seq) == BPF_CORE_READ(control, seq))
		return 0;
	c = conn_lookup(sk);
	if (c)
		readable(c, bpf_ktime_get_ns());
	else
		readable_unknown(sk, sock_family(sk));
	return 0;
}

/* A thread of the service opens a connection: its first operation will have cost one. */
static __always_inline void connecting(struct sock *sk)
{
	struct thread *t = thread_find(bpf_get_current_task_btf());
	struct conn *c;

	if (!t || !window_open)
		return;
	c = conn_new(sk);
	if (c)
		c->fresh = true;
}

/* TCP state changes: connections being opened, new listeners of the service, and connections closed
 * over an unanswered request. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_tcp_state, struct sock *sk, int oldstate, int newstate)
{
	struct thread *t;
	struct conn *c;
	u64 key;

	if (newstate == TCP_LISTEN) {
		t = thread_find(bpf_get_current_task_btf());
		if (t)
			listener_add(sk, sock_family(sk), t->service);
		return 0;
	}
	if (newstate == TCP_SYN_SENT) {
		connecting(sk);
		return 0;
	}
	if (newstate != TCP_CLOSE && newstate != TCP_FIN_WAIT1 && newstate != TCP_LAST_ACK)
		return 0;
	c = conn_find(sk);
	if (!c)
		return 0;
	if (conn_is_current(c)) {
		if (c->role == ROLE_SERVER && c->state == CONN_OPEN)
			request_abort(c);
		operation_ends(c);
	}
	if (!has_socket_storage && newstate == TCP_CLOSE) {
		key = (u64)sk;
		bpf_map_delete_elem(&conns_hash, &key);
	}
	return 0;
}
