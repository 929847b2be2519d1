/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the advisor needs to know of a service beyond sums: a sample of its requests as they went,
 * and what it runs on. Borrowed by all functions; durations in nanoseconds, as measured.
 */
#ifndef IOPROF_ADVISE_EVIDENCE_H
#define IOPROF_ADVISE_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/snapshot.h"

/* One request, its segments in order. */
struct trace_sample {
	uint64_t start_ns; /* since the start of the interval */
	const struct trace_segment *segments;
	size_t n_segments;
	uint32_t truncated; /* segments after these that were not kept */
};

/* One operation: how many this service had in flight at the peer, this one included, and how long
 * it took. */
struct operation_sample {
	uint32_t peer;
	uint32_t in_flight; /* > 0 */
	uint64_t latency_ns;
};

struct evidence_sample {
	uint64_t duration_ns; /* of the interval */
	/* drawn from all `requests` of the interval with equal chances, however long they took */
	const struct trace_sample *traces;
	size_t n_traces;
	uint64_t requests;
	struct dist bursts; /* CPU between two waits */
	const struct operation_sample *operations;
	size_t n_operations;
	uint32_t n_peers;
	uint32_t processes, threads; /* workers: W = processes x threads in each */
	bool interpreter_lock;	     /* threads of a process run one at a time */
	double cpus;		     /* C_eff: cpuset and quota */
	double throttled;	     /* share of the quota's periods that were cut short, 0..1 */
	uint64_t process_bytes;	     /* unique to one more process (USS), 0: not known */
	uint64_t thread_bytes;
	uint32_t backlog; /* most connections seen waiting to be accepted */
};

/* What one request or many took, in seconds; additive. */
struct request_sums {
	double requests;
	double cpu_s;
	double wait_s;	   /* overlappable, no peer: sleep, child, network of no known peer */
	double offload_s;  /* disk */
	double lock_s;	   /* lock waits: serial, never overlapped */
	double operations; /* network waits */
	double offloads;   /* disk waits */
	double truncated;  /* requests whose end is missing */
};

/* Every trace and operation names a peer below n_peers or none, and a part that exists; workers and
 * cpus are more than none. */
bool evidence_valid(const struct evidence_sample *e);

/* Adds one request to sums, and its time at each peer to peer_s[n_peers]. */
void evidence_add_trace(const struct trace_sample *trace, struct request_sums *sums,
			double *peer_s);

#endif
