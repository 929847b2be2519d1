/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app/backoff.h"

#define S 1000000000ull
#define LIMIT 0.01

/* A machine on which the probes would take `full` of a processor if they observed all the time. */
struct load {
	struct backoff b;
	uint64_t now_ns, cost_ns;
};

static void begin(struct load *l, uint64_t kept_s)
{
	*l = (struct load){.now_ns = 5 * S, .cost_ns = S};
	backoff_begin(&l->b, LIMIT, kept_s * S, l->now_ns, l->cost_ns);
}

static unsigned int second(struct load *l, double full)
{
	l->now_ns += S;
	l->cost_ns += (uint64_t)(full / l->b.one_in * (double)S);
	return backoff_decide(&l->b, l->now_ns, l->cost_ns);
}

static void a_modest_cost_is_left_alone(void **state)
{
	struct load l;

	(void)state;
	begin(&l, 10);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(second(&l, 0.0099), 1);
}

static void what_was_kept_is_used_up_first(void **state)
{
	struct load l;
	int seconds = 1;

	(void)state;
	begin(&l, 10); /* 0.1 s of CPU; 0.02 s a second are too much by 0.01 */
	while (second(&l, 0.02) == 1) {
		assert_int_equal(backoff_is_strained(&l.b), seconds > 5);
		seconds++;
	}
	assert_in_range(seconds, 10, 12);
	assert_true(backoff_is_strained(&l.b));
}

static void as_little_as_it_takes_is_observed(void **state)
{
	struct load l;

	(void)state;
	begin(&l, 0);
	assert_int_equal(second(&l, 0.05), 8); /* 5 times too much */
	for (int i = 0; i < 100; i++)
		assert_int_equal(second(&l, 0.05), 8); /* 0.006, of which half would be 0.0125 */
}

static void it_finds_back(void **state)
{
	struct load l;

	(void)state;
	begin(&l, 10);
	while (second(&l, 0.5) == 1)
		;
	assert_int_equal(l.b.one_in, 64);
	for (unsigned int n = 64; n > 1; n /= 2)
		assert_int_equal(second(&l, 0.005), n / 2);
	for (int i = 0; i < 100; i++)
		assert_int_equal(second(&l, 0.005), 1);
}

static void what_no_sample_saves_ends_it(void **state)
{
	struct load l;

	(void)state;
	begin(&l, 0);
	assert_int_equal(second(&l, 0.02), 2);
	l.cost_ns += 1000 * S; /* however little is observed */
	assert_int_equal(second(&l, 0.02), 0);
	assert_int_equal(second(&l, 0), 0);
}

static void time_can_be_left_out(void **state)
{
	struct load l;

	(void)state;
	begin(&l, 0);
	l.cost_ns += S;
	l.now_ns += S;
	backoff_skip(&l.b, l.now_ns, l.cost_ns);
	assert_int_equal(second(&l, 0.005), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_modest_cost_is_left_alone),
		cmocka_unit_test(what_was_kept_is_used_up_first),
		cmocka_unit_test(as_little_as_it_takes_is_observed),
		cmocka_unit_test(it_finds_back),
		cmocka_unit_test(what_no_sample_saves_ends_it),
		cmocka_unit_test(time_can_be_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
