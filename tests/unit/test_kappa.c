/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a change of stack costs: the table, the arithmetic, the intervals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include "advise/kappa.h"

#define ASSERT_NEAR(a, b, relative) assert_true(fabs((a) / (b)-1) <= (relative))

static struct kappa estimate(const struct stack_change *change)
{
	struct kappa k = {0};

	assert_int_equal(kappa_estimate(change, 1, &k), 0);
	ASSERT_NEAR(k.stack + k.loop, k.estimate, 1e-12);
	assert_true(k.lo <= k.estimate && k.estimate <= k.hi);
	return k;
}

/* Every row has a name, a source, and an interval around its estimate. */
static void test_table(void **state)
{
	(void)state;
	for (int i = 0; i < COST_COUNT; i++) {
		struct prior p = cost_default((enum cost)i);

		/* Or none at all, where only a measurement can tell. */
		assert_true((p.lo <= p.estimate && p.estimate <= p.hi && p.lo < p.hi) ||
			    strstr(cost_source((enum cost)i), "calibrate"));
		assert_true(strlen(cost_name((enum cost)i)) > 1);
		assert_true(strlen(cost_source((enum cost)i)) > 1);
	}
	for (int i = 0; i < TARGET_COUNT; i++)
		assert_true(strlen(kappa_target_name((enum target)i)) > 1);
	assert_string_equal(cost_name(COST_COUNT), "?");
	assert_string_equal(cost_source(COST_COUNT), "?");
	assert_string_equal(kappa_target_name(TARGET_COUNT), "?");
	assert_true(cost_default(COST_COUNT).estimate == 0);
	/* Microseconds in the table are seconds outside, factors stay. */
	ASSERT_NEAR(cost_default(COST_OP_ASYNCIO).estimate, 17e-6, 1e-12);
	ASSERT_NEAR(cost_default(COST_FACTOR_UNKNOWN).hi, 1.45, 1e-12);
}

/* Nothing known: the prior itself. */
static void test_prior(void **state)
{
	const struct stack_change c = {.cpu_s = .010, .framework = COST_COUNT};
	struct kappa k = estimate(&c);

	(void)state;
	ASSERT_NEAR(k.estimate, 1.10, 1e-12);
	ASSERT_NEAR(k.lo, .85, .02);
	ASSERT_NEAR(k.hi, 1.45, .02);
	assert_true(k.guessed);
	assert_true(k.loop == 0);
}

/* Of another language: a factor of two either way. */
static void test_another_language(void **state)
{
	const struct stack_change c = {.cpu_s = .010,
				       .framework = COST_COUNT,
				       .clients_known = true,
				       .another_language = true};
	struct kappa k = estimate(&c);

	(void)state;
	ASSERT_NEAR(k.estimate, 1, 1e-12);
	ASSERT_NEAR(k.lo, .5, .06); /* quantiles of 2,000 draws */
	ASSERT_NEAR(k.hi, 2, .06);
	assert_true(k.guessed);
}

/* What sleeping in waits took is of the known part: 4 of 10 ms, the rest its own. */
static void test_waits(void **state)
{
	struct stack_change c = {.cpu_s = .010,
				 .framework = COST_COUNT,
				 .clients_known = true,
				 .server_known = true,
				 .waits_s = {.004, .004, .004}};
	struct kappa with = estimate(&c), without;

	(void)state;
	c.waits_s = (struct prior){0};
	without = estimate(&c);
	ASSERT_NEAR(without.estimate, 1, 1e-12);
	ASSERT_NEAR(with.estimate, .6, .05);
	assert_true(with.lo < with.estimate && with.estimate < with.hi);
}

/* A hundred thousand draws: the 5 % and 95 % quantiles are where the prior says. */
static void test_draws(void **state)
{
	const struct prior lopsided = {10, 8, 20};
	double below = 0, above = 0, left = 0;
	struct prng prng;

	(void)state;
	prng_seed(&prng, 1);
	for (int i = 0; i < 100000; i++) {
		double x = prior_draw(&lopsided, &prng);

		below += x < 8;
		above += x > 20;
		left += x < 10;
	}
	ASSERT_NEAR(below, 5000, .05);
	ASSERT_NEAR(above, 5000, .05);
	ASSERT_NEAR(left, 50000, .02);
}

