/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a socket message means, whichever hook saw it: the request state machine, operations with
 * peers, and the purpose of the wait that came before. All three ways of seeing messages
 * (socket.bpf.c, fexit.bpf.c, syscall.bpf.c) end here.
 */
#ifndef IOPROF_MESSAGE_BPF_H
#define IOPROF_MESSAGE_BPF_H

#include "connection.bpf.h"
#include "request.bpf.h"
#include "run.bpf.h"

#define EAGAIN 11
#define MSG_PEEK 2
#define SOCK_NOSPACE (1 << 2)

static __always_inline void peer_max(u32 row, u64 wait_ns)
{
	u32 key = row * 2 + (epoch & 1);
	u64 *max = bpf_map_lookup_elem(&peer_maxima, &key);

	if (max && wait_ns > *max)
		*max = wait_ns;
}

static __always_inline void peer_count(const struct conn *c, u64 wait_ns)
{
	struct iop_peer *peer;
	u32 row = c->peer;

	peer = bpf_map_lookup_elem(&peers, &row);
	if (!peer)
		return;
	if (row < service_count)
		count_loss(IOP_LOSS_PEERS);
	if (!c->counted) {
		__sync_fetch_and_add(&peer->operations_outside, 1);
		return;
	}
	__sync_fetch_and_add(&peer->operations, 1);
	if (c->fresh)
		__sync_fetch_and_add(&peer->connections, 1);
	__sync_fetch_and_add(&peer->wait_ns, wait_ns);
	hist_count(&peer->hist, wait_ns, 1);
	peer_max(row, wait_ns);
}

/* More waiting for an operation that has been counted: an answer that comes in pieces. */
static __always_inline void peer_correct(const struct conn *c, u64 before_ns, u64 after_ns)
{
	struct iop_peer *peer;
	u32 row = c->peer;

	peer = bpf_map_lookup_elem(&peers, &row);
	if (!peer || !c->counted)
		return;
	__sync_fetch_and_add(&peer->wait_ns, after_ns - before_ns);
	hist_count(&peer->hist, before_ns, -1);
	hist_count(&peer->hist, after_ns, 1);
	peer_max(row, after_ns);
}

/* A blocking call in an event loop, for this peer. */
static __always_inline void loop_blocked_by(struct thread *t, u32 row, u64 ns)
{
	struct iop_peer *peer;

	loop_blocked(t, IOP_NETWORK, ns);
	if (!stops_loop(t) || !in_sample_now())
		return;
	peer = bpf_map_lookup_elem(&peers, &row);
	if (peer)
		blocked_count(&peer->blocked, ns);
}

/* The wait before this message was for this peer. */
static __always_inline u64 wait_was_network(struct thread *t, u32 row)
{
	bool epoll = t->pending & PENDING_EPOLL, blocking = t->pending & PENDING_SOCKET;
	u64 ns = thread_take_pending(t);

	if (!ns)
		return 0;
	if (!t->request || !t->open) {
		/* Background work; it looked like waiting for work when it slept. */
		t->idle_ns -= ns < t->idle_ns ? ns : t->idle_ns;
	} else if (epoll && !t->adopted) {
		/* Blocking code waits on the socket itself; only an event loop waits for a peer in
		 * epoll. */
		t->loop = true;
	}
	t->cost.ns[IOP_NETWORK] += ns;
	if (blocking)
		loop_blocked_by(t, row, ns);
	thread_trace(t, IOP_NETWORK, row, ns);
	return ns;
}

/* The wait before this message was for the connection its request came from: a slow client. */
static __always_inline void wait_was_client(struct thread *t)
{
	bool blocking = t->pending & PENDING_SOCKET;
	u64 ns = thread_take_pending(t);

	t->cost.ns[IOP_CLIENT] += ns;
	if (blocking)
		loop_blocked(t, IOP_CLIENT, ns);
	thread_trace(t, IOP_CLIENT, TRACE_NO_PEER, ns);
}

/*
 * How many operations the service has in flight at a peer. One ends as the first byte of its answer
 * arrives, where that is told, else as it is read, or with its connection: one whose answer only
 * waits for a processor to be read does not keep the peer busy. The closing of an AF_UNIX socket
 * nothing shows: there, a thread that asks again has given up what it asked before, and what a
 * blocking one asks is in flight until it is read.
 */
static __always_inline void operation_ends(struct conn *c)
{
	/* It may arrive and be read at the same time. */
	if (c->flying && __sync_lock_test_and_set(&c->flying, 0))
		in_flight_add(c->peer, -1);
}

static __always_inline void operation_begins(struct conn *c, struct thread *t)
{
	u32 row = c->peer;
	struct iop_peer *peer = bpf_map_lookup_elem(&peers, &row);

	if (t->asked)
		in_flight_add(t->asked - 1, -1);
	t->asked = 0;
	operation_ends(c);
	if (!peer)
		return;
	c->in_flight = (u32)__sync_fetch_and_add(&peer->in_flight, 1) + 1;
	if (c->local && !t->loop)
		t->asked = row + 1;
	else
		c->flying = 1;
}

