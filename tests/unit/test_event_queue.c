/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events come out in order of time, and of their adding when at one time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "advise/event_queue.h"
#include "advise/prng.h"

static void test_order(void **state)
{
	struct event_queue queue = {0};
	struct event event, last = {.at_s = -1};
	struct prng prng;
	uint32_t n = 0;

	(void)state;
	prng_seed(&prng, 1);
	/* Three in, one out: the queue grows and is drained while in use. Times are few: many are
	 * alike. */
	for (uint32_t i = 0; i < 30000; i++) {
		event = (struct event){.at_s = (double)prng_below(&prng, 50), .number = i};
		assert_int_equal(event_queue_add(&queue, event), 0);
		if (i % 3 == 2)
			assert_true(event_queue_take(&queue, &event));
	}
	while (event_queue_take(&queue, &event)) {
		assert_true(event.at_s > last.at_s ||
			    (event.at_s == last.at_s && event.number > last.number));
		last = event;
		n++;
	}
	assert_int_equal(n, 20000);
	event_queue_done(&queue);
}

static void test_empty(void **state)
{
	struct event_queue queue = {0};
	struct event event = {.number = 7};

	(void)state;
	assert_false(event_queue_take(&queue, &event));
	assert_int_equal(event.number, 7);
	event_queue_done(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
