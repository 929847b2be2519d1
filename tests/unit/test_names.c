/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of the model's enums: complete, distinct, and safe to ask for with anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <string.h>

#include "model/pool.h"
#include "model/snapshot.h"

/* Each value has a name and a label, and no two share a name: JSON could not be read back. */
#define CHECK_NAMES(kind, count)                                            \
	for (int i = 0; i < (int)(count); i++) {                            \
		assert_string_not_equal(kind##_name((enum kind)i), "?");    \
		assert_true(strlen(kind##_name((enum kind)i)) > 0);         \
		assert_true(strlen(kind##_label((enum kind)i)) > 0);        \
		for (int j = 0; j < i; j++)                                 \
			assert_string_not_equal(kind##_name((enum kind)i),  \
						kind##_name((enum kind)j)); \
	}                                                                   \
	assert_string_equal(kind##_name((enum kind)(count)), "?");          \
	assert_string_equal(kind##_label((enum kind) - 1), "?");            \
	assert_string_equal(kind##_name((enum kind)INT_MAX), "?")

static void test_parts(void **state)
{
	(void)state;
	CHECK_NAMES(part, PART_COUNT);
	assert_int_equal(PART_WAIT_COUNT, 7);
	assert_string_equal(part_name(PART_NETWORK), "network");
	assert_string_equal(part_name(PART_OTHER), "other");
}

static void test_losses(void **state)
{
	(void)state;
	CHECK_NAMES(loss, LOSS_COUNT);
}

static void test_concurrency(void **state)
{
	(void)state;
	CHECK_NAMES(concurrency, CONCURRENCY_COUNT);
	assert_string_equal(concurrency_name(CONCURRENCY_EVENT_LOOP_THREADS), "event-loop+threads");
}

static void test_pool_states(void **state)
{
	(void)state;
	CHECK_NAMES(pool_state, POOL_STATE_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_concurrency),
		cmocka_unit_test(test_pool_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
