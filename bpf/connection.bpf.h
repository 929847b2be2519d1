/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections: finding a socket's state, telling its role, and naming its peer.
 *
 * Role. Accepted or connected? A TCP socket whose local port somebody listens on was accepted: the
 * kernel gives no such port to a connecting socket. An AF_UNIX socket takes its listener's address
 * object when it is accepted. Neither needs the accept or the connect to have been seen, so roles
 * hold for connections older than ioprof.
 */
#ifndef IOPROF_CONNECTION_BPF_H
#define IOPROF_CONNECTION_BPF_H

#include <bpf/bpf_endian.h>

#include "thread.bpf.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_SEQPACKET 5
#define TCP_LISTEN 10

#define UNIX_PATH_OFFSET \
	2 /* of sun_path in struct sockaddr_un, whose length counts the family in */

/* As the last window it was used in left it. */
static __always_inline struct conn *conn_find(struct sock *sk)
{
	u64 key = (u64)sk;

	if (has_socket_storage)
		return bpf_sk_storage_get(&conns, sk, NULL, 0);
	return bpf_map_lookup_elem(&conns_hash, &key);
}

static __always_inline bool conn_is_current(const struct conn *c)
{
	return window_open && c->window == window_open;
}

/* As thread_renew(): a request may be worked on that was read meanwhile. window.bpf.c. */
int conn_renew(struct conn *c);

/* In the window that is open. */
static __always_inline struct conn *conn_lookup(struct sock *sk)
{
	struct conn *c = conn_find(sk);

	if (c && c->window != window_open)
		conn_renew(c);
	return c;
}

