/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was seen of a service, as the advisor takes it: a sample of requests, each as it went, and
 * what it runs on. Borrowed by all functions; durations of traces in nanoseconds, as measured.
 */
#ifndef IOPROF_ADVISE_EVIDENCE_H
#define IOPROF_ADVISE_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/snapshot.h"

/* What one request or many took, in seconds; additive. */
struct request_sums {
	double requests;
	double cpu_s;
	double wait_s; /* overlappable, no peer: sleep, child, client, network of no known peer */
	double offload_s;  /* disk */
	double hold_s;	   /* other waits: of unknown kind, so they hold up a loop as well */
	double lock_s;	   /* lock waits: serial, never overlapped */
	double operations; /* turns with peers; of a sampled request: network waits */
	double offloads;   /* disk waits */
	double truncated;  /* requests whose end is missing */
};

struct evidence_sample {
	uint64_t duration_ns; /* of the interval */
	/* drawn from all requests of the interval with equal chances, however long they took */
	const struct trace *traces;
	size_t n_traces;
	uint32_t n_peers;
	/*
	 * What all requests of the interval took, sampled or not: the sample's means are corrected
	 * by these. CPU holds here what a request takes outside itself, too. exact.requests 0: not
	 * known, the sample is all there is.
	 */
	struct request_sums exact;
	const double *exact_peer_s;  /* [n_peers] */
	double after_s;		     /* of exact.cpu_s per request: CPU after the response */
	uint32_t processes, threads; /* workers: W = processes x threads in each */
	bool interpreter_lock;	     /* threads of a process run one at a time */
	double cpus;		     /* C_eff: cpuset and quota */
	double serial_s;	     /* per request, under a lock that all requests share */
	double other_s; /* per request, CPU others take for it on the same processors */
};

/* Every trace names a peer below n_peers or none, and a part that exists. */
bool evidence_traces_valid(const struct evidence_sample *e);

/* The same, and workers and cpus are more than none. */
bool evidence_valid(const struct evidence_sample *e);

/*
 * Adds one request to sums, and its time at each peer to peer_s[n_peers]. The missing end of a
 * truncated one is taken to be like its beginning.
 */
void evidence_add_trace(const struct trace *trace, struct request_sums *sums, double *peer_s);

/* The sample as a whole; peer_s[n_peers] must be zero. */
void evidence_sum(const struct evidence_sample *e, struct request_sums *ret_sums, double *peer_s);

/*
 * By how much smaller the sampling error of the interval's means is than that of means over the
 * sample, 0..1: all requests were counted, only some were kept. 1 where exact is not known.
 * evidence.c says how.
 */
double evidence_shrink(const struct evidence_sample *e, uint64_t block_ns);

/*
 * Means of all requests that are off the exact ones as far as a drawn sample's are off those of the
 * whole sample: sums and peer_s of the drawn one are rewritten. Nothing where exact is not known.
 */
struct evidence_whole {
	struct request_sums sums;
	const double *peer_s;
	double shrink;
};
void evidence_correct(const struct evidence_sample *e, const struct evidence_whole *whole,
		      struct request_sums *sums, double *peer_s);

#endif
