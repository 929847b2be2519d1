/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a change gains, with intervals: sampling error, uncertain kappa, the model's own error, and
 * peers that have never been seen at such a rate. model.md 2.1 and 2.2.
 */
#ifndef IOPROF_ADVISE_GAIN_H
#define IOPROF_ADVISE_GAIN_H

#include "advise/bootstrap.h"
#include "advise/capacity.h"
#include "advise/kappa.h"
#include "advise/peer_fit.h"

enum gain_figure {
	GAIN_RATIO,	/* B, strict: peers, sleep, children over CPU */
	GAIN_NOW_PER_S, /* capacities */
	GAIN_TUNED_PER_S,
	GAIN_ASYNC_PER_S,
	GAIN_ASYNC_OVER_NOW,
	GAIN_TUNED_OVER_NOW,
	GAIN_ASYNC_OVER_TUNED,
	GAIN_OVERLAP, /* async over now at kappa = 1: what waiting less gives */
	GAIN_KAPPA,
	GAIN_EXTRAPOLATION, /* the most a peer would be asked beyond what it was seen to do */
	GAIN_FIGURE_COUNT
};

struct gain_opts {
	uint64_t seed;
	double observed_per_s; /* requests per second that its peers took; 0: not known */
	uint32_t replicates;   /* 0: bootstrap's default */
	struct tune_opts tune;
	const struct peer_fit *fits; /* one per peer of the evidence */
	const double *pools;	     /* connections per process to each, or NULL: no limit */
	struct stack_change change;  /* cpu_s, operations, offloads come from the requests */
	struct prior cold; /* of the CPU that was measured, the share a request does without under
			    * full load: taken out of the evidence by its estimate already */
	struct crowding crowding; /* cold_s comes from each_s */
	struct prior each_s;
	uint32_t loops;		  /* 0: one per processor */
	uint32_t offload_threads; /* per loop; 0: 32, asyncio's default at most */
};

/* Of two capacities each. */
struct gain_ratios {
	struct interval async_over_now, tuned_over_now, async_over_tuned, overlap;
};

struct gain {
	struct interval figures[GAIN_FIGURE_COUNT];
	/* the ratios if peers do no more than they were seen to do, and if they do all asked */
	struct gain_ratios seen, all;
	struct tuned tuned; /* the best estimate's plan; the workers of now if the limits leave none
			     * (.most 0) */
	double stack_alone; /* gain of the stack's part of kappa alone, workers as now */
	double stack, loop; /* the two parts of kappa */
	struct async_capacity async; /* and what limits async there */
	double utilisation; /* u: of the processors, all workers busy as they are now; others' CPU
			     * for their requests included */
	double break_even;  /* kappa* = 1 / u, without others */
	double others;	    /* their share of the CPU that goes with a request */
};

/* Half the relative width of the interval of overlap where peers do all that is asked: what the
 * sample, CPU at full load and the model leave open, without what a peer was never seen to do. */
double gain_overlap_half_width(const struct interval *overlap, const struct gain_ratios *all);

/*
 * Returns 0; an error of bootstrap_run(); -EDOM when the requests took no CPU; other errors of the
 * capacities. No figure is infinite; a bound
 * that cannot be had is NAN.
 */
int gain_estimate(const struct evidence_sample *e, const struct gain_opts *opts,
		  struct gain *ret_gain);

#endif
