/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What pauses cost, from requests whose truth is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "advise/pause_fit.h"

#define US 1e-6
#define MS 1e-3

#define ASSERT_NEAR(a, b, within) assert_true(fabs((a) - (b)) <= (within))

static const struct pause_prior prior = {
	.each_s = 60 * US,
	.each_deviation_s = 20 * US,
	.wake_s = 30 * US,
	.wake_deviation_s = 40 * US,
};

/* So many requests after such a pause, of so much CPU on average, which deviates so much. */
static void add(struct pause *pauses, double n, double pause_s, double cpu_s, double deviation_s)
{
	struct pause *pause = &pauses[pause_bin((uint64_t)llround(pause_s * 1e9))];

	pause->requests += (uint64_t)llround(n);
	pause->sum_ns += (uint64_t)llround(n * pause_s * 1e9);
	pause->cpu_ns += (uint64_t)llround(n * cpu_s * 1e9);
	pause->cpu_squares += n * (cpu_s * cpu_s + deviation_s * deviation_s);
}

static double grown(double full_s, double wake_s, double each_s, double pause_s)
{
	return pause_s > 0 ? full_s + wake_s + each_s * log2(1 + pause_s / MS) : full_s;
}

static double width(const struct prior *p)
{
	return p->hi - p->lo;
}

/* So many requests after none and after each of these: 2 ms, 80 us more after any, 110 us after
 * each doubling. */
static void add_line(struct pause *pauses, double n, double deviation_s)
{
	static const double paused_ms[] = {0, .1, .3, 1, 3, 7, 15, 31, 127};

	for (size_t i = 0; i < sizeof(paused_ms) / sizeof(paused_ms[0]); i++)
		add(pauses, n, paused_ms[i] * MS,
		    grown(2 * MS, 80 * US, 110 * US, paused_ms[i] * MS), deviation_s);
}

/* Whatever was believed. */
static void test_line(void **state)
{
	struct pause pauses[IOP_PAUSE_BINS] = {{0}};
	struct pause_fit f;

	(void)state;
	add_line(pauses, 1e6, 300 * US);
	f = pause_fit(pauses, 1, &prior);
	assert_true(f.known);
	ASSERT_NEAR(f.full_s.estimate, 2 * MS, 2 * US);
	ASSERT_NEAR(f.each_s.estimate, 110 * US, 2 * US);
	assert_true(f.full_s.lo <= 2 * MS && 2 * MS <= f.full_s.hi);
	assert_true(f.each_s.lo <= 110 * US && 110 * US <= f.each_s.hi);
	assert_true(width(&f.full_s) < 20 * US && width(&f.each_s) < 10 * US);
	ASSERT_NEAR(f.pause_s, (.1 + .3 + 1 + 3 + 7 + 15 + 31 + 127) / 8 * MS, 1e-9);
	assert_true(f.mean_s > 2 * MS && f.mean_s < f.full_s.estimate + 1 * MS);
}

/* What they take after no pause has been seen: no line is needed. */
static void test_plenty_without_pause(void **state)
{
	struct pause pauses[IOP_PAUSE_BINS] = {{0}};
	struct pause_fit f;

	(void)state;
	add(pauses, 100000, 0, 2 * MS, 300 * US);
	add(pauses, 100, .3 * MS, 3.1 * MS, 300 * US);
	add(pauses, 100, 7 * MS, 1.7 * MS, 300 * US);
	f = pause_fit(pauses, 1, &prior);
	ASSERT_NEAR(f.full_s.estimate, 2 * MS, 2 * US);
	/* Its interval: chance, and how straight a line can be. */
	ASSERT_NEAR(width(&f.full_s), 2 * NORMAL_95 * hypot(300 * US / sqrt(1e5), 2 * US), .5 * US);
}

