/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "advise/prng.h"

#include <math.h>

#define TWO_PI 6.283185307179586

static uint64_t splitmix64(uint64_t *x)
{
	uint64_t z = *x += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

void prng_seed(struct prng *prng, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		prng->state[i] = splitmix64(&seed);
}

uint64_t prng_next(struct prng *prng)
{
	uint64_t *s = prng->state;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

double prng_uniform(struct prng *prng)
{
	return (double)(prng_next(prng) >> 11) * 0x1p-53;
}

uint64_t prng_below(struct prng *prng, uint64_t n)
{
	return (uint64_t)(prng_uniform(prng) * (double)n);
}

double prng_exponential(struct prng *prng, double mean)
{
	return -mean * log1p(-prng_uniform(prng));
}

double prng_normal(struct prng *prng)
{
	/* The second value of the pair is thrown away: no state but the generator's. */
	double radius = sqrt(-2 * log1p(-prng_uniform(prng)));

	return radius * cos(TWO_PI * prng_uniform(prng));
}

double prng_lognormal(struct prng *prng, double mean, double cv)
{
	double variance = log1p(cv * cv);

	if (!(mean > 0) || !(cv > 0))
		return mean;
	return mean * exp(sqrt(variance) * prng_normal(prng) - variance / 2);
}
