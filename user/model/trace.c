/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static void drop_last(struct traces *traces)
{
	free(traces->kept[--traces->n].segments);
}

void traces_done(struct traces *traces)
{
	while (traces->n)
		drop_last(traces);
	free(traces->kept);
	traces->kept = NULL;
	traces->room = 0;
}

void traces_limit(struct traces *traces, uint64_t limit)
{
	if (limit >= traces->limit)
		return;
	traces->limit = limit;
	while (traces->n && traces->kept[traces->n - 1].key >= limit)
		drop_last(traces);
}

static struct trace_segment *copy_segments(const struct trace *trace, const uint32_t *peers)
{
	size_t n = trace->n_segments;
	struct trace_segment *copy = calloc(n ? n : 1, sizeof(*copy));

	if (!copy)
		return NULL;
	if (n)
		memcpy(copy, trace->segments, n * sizeof(*copy));
	for (size_t i = 0; peers && i < n; i++) {
		if (copy[i].peer != TRACE_NO_PEER)
			copy[i].peer = peers[copy[i].peer];
	}
	return copy;
}

/* For one more: beyond TRACES_MOST too, so that the largest can be told. */
static struct trace *make_room(struct traces *traces)
{
	struct trace *kept;

	if (traces->n < traces->room)
		return traces->kept;
	kept = reallocarray(traces->kept, 2 * traces->n + 1, sizeof(*kept));
	if (kept) {
		traces->kept = kept;
		traces->room = 2 * traces->n + 1;
	}
	return kept;
}

int traces_add(struct traces *traces, const struct trace *trace, int64_t shift_ns,
	       const uint32_t *peers)
{
	_cleanup_free_ struct trace_segment *segments = NULL;
	struct trace *kept;
	size_t at = traces->n;

	if (trace->key >= traces->limit)
		return 0;
	kept = make_room(traces);
	segments = copy_segments(trace, peers);
	if (!kept || !segments)
		return -ENOMEM;
	while (at > 0 && traces->kept[at - 1].key > trace->key)
		at--;
	memmove(&traces->kept[at + 1], &traces->kept[at], (traces->n - at) * sizeof(*traces->kept));
	traces->kept[at] = *trace;
	traces->kept[at].segments = TAKE(segments);
	traces->kept[at].start_ns += shift_ns;
	if (++traces->n > TRACES_MOST)
		traces_limit(traces, traces->kept[TRACES_MOST].key);
	return 0;
}
