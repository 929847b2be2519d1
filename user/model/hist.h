/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Distributions of durations: a log-linear histogram (bpf/bucket.h) with the exact count, sum and
 * maximum beside it. Additive: the distribution of two intervals is the sum of theirs.
 *
 * All zero is an empty one. Durations of one kind lie within few powers of two, so only the buckets
 * of those take memory: hosts have hundreds of services with 14 distributions each.
 */
#ifndef IOPROF_MODEL_HIST_H
#define IOPROF_MODEL_HIST_H

#include <stdint.h>

#include "bucket.h"

#define DIST_OCTAVES (IOP_BUCKET_COUNT / IOP_BUCKET_SUB)

struct dist {
	uint64_t count;	 /* durations counted, zeros included */
	uint64_t sum_ns; /* exact */
	uint64_t max_ns; /* exact */
	/* how many fell into each bucket, IOP_BUCKET_SUB of them; NULL: none; sums to count */
	uint64_t *octaves[DIST_OCTAVES];
};

/* Frees what it holds and makes it empty. */
void dist_done(struct dist *d);

/* How many fell into bucket i < IOP_BUCKET_COUNT. */
static inline uint64_t dist_bucket(const struct dist *d, unsigned int i)
{
	const uint64_t *octave = d->octaves[i / IOP_BUCKET_SUB];

	return octave ? octave[i % IOP_BUCKET_SUB] : 0;
}

/* Adds n to bucket i alone: count, sum and maximum are the caller's. 0, or -ENOMEM with nothing
 * changed. */
int dist_fill(struct dist *d, unsigned int i, uint64_t n);

/* Adds one duration. 0, or -ENOMEM with nothing changed. */
int dist_add(struct dist *d, uint64_t ns);

/* Adds all of src to dst. 0, or -ENOMEM with dst half merged. */
int dist_merge(struct dist *dst, const struct dist *src);

/* Mean in seconds; 0 when empty. */
double dist_mean_s(const struct dist *d);

/* Standard deviation in seconds, within half a bucket's width; INFINITY below two. */
double dist_deviation_s(const struct dist *d);

/*
 * The q-quantile, 0 <= q <= 1, in seconds: the value below which a share q of the durations lies,
 * interpolated linearly within its bucket and never above the maximum. 0 when empty. Error: at most
 * the width of a bucket, 1/16.
 */
double dist_quantile_s(const struct dist *d, double q);

#endif