/* Stack and loop by hand: gunicorn + flask to starlette, 5 calls of which 2 by requests. */
static void test_parts(void **state)
{
	const struct stack_change c = {
		.target = TARGET_UVLOOP,
		.cpu_s = .004,
		.operations = 5,
		.tasks = 2,
		.offloads = 1,
		.http_calls = 2,
		.clients_known = true,
		.framework = COST_GUNICORN_FLASK_TO_STARLETTE,
	};
	struct kappa k = estimate(&c);
	struct changed_cpu cpu;

	(void)state;
	ASSERT_NEAR(k.stack, (.004 - 344e-6 - 2 * 530e-6) / .004, 1e-9);
	ASSERT_NEAR(k.loop, (5 * 5e-6 + 2 * 4.4e-6 + 48e-6) / .004, 1e-9);
	assert_false(k.guessed);
	assert_int_equal(kappa_cpu(&c, NULL, &cpu), 0);
	ASSERT_NEAR(cpu.stack_s + cpu.loop_s, k.estimate * .004, 1e-9);
}

/* Duolingo's parameters in the research: 10 operations, 20 ms, 1.10 and asyncio. */
static void test_given_factor(void **state)
{
	struct stack_change c = {.cpu_s = .020, .operations = 10, .cpu_factor = 1.10};
	struct kappa k = estimate(&c);

	(void)state;
	ASSERT_NEAR(k.estimate, 1.10 + 10 * 17e-6 / .020, 1e-9);
	assert_false(k.guessed);
	/* Only the loop's cost is uncertain. */
	assert_true(k.hi - k.lo < .005);
	c.cpu_factor = .5;
	ASSERT_NEAR(estimate(&c).stack, .5, 1e-12);
}

/* What is not recognised widens the interval, downwards, to what an HTTP client would save; the
 * estimate is in the middle, and nothing is saved that is not spent. */
static void test_unknown_clients(void **state)
{
	struct stack_change c = {
		.cpu_s = .006, .operations = 4, .framework = COST_COUNT, .clients_known = true};
	struct kappa known = estimate(&c), unknown;

	(void)state;
	c.clients_known = false;
	unknown = estimate(&c);
	ASSERT_NEAR(unknown.estimate, known.estimate - 4 * 370e-6 / .006, 1e-9);
	assert_true(unknown.lo < known.lo - .3);
	assert_true(unknown.hi < known.hi && unknown.hi > known.estimate - .2);
	c.cpu_s = .001;
	ASSERT_NEAR(estimate(&c).stack, 1.1 - .72 / 2, 1e-9);
	c.operations = 20;
	assert_true(estimate(&c).lo >= .13);
	c.http_calls = 20;
	assert_true(estimate(&c).stack >= .13);
}

static void take_defaults(struct prior *costs)
{
	for (int i = 0; i < COST_COUNT; i++)
		costs[i] = cost_default((enum cost)i);
}

static void test_calibrated(void **state)
{
	struct stack_change c = {.cpu_s = .001, .operations = 10, .cpu_factor = 1};
	struct prior costs[COST_COUNT];

	(void)state;
	take_defaults(costs);
	costs[COST_OP_ASYNCIO] = (struct prior){30e-6, 29e-6, 31e-6};
	c.calibrated = costs;
	ASSERT_NEAR(estimate(&c).estimate, 1.3, 1e-9);
}

/* gunicorn that takes 400 us of a request, uvicorn 100 us, both as calibrated. */
static struct kappa swapped(double cpu_s)
{
	struct stack_change c = {
		.cpu_s = cpu_s,
		.clients_known = true,
		.framework = COST_COUNT,
		.server_known = true,
		.swaps = {{.from = COST_GUNICORN, .to = COST_UVICORN, .times = 1}},
		.n_swaps = 1,
	};
	struct prior costs[COST_COUNT];

