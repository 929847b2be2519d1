/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/hist.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define NS_PER_S 1e9

/* Sums stop at the top of their range instead of starting again at zero: too low by little beats
 * absurd. */
static uint64_t add_saturating(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

void dist_done(struct dist *d)
{
	for (unsigned int i = 0; i < DIST_OCTAVES; i++)
		free(d->octaves[i]);
	*d = (struct dist){0};
}

int dist_fill(struct dist *d, unsigned int i, uint64_t n)
{
	uint64_t **octave = &d->octaves[i / IOP_BUCKET_SUB];

	if (!*octave)
		*octave = calloc(IOP_BUCKET_SUB, sizeof(**octave));
	if (!*octave)
		return -ENOMEM;
	(*octave)[i % IOP_BUCKET_SUB] = add_saturating((*octave)[i % IOP_BUCKET_SUB], n);
	return 0;
}

int dist_add(struct dist *d, uint64_t ns)
{
	int r = dist_fill(d, bucket_index(ns), 1);

	if (r < 0)
		return r;
	d->count++;
	d->sum_ns = add_saturating(d->sum_ns, ns);
	if (ns > d->max_ns)
		d->max_ns = ns;
	return 0;
}

int dist_merge(struct dist *dst, const struct dist *src)
{
	int r = 0;

	dst->count = add_saturating(dst->count, src->count);
	dst->sum_ns = add_saturating(dst->sum_ns, src->sum_ns);
	if (src->max_ns > dst->max_ns)
		dst->max_ns = src->max_ns;
	for (unsigned int i = 0; i < IOP_BUCKET_COUNT && r == 0; i++) {
		uint64_t n = dist_bucket(src, i);

		if (n)
			r = dist_fill(dst, i, n);
	}
	return r;
}

double dist_mean_s(const struct dist *d)
{
	return d->count ? (double)d->sum_ns / (double)d->count / NS_PER_S : 0;
}

/* The largest duration in bucket i: nothing lies above the maximum, and the last bucket has no
 * other end. */
static double bucket_end(const struct dist *d, unsigned int i)
{
	uint64_t last = bucket_floor(i + 1) - 1;

	return (double)(i == IOP_BUCKET_COUNT - 1 || d->max_ns < last ? d->max_ns : last);
}

double dist_deviation_s(const struct dist *d)
{
	double mean_ns = dist_mean_s(d) * NS_PER_S, sum = 0;

	if (d->count < 2)
		return INFINITY;
	for (unsigned int i = 0; i < IOP_BUCKET_COUNT; i++) {
		double n = (double)dist_bucket(d, i), off;

		if (!(n > 0))
			continue;
		off = ((double)bucket_floor(i) + bucket_end(d, i)) / 2 - mean_ns;
		sum += n * off * off;
	}
	return sqrt(sum / (double)(d->count - 1)) / NS_PER_S;
}

double dist_quantile_s(const struct dist *d, double q)
{
	double rank = q * (double)d->count;
	double below = 0;

	for (unsigned int i = 0; i < IOP_BUCKET_COUNT; i++) {
		double n = (double)dist_bucket(d, i);

		if (n > 0 && below + n >= rank) {
			double floor = (double)bucket_floor(i), end = bucket_end(d, i);

			/* A maximum read a moment before its bucket may lie below it. */
			if (end < floor)
				return end / NS_PER_S;
			return (floor + (end - floor) * (rank - below) / n) / NS_PER_S;
		}
		below += n;
	}
	return (double)d->max_ns / NS_PER_S;
}
