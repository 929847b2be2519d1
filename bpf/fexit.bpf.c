/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Set B, kernels before 6.3 that allow fexit: messages seen at the protocols' own operations, whose
 * signatures have not changed from 5.5 on. Each runs once per call of its kind.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "message.bpf.h"

static __always_inline int exited(struct socket *socket, int ret, int flags, bool sending)
{
	struct thread *t = thread_current();
	struct sock *sk;

	if (!t)
		return 0;
	sk = socket->sk;
	return sk ? message(sk, conn_lookup(sk), t, ret, flags, sending) : 0;
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(inet_received, struct socket *socket, struct msghdr *message, size_t size, int flags,
	     int ret)
{
	return exited(socket, ret, flags, false);
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(inet6_received, struct socket *socket, struct msghdr *message, size_t size, int flags,
	     int ret)
{
	return exited(socket, ret, flags, false);
}

SEC("fexit/unix_stream_recvmsg")
int BPF_PROG(unix_received, struct socket *socket, struct msghdr *message, size_t size, int flags,
	     int ret)
{
	return exited(socket, ret, flags, false);
}

SEC("fexit/inet_sendmsg")
int BPF_PROG(inet_sent, struct socket *socket, struct msghdr *message, size_t size, int ret)
{
	return exited(socket, ret, 0, true);
}

SEC("fexit/inet6_sendmsg")
int BPF_PROG(inet6_sent, struct socket *socket, struct msghdr *message, size_t size, int ret)
{
	return exited(socket, ret, 0, true);
}

SEC("fexit/unix_stream_sendmsg")
int BPF_PROG(unix_sent, struct socket *socket, struct msghdr *message, size_t size, int ret)
{
	return exited(socket, ret, 0, true);
}

/* sendfile and splice before 6.5, where they pass the others by. */
SEC("fexit/inet_sendpage")
int BPF_PROG(inet_sent_page, struct socket *socket, struct page *page, int offset, size_t size,
	     int flags, long ret)
{
	return exited(socket, (int)ret, 0, true);
}
