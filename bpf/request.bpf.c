/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a request adds to its service's counters, at its first send and at every further one: see
 * request.bpf.h. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "request.bpf.h"

__noinline int hist_count(struct iop_hist *hist, u64 ns, int n)
{
	u32 bucket = bucket_index(ns);

	if (!hist)
		return 0;
	asm volatile(
		""
		: "+r"(bucket)); /* the register that is checked must be the one that is used */
	if (bucket < IOP_BUCKET_COUNT)
		__sync_fetch_and_add(&hist->buckets[bucket], n);
	return 0;
}

/* A part as the histogram shows it: no part of a request is longer than the request. On event loops
 * it can seem so, when pieces went to another one; the sums keep what was measured. */
static __always_inline u64 shown(u32 dist, u64 ns, u64 wall)
{
	return dist < IOP_PARTS && (s64)ns > (s64)wall ? wall : ns;
}

/* Corrects one distribution from what was committed before to what is true now. Zeros, and less,
 * are not counted. */
__noinline int dist_commit(struct conn *c, u32 dist, u64 ns)
{
	u32 service, key, copy;
	struct iop_totals *totals;
	struct iop_hist *hist;
	struct iop_max *max;
	u64 done, was;

	if (!c || dist >= IOP_DISTS)
		return 0;
	done = c->done_ns[dist];
	was = shown(dist, done, c->done_ns[IOP_SERVICE_TIME]);
	if (ns == done && ns == was)
		return 0;
	c->done_ns[dist] = ns;
	service = c->service;
	copy = bpf_get_smp_processor_id() & (hist_copies - 1);
	key = (copy * service_count + service) * IOP_DISTS + dist;
	hist = bpf_map_lookup_elem(&hists, &key);
	if (hist && (s64)was > 0)
		hist_count(hist, was, -1);
	totals = totals_of(service);
	if (totals)
		__sync_fetch_and_add(&totals->sum_ns[dist], ns - done);
	ns = shown(dist, ns, c->wall_ns);
	if (hist && (s64)ns > 0)
		hist_count(hist, ns, 1);
	key = service * 2 + (epoch & 1);
	max = bpf_map_lookup_elem(&maxima, &key);
	if (max && (s64)ns > (s64)max->ns[dist])
		max->ns[dist] = ns;
	return 0;
}

/* CPU and overlappable wait as committed, in units of the moments. Corrections can leave a little
 * less than nothing. */
static __always_inline u64 moment_x(const struct conn *c)
{
	return (s64)c->done_ns[IOP_CPU] >> IOP_MOMENT_SHIFT;
}

static __always_inline u64 moment_y(const struct conn *c)
{
	return (s64)(c->done_ns[IOP_NETWORK] + c->done_ns[IOP_SLEEP] + c->done_ns[IOP_CHILD] +
		     c->done_io_ns) >>
	       IOP_MOMENT_SHIFT;
}

/* What a request's wall time leaves to say once the parts measured where they happen are known. */
struct remainder {
	u64 lock_ns, overlapped_ns, unattributed_ns, parallel_ns, io_ns;
};

static __always_inline void request_remainder(const struct conn *c, u64 wall, bool loop,
					      bool shared, struct remainder *r)
{
	u64 sum = 0, excess, cut;

	for (int i = 0; i < IOP_COSTS; i++)
		sum += c->cost.ns[i];
	r->lock_ns = c->cost.ns[IOP_LOCK];
	if (loop) {
		/* Which request a loop's pieces belong to is inferred: what one has too much,
		 * another has too little. Kept signed, the sum over requests is right. */
		r->overlapped_ns = wall - sum;
		r->io_ns = c->cost.io_ns;
	} else if (sum > wall) {
		/* Threads worked on it side by side. The one that read it waited for the others:
		 * that wait is theirs. */
		excess = sum - wall;
		cut = shared ? (r->lock_ns < excess ? r->lock_ns : excess) : 0;
		r->lock_ns -= cut;
		r->parallel_ns = excess - cut;
	} else {
		r->unattributed_ns = wall - sum;
	}
}

