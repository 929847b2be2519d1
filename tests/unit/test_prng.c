/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The generator against its authors' code, the distributions against their moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "advise/prng.h"

#define N 1000000

/* From the reference implementations: prng.di.unimi.it, xoshiro256starstar.c and splitmix64.c. */
static void test_reference(void **state)
{
	static const uint64_t outputs[] = {11520, 0, 1509978240, 1215971899390074240,
					   1216172134540287360};
	static const uint64_t seeded[] = {6457827717110365317U, 3203168211198807973U,
					  9817491932198370423U, 4593380528125082431U};
	struct prng p = {{1, 2, 3, 4}};

	(void)state;
	for (size_t i = 0; i < sizeof(outputs) / sizeof(*outputs); i++)
		assert_true(prng_next(&p) == outputs[i]);
	prng_seed(&p, 1234567);
	for (int i = 0; i < 4; i++)
		assert_true(p.state[i] == seeded[i]);
}

struct moments {
	double mean, variance, min, max;
};

static struct moments measure(double (*draw)(struct prng *), uint64_t seed)
{
	struct moments m = {.min = INFINITY, .max = -INFINITY};
	double sum = 0, squares = 0;
	struct prng p;

	prng_seed(&p, seed);
	for (int i = 0; i < N; i++) {
		double x = draw(&p);

		sum += x;
		squares += x * x;
		m.min = fmin(m.min, x);
		m.max = fmax(m.max, x);
	}
	m.mean = sum / N;
	m.variance = squares / N - m.mean * m.mean;
	return m;
}

static double draw_exponential(struct prng *p)
{
	return prng_exponential(p, 3);
}

static double draw_lognormal(struct prng *p)
{
	return prng_lognormal(p, 2, .5);
}

static double draw_below(struct prng *p)
{
	return (double)prng_below(p, 7);
}

/* A million draws: the mean is within 5 deviations of 1/1000 of the spread. */
static void test_moments(void **state)
{
	struct moments m = measure(prng_uniform, 1);

	(void)state;
	assert_true(m.min >= 0 && m.max < 1);
	assert_true(fabs(m.mean - .5) < .0015 && fabs(m.variance - 1. / 12) < .001);
	m = measure(draw_exponential, 2);
	assert_true(m.min >= 0);
	assert_true(fabs(m.mean - 3) < .015 && fabs(m.variance - 9) < .15);
	m = measure(prng_normal, 3);
	assert_true(fabs(m.mean) < .005 && fabs(m.variance - 1) < .01);
	m = measure(draw_lognormal, 4);
	assert_true(m.min > 0);
	assert_true(fabs(m.mean - 2) < .005 && fabs(m.variance - 1) < .02);
	m = measure(draw_below, 5);
	assert_true(m.min == 0 && m.max == 6);
	assert_true(fabs(m.mean - 3) < .01 && fabs(m.variance - 4) < .02);
}

static void test_lognormal_without_spread(void **state)
{
	struct prng p;

	(void)state;
	prng_seed(&p, 0);
	assert_true(prng_lognormal(&p, 2, 0) == 2);
	assert_true(prng_lognormal(&p, 0, 1) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_moments),
		cmocka_unit_test(test_lognormal_without_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
