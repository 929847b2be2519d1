/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The histogram index: what both the kernel side and user space rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bucket.h"

/* Every bucket starts where its own floor says and ends right before the next one's. */
static void test_round_trip(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < IOP_BUCKET_COUNT; i++) {
		assert_int_equal(bucket_index(bucket_floor(i)), i);
		assert_true(bucket_floor(i) < bucket_floor(i + 1));
		assert_int_equal(bucket_index(bucket_floor(i + 1) - 1), i);
	}
	assert_int_equal(bucket_floor(0), 0);
	assert_int_equal(bucket_floor(IOP_BUCKET_COUNT), 1ull << (IOP_BUCKET_TOP_BIT + 1));
}

/* Below 16 a bucket is one value; above it is at most 1/16 of its lower bound wide. */
static void test_width(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < IOP_BUCKET_COUNT; i++) {
		unsigned long long width = bucket_floor(i + 1) - bucket_floor(i);

		if (i < IOP_BUCKET_SUB)
			assert_int_equal(width, 1);
		else
			assert_true(width * IOP_BUCKET_SUB <= bucket_floor(i));
	}
}

static void test_monotone(void **state)
{
	unsigned int last = 0;

	(void)state;
	for (unsigned long long ns = 0; ns < 1ull << 41; ns += ns / 300 + 1) {
		unsigned int i = bucket_index(ns);

		assert_true(i == last || i == last + 1);
		last = i;
	}
	assert_int_equal(last, IOP_BUCKET_COUNT - 1);
}

/* What lies beyond the range stays in the last bucket. */
static void test_range(void **state)
{
	static const unsigned long long beyond[] = {(1ull << 40) - 1, 1ull << 40, 1ull << 41,
						    1ull << 63, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++)
		assert_int_equal(bucket_index(beyond[i]), IOP_BUCKET_COUNT - 1);
}

static void test_log2(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++) {
		unsigned long long low = 1ull << bit;

		assert_int_equal(bucket_log2(low), bit);
		assert_int_equal(bucket_log2(low | (low - 1)), bit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_width),
		cmocka_unit_test(test_monotone),   cmocka_unit_test(test_range),
		cmocka_unit_test(test_log2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