static __always_inline void moments_add(struct iop_totals *totals, const struct conn *c, bool add)
{
	u64 x = moment_x(c), y = moment_y(c), sign = add ? 1 : (u64)-1;

	__sync_fetch_and_add(&totals->xx, sign * x * x);
	__sync_fetch_and_add(&totals->yy, sign * y * y);
	__sync_fetch_and_add(&totals->xy, sign * x * y);
}

static __always_inline void pause_commit(struct conn *c)
{
	u64 ns = c->before_ns + c->cost.ns[IOP_CPU], done = c->pause_cpu_ns, x, was;
	u32 key = c->service * IOP_PAUSE_BINS + pause_bin(c->pause_ns);
	struct iop_pause *row;

	if (c->pause_ns == UNKNOWN_PAUSE)
		return;
	row = bpf_map_lookup_elem(&pauses, &key);
	if (!row)
		return;
	if (c->state == CONN_OPEN) {
		__sync_fetch_and_add(&row->requests, 1);
		__sync_fetch_and_add(&row->pause_ns, c->pause_ns);
	}
	c->pause_cpu_ns = ns;
	x = (s64)ns >> IOP_MOMENT_SHIFT;
	was = (s64)done >> IOP_MOMENT_SHIFT;
	__sync_fetch_and_add(&row->cpu_ns, ns - done);
	__sync_fetch_and_add(&row->cpu_squares, x * x - was * was);
}

__noinline int request_commit(struct conn *c, u64 now, bool loop)
{
	struct remainder r = {};
	struct iop_totals *totals;
	u32 service, *shared, i;
	u64 wall;

	if (!c)
		return 0;
	if (!request_in_sample(c->id)) {
		c->state = CONN_RESPONDED;
		return 0;
	}
	service = c->service;
	totals = totals_of(service);
	shared = bpf_map_lookup_elem(&sharing, &service);
	if (!totals)
		return 0;
	wall = now - c->start;
	c->wall_ns = wall;
	request_remainder(c, wall, loop || c->loop, shared && *shared, &r);
	if (c->state == CONN_OPEN) {
		__sync_fetch_and_add(&totals->completed, 1);
		__sync_fetch_and_add(c->request_arrival ? &totals->known : &totals->arrival_unknown,
				     1);
	} else {
		moments_add(totals, c, false);
	}
	if (!loop && !c->loop)
		pause_commit(c);
	for (i = 0; i < IOP_COSTS; i++)
		dist_commit(c, i, i == IOP_LOCK ? r.lock_ns : c->cost.ns[i]);
	dist_commit(c, IOP_OVERLAPPED, r.overlapped_ns);
	dist_commit(c, IOP_UNATTRIBUTED, r.unattributed_ns);
	dist_commit(c, IOP_SERVICE_TIME, wall);
	if (c->request_arrival) {
		dist_commit(c, IOP_QUEUE_WAIT, c->start - c->request_arrival);
		dist_commit(c, IOP_LATENCY, now - c->request_arrival);
	}
	__sync_fetch_and_add(&totals->operations, c->cost.operations - c->done_operations);
	__sync_fetch_and_add(&totals->waits, c->cost.waits - c->done_waits);
	__sync_fetch_and_add(&totals->parallel_ns, r.parallel_ns - c->done_parallel_ns);
	__sync_fetch_and_add(&totals->overlapped_io_ns, r.io_ns - c->done_io_ns);
	c->done_operations = c->cost.operations;
	c->done_waits = c->cost.waits;
	c->done_parallel_ns = r.parallel_ns;
	c->done_io_ns = r.io_ns;
	moments_add(totals, c, true);
	trace_answered(c, now);
	c->state = CONN_RESPONDED;
	return 0;
}
