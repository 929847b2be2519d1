/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Published migrations, with the parameters that the research found for them (model.md 3,
 * scenarios.py), through the whole advisor: requests to gains, replay and verdict. The gain of each
 * is held against what was published or, where that is not reproducible, simulated.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "advise/replay.h"
#include "advise/verdict.h"
#include "sample_service.h"

struct published {
	const char *name;
	struct sample_model model;
	double kappa; /* all of it: given, so the loop's own cost is taken off */
	uint32_t max_workers, loops;
	double least, most; /* of the gain */
	enum verdict_class verdict;
	enum reason reason;
};

#define CPU(c, s, cv) .cpus = (c), .cpu_s = (s), .cv_cpu = (cv)
#define IO(n, s, cv) .operations = (n), .wait_s = (s), .cv_wait = (cv), .part = PART_NETWORK
#define RUN .requests = 3000, .duration_s = 60

static const struct published cases[] = {
	/* Machine-wide CPU, all of it: 692 us; 5780 to 4952 and to 4501 requests per second. */
	{"Cal Paterson, starlette",
	 {CPU(4, 692e-6, .5), IO(1, 0, 0), .workers = 16, RUN},
	 (692 + 116) / 692.,
	 0,
	 0,
	 .857 / 1.03,
	 .857 * 1.03,
	 VERDICT_DO_NOT_MIGRATE,
	 REASON_CPU_BOUND},
	{"Cal Paterson, aiohttp",
	 {CPU(4, 692e-6, .5), IO(1, 0, 0), .workers = 16, RUN},
	 (692 + 197) / 692.,
	 0,
	 0,
	 .779 / 1.03,
	 .779 * 1.03,
	 VERDICT_DO_NOT_MIGRATE,
	 REASON_CPU_BOUND},
	/* +40 %: two of many parameters that give it; simulated 1.48 and 1.43. With memory for more
	 * workers these are the cheaper change. */
	{"Duolingo",
	 {CPU(2, .020, .3), IO(10, .006, .5), .workers = 5, .most_in_flight = 20, RUN},
	 1.125,
	 0,
	 0,
	 1.48 / 1.04,
	 1.48 * 1.04,
	 VERDICT_TUNE_WORKERS,
	 REASON_TUNED_AT_LEAST},
	{"Duolingo, no room",
	 {CPU(2, .020, .3), IO(10, .006, .5), .workers = 5, .most_in_flight = 20, RUN},
	 1.125,
	 5,
	 0,
	 1.48 / 1.04,
	 1.48 * 1.04,
	 VERDICT_MIGRATE,
	 REASON_GAIN_AT_LEAST},
	{"Duolingo, B = 6",
	 {CPU(2, .020, .3), IO(10, .012, .5), .workers = 9, .most_in_flight = 20, RUN},
	 1.125,
	 9,
	 0,
	 1.43 / 1.04,
	 1.43 * 1.04,
	 VERDICT_MIGRATE,
	 REASON_GAIN_AT_LEAST},
	/* 42 calls one after another: 3.7 to 14 times. */
	{"Super.com",
	 {CPU(4, .0396, .3), IO(42, .060, .6), .workers = 24, .most_in_flight = 400, RUN},
	 1.064,
	 24,
	 0,
	 3.7,
	 14,
	 VERDICT_MIGRATE,
	 REASON_GAIN_AT_LEAST},
	{"Super.com, room",
	 {CPU(4, .0396, .3), IO(42, .060, .6), .workers = 24, .most_in_flight = 400, RUN},
	 1.064,
	 0,
	 0,
	 3.7,
	 14,
	 VERDICT_TUNE_WORKERS,
	 REASON_TUNED_AT_LEAST},
	{"CPU-bound",
	 {CPU(2, .005, .3), IO(1, .2e-3, .5), .workers = 4, RUN},
	 (5000 + 30 + 60) / 5000.,
	 0,
	 0,
	 .97,
	 1.02,
	 VERDICT_DO_NOT_MIGRATE,
	 REASON_CPU_BOUND},
	{"Talk Python",
	 {CPU(2, .007, .3), IO(3, .8e-3, .5), .workers = 4, RUN},
	 (7000 + 90) / 7000.,
	 0,
	 0,
	 .98,
	 1.04,
	 VERDICT_DO_NOT_MIGRATE,
	 REASON_CPU_BOUND},
	/* 87 to 1236 per second, with two workers: "worker count too low". */
	{"tudor",
	 {CPU(2, 1.6e-3, .3), IO(3, .0071, .3), .workers = 2, .most_in_flight = 100, RUN},
	 1,
	 0,
	 0,
	 13,
	 15,
	 VERDICT_TUNE_WORKERS,
	 REASON_TUNED_AT_LEAST},
	/* Published in two versions of the article as 1.23 and 1.31; the prototype simulated 1.44.
	 */
	{"Miguel Grinberg",
	 {CPU(6, .0058, .4), IO(1, .020, 0), .workers = 19, .most_in_flight = 60, RUN},
	 7 / 5.8,
	 0,
	 0,
	 1.23 / 1.05,
	 1.31,
	 VERDICT_TUNE_WORKERS,
	 REASON_TUNED_AT_LEAST},
	/* One worker that blocks: overlap alone gives 2.05 simulated, 3.5 published with the stack.
	 */
	{"pgjones, overlap",
	 {CPU(4, .0015, .3), IO(1, .00153, .5), .workers = 1, .most_in_flight = 40, RUN},
	 1,
	 0,
	 1,
	 2.05 / 1.04,
	 2.05 * 1.04,
	 VERDICT_TUNE_WORKERS,
	 REASON_TUNED_AT_LEAST},
	/* Its peer is past its knee: what looks like 14 ms of waiting is 6 ms and a queue. 1.02. */
	{"peer of 8",
	 {CPU(2, .003, .3), IO(5, .006, .5), .workers = 20, .least_in_flight = 16,
	  .most_in_flight = 20, .servers = 8, RUN},
	 1.1,
	 0,
	 0,
	 .98,
	 1.05,
	 VERDICT_DO_NOT_MIGRATE,
	 REASON_DOWNSTREAM_BOUND},
	/* JSON without I/O, 3 to 5 times on another stack: nothing of that is overlap. */
	{"TechEmpower JSON",
	 {CPU(2, .001, .3), IO(0, 0, 0), .workers = 4, RUN},
	 .25,
	 0,
	 0,
	 3.9,
	 4.1,
	 VERDICT_DO_NOT_MIGRATE,
	 REASON_STACK},
};