	take_defaults(costs);
	costs[COST_GUNICORN] = (struct prior){400e-6, 390e-6, 410e-6};
	costs[COST_UVICORN] = (struct prior){100e-6, 97e-6, 103e-6};
	c.calibrated = costs;
	return estimate(&c);
}

/*
 * Calibrated costs are off by a factor in a service: that matters as much as they do, and what is
 * left of a request is its own only as far as the factor does not explain it.
 */
static void test_in_situ(void **state)
{
	struct kappa large = swapped(.040), equal = swapped(.0004), twice = swapped(.0008);
	struct kappa small = swapped(.0002);

	(void)state;
	ASSERT_NEAR(large.estimate, (.040 - 300e-6) / .040, .001);
	assert_true(large.lo > .88 && large.hi < 1.07);
	/* Some of it is its own, but little; and anything up to the highest that f leaves. */
	assert_true(equal.estimate > .25 && equal.estimate < .5);
	assert_true(equal.lo < .25 && equal.hi < 1);
	/* Around (800 - 300) / 800 by as much as f and g leave. */
	assert_true(twice.lo < .54 && twice.hi > .65 && twice.lo > equal.lo);
	/* Calibrated at twice all of it: next to nothing is its own, and what comes costs less,
	 * too, but not half. */
	ASSERT_NEAR(small.estimate, sqrt(.5) / 2, .1);
	assert_true(small.lo > .15 && small.hi > .4);
}

/* So many calls of requests, 1 ms of CPU each, all of which sampling shows to go with them. */
static struct stack_change calls_swapped(double calls, const struct prior *costs)
{
	return (struct stack_change){
		.cpu_s = 1e-3 * calls,
		.operations = calls,
		.framework = COST_COUNT,
		.calibrated = costs,
		.server_known = true,
		.clients_known = true,
		.samples = 1e6,
		.samples_swapped = 1e6,
		.n_swaps = 1,
		.swaps = {{.from = COST_REQUESTS,
			   .to = COST_AIOHTTP,
			   .times = calls,
			   .alone = true}},
	};
}

/* Half a request of 4 ms goes with four calls that cost 0.5 ms and on aiohttp 0.1 ms: among bursts
 * of 0.4 ms 1 + 0.4 x 0.4 / 0.65 times that. Where nothing else is computed no more. */
static void test_among_other_code(void **state)
{
	struct prior costs[COST_COUNT];
	struct stack_change c = calls_swapped(4, costs);

	(void)state;
	take_defaults(costs);
	costs[COST_OP_ASYNCIO] = (struct prior){0};
	costs[COST_REQUESTS] = (struct prior){500e-6, 500e-6, 500e-6};
	costs[COST_AIOHTTP] = (struct prior){100e-6, 100e-6, 100e-6};
	costs[COST_FACTOR_GATHERED] = (struct prior){1, 1, 1};
	c.samples_swapped = 5e5;
	ASSERT_NEAR(estimate(&c).estimate, .5 + .1 * (1 + .4 * .4 / .65), 1e-3);
	c.samples_swapped = c.samples; /* and they take twice what they did in calibrate */
	ASSERT_NEAR(estimate(&c).estimate, .1 * sqrt(2), 1e-3);
}

/* All of a request of 32 ms are calls, 1 ms each, that cost aiohttp 0.2 ms one after the other and
 * 1.6 times that as 32 at once. One call is among no others; more than 64 cost what 64 do. */
