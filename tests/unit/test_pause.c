/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bins of pauses: what both the kernel side and user space rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pause.h"

/* Every bin starts where its own floor says and ends right before the next one's. */
static void test_round_trip(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < IOP_PAUSE_BINS; i++) {
		assert_int_equal(pause_bin(pause_floor(i)), i);
		if (i == 0)
			continue;
		assert_true(pause_floor(i - 1) < pause_floor(i));
		assert_int_equal(pause_bin(pause_floor(i) - 1), i - 1);
	}
}

static void test_monotone(void **state)
{
	unsigned int last = 0;

	(void)state;
	for (unsigned long long ns = 0; ns < 1ull << 41; ns += ns / 300 + 1) {
		unsigned int i = pause_bin(ns);

		assert_true(i == last || i == last + 1);
		last = i;
	}
	assert_int_equal(last, IOP_PAUSE_BINS - 1);
}

/* As its comment says, and docs/json.md. */
static void test_borders(void **state)
{
	static const struct {
		unsigned long long ns;
		unsigned int bin;
	} borders[] = {
		{0, 0},
		{1, 1},
		{131071, 1},
		{131072, 2},
		{262143, 2},
		{262144, 3},
		{134217727, IOP_PAUSE_BINS - 2},
		{134217728, IOP_PAUSE_BINS - 1},
		{1ull << 32, IOP_PAUSE_BINS - 1},
		{1ull << 63, IOP_PAUSE_BINS - 1},
		{UINT64_MAX, IOP_PAUSE_BINS - 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(borders) / sizeof(borders[0]); i++)
		assert_int_equal(pause_bin(borders[i].ns), borders[i].bin);
	assert_int_equal(pause_floor(0), 0);
	assert_int_equal(pause_floor(1), 1);
	assert_int_equal(pause_floor(2), 131072);
	assert_int_equal(pause_floor(IOP_PAUSE_BINS - 1), 134217728);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_monotone),
		cmocka_unit_test(test_borders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
