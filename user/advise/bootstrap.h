/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a figure may be off that was computed from a sample of requests: 90 % intervals by
 * resampling. bootstrap.c says how. Pure: the same sample and seed give the same intervals.
 */
#ifndef IOPROF_ADVISE_BOOTSTRAP_H
#define IOPROF_ADVISE_BOOTSTRAP_H

#include "advise/evidence.h"
#include "advise/prng.h"

/* A best estimate and its 90 % interval; NAN where it cannot be had. */
struct interval {
	double estimate, lo, hi;
};

/* Requests put together: the sample itself, or one drawn from it. */
struct resample {
	struct request_sums sums;
	const double *peer_s; /* time at each peer */
	uint32_t n_peers;
	/* to draw what else is uncertain; NULL: the sample itself, best estimates */
	struct prng *prng;
};

/* Computes n figures from requests; NAN for those that cannot be had from these. */
typedef void bootstrap_statistic(const struct resample *resample, const void *context,
				 double *figures);

struct bootstrap_opts {
	uint64_t seed;
	uint32_t replicates; /* 0: 1000 */
	uint64_t block_ns;   /* 0: bootstrap_block_ns() */
	size_t n_figures;
};

/* 1 s, or less in an interval so short that it would not have 30 of them. */
uint64_t bootstrap_block_ns(uint64_t duration_ns);

/*
 * An interval for each figure. NAN bounds where one in ten resamples or more has no such figure.
 * Returns 0, -EINVAL for evidence that is not valid, -ENODATA without traces or duration, -ENOMEM.
 */
int bootstrap_run(const struct evidence_sample *e, const struct bootstrap_opts *opts,
		  bootstrap_statistic *statistic, const void *context,
		  struct interval *ret_figures);

/* B, waits over CPU, as a statistic of one figure: peers' and other overlappable waits. */
void bootstrap_ratio(const struct resample *resample, const void *context, double *figures);

#endif