static void test_gathered_calls(void **state)
{
	static const struct {
		double calls, factor;
	} rows[] = {{1, 1},
		    {16, 1 + .6 * 15 / 31},
		    {32, 1.6},
		    {64, 1 + .6 * 63 / 31},
		    {100, 1 + .6 * 63 / 31}};
	struct prior costs[COST_COUNT];
	struct kappa found;

	(void)state;
	take_defaults(costs);
	costs[COST_OP_ASYNCIO] = (struct prior){0};
	costs[COST_REQUESTS] = (struct prior){1e-3, 1e-3, 1e-3};
	costs[COST_AIOHTTP] = (struct prior){200e-6, 200e-6, 200e-6};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct stack_change c = calls_swapped(rows[i].calls, costs);

		found = estimate(&c);
		ASSERT_NEAR(found.estimate, .2 * rows[i].factor, 1e-3);
		/* Made one after the other is within the interval. */
		assert_true(found.lo < .2);
	}
}

/* What a request that waits takes more was calibrated at a millisecond: of a wait that adds half as
 * much less is left out, so that the rest, which was sampled, is the dearer. */
static void test_short_waits(void **state)
{
	struct prior costs[COST_COUNT];
	struct stack_change c = {
		.cpu_s = .002,
		.framework = COST_COUNT,
		.calibrated = costs,
		.server_known = true,
		.clients_known = true,
		.samples = 1e6,
		.samples_swapped = 1e6,
		.n_swaps = 2,
		.swaps = {{.from = COST_GUNICORN, .to = COST_UVICORN, .times = 1},
			  {.from = COST_REQUESTS_WAITING,
			   .to = COST_COUNT,
			   .times = 1,
			   .waits = true}},
	};

	(void)state;
	take_defaults(costs);
	costs[COST_GUNICORN] = costs[COST_REQUESTS_WAITING] = (struct prior){.001, .001, .001};
	costs[COST_UVICORN] = (struct prior){.0005, .0005, .0005};
	ASSERT_NEAR(estimate(&c).estimate, .25, 1e-3);
	c.off_s = 5e-3;
	ASSERT_NEAR(estimate(&c).estimate, .25, 1e-3);
	c.off_s = (sqrt(2) - 1) * 1e-3;
	ASSERT_NEAR(estimate(&c).estimate, .0005 * sqrt(.002 / .0015) / .002, 1e-3);
}

/* gunicorn goes for uvicorn: a share of all that was sampled of a request. */
static struct stack_change server_swapped(double cpu_s, double share, const struct prior *costs)
{
	return (struct stack_change){
		.cpu_s = cpu_s,
		.framework = COST_COUNT,
		.calibrated = costs,
		.server_known = true,
		.clients_known = true,
		.samples = 1e6,
		.samples_swapped = 1e6 * share,
		.n_swaps = 1,
		.swaps = {{.from = COST_GUNICORN, .to = COST_UVICORN, .times = 1}},
	};
}

/* What was sampled decides what goes; what comes is off its calibrated costs by the root of what
 * the former is. */
static void test_sampled(void **state)
{
	struct prior costs[COST_COUNT];
	struct stack_change c = server_swapped(.004, .5, costs);

	(void)state;
	take_defaults(costs);
	for (int i = 0; i < 2; i++) {
		const double gunicorn_s = .0016 * (1 + i * .5);

		costs[COST_GUNICORN] = (struct prior){gunicorn_s, gunicorn_s, gunicorn_s};
		costs[COST_UVICORN] = (struct prior){.0004, .0004, .0004};
		assert_true(kappa_sampled(&c));
		ASSERT_NEAR(estimate(&c).estimate, .5 + .1 * sqrt(.002 / gunicorn_s), 1e-3);
		assert_true(estimate(&c).lo > .5 && estimate(&c).hi < .75);
	}
	/* Four times as dear as calibrated: two and a half times, and the rest is work that stays.
	 */
	c.samples_swapped = c.samples;
	costs[COST_GUNICORN] = (struct prior){.001, .001, .001};
	costs[COST_UVICORN] = (struct prior){.00025, .00025, .00025};
	ASSERT_NEAR(estimate(&c).estimate, (.0015 + sqrt(2.5) * .00025) / .004, 1e-3);
	c.samples_swapped = c.samples / 2;
	/* psycopg2 is within the application's samples, and as dear against calibrate as the rest:
	 * of 2 ms 1.25 times 0.8 ms. */
	costs[COST_GUNICORN] = (struct prior){.0016, .0016, .0016};
	costs[COST_UVICORN] = (struct prior){.0004, .0004, .0004};
	costs[COST_PSYCOPG2] = (struct prior){.0008, .0008, .0008};
	costs[COST_ASYNCPG] = (struct prior){.0004, .0004, .0004};
	c.swaps[c.n_swaps++] = (struct swap){
		.from = COST_PSYCOPG2, .to = COST_ASYNCPG, .times = 1, .hidden = true};
	ASSERT_NEAR(estimate(&c).estimate, (.001 + sqrt(1.25) * .0008) / .004, 1e-3);
	/* Few samples, or what cannot be: inferred. */
	c.samples = 99;
	assert_false(kappa_sampled(&c));
	c.samples = 10000;
	c.samples_swapped = 10;
	assert_false(kappa_sampled(&c));
	c.samples_swapped = 0;
	c.samples = 0;
	assert_false(kappa_sampled(&c));
}

