/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sample of real requests as they went: every request gets a key at random when it is opened, and
 * those with the smallest keys are kept. So the chance to be kept does not depend on how long a
 * request takes, and samples merge: the smallest keys of both.
 *
 * Durations in nanoseconds, as measured.
 */
#ifndef IOPROF_MODEL_TRACE_H
#define IOPROF_MODEL_TRACE_H

#include <stddef.h>
#include <stdint.h>

#define TRACE_NO_PEER UINT32_MAX
#define TRACE_MOST_SEGMENTS 256
#define TRACE_NOT_KNOWN UINT64_MAX

/* Keys lie below this; so does the limit of a sample that holds every request. */
#define TRACE_KEYS (1ull << 32)

/* Of a service in one snapshot, at most so many are kept. */
#define TRACES_MOST 256

/* A stretch of a request: one burst of CPU, one wait. */
struct trace_segment {
	uint64_t ns;
	unsigned int part; /* enum part */
	uint32_t peer;	   /* of a network wait: whom for, position in the service's peers, or
			      TRACE_NO_PEER */
};

/* One request, its segments in order. */
struct trace {
	uint32_t key;
	uint32_t truncated; /* segments after these that were not kept */
	int64_t start_ns;   /* first byte read, since the start of the interval; may be before */
	uint64_t queue_wait_ns; /* or TRACE_NOT_KNOWN */
	uint64_t wall_ns;	/* start to end */
	struct trace_segment *segments;
	size_t n_segments;
};

struct traces {
	struct trace *kept; /* by rising key */
	size_t n, room;
	uint64_t limit; /* every completed request with a key below this is among them */
};

void traces_done(struct traces *traces);

/*
 * Adds a copy of a trace, its start moved by shift_ns and its peers renumbered by peers[] (NULL: as
 * they are). One with a key at or above the limit is left out; beyond TRACES_MOST the one with the
 * largest key goes and the limit falls to its key. Returns 0 or -ENOMEM with nothing changed.
 */
int traces_add(struct traces *traces, const struct trace *trace, int64_t shift_ns,
	       const uint32_t *peers);

/* Lowers the limit: forgets the traces with keys at or above it. */
void traces_limit(struct traces *traces, uint64_t limit);

#endif
