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

/* As the defaults say, of runtimes that are known to be like those that were measured. */
static void test_cost(void **state)
{
	const struct prior cold = cost_default(COST_COLD);
	char *names[] = {(char *)"cpython", (char *)"php-fpm", (char *)"java"};
	struct service service = {.surroundings = {.n_components = 1}};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct prior cost;

		service.surroundings.components = &names[i];
		cost = warm_cost(&service);
		ASSERT_NEAR(cost.estimate, i < 2 ? cold.estimate : 0, 0);
		ASSERT_NEAR(cost.lo, i < 2 ? cold.lo : 0, 0);
		ASSERT_NEAR(cost.hi, i < 2 ? cold.hi : 0, 0);
	}
}

/* Requests of so much CPU that each came after a pause of 3 ms, of which log2(1 + 3) is 2. */
static void set_pauses(struct service *service, uint64_t n, double cpu_s)
{
	service->pauses[pause_bin(3000000)] = (struct pause){
		.requests = n,
		.sum_ns = 3000000 * n,
		.cpu_ns = (uint64_t)(cpu_s * 1e9) * n,
		.cpu_squares = cpu_s * cpu_s * (double)n,
	};
}

/* Where all pauses are alike the priors say what they cost: of Python as measured of others like
 * it, of what was never measured nothing, but it may be as much. */
static void test_fit_by_runtime(void **state)
{
	const struct prior cold = cost_default(COST_COLD), wake = cost_default(COST_WAKE);
	char *python = (char *)"cpython", *java = (char *)"java";
	struct service service = {.surroundings = {.components = &python, .n_components = 1}};
	struct pause_fit fit;
	double half;

	(void)state;
	assert_false(warm_fit(&service, 1).known);
	set_pauses(&service, 1000000, 5e-3);
	fit = warm_fit(&service, 1);
	assert_true(fit.known);
	ASSERT_NEAR(fit.mean_s, 5e-3, 1e-9);
	ASSERT_NEAR(fit.pause_s, 3e-3, 1e-9);
	ASSERT_NEAR(fit.full_s.estimate, 5e-3 - wake.estimate - 2 * cold.estimate, 1e-6);
	half = hypot((wake.hi - wake.lo) / 2, cold.hi - cold.lo);
	ASSERT_NEAR(fit.full_s.hi - fit.full_s.estimate, half, 1e-6);
	ASSERT_NEAR(fit.full_s.estimate - fit.full_s.lo, half, 1e-6);
	ASSERT_NEAR(fit.each_s.estimate, cold.estimate, 1e-6);
	service.surroundings.components = &java;
	fit = warm_fit(&service, 1);
	ASSERT_NEAR(fit.full_s.estimate, 5e-3, 1e-6);
	ASSERT_NEAR(fit.full_s.hi - fit.full_s.estimate, half, 1e-6);
	ASSERT_NEAR(fit.each_s.estimate, 0, 1e-6);
	/* Requests that are short cannot have lost more than they took. */
	set_pauses(&service, 1000000, 10e-6);
	fit = warm_fit(&service, 1);
	assert_true(fit.known && fit.full_s.hi < 40e-6);
	/* Nor can those that took nothing. */
	set_pauses(&service, 1000000, 0);
	assert_false(warm_fit(&service, 1).known);
}

/* A quarter of its CPU came by sleeping before, as the service has shown; the waits as ever. */
static void test_measured(void **state)
{
	const struct rhythm rhythm = {
		.per_s = 50, .cpu_s = 10e-3, .waits = 4, .wait_s = 3e-3, .alone = true};
	struct pause_fit fit = {.known = true,
				.mean_s = 4e-3,
				.pause_s = 7e-3,
				.full_s = {3e-3, 2.8e-3, 3.2e-3},
				.each_s = each};
	struct warm_up up = warm_up_measured(&rhythm, &fit), prior = warm_up_of(&rhythm, &each);

	(void)state;
	assert_true(up.measured && !prior.measured);
	ASSERT_NEAR(up.slept_s, 7e-3, 0);
	ASSERT_NEAR(up.share.estimate, .25, 1e-12);
	ASSERT_NEAR(up.share.lo, .2, 1e-12);
	ASSERT_NEAR(up.share.hi, .3, 1e-12);
	ASSERT_NEAR(up.each_s.estimate, each.estimate, 0);
	ASSERT_NEAR(up.waits_s.estimate, prior.waits_s.estimate, 0);
	ASSERT_NEAR(up.waits_s.estimate, 4 * 200e-6, 1e-9);
	ASSERT_NEAR(up.calls_s.hi, 4 * 180e-6, 1e-9);
	/* However it sleeps within them. */
	up = warm_up_measured(&(struct rhythm){0}, &fit);
	ASSERT_NEAR(up.share.estimate, .25, 1e-12);
	ASSERT_NEAR(up.waits_s.hi, 0, 0);
	/* Requests after pauses that took less happened to: nothing is gained. */
	fit.full_s = (struct prior){4.1e-3, 3.9e-3, 4.3e-3};
	up = warm_up_measured(&rhythm, &fit);
	ASSERT_NEAR(up.share.estimate, 0, 0);
	ASSERT_NEAR(up.share.lo, 0, 0);
	ASSERT_NEAR(up.share.hi, .025, 1e-12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cost),	     cmocka_unit_test(test_fit_by_runtime),
		cmocka_unit_test(test_measured),     cmocka_unit_test(test_one_worker),
		cmocka_unit_test(test_waits),	     cmocka_unit_test(test_threads),
		cmocka_unit_test(test_short_bursts), cmocka_unit_test(test_nothing_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