static __always_inline void operation_answered(struct conn *c, struct thread *t, u64 now)
{
	u64 until = c->arrival > c->start ? c->arrival : now;
	u32 row = c->peer, bin = in_flight_bin(c->in_flight);
	struct iop_peer *peer = bpf_map_lookup_elem(&peers, &row);

	if (t->asked)
		in_flight_add(t->asked - 1, -1);
	t->asked = 0;
	operation_ends(c);
	asm volatile(""
		     : "+r"(bin)); /* the register that is checked must be the one that is used */
	if (!peer || !c->in_flight || bin >= IOP_IN_FLIGHT_BINS || !in_sample(now))
		return;
	__sync_fetch_and_add(&peer->loads[bin].operations, 1);
	__sync_fetch_and_add(&peer->loads[bin].ns, until - c->start);
}

static __always_inline void operation_counts(struct conn *c, struct thread *t, u64 now)
{
	u64 io_ns;

	c->counted = t->open || t->leftover || t->loop || thread_is_pooled(t);
	if (t->loop) {
		io_ns = (c->arrival > c->start ? c->arrival : now) - c->start;
		t->cost.io_ns += io_ns;
		/* A blocking call in the loop is in it already. */
		if (c->wait_ns < io_ns)
			c->wait_ns = io_ns;
	}
	t->cost.operations++;
	if (t->request ? request_in_sample(t->request) : in_sample(now))
		peer_count(c, c->wait_ns);
	else
		c->counted = false;
	c->fresh = false;
}

static __always_inline void client_receive(struct conn *c, struct thread *t, u64 now)
{
	u64 waited, before = c->wait_ns;

	/* An event loop takes up the request that asked; so does one of a pool whose lock looked
	 * like waiting for work. */
	if (c->id && (t->loop || !t->request || !t->open)) {
		thread_switch(t, c->id);
		t->adopted |= !t->loop && thread_is_pooled(t);
		loop_take_up(t, c->id);
	}
	waited = wait_was_network(t, c->peer);
	c->wait_ns += waited;
	t->answering = c->peer + 1;
	if (c->state == CONN_OPEN) {
		operation_answered(c, t, now);
		operation_counts(c, t, now);
		c->state = CONN_RESPONDED;
	} else if (waited) {
		peer_correct(c, before, c->wait_ns);
	}
}

static __always_inline void client_send(struct conn *c, struct thread *t, u64 now)
{
	u64 waited = 0;

	/* Connecting, or a peer that reads slowly. A wait for readiness before a send on a used
	 * connection was for another. */
	if (t->pending & PENDING_SOCKET || !c->start || t->full)
		waited = wait_was_network(t, c->peer);
	else if (t->pending)
		thread_charge_pending(t);
	if (c->state != CONN_OPEN) {
		loop_act(t);
		c->wait_ns = 0;
		c->id = t->open ? t->request : 0;
		c->state = CONN_OPEN;
		operation_begins(c, t);
	}
	c->wait_ns += waited;
	c->start = now;
	c->arrival = 0;
}

/* A thread that goes on with a request it read, after another one in between, is an event loop. */
static __always_inline void loop_proven(struct thread *t, const struct conn *c, u32 tid)
{
	if (c->opener == tid && t->request && t->request != c->id && !t->adopted)
		t->loop = true;
}

static __always_inline void server_receive(struct conn *c, struct thread *t, u32 tid, u64 now)
{
	if (c->state == CONN_RESPONDED && c->timed && !c->arrival) {
		/* Nothing has arrived since the request was read: the rest of the same request
		 * (FastCGI ends one so), unless an answer to it follows. */
		t->pending_ns = 0;
		t->pending = 0;
		if (t->request && !t->open)
			cost_clear(&t->cost);
		c->leftover = now;
		t->leftover = true;
		return;
	}
	if (c->state != CONN_OPEN) {
		request_open(c, t, tid, now);
		loop_take_up(t, c->id);
		return;
	}
	/* More of the request. */
	if (t->request != c->id) {
		loop_proven(t, c, tid);
		thread_switch(t, c->id);
	}
	loop_take_up(t, c->id);
	c->arrival = 0;
	wait_was_client(t);
}

/* Whose is the time since the last event, and the wait in it, now that the thread sends this
 * response? */
static __always_inline void server_send_claims(struct conn *c, struct thread *t)
{
	/* What came after the last response was for this one; what is another open request's stays
	 * its own. */
	if (t->request && t->request != c->id && t->open)
		thread_share(t);
	if (!t->pending)
		return;
	if (t->pending & PENDING_SOCKET || t->full)
		wait_was_client(t);
	else if (t->loop)
		thread_take_pending(t);
	else
		thread_charge_pending(t);
}