/* All pauses alike: how much of it they added is only believed. */
static void test_priors(void **state)
{
	struct pause pauses[IOP_PAUSE_BINS] = {{0}};
	double deviation_s = hypot(40 * US, 3 * 20 * US);
	struct pause_fit f;

	(void)state;
	add(pauses, 1e6, 7 * MS, 2 * MS, 300 * US);
	f = pause_fit(pauses, 1, &prior);
	ASSERT_NEAR(f.mean_s, 2 * MS, 1e-9);
	ASSERT_NEAR(f.full_s.estimate, (2000 - 30 - 3 * 60) * US, 1e-9);
	ASSERT_NEAR(f.each_s.estimate, 60 * US, 1e-9);
	ASSERT_NEAR(f.full_s.hi - f.full_s.estimate, NORMAL_95 * deviation_s, 1 * US);
	ASSERT_NEAR(f.each_s.estimate - f.each_s.lo, NORMAL_95 * 20 * US, 1e-9);
	/* Nothing is: no request takes less than nothing. */
	memset(pauses, 0, sizeof(pauses));
	add(pauses, 1e6, 7 * MS, 250 * US, 30 * US);
	f = pause_fit(pauses, 1, &prior);
	ASSERT_NEAR(f.full_s.estimate, 40 * US, 1e-9);
	ASSERT_NEAR(f.full_s.lo, 0, 0);
}

/* None of them paused: a service under full load costs what it costs. */
static void test_never_paused(void **state)
{
	struct pause pauses[IOP_PAUSE_BINS] = {{0}};
	struct pause_fit f;

	(void)state;
	add(pauses, 10000, 0, 2 * MS, 300 * US);
	f = pause_fit(pauses, 1, &prior);
	assert_true(f.known);
	ASSERT_NEAR(f.full_s.estimate, 2 * MS, 1e-9);
	ASSERT_NEAR(f.pause_s, 0, 0);
	ASSERT_NEAR(f.each_s.estimate, prior.each_s, 1e-9);
}

static void test_too_few(void **state)
{
	struct pause pauses[IOP_PAUSE_BINS] = {{0}};

	(void)state;
	assert_false(pause_fit(pauses, 1, &prior).known);
	add(pauses, 49, 1 * MS, 2 * MS, 300 * US);
	assert_false(pause_fit(pauses, 1, &prior).known);
	add(pauses, 51, 0, 2 * MS, 300 * US);
	assert_true(pause_fit(pauses, 1, &prior).known);
	/* As many as these, but scaled up from 40. */
	assert_false(pause_fit(pauses, .4, &prior).known);
	assert_false(pause_fit(pauses, 0, &prior).known);
	assert_false(pause_fit(pauses, NAN, &prior).known);
	/* Of requests without CPU there is nothing to tell. */
	memset(pauses, 0, sizeof(pauses));
	add(pauses, 1000, 1 * MS, 0, 0);
	assert_false(pause_fit(pauses, 1, &prior).known);
}

/* Each request takes as much as every other: the priors keep their say. */
static void test_zero_variance(void **state)
{
	struct pause pauses[IOP_PAUSE_BINS] = {{0}};
	struct pause_fit f;

	(void)state;
	for (uint64_t n = 50; n < 1000000000000; n *= 10) {
		memset(pauses, 0, sizeof(pauses));
		add(pauses, (double)n, 7 * MS, 2 * MS, 0);
		f = pause_fit(pauses, 1, &prior);
		assert_true(f.known);
		ASSERT_NEAR(f.full_s.estimate, (2000 - 30 - 3 * 60) * US, .01 * US);
		ASSERT_NEAR(width(&f.full_s), 2 * NORMAL_95 * hypot(40 * US, 3 * 20 * US), 1 * US);
		/* Rounding leaves a little less than nothing of squares. */
		pauses[pause_bin(7000000)].cpu_squares *= 1 - 1e-9;
		assert_true(pause_fit(pauses, 1, &prior).known);
	}
	memset(pauses, 0, sizeof(pauses));
	add_line(pauses, 1e6, 0);
	f = pause_fit(pauses, 1, &prior);
	ASSERT_NEAR(f.full_s.estimate, 2 * MS, 2 * US);
}