static double loop_cost_s(const struct sample_model *m)
{
	return m->operations * cost_default(COST_OP_UVLOOP).estimate;
}

static void replay(const struct evidence_sample *e, const struct gain_opts *opts,
		   const struct gain *gain, struct verdict_facts *facts)
{
	const struct replay_opts replay_opts = {
		.seed = 1,
		.rate_per_s = .7 * fmin(gain->figures[GAIN_NOW_PER_S].estimate,
					gain->figures[GAIN_ASYNC_PER_S].estimate),
		.requests = 10000,
		.loops = opts->loops,
		.fits = opts->fits,
		.change = opts->change,
	};
	struct replay_result r = {0};

	assert_int_equal(replay_compare(e, &replay_opts, &r), 0);
	assert_true(r.now.whole && r.async.whole && r.split.whole);
	facts->p99_s = r.async.p99_s;
	facts->p99_ratio = r.async.p99_s / r.now.p99_s;
	facts->lag_p99_s = r.async.lag_p99_s;
	facts->split_p99_ratio = r.split.p99_s / r.now.p99_s;
	facts->split_lag_p99_s = r.split.lag_p99_s;
}

static void judge(const struct published *p)
{
	struct evidence_sample e = sample_service(&p->model);
	struct verdict_thresholds thresholds = verdict_defaults();
	struct verdict_facts facts = {.requests = e.n_traces,
				      .sampled = e.n_traces,
				      .closure = 1,
				      .busy = 1,
				      .in_use = 1,
				      .utilisation = NAN};
	struct peer_fit fit = sample_fit(&p->model);
	struct gain gain = {.break_even = 0};
	struct gain_opts opts = {
		.replicates = 300,
		.loops = p->loops,
		.tune = {.max_workers = p->max_workers},
		.fits = &fit,
		.change = {.target = TARGET_UVLOOP,
			   .cpu_factor = p->kappa - loop_cost_s(&p->model) / p->model.cpu_s},
	};
	struct verdict v;
	double found;

	assert_int_equal(gain_estimate(&e, &opts, &gain), 0);
	verdict_take_gain(&facts, &gain);
	replay(&e, &opts, &gain, &facts);
	v = verdict_find(&facts, &thresholds);
	found = gain.figures[GAIN_ASYNC_OVER_NOW].estimate;
	print_message("%-24s gain %.2f (%.2f to %.2f), tuned %.2f, p99 x%.2f: %s, %s\n", p->name,
		      found, facts.async_over_now.lo, facts.async_over_now.hi,
		      facts.tuned_over_now.estimate, facts.p99_ratio, verdict_name(v.verdict),
		      reason_name(v.reasons[0].reason));
	assert_true(found >= p->least && found <= p->most);
	assert_string_equal(verdict_name(v.verdict), verdict_name(p->verdict));
	assert_string_equal(reason_name(v.reasons[0].reason), reason_name(p->reason));
	sample_free(&e);
}

static void test_published(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		judge(&cases[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