static __always_inline void server_send(struct conn *c, struct thread *t, u32 tid, u64 now)
{
	struct iop_totals *totals;
	bool loop_before = t->loop;

	if (c->state == CONN_IDLE) {
		/* The answer to a request that was open at attach. */
		totals = totals_of(t->service);
		if (totals && c->at_attach && window_open == 1)
			__sync_fetch_and_add(&totals->at_attach, 1);
		if (c->at_attach) /* it may have been seen to arrive, if not to be read */
			c->arrival = 0;
		c->at_attach = false;
		thread_release(t);
		thread_take_pending(t);
		return;
	}
	if (c->leftover && c->arrival <= c->leftover) {
		/* An answer: it was a request after all, sent before the last one was answered. */
		c->cost = t->cost; /* of the stack there is no room for it */
		request_begin(c, t, tid, c->leftover);
		t->cost = c->cost;
		cost_clear(&c->cost);
	}
	if (c->state == CONN_OPEN)
		loop_answered(t, c->id);
	loop_proven(t, c, tid);
	if (c->opener != tid) {
		t->pooled = true;
		t->pooled_at = 0;
	}
	server_send_claims(c, t);
	if (t->loop && !loop_before)
		c->loop = true;
	thread_trace_visit(t, c->id);
	count_worked(t);
	request_answers(c, t, tid);
	cost_move(&c->cost, &t->cost);
	request_collect(c);
	request_commit(c, now, t->loop);
	process_works(t, now);
	if (t->request != c->id) {
		t->request = c->id;
		t->adopted = false;
	}
	t->open = false;
	t->slice_answered = true;
}

/* Those it has woken since its last message were woken by this one. */
static __always_inline void woken_by_message(const struct conn *c, struct thread *t, bool sending)
{
	struct iop_totals *totals = totals_of(t->service);

	if (totals && sending && c->role == ROLE_CLIENT && t->woken_ran && in_sample_now())
		__sync_fetch_and_add(&totals->peer_cpu_ns, t->woken_ran);
	t->woken_ran = 0;
}

/* A send that took only part of what it was given has left this mark. */
static __always_inline bool sock_is_full(struct sock *sk)
{
	struct socket *socket = SOCK_READ(sk, sk_socket);

	if (!socket ||
	    SOCK_READ(sk, __sk_common.skc_family) == AF_UNIX) /* which leaves it for ever */
		return false;
	return BPF_CORE_READ(socket, flags) & SOCK_NOSPACE;
}

static __always_inline void message_counts(struct sock *sk, struct conn *c, struct thread *t,
					   int ret, int flags, bool sending)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	u64 now;

	if (!c || !c->known) {
		c = conn_create(sk, t, sending);
		if (!c)
			return;
	}
	woken_by_message(c, t, sending);
	if (ret > 0 && !sending && flags & MSG_PEEK)
		return;
	if (c->role == ROLE_SERVER && !c->id && !sending && ret > 0)
		backlog_take(sk, sock_family(sk), t->service);
	now = bpf_ktime_get_ns();
	thread_charge(t, now);
	if (ret <= 0) {
		if (t->pending & PENDING_SOCKET) { /* it waited, and in vain */
			if (c->role == ROLE_CLIENT)
				wait_was_network(t, c->peer);
			else
				wait_was_client(t);
		}
		t->parked = ret == -EAGAIN && c->role == ROLE_CLIENT;
		t->full = ret == -EAGAIN && sending;
		return;
	}
	t->parked = false;
	switch (c->role) {
	case ROLE_SERVER:
		if (sending)
			server_send(c, t, tid, now);
		else
			server_receive(c, t, tid, now);
		break;
	case ROLE_CLIENT:
		if (sending)
			client_send(c, t, now);
		else
			client_receive(c, t, now);
		break;
	default:
		/* A socket pair: threads talking to each other. */
		if (t->pending) {
			thread_charge_pending(t);
			t->pieces = 0; /* it may have waited for work */
		}
		break;
	}
	t->full = sending && c->role == ROLE_SERVER && sock_is_full(sk);
	/* A goroutine may go on, and answer, on another thread. */
	if (t->open && (t->adopted || t->green))
		thread_share(t);
	else if (!t->open && (thread_is_pooled(t) || (t->loop && t->cost.operations)))
		thread_share_unnamed(t);
}

/* One message that a thread of the service received (ret bytes, or -errno) or sent. sk may be an
 * address only. */
static __always_inline int message(struct sock *sk, struct conn *c, struct thread *t, int ret,
				   int flags, bool sending)
{
	t->busy = true;
	message_counts(sk, c, t, ret, flags, sending);
	t->busy = false;
	return 0;
}

#endif
