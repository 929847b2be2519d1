/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures with what they may be off: against textbook values, and how often they raise an alarm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "model/measure.h"

#define MS 1000000ull

static void near(double value, double expected, double tolerance)
{
	if (!(fabs(value - expected) <= tolerance * fabs(expected)))
		fail_msg("%.9g instead of %.9g", value, expected);
}

/* An interval with so many requests of so much latency each. */
static void observe(struct snapshot *sum, struct spread *spread, uint64_t requests, uint64_t ns)
{
	struct snapshot *s = snapshot_new(1);
	struct service *service = &s->services[0];

	s->duration_ns = 1000 * MS;
	service->requests.completed = requests;
	for (uint64_t i = 0; i < requests; i++)
		dist_add(&service->latency, ns);
	spread_add(spread, s, service);
	assert_int_equal(snapshot_merge(sum, s), 0);
	snapshot_free(s);
}

/* Over intervals of as many requests each, the error of the mean is that of a sample of means. */
static void test_intervals(void **state)
{
	struct snapshot *sum = snapshot_new(1);
	struct spread spread = {0};
	struct measured m;

	(void)state;
	for (unsigned int i = 1; i <= 9; i++)
		observe(sum, &spread, 10, i * MS);
	m = measure_service(MEASURE_LATENCY, sum, &sum->services[0], &spread);
	near(m.value, 5e-3, 1e-9);
	/* 1 to 9: variance 7.5; the error of the mean sqrt(7.5 / 9) */
	near(m.error, sqrt(7.5 / 9) * 1e-3, 1e-6);
	near(m.freedom, 8, 1e-9);
	m = measure_service(MEASURE_RATE, sum, &sum->services[0], &spread);
	near(m.value, 10, 1e-9);
	assert_true(m.error < 1e-9);
	snapshot_free(sum);
}

/* Over few intervals, that of the requests themselves. */
static void test_requests(void **state)
{
	struct snapshot *sum = snapshot_new(1);
	struct spread spread = {0};
	struct measured m;

	(void)state;
	observe(sum, &spread, 50, 1 * MS);
	observe(sum, &spread, 50, 3 * MS);
	m = measure_service(MEASURE_LATENCY, sum, &sum->services[0], &spread);
	near(m.value, 2e-3, 1e-9);
	near(m.error, sqrt(100.0 / 99) * 1e-3 / 10, 0.04); /* of buckets */
	near(m.freedom, 99, 1e-9);
	m = measure_service(MEASURE_LATENCY_P50, sum, &sum->services[0], &spread);
	assert_true(m.error > 0);
	m = measure_service(MEASURE_RATE, sum, &sum->services[0], &spread);
	assert_true(isnan(m.error));
	snapshot_free(sum);
}

/* Nothing observed, or too little. */
static void test_undefined(void **state)
{
	struct snapshot *sum = snapshot_new(1);
	struct spread spread = {0};

	(void)state;
	for (enum measure i = 0; i < MEASURE_COUNT; i++) {
		struct measured m = measure_service(i, sum, &sum->services[0], &spread);
		struct comparison c = measure_compare(m, m);

		assert_true(isnan(m.value) && isnan(m.error));
		assert_int_equal(c.change, CHANGE_UNKNOWN);
		assert_true(isnan(c.lo) && isnan(c.hi));
		assert_string_not_equal(measure_name(i), "?");
	}
	observe(sum, &spread, 1, MS);
	for (enum measure i = 0; i < MEASURE_COUNT; i++) {
		struct measured m = measure_service(i, sum, &sum->services[0], &spread);

		assert_false(isinf(m.value) || isinf(m.error) || m.error > 0);
	}
	assert_string_equal(measure_name(MEASURE_COUNT), "?");
	assert_string_equal(change_name((enum change)3), "?");
	snapshot_free(sum);
}

/* Welch's test on the example of his formula: means 20.82 and 23.84 with errors 0.7212 and 0.6708,
 * 14 degrees of freedom each. */
static void test_welch(void **state)
{
	struct comparison c = measure_compare((struct measured){20.82, 0.7212, 14},
					      (struct measured){23.84, 0.6708, 14});

	(void)state;
	near(c.difference, 3.02, 1e-9);
	/* 27.85 degrees of freedom: t at 99.5 % is 2.7646 */
	near(c.hi - c.difference, 2.7646 * hypot(0.7212, 0.6708), 2e-4);
	assert_int_equal(c.change, CHANGE_BEYOND);
	c = measure_compare((struct measured){1, 0, 9}, (struct measured){1, 0, 9});
	assert_int_equal(c.change, CHANGE_WITHIN);
	c = measure_compare((struct measured){1, 0, 9}, (struct measured){1.001, 0, 9});
	assert_int_equal(c.change, CHANGE_BEYOND);
	c = measure_compare((struct measured){1, NAN, NAN}, (struct measured){2, 1, 9});
	assert_int_equal(c.change, CHANGE_UNKNOWN);
	near(c.difference, 1, 1e-9);
}

static double uniform(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (double)(*state >> 33) / 2147483648.0;
}

/* Neighbouring requests alike, as when an interval is slow as a whole: requests taken one by one
 * would make an alarm of nearly every comparison. */
static double share_of_alarms(double shift)
{
	uint64_t random = 42;
	unsigned int alarms = 0;

	for (unsigned int round = 0; round < 400; round++) {
		struct snapshot *sum[2] = {snapshot_new(1), snapshot_new(1)};
		struct spread spread[2] = {0};
		struct measured m[2];

		for (unsigned int side = 0; side < 2; side++) {
			for (unsigned int i = 0; i < 12; i++) {
				double slow = uniform(&random) + uniform(&random) + side * shift;

				observe(sum[side], &spread[side],
					20 + (uint64_t)(uniform(&random) * 40),
					(uint64_t)((5 + slow) * 1e6));
			}
			m[side] = measure_service(MEASURE_LATENCY, sum[side],
						  &sum[side]->services[0], &spread[side]);
			snapshot_free(sum[side]);
		}
		alarms += measure_compare(m[0], m[1]).change == CHANGE_BEYOND;
	}
	return alarms / 400.0;
}

static void test_alarms(void **state)
{
	(void)state;
	assert_true(share_of_alarms(0) <= 0.025); /* 1 %, and what 400 rounds may stray */
	assert_true(share_of_alarms(1) >= 0.9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intervals), cmocka_unit_test(test_requests),
		cmocka_unit_test(test_undefined), cmocka_unit_test(test_welch),
		cmocka_unit_test(test_alarms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
