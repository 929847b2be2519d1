/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Distributions of durations: a log-linear histogram (bpf/bucket.h) with the exact count, sum and
 * maximum beside it. Additive: the distribution of two intervals is the sum of theirs.
 */
#ifndef IOPROF_MODEL_HIST_H
#define IOPROF_MODEL_HIST_H

#include <stdint.h>

#include "bucket.h"

struct dist {
	uint64_t count;			    /* durations counted, zeros included */
	uint64_t sum_ns;		    /* exact */
	uint64_t max_ns;		    /* exact */
	uint64_t buckets[IOP_BUCKET_COUNT]; /* how many fell into each bucket; sums to count */
};

/* Adds one duration. */
void dist_add(struct dist *d, uint64_t ns);

/* Adds all of src to dst. */
void dist_merge(struct dist *dst, const struct dist *src);

/* Mean in seconds; 0 when empty. */
double dist_mean_s(const struct dist *d);

/*
 * The q-quantile, 0 <= q <= 1, in seconds: the value below which a share q of the durations lies,
 * interpolated linearly within its bucket and never above the maximum. 0 when empty. Error: at most
 * the width of a bucket, 1/16.
 */
double dist_quantile_s(const struct dist *d, double q);

#endif
