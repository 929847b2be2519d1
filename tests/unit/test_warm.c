/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU under full load, by hand from the formulas in warm.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "advise/warm.h"

#define ASSERT_NEAR(a, b, within) assert_true(fabs((a) - (b)) <= (within))

static const struct prior each = {100e-6, 40e-6, 180e-6};

/* Idle for 7 ms before each of 70 % of its requests: log2(1 + 7) is 3. */
static void test_one_worker(void **state)
{
	struct rhythm rhythm = {.per_s = 100,
				.cpu_s = 3e-3,
				.found_asleep = .7,
				.idle_s = .7 * 7e-3,
				.alone = true};
	struct warm_up up = warm_up_of(&rhythm, &each);

	(void)state;
	ASSERT_NEAR(up.slept_s, 7e-3, 1e-9);
	ASSERT_NEAR(up.share.estimate, .7 * 300e-6 / 3e-3, 1e-9);
	ASSERT_NEAR(up.share.lo, .7 * 120e-6 / 3e-3, 1e-9);
	ASSERT_NEAR(up.share.hi, .7 * 540e-6 / 3e-3, 1e-9);
	ASSERT_NEAR(up.waits_s.hi, 0, 0);
	/* Idle for what is left of the 10 ms that each request has, where nothing was seen. */
	rhythm.idle_s = rhythm.found_asleep = NAN;
	ASSERT_NEAR(warm_up_of(&rhythm, &each).slept_s, 7e-3, 1e-9);
}

/* Four waits of 3 ms each: log2(1 + 3) is 2, of which 1 is in what calls cost anyway. */
static void test_waits(void **state)
{
	const struct rhythm rhythm = {
		.per_s = 50, .cpu_s = 10e-3, .waits = 4, .wait_s = 3e-3, .alone = true};
	struct warm_up up = warm_up_of(&rhythm, &each);

	(void)state;
	ASSERT_NEAR(up.waits_s.estimate, 4 * 200e-6, 1e-9);
	ASSERT_NEAR(up.calls_s.estimate, 4 * 100e-6, 1e-9);
	ASSERT_NEAR(up.calls_s.lo, 4 * 40e-6, 1e-9);
	ASSERT_NEAR(up.calls_s.hi, 4 * 180e-6, 1e-9);
	/* It was always found at work. */
	ASSERT_NEAR(up.share.estimate, 0, 0);
}

/* Threads of a process that runs 40 % of the time, 400 bursts a second. */
static void test_threads(void **state)
{
	struct rhythm rhythm = {.per_s = 100, .cpu_s = 4e-3, .waits = 3, .wait_s = 7e-3};
	struct warm_up up = warm_up_of(&rhythm, &each);
	double times = log2(1 + 2.5);

	(void)state;
	ASSERT_NEAR(up.slept_s, 2.5e-3, 1e-9);
	ASSERT_NEAR(up.share.estimate, .6 * times * 100e-6 / 4e-3, 1e-9);
	ASSERT_NEAR(up.waits_s.estimate, 3 * .6 * times * 100e-6, 1e-9);
	/* Short waits are over before another thread has run. */
	rhythm.wait_s = 1e-3;
	up = warm_up_of(&rhythm, &each);
	ASSERT_NEAR(up.slept_s, 7e-3, 1e-9);
	ASSERT_NEAR(up.waits_s.estimate, 3 * .6 * 100e-6, 1e-9);
	ASSERT_NEAR(up.calls_s.estimate, 0, 1e-12);
}

/* A burst of 30 us did not lose 100. */
static void test_short_bursts(void **state)
{
	const struct rhythm rhythm = {.per_s = 10,
				      .cpu_s = 150e-6,
				      .waits = 4,
				      .wait_s = 3e-3,
				      .found_asleep = 1,
				      .idle_s = .088,
				      .alone = true};
	struct warm_up up = warm_up_of(&rhythm, &each);

	(void)state;
	ASSERT_NEAR(up.share.estimate, 20. / 150, 1e-9);
	ASSERT_NEAR(up.share.hi, 20. / 150, 1e-9);
	ASSERT_NEAR(up.waits_s.estimate, 4 * 20e-6, 1e-9);
	ASSERT_NEAR(warm_factor(&up.share, NULL), 130. / 150, 1e-9);
	ASSERT_NEAR(warm_factor(&(struct prior){7, 7, 7}, NULL), 1. / 3, 1e-9);
}

static void test_nothing_known(void **state)
{
	const struct rhythm none = {0}, never = {.per_s = 10, .cpu_s = NAN, .alone = true},
			    overloaded = {.per_s = 1000,
					  .cpu_s = 4e-3,
					  .waits = 2,
					  .wait_s = 1,
					  .found_asleep = 7,
					  .idle_s = -1,
					  .alone = true};
	struct warm_up up = warm_up_of(&none, &each);

	(void)state;
	ASSERT_NEAR(up.share.hi, 0, 0);
	ASSERT_NEAR(warm_factor(&up.share, NULL), 1, 0);
	ASSERT_NEAR(warm_up_of(&never, &each).waits_s.hi, 0, 0);
	ASSERT_NEAR(warm_up_of(&overloaded, &each).share.hi, 0, 0);
}

/* Between what was calibrated and what is known of services, which differ by 0.4 to 1.8 times that.
 */
static void test_cost(void **state)
{
	struct prior costs[COST_COUNT] = {[COST_COLD] = {100e-6, 80e-6, 120e-6}};
	char *python = (char *)"cpython", *java = (char *)"java";
	struct service service = {.surroundings = {.components = &python, .n_components = 1}};
	struct prior cost = warm_cost(&service, costs);

	(void)state;
	ASSERT_NEAR(cost.estimate, sqrt(100 * 104) * 1e-6, 1e-9);
	ASSERT_NEAR(cost.lo, .4 * cost.estimate, 1e-9);
	ASSERT_NEAR(cost.hi, 1.8 * cost.estimate, 1e-9);
	costs[COST_COLD].estimate = -1; /* as of a document that somebody wrote */
	ASSERT_NEAR(warm_cost(&service, costs).hi, 0, 180e-6);
	ASSERT_NEAR(warm_cost(&service, costs).estimate, 0, 0);
	ASSERT_NEAR(warm_cost(&service, NULL).estimate, 104e-6, 1e-9);
	service.surroundings.components = &java;
	cost = warm_cost(&service, costs);
	ASSERT_NEAR(cost.estimate, 0, 0);
	ASSERT_NEAR(cost.hi, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cost),	     cmocka_unit_test(test_one_worker),
		cmocka_unit_test(test_waits),	     cmocka_unit_test(test_threads),
		cmocka_unit_test(test_short_bursts), cmocka_unit_test(test_nothing_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