/* An empty connection. NULL where that cannot be: no memory, or a socket being torn down. */
static __always_inline struct conn *conn_new(struct sock *sk)
{
	static const struct conn none = {};
	u64 key = (u64)sk;
	struct conn *c;

	if (has_socket_storage) {
		c = bpf_sk_storage_get(&conns, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (!c) /* another processor may have been quicker */
			c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	} else {
		bpf_map_update_elem(&conns_hash, &key, &none, BPF_NOEXIST);
		c = bpf_map_lookup_elem(&conns_hash, &key);
	}
	if (c)
		c->window = window_open;
	return c;
}

static __always_inline u16 sock_family(struct sock *sk)
{
	return SOCK_READ(sk, __sk_common.skc_family);
}

/* Whose listening socket accepted this one, or is this one; NULL if nobody's that is known. */
static __always_inline struct iop_listening *listener_of(struct sock *sk, u16 family)
{
	struct iop_listener key = {};

	if (family == AF_UNIX) {
		key.net_or_address = (u64)BPF_CORE_READ((struct unix_sock *)sk, addr);
	} else if (family == AF_INET || family == AF_INET6) {
		key.net_or_address = (u64)SOCK_READ(sk, __sk_common.skc_net.net);
		key.port = SOCK_READ(sk, __sk_common.skc_num);
	}
	if (!key.net_or_address)
		return NULL;
	return bpf_map_lookup_elem(&listeners, &key);
}

static __always_inline void listener_add(struct sock *sk, u16 family, u32 service)
{
	struct iop_listening listening = {.socket = (u64)sk, .service = service};
	struct iop_listener key = {};

	if (family == AF_UNIX) {
		key.net_or_address = (u64)BPF_CORE_READ((struct unix_sock *)sk, addr);
	} else {
		key.net_or_address = (u64)SOCK_READ(sk, __sk_common.skc_net.net);
		key.port = SOCK_READ(sk, __sk_common.skc_num);
	}
	if (bpf_map_update_elem(&listeners, &key, &listening,
				service == IOP_NOT_OURS ? BPF_NOEXIST : BPF_ANY) &&
	    service != IOP_NOT_OURS)
		count_loss(IOP_LOSS_LISTENERS);
}

static __always_inline u8 unix_role(struct sock *sk)
{
	struct unix_sock *self = (struct unix_sock *)sk;
	struct sock *peer = BPF_CORE_READ(self, peer);
	struct unix_address *own = BPF_CORE_READ(self, addr), *theirs = NULL;

	if (peer)
		theirs = BPF_CORE_READ((struct unix_sock *)peer, addr);
	if (own && !theirs)
		return ROLE_SERVER; /* accepted, from a client without a name */
	if (!own)
		return theirs ? ROLE_CLIENT : ROLE_NEUTRAL;
	/* A client that bound a name of its own: the listener's address decides. */
	return listener_of(sk, AF_UNIX) ? ROLE_SERVER : ROLE_CLIENT;
}

static __always_inline u8 role_of(struct sock *sk, u16 family, bool sending)
{
	u16 type = SOCK_READ(sk, sk_type);

	if (family == AF_UNIX)
		return type == SOCK_STREAM || type == SOCK_SEQPACKET ? unix_role(sk) : ROLE_NEUTRAL;
	if (family != AF_INET && family != AF_INET6)
		return ROLE_NEUTRAL;
	if (type != SOCK_STREAM) /* a datagram socket asks if it sends first */
		return sending ? ROLE_CLIENT : ROLE_NEUTRAL;
	return listener_of(sk, family) ? ROLE_SERVER : ROLE_CLIENT;
}

static __always_inline void unix_peer_key(struct sock *sk, struct iop_peer_key *key)
{
	struct sock *peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
	struct unix_address *address = peer ? BPF_CORE_READ((struct unix_sock *)peer, addr) : NULL;
	int length;

	if (!address)
		return;
	length = BPF_CORE_READ(address, len) - UNIX_PATH_OFFSET;
	if (length <= 0)
		return;
	if (length > IOP_UNIX_PATH)
		length = IOP_UNIX_PATH;
	key->path_length = (u16)length;
	bpf_probe_read_kernel(key->address, length & 127, (char *)address->name + UNIX_PATH_OFFSET);
}

/* The peer's row; the service's own row, for what does not fit, when the table is full. Own frame:
 * the key is large. */
static __noinline int peer_row(struct sock *sk, u32 service, u32 family)
{
	struct iop_peer_key key = {.service = service, .family = (u16)family};
	u32 *known, row;

	if (family == AF_UNIX) {
		unix_peer_key(sk, &key);
	} else {
		key.port = bpf_ntohs(SOCK_READ(sk, __sk_common.skc_dport));
		if (family == AF_INET)
			BPF_CORE_READ_INTO((__be32 *)key.address, sk, __sk_common.skc_daddr);
		else
			BPF_CORE_READ_INTO((struct in6_addr *)key.address, sk,
					   __sk_common.skc_v6_daddr);
	}
	key.type = SOCK_READ(sk, sk_type);
	known = bpf_map_lookup_elem(&peer_ids, &key);
	if (known)
		return (int)*known;
	if (peers_used >= peer_rows)
		return (int)service;
	row = __sync_fetch_and_add(&peers_used, 1);
	if (row >= peer_rows)
		return (int)service;
	if (!bpf_map_update_elem(&peer_ids, &key, &row, BPF_NOEXIST))
		return (int)row;
	/* Another CPU was first (its row serves both, this one stays empty), or the table is full.
	 */
	known = bpf_map_lookup_elem(&peer_ids, &key);
	return known ? (int)*known : (int)service;
}

/* tcp_probe, which stands in where sk_data_ready is missing, sees TCP only. */
static __always_inline bool arrivals_seen(u16 family)
{
	return has_readable_event || family != AF_UNIX;
}

/* How many connections wait to be accepted where this one was. */
static __always_inline void backlog_take(struct sock *sk, u16 family, u32 service)
{
	struct iop_peak *backlog = bpf_map_lookup_elem(&backlogs, &service);
	struct iop_listening *listening = listener_of(sk, family);
	struct sock *listener;

	if (!backlog || !listening || listening->service == IOP_NOT_OURS)
		return;
	listener = (struct sock *)listening->socket;
	/* It may be gone: then whatever is there now does not listen at this port. */
	if (BPF_CORE_READ(listener, __sk_common.skc_state) != TCP_LISTEN)
		return;
	if (family == AF_UNIX)
		peak_take(backlog, BPF_CORE_READ(listener, sk_receive_queue.qlen));
	else if (BPF_CORE_READ(listener, __sk_common.skc_num) == SOCK_READ(sk, __sk_common.skc_num))
		peak_take(backlog, BPF_CORE_READ(listener, sk_ack_backlog));
}

/* The connection an observed thread uses for the first time; data or the thread itself may have
 * begun its state. */
static __always_inline struct conn *conn_create(struct sock *sk, struct thread *t, bool sending)
{
	u16 family = sock_family(sk);
	struct conn *c = conn_new(sk);

	if (!c) {
		count_loss(IOP_LOSS_CONNECTIONS);
		return NULL;
	}
	c->service = t->service;
	c->role = role_of(sk, family, sending);
	c->timed = arrivals_seen(family);
	c->local = family == AF_UNIX;
	if (c->role == ROLE_CLIENT)
		c->peer = (u32)peer_row(sk, t->service, family);
	else if (c->role == ROLE_SERVER && family == AF_UNIX && !listener_of(sk, family))
		listener_add(sk, family, t->service);
	c->known = true;
	return c;
}

#endif
