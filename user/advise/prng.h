/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pseudo-random numbers for the simulator and the bootstrap: the same seed gives the same numbers
 * on every machine. xoshiro256** 1.0, seeded through splitmix64 (Blackman and Vigna, Scrambled
 * linear pseudorandom number generators, ACM TOMS 47(4), 2021; public domain).
 */
#ifndef IOPROF_ADVISE_PRNG_H
#define IOPROF_ADVISE_PRNG_H

#include <stdint.h>

struct prng {
	uint64_t state[4]; /* never all zero */
};

/* Any seed is good, zero too. */
void prng_seed(struct prng *prng, uint64_t seed);

/* 64 uniform bits. */
uint64_t prng_next(struct prng *prng);

/* Uniform in [0, 1), 53 bits. */
double prng_uniform(struct prng *prng);

/* Uniform in 0..n-1, 0 < n < 2^53. Off by less than n / 2^53. */
uint64_t prng_below(struct prng *prng, uint64_t n);

/* Exponential of this mean; standard normal (Box and Muller 1958). */
double prng_exponential(struct prng *prng, double mean);
double prng_normal(struct prng *prng);

/* Lognormal of this mean and coefficient of variation; the mean itself when either is not > 0. */
double prng_lognormal(struct prng *prng, double mean, double cv);

#endif
