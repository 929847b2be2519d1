/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/traces.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "abi.h"

#define SETTLED_NS 20000000ull	     /* so long after its last byte a response is taken for whole */
#define ABANDONED_NS 600000000000ull /* one not answered by then is not waited for */

/* NOLINTNEXTLINE(misc-redundant-expression): that they are the same is what is asserted */
_Static_assert(IOP_TRACE_KEYS == TRACE_KEYS, "keys are the model's");
_Static_assert(IOP_SEGMENTS == TRACE_MOST_SEGMENTS, "traces are as long as the model's");

int traces_begin(struct traces_source *source, uint32_t n_services)
{
	const struct iop_sampling all = {.limit = IOP_TRACE_KEYS};

	source->limits = calloc(n_services, sizeof(*source->limits));
	if (!source->limits)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_services; i++) {
		if (bpf_map_update_elem(source->sampling_fd, &i, &all, BPF_ANY))
			return -errno;
		source->limits[i] = all.limit;
	}
	return 0;
}

void traces_end(struct traces_source *source)
{
	free(source->limits);
}

/* The position of a row among the service's peers, which gets it if it is not there. */
static int peer_of(const struct traces_source *source, struct service *service, uint32_t row,
		   uint32_t *ret_peer)
{
	const char *address = peers_address(source->peers, row);
	size_t at = 0;

	*ret_peer = TRACE_NO_PEER;
	if (!address)
		return 0;
	while (at < service->n_peers && strcmp(service->peers[at].address, address) != 0)
		at++;
	if (at == service->n_peers && !service_add_peer(service, address))
		return -ENOMEM;
	*ret_peer = (uint32_t)at;
	return 0;
}

static int take_segments(const struct traces_source *source, const uint64_t *words,
			 struct service *service, struct trace_segment *segments, size_t n)
{
	uint32_t peer = TRACE_NO_PEER, row = IOP_SEGMENT_NO_PEER;
	int r;

	for (size_t i = 0; i < n; i++) {
		uint64_t word = words[i], kind = word >> IOP_SEGMENT_NS_BITS;

		segments[i].ns = word & ((1ull << IOP_SEGMENT_NS_BITS) - 1);
		segments[i].part = kind & ((1u << IOP_SEGMENT_PART_BITS) - 1);
		segments[i].peer = TRACE_NO_PEER;
		if (segments[i].part >= PART_COUNT)
			return -EILSEQ;
		if (kind >> IOP_SEGMENT_PART_BITS == IOP_SEGMENT_NO_PEER)
			continue;
		if (row != kind >> IOP_SEGMENT_PART_BITS) {
			row = (uint32_t)(kind >> IOP_SEGMENT_PART_BITS);
			r = peer_of(source, service, row, &peer);
			if (r < 0)
				return r;
		}
		segments[i].peer = peer;
	}
	return 0;
}

/* The segments of an answered request, as the kernel has them. Returns how many are kept. */
static size_t read_segments(const struct traces_source *source, uint64_t key,
			    const struct iop_trace *from, uint64_t words[IOP_SEGMENTS])
{
	size_t n = from->n_end < IOP_SEGMENTS ? from->n_end : IOP_SEGMENTS;

	memcpy(words, from->segments, sizeof(from->segments));
	if (n > IOP_HEAD_SEGMENTS &&
	    (from->ends || bpf_map_lookup_elem(source->tails_fd, &key, words + IOP_HEAD_SEGMENTS)))
		n = IOP_HEAD_SEGMENTS;
	return n;
}

static int take_trace(const struct traces_source *source, uint64_t key,
		      const struct iop_trace *from, uint64_t start_ns, struct service *service)
{
	struct trace_segment segments[TRACE_MOST_SEGMENTS];
	struct trace trace = {.key = from->key, .segments = segments};
	uint64_t words[IOP_SEGMENTS];
	int r;

	if (from->key >= service->traces.limit)
		return 0;
	trace.n_segments = read_segments(source, key, from, words);
	trace.truncated = from->n_end - (uint32_t)trace.n_segments;
	trace.start_ns = (int64_t)(from->start - start_ns);
	trace.wall_ns = from->end - from->start;
	trace.queue_wait_ns = from->arrival ? from->start - from->arrival : TRACE_NOT_KNOWN;
	r = take_segments(source, words, service, segments, trace.n_segments);
	return r < 0 ? r : traces_add(&service->traces, &trace, 0, NULL);
}

/* What is to become of an entry of the kernel's table. */
static bool is_due(const struct iop_trace *trace, uint64_t now_ns)
{
	uint64_t last = trace->end ? trace->end + SETTLED_NS : trace->start + ABANDONED_NS;

	return last <= now_ns;
}

/*
 * The limit of this interval's sample is the lowest there was since its requests were opened: now,
 * or in the interval before. One below which few fall then rises for the next interval.
 */
static int renew_limits(struct traces_source *source, struct snapshot *s)
{
	struct iop_sampling sample;
	uint64_t limit;

	for (uint32_t i = 0; i < s->n_services; i++) {
		if (bpf_map_lookup_elem(source->sampling_fd, &i, &sample))
			return -errno;
		limit = sample.limit;
		traces_limit(&s->services[i].traces,
			     limit < source->limits[i] ? limit : source->limits[i]);
		source->limits[i] = limit;
		if (sample.taken * 4 < source->budget && limit < IOP_TRACE_KEYS)
			sample.limit = limit * 2;
		sample.taken = 0;
		if (bpf_map_update_elem(source->sampling_fd, &i, &sample, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* Moves what has been answered into the services of s. 0 or -errno. */
static int take_answered(const struct traces_source *source, uint64_t start_ns, uint64_t now_ns,
			 struct snapshot *s)
{
	struct iop_trace trace;
	uint64_t key, next;
	bool more;
	int r = 0;

	more = !bpf_map_get_next_key(source->traces_fd, NULL, &next);
	while (more && r == 0) {
		key = next;
		/* The one after it first: it may be deleted. */
		more = !bpf_map_get_next_key(source->traces_fd, &key, &next);
		if (bpf_map_lookup_elem(source->traces_fd, &key, &trace) || !is_due(&trace, now_ns))
			continue;
		if (trace.end && trace.service < s->n_services)
			r = take_trace(source, key, &trace, start_ns, &s->services[trace.service]);
		(void)bpf_map_delete_elem(source->traces_fd, &key);
	}
	return r;
}

/* Takes out the tails of the traces that have been taken out. */
static void drop_tails(const struct traces_source *source)
{
	struct iop_trace trace;
	uint64_t key, next;
	bool more;

	more = !bpf_map_get_next_key(source->tails_fd, NULL, &next);
	while (more) {
		key = next;
		more = !bpf_map_get_next_key(source->tails_fd, &key, &next);
		if (bpf_map_lookup_elem(source->traces_fd, &key, &trace))
			(void)bpf_map_delete_elem(source->tails_fd, &key);
	}
}

int traces_read(struct traces_source *source, uint64_t start_ns, uint64_t now_ns,
		struct snapshot *s)
{
	int r = renew_limits(source, s);

	if (r == 0)
		r = take_answered(source, start_ns, now_ns, s);
	if (r == 0)
		drop_tails(source);
	return r;
}
