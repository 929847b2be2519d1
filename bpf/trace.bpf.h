/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sampled requests, written down as they go. Whether a request is sampled depends on its number
 * alone, so nobody has to remember it: whoever knows for which request a stretch of time was hands
 * it in.
 *
 * Blocking code: every stretch as it ends. Event loops, whose stretches are told apart only when
 * the loop turns to another request: what a visit of the loop cost when it ends, and before it, as
 * overlapped, the time since the last visit, with the peer whose answer ended it.
 */
#ifndef IOPROF_TRACE_BPF_H
#define IOPROF_TRACE_BPF_H

#include "maps.bpf.h"

#define TRACE_NO_PEER IOP_SEGMENT_NO_PEER

/* Functions of their own to the verifier: trace.bpf.c. */
/* A request has been opened: from now on it is sampled, or not. */
int trace_begin(struct conn *c);
/* It took so long for this part, and peer if it was the network. */
int trace_add(u64 request, u32 service, u32 part, u32 peer, u64 ns);
/* An event loop's visit has cost this; peer: whose answer brought it, or TRACE_NO_PEER. */
int trace_visit(u64 request, u32 service, const struct cost *cost, u32 peer);
/* Bytes of its response have been sent: what there is so far belongs to it. */
int trace_answered(const struct conn *c, u64 now);

static __always_inline void thread_trace(const struct thread *t, u32 part, u32 peer, u64 ns)
{
	if (t->request && !t->loop && ns)
		trace_add(t->request, t->service, part, peer, ns);
}

static __always_inline void thread_trace_visit(struct thread *t, u64 request)
{
	if (t->loop)
		trace_visit(request, t->service, &t->cost,
			    t->answering ? t->answering - 1 : TRACE_NO_PEER);
	t->answering = 0;
}

#endif
