/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Distributions against the sorted values they were made from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/hist.h"

#define N 5000

/* A small generator of our own: the same values in every run and on every machine. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Values of every magnitude up to 2^bits. */
static void fill(uint64_t *values, size_t n, unsigned int bits, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t x = next_random(&seed);

		values[i] = next_random(&seed) >> (64 - bits) >> (x % bits);
	}
}

static int compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static void test_empty(void **state)
{
	const struct dist d = {0};

	(void)state;
	assert_true(dist_mean_s(&d) == 0);
	assert_true(dist_quantile_s(&d, 0) == 0);
	assert_true(dist_quantile_s(&d, 1) == 0);
}

static void test_quantiles(void **state)
{
	static const double qs[] = {0, 0.001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
	static uint64_t values[N];

	(void)state;
	for (unsigned int bits = 1; bits <= 40; bits++) {
		struct dist d = {0};

		fill(values, N, bits, 1000 + bits);
		for (size_t i = 0; i < N; i++)
			dist_add(&d, values[i]);
		qsort(values, N, sizeof(values[0]), compare);
		for (size_t i = 0; i < sizeof(qs) / sizeof(qs[0]); i++) {
			size_t rank = (size_t)ceil(qs[i] * N);
			double truth = (double)values[rank ? rank - 1 : 0] / 1e9;
			double found = dist_quantile_s(&d, qs[i]);

			assert_true(fabs(found - truth) <= truth / 16 + 1e-15);
			assert_true(found <= (double)d.max_ns / 1e9);
		}
		assert_true(dist_quantile_s(&d, 1) == (double)values[N - 1] / 1e9);
		dist_done(&d);
	}
}

static void test_sums(void **state)
{
	static uint64_t values[N];
	const struct dist empty = {0};
	struct dist d = {0};
	uint64_t sum = 0, max = 0, in_buckets = 0;

	(void)state;
	fill(values, N, 36, 7);
	for (size_t i = 0; i < N; i++) {
		dist_add(&d, values[i]);
		sum += values[i];
		max = values[i] > max ? values[i] : max;
	}
	for (size_t i = 0; i < IOP_BUCKET_COUNT; i++)
		in_buckets += dist_bucket(&d, (unsigned int)i);
	assert_int_equal(d.count, N);
	assert_int_equal(d.sum_ns, sum);
	assert_int_equal(d.max_ns, max);
	assert_int_equal(in_buckets, N);
	assert_true(fabs(dist_mean_s(&d) - (double)sum / N / 1e9) < 1e-12);
	dist_done(&d);
	assert_memory_equal(&d, &empty, sizeof(d));
}

static void test_zeros(void **state)
{
	struct dist d = {0};

	(void)state;
	for (int i = 0; i < 9; i++)
		dist_add(&d, 0);
	dist_add(&d, 1000000);
	assert_true(dist_quantile_s(&d, 0.5) == 0);
	assert_true(dist_quantile_s(&d, 1) == 1e-3);
	dist_done(&d);
}

static void assert_same(const struct dist *a, const struct dist *b)
{
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->sum_ns, b->sum_ns);
	assert_int_equal(a->max_ns, b->max_ns);
	for (unsigned int i = 0; i < IOP_BUCKET_COUNT; i++)
		assert_int_equal(dist_bucket(a, i), dist_bucket(b, i));
}

/* Merging in any order gives what adding all to one gives. */
static void test_merge(void **state)
{
	static uint64_t values[N];
	struct dist all = {0}, parts[3] = {{0}}, left = {0}, right = {0};

	(void)state;
	fill(values, N, 45, 99);
	for (size_t i = 0; i < N; i++) {
		dist_add(&all, values[i]);
		dist_add(&parts[i % 3], values[i]);
	}
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(dist_merge(&left, &parts[i]), 0);
		assert_int_equal(dist_merge(&right, &parts[2 - i]), 0);
	}
	assert_same(&left, &all);
	assert_same(&right, &all);
	for (size_t i = 0; i < 3; i++)
		dist_done(&parts[i]);
	dist_done(&left);
	dist_done(&right);
	dist_done(&all);
}

/* Absurdly long durations neither leave the table nor start the sum again at zero. */
static void test_overflow(void **state)
{
	struct dist d = {0};
	struct dist twice = {0};

	(void)state;
	dist_add(&d, UINT64_MAX);
	dist_add(&d, 5);
	assert_int_equal(d.sum_ns, UINT64_MAX);
	assert_int_equal(d.max_ns, UINT64_MAX);
	assert_int_equal(dist_bucket(&d, IOP_BUCKET_COUNT - 1), 1);
	assert_int_equal(dist_merge(&twice, &d), 0);
	assert_int_equal(dist_merge(&twice, &d), 0);
	assert_int_equal(twice.sum_ns, UINT64_MAX);
	assert_int_equal(twice.count, 4);
	assert_true(dist_quantile_s(&d, 1) == (double)UINT64_MAX / 1e9);
	dist_done(&d);
	dist_done(&twice);
}

/* A maximum read a moment before its bucket: still no value above it. */
static void test_stale_maximum(void **state)
{
	struct dist d = {.count = 2, .sum_ns = 3000, .max_ns = 500};

	(void)state;
	assert_int_equal(dist_fill(&d, bucket_index(500), 1), 0);
	assert_int_equal(dist_fill(&d, bucket_index(2500), 1), 0);
	assert_true(dist_quantile_s(&d, 1) == 500e-9);
	assert_true(dist_quantile_s(&d, 0.99) <= 500e-9);
	dist_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),	      cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_sums),	      cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_merge),	      cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_stale_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
