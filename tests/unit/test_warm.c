/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU under full load, by hand from the formula in warm.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "advise/warm.h"

#define ASSERT_NEAR(a, b, within) assert_true(fabs((a) - (b)) <= (within))

static const struct prior each = {100e-6, 40e-6, 180e-6};

static struct service service_of(uint32_t workers, uint64_t waits)
{
	struct service service = {.workers = {.count = workers}};

	service.requests.completed = 1000;
	service.requests.waits = 1000 * waits;
	return service;
}

static void test_one_worker(void **state)
{
	struct service json = service_of(1, 0), calls = service_of(1, 4);
	struct warm_up up;

	(void)state;
	/* It was idle, and the processor with it, before 70 % of the requests. */
	up = warm_up_of(&json, 1e-3, .3, .3, &each);
	ASSERT_NEAR(up.wakes, .7, 1e-9);
	ASSERT_NEAR(up.share.estimate, .07, 1e-9);
	ASSERT_NEAR(up.share.lo, .028, 1e-9);
	ASSERT_NEAR(up.share.hi, .126, 1e-9);
	/* While it waits nobody else uses the processor. */
	up = warm_up_of(&calls, 1e-2, .3, .9, &each);
	ASSERT_NEAR(up.wakes, 4.1, 1e-9);
}

static void test_many_workers(void **state)
{
	struct service calls = service_of(8, 4);
	struct warm_up up = warm_up_of(&calls, 5e-3, .4, .5, &each);

	(void)state;
	ASSERT_NEAR(up.wakes, 4 * (1 - .4 * 7 / 8) + .6, 1e-9);
	ASSERT_NEAR(up.share.estimate, up.wakes * 100e-6 / 5e-3, 1e-9);
	/* All busy, and the processors too. */
	up = warm_up_of(&calls, 5e-3, 1, 1, &each);
	ASSERT_NEAR(up.wakes, .5, 1e-9);
}

/* A burst of 20 us does not lose 100. */
static void test_short_bursts(void **state)
{
	struct service calls = service_of(1, 4);
	struct warm_up up = warm_up_of(&calls, 100e-6, 0, 0, &each);

	(void)state;
	ASSERT_NEAR(up.share.estimate, .5, 1e-9);
	ASSERT_NEAR(up.share.hi, .5, 1e-9);
	ASSERT_NEAR(warm_factor(&up.share, NULL), .5, 1e-9);
}

static void test_nothing_known(void **state)
{
	struct service none = {0}, calls = service_of(0, 4);
	struct warm_up up = warm_up_of(&none, 1e-3, .5, .5, &each);

	(void)state;
	ASSERT_NEAR(up.share.hi, 0, 0);
	up = warm_up_of(&calls, 0, .5, .5, &each);
	ASSERT_NEAR(up.share.hi, 0, 0);
	up = warm_up_of(&calls, 1e-3, NAN, .5, &each);
	ASSERT_NEAR(warm_factor(&up.share, NULL), 1, 0);
	up = warm_up_of(&calls, 1e-3, 7, NAN, &each);
	assert_true(up.wakes >= 0 && up.share.hi <= .5);
}

/* Measured of Python services; of one to another it may be 0.4 to 1.8 times that. */
static void test_cost(void **state)
{
	struct prior costs[COST_COUNT] = {[COST_COLD] = {100e-6, 80e-6, 120e-6}};
	char *python = (char *)"cpython", *java = (char *)"java";
	struct service service = {.surroundings = {.components = &python, .n_components = 1}};
	struct prior cost = warm_cost(&service, costs);

	(void)state;
	ASSERT_NEAR(cost.estimate, 100e-6, 1e-9);
	ASSERT_NEAR(cost.lo, 40e-6, 1e-9);
	ASSERT_NEAR(cost.hi, 180e-6, 1e-9);
	service.surroundings.components = &java;
	cost = warm_cost(&service, costs);
	ASSERT_NEAR(cost.estimate, 0, 0);
	ASSERT_NEAR(cost.hi, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cost),	      cmocka_unit_test(test_one_worker),
		cmocka_unit_test(test_many_workers),  cmocka_unit_test(test_short_bursts),
		cmocka_unit_test(test_nothing_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
