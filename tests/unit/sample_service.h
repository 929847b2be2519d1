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
	/* operations are seen with so many in flight; 0: 1, the number of workers */
	uint32_t least_in_flight, most_in_flight;
	uint32_t servers; /* of the peer; 0: no limit */
	double cpus;
	uint64_t seed;
};

/*
 * One peer. Its operations take wait_s; with a limit of servers, wait_s in_flight / servers beyond
 * it, and the requests wait the mean of that. Aborts the test when out of memory. sample_free() the
 * result.
 */
struct evidence_sample sample_service(const struct sample_model *model);
/* Its operations by number in flight, and what they show of the peer. */
void sample_loads(const struct sample_model *model, struct peer_load loads[IOP_IN_FLIGHT_BINS]);
struct peer_fit sample_fit(const struct sample_model *model);
void sample_free(struct evidence_sample *e);

#endif
