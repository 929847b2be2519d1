/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Made-up services of known demands, as the advisor would see them. */
#ifndef IOPROF_TESTS_SAMPLE_SERVICE_H
#define IOPROF_TESTS_SAMPLE_SERVICE_H

#include "advise/evidence.h"
#include "advise/peer_fit.h"

/* A request: cpu_s in operations + 1 bursts, with a wait of wait_s between two of them. */
struct sample_model {
	double cpu_s, wait_s;
	uint32_t operations;
	double cv_cpu, cv_wait;
	double cv_second; /* all requests of a second are slower or faster together */
	enum part part;	  /* of the waits */
	size_t requests;
	double duration_s;
	uint32_t workers;
	double cpus;
	uint64_t seed;
};

/* One peer; the latencies of its operations are wait_s with 1..workers in flight, no limit seen.
 * Aborts the test when out of memory. sample_free() the result. */
struct evidence_sample sample_service(const struct sample_model *model);
void sample_free(struct evidence_sample *e);

#endif
