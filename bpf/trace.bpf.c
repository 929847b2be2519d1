/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See trace.bpf.h. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "trace.bpf.h"

#define SEGMENT_NS ((1ull << IOP_SEGMENT_NS_BITS) - 1)

/* A request's key: its number, which is a time, mixed until every bit depends on every other
 * (MurmurHash3's finalizer, public domain). */
static __always_inline u32 request_key(u64 request)
{
	request ^= request >> 33;
	request *= 0xff51afd7ed558ccdull;
	request ^= request >> 33;
	request *= 0xc4ceb9fe1a85ec53ull;
	return (u32)(request >> 32);
}

/* NULL: not sampled. */
static __always_inline struct iop_trace *trace_of(u64 request, u32 service)
{
	struct iop_sampling *sample = bpf_map_lookup_elem(&sampling, &service);

	if (!sample || request_key(request) >= sample->limit)
		return NULL;
	return bpf_map_lookup_elem(&traces, &request);
}

static __always_inline void sample_less(struct iop_sampling *sample, u64 limit)
{
	if (__sync_bool_compare_and_swap(&sample->limit, limit, limit / 2))
		sample->taken = 0;
}

__noinline int trace_begin(struct conn *c)
{
	static const struct iop_trace none = {};
	struct iop_sampling *sample;
	struct iop_trace *trace;
	u32 service, key;
	u64 limit, id;

	if (!c)
		return 0;
	service = c->service;
	id = c->id;
	key = request_key(id);
	sample = bpf_map_lookup_elem(&sampling, &service);
	if (!sample)
		return 0;
	limit = sample->limit;
	if (key >= limit)
		return 0;
	if (bpf_map_update_elem(&traces, &id, &none, BPF_NOEXIST)) {
		sample_less(sample, limit);
		if (key < limit / 2)
			count_loss(IOP_LOSS_TRACES);
		return 0;
	}
	trace = bpf_map_lookup_elem(&traces, &id);
	if (!trace)
		return 0;
	trace->start = trace->touched = c->start;
	trace->arrival = c->request_arrival;
	trace->service = service;
	trace->key = key;
	if (__sync_fetch_and_add(&sample->taken, 1) >= trace_budget)
		sample_less(sample, limit);
	return 0;
}

/* Whether a place lies below the end of an array. The compiler, which may know, must not leave it
 * out: the verifier has to see it where the place is used. */
static __always_inline bool is_below(u64 *place, u64 end)
{
	asm volatile("" : "+r"(*place));
	return *place < end;
}

/* Where a segment is kept; NULL: nowhere. */
static __always_inline u64 *segment_at(struct iop_trace *trace, u64 request, u32 at)
{
	static const struct iop_tail none = {};
	struct iop_tail *tail;
	u64 place = at;

	if (is_below(&place, IOP_HEAD_SEGMENTS))
		return &trace->segments[place];
	if (at >= IOP_SEGMENTS || trace->ends)
		return NULL;
	tail = bpf_map_lookup_elem(&tails, &request);
	if (!tail) {
		bpf_map_update_elem(&tails, &request, &none, BPF_NOEXIST);
		tail = bpf_map_lookup_elem(&tails, &request);
	}
	if (!tail) {
		trace->ends = 1;
		return NULL;
	}
	place = at - IOP_HEAD_SEGMENTS;
	return is_below(&place, IOP_TAIL_SEGMENTS) ? &tail->segments[place] : NULL;
}

/* Stretches of the same kind become one. Threads that work on a request side by side may do this at
 * once: each gets a place of its own. */
static __always_inline void append(struct iop_trace *trace, u64 request, u32 part, u32 peer, u64 ns)
{
	u64 kind = (u64)peer << IOP_SEGMENT_PART_BITS | part, last;
	u32 n = trace->n;
	u64 *segment;

	if (ns > SEGMENT_NS)
		ns = SEGMENT_NS;
	segment = n ? segment_at(trace, request, n - 1) : NULL;
	last = segment ? *segment : 0;
	if (segment && last >> IOP_SEGMENT_NS_BITS == kind &&
	    (last & SEGMENT_NS) + ns <= SEGMENT_NS) {
		*segment = last + ns;
		return;
	}
	segment = segment_at(trace, request, __sync_fetch_and_add(&trace->n, 1));
	if (segment)
		*segment = kind << IOP_SEGMENT_NS_BITS | ns;
}

__noinline int trace_add(u64 request, u32 service, u32 part, u32 peer, u64 ns)
{
	struct iop_trace *trace = trace_of(request, service);

	if (!trace)
		return 0;
	append(trace, request, part, peer, ns);
	__sync_fetch_and_add(&trace->elsewhere, ns);
	return 0;
}

__noinline int trace_visit(u64 request, u32 service, const struct cost *cost, u32 peer)
{
	struct iop_trace *trace = trace_of(request, service);
	u64 now, spent;

	if (!trace || !cost)
		return 0;
	now = bpf_ktime_get_ns();
	spent = __sync_lock_test_and_set(&trace->elsewhere, 0);
	for (int i = 0; i < IOP_COSTS; i++)
		spent += cost->ns[i];
	if ((s64)(now - trace->touched - spent) > 0)
		append(trace, request, IOP_OVERLAPPED, peer, now - trace->touched - spent);
	for (u32 i = 0; i < IOP_COSTS; i++)
		if ((s64)cost->ns[i] > 0)
			append(trace, request, i, i == IOP_NETWORK ? peer : TRACE_NO_PEER,
			       cost->ns[i]);
	trace->touched = now;
	return 0;
}

__noinline int trace_answered(const struct conn *c, u64 now)
{
	struct iop_trace *trace;

	if (!c)
		return 0;
	trace = trace_of(c->id, c->service);
	if (!trace)
		return 0;
	trace->end = now;
	trace->n_end = trace->n;
	return 0;
}