/* What waking up adds goes with the code that is left out; the service's own is as it was. */
static void test_sampled_waking(void **state)
{
	struct prior costs[COST_COUNT];
	struct stack_change c = server_swapped(.004, .5, costs);

	(void)state;
	take_defaults(costs);
	c.waits_s = (struct prior){.001, .001, .001};
	costs[COST_GUNICORN] = (struct prior){.001, .001, .001};
	costs[COST_UVICORN] = (struct prior){.00025, .00025, .00025};
	ASSERT_NEAR(estimate(&c).estimate, (.002 + .00025) / .004, 1e-3);
	/* All of it and more: some of what was sampled is code all the same. */
	c.waits_s = (struct prior){.01, .01, .01};
	assert_false(kappa_sampled(&c));
}

/* Another machine's costs are off by its speed, which is both sides'. */
static void test_sampled_by_default_costs(void **state)
{
	double gunicorn_s = cost_default(COST_GUNICORN).estimate;
	struct stack_change c = server_swapped(2 * gunicorn_s, 1, NULL);

	(void)state;
	ASSERT_NEAR(estimate(&c).estimate, cost_default(COST_UVICORN).estimate / gunicorn_s, 1e-3);
}

static void test_bad_input(void **state)
{
	struct stack_change c = {.cpu_s = 0};
	struct kappa k = {.estimate = 42};

	(void)state;
	assert_int_equal(kappa_estimate(&c, 1, &k), -EDOM);
	c.cpu_s = NAN;
	assert_int_equal(kappa_estimate(&c, 1, &k), -EDOM);
	c.cpu_s = INFINITY;
	assert_int_equal(kappa_estimate(&c, 1, &k), -EDOM);
	c = (struct stack_change){.cpu_s = 1, .operations = -1};
	assert_int_equal(kappa_estimate(&c, 1, &k), -EINVAL);
	c = (struct stack_change){.cpu_s = 1, .cpu_factor = NAN};
	assert_int_equal(kappa_estimate(&c, 1, &k), -EINVAL);
	c = (struct stack_change){.cpu_s = 1, .target = TARGET_COUNT};
	assert_int_equal(kappa_estimate(&c, 1, &k), -EINVAL);
	assert_true(k.estimate == 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_prior),
		cmocka_unit_test(test_another_language),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_draws),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_given_factor),
		cmocka_unit_test(test_unknown_clients),
		cmocka_unit_test(test_calibrated),
		cmocka_unit_test(test_in_situ),
		cmocka_unit_test(test_sampled),
		cmocka_unit_test(test_sampled_waking),
		cmocka_unit_test(test_sampled_by_default_costs),
		cmocka_unit_test(test_among_other_code),
		cmocka_unit_test(test_gathered_calls),
		cmocka_unit_test(test_short_waits),
		cmocka_unit_test(test_bad_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
