/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sampled requests as the simulator's traces, and the same load on four servers: the workers of
 * now, the tuned workers, event loops, event loops with long bursts of CPU in processes of their
 * own. model.md 2.5.
 */
#ifndef IOPROF_ADVISE_REPLAY_H
#define IOPROF_ADVISE_REPLAY_H

#include "advise/des.h"
#include "advise/gain.h"

struct replay_opts {
	uint64_t seed;
	double rate_per_s;   /* of the open load; equal for all, so keep it below each capacity */
	uint64_t requests;   /* 0: 40000, the least for a p99 */
	double cold;	     /* times the CPU under full load at this rate; 0: once */
	double long_burst_s; /* CPU bursts from this on leave the loop; 0: 10 ms */
	uint32_t loops;	     /* 0: one per processor */
	uint32_t offload_threads; /* per loop; 0: 32 */
	const struct peer_fit *fits;
	const double *pools; /* as of gain_opts; the least of them holds for all peers */
	struct stack_change change;
	struct worker_plan tuned; /* no processes: as now */
};

struct replay_result {
	struct des_result now, tuned, async;
	struct des_result split; /* that of async where no burst is long */
};

/*
 * Returns 0; -EINVAL for evidence that is not valid; -ENODATA without requests; an error of
 * kappa_cpu() or des_run(). A run given up (des_result.whole) is no error.
 */
int replay_compare(const struct evidence_sample *e, const struct replay_opts *opts,
		   struct replay_result *ret_result);

/* How many steps a request has in the simulation, on average. */
double replay_steps(const struct evidence_sample *e);

#endif
