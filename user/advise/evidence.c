/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "advise/evidence.h"

#include <math.h>

#define NS_PER_S 1e9

static bool trace_valid(const struct trace_sample *t, uint32_t n_peers)
{
	for (size_t i = 0; i < t->n_segments; i++) {
		const struct trace_segment *s = &t->segments[i];

		if ((unsigned int)s->part >= PART_COUNT)
			return false;
		if (s->peer != TRACE_NO_PEER && s->peer >= n_peers)
			return false;
	}
	return true;
}

bool evidence_valid(const struct evidence_sample *e)
{
	for (size_t i = 0; i < e->n_traces; i++) {
		if (!trace_valid(&e->traces[i], e->n_peers))
			return false;
	}
	for (size_t i = 0; i < e->n_operations; i++) {
		if (e->operations[i].peer >= e->n_peers || e->operations[i].in_flight == 0)
			return false;
	}
	return e->processes > 0 && e->threads > 0 && e->cpus > 0 && isfinite(e->cpus);
}

void evidence_add_trace(const struct trace_sample *trace, struct request_sums *sums, double *peer_s)
{
	sums->requests++;
	sums->truncated += trace->truncated > 0;
	for (size_t i = 0; i < trace->n_segments; i++) {
		const struct trace_segment *segment = &trace->segments[i];
		double s = (double)segment->ns / NS_PER_S;

		switch (segment->part) {
		case PART_CPU:
			sums->cpu_s += s;
			break;
		case PART_NETWORK:
			sums->operations++;
			if (segment->peer == TRACE_NO_PEER)
				sums->wait_s += s;
			else
				peer_s[segment->peer] += s;
			break;
		case PART_SLEEP:
		case PART_CHILD:
			sums->wait_s += s;
			break;
		case PART_DISK:
			sums->offloads++;
			sums->offload_s += s;
			break;
		case PART_LOCK:
			sums->lock_s += s;
			break;
		default:
			/* Run queue and what cannot be told: neither CPU nor a wait to overlap. */
			break;
		}
	}
}