/* A quarter of them observed: half as exact. */
static void test_seen(void **state)
{
	struct pause pauses[IOP_PAUSE_BINS] = {{0}};
	struct pause_fit all, quarter;

	(void)state;
	add_line(pauses, 10000, 300 * US);
	all = pause_fit(pauses, 1, &prior);
	quarter = pause_fit(pauses, .25, &prior);
	ASSERT_NEAR(width(&quarter.full_s) / width(&all.full_s), 2, .5);
	ASSERT_NEAR(width(&quarter.each_s) / width(&all.each_s), 2, .5);
	ASSERT_NEAR(quarter.mean_s, all.mean_s, 0);
	ASSERT_NEAR(quarter.pause_s, all.pause_s, 0);
}

/* What else differs between requests after longer pauses and others shows: they lie further from
 * the line than chance explains. */
static void test_misfit(void **state)
{
	struct pause straight[IOP_PAUSE_BINS] = {{0}}, crooked[IOP_PAUSE_BINS] = {{0}};
	struct pause_fit a, b;

	(void)state;
	for (int i = 0; i < 6; i++) {
		double pause_s = i ? .2 * MS * pow(4, i) : 0;
		double cpu_s = grown(2 * MS, 80 * US, 110 * US, pause_s);

		add(straight, 10000, pause_s, cpu_s, 300 * US);
		add(crooked, 10000, pause_s, cpu_s + (i % 2 ? 90 : -90) * US, 300 * US);
	}
	a = pause_fit(straight, 1, &prior);
	b = pause_fit(crooked, 1, &prior);
	assert_true(width(&b.full_s) > 5 * width(&a.full_s));
	assert_true(b.full_s.lo <= 2 * MS && 2 * MS <= b.full_s.hi);
}

static void assert_sound(const struct prior *p)
{
	assert_true(isfinite(p->estimate) && isfinite(p->lo) && isfinite(p->hi));
	assert_true(p->lo >= 0 && p->lo <= p->estimate && p->estimate <= p->hi);
}

/* Figures of documents that somebody wrote, all that can be. */
static void test_absurd(void **state)
{
	static const uint64_t counts[] = {0, 1, 50, 1000000, INT64_MAX, UINT64_MAX};
	static const double squares[] = {0, 5e-324, 1, 1.7e308, INFINITY, NAN};
	static const struct pause_prior priors[] = {
		{.each_s = 60e-6, .each_deviation_s = 20e-6, .wake_deviation_s = 40e-6},
		{.each_deviation_s = 1e-300, .wake_deviation_s = 1e300},
		{.each_s = 1},
	};
	const size_t n = sizeof(counts) / sizeof(counts[0]), n_squares = 6, n_priors = 3;

	(void)state;
	for (size_t i = 0; i < n * n * n * n_squares * n_priors; i++) {
		struct pause pauses[IOP_PAUSE_BINS] = {{0}};
		const struct pause absurd = {
			.requests = counts[i % n],
			.sum_ns = counts[i / n % n],
			.cpu_ns = counts[i / n / n % n],
			.cpu_squares = squares[i / n / n / n % n_squares],
		};

		add(pauses, 1000, 1 * MS, 2 * MS, 300 * US);
		for (size_t k = 0; k < 3; k++) {
			struct pause_fit f;

			pauses[k * (IOP_PAUSE_BINS - 1) / 2] = absurd;
			f = pause_fit(pauses, .7, &priors[i / n / n / n / n_squares]);
			assert_true(isfinite(f.mean_s) && isfinite(f.pause_s));
			assert_sound(&f.full_s);
			assert_sound(&f.each_s);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),	cmocka_unit_test(test_plenty_without_pause),
		cmocka_unit_test(test_priors),	cmocka_unit_test(test_never_paused),
		cmocka_unit_test(test_too_few), cmocka_unit_test(test_zero_variance),
		cmocka_unit_test(test_seen),	cmocka_unit_test(test_misfit),
		cmocka_unit_test(test_absurd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
