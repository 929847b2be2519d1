/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules one by one, each on both sides of its threshold; and facts that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "advise/verdict.h"

static struct interval around(double estimate)
{
	return (struct interval){estimate, estimate / 1.08, estimate * 1.08};
}

/* A service for which async is a clear win, by figures without a flaw. */
static struct verdict_facts clear_win(void)
{
	return (struct verdict_facts){
		.requests = 2000,
		.sampled = 200,
		.closure = 1,
		.busy = .8,
		.in_use = .8,
		.utilisation = NAN,
		.async_over_now = around(2),
		.tuned_over_now = around(1.2),
		.async_over_tuned = around(1.66),
		.overlap = around(2.2),
		.kappa = 1.1,
		.break_even = 2.2,
		.extrapolation = 1,
		.async = {100, ASYNC_CPU, 0},
		.wanted = 10,
		.allowed = 10,
		.in_flight = 20,
		.needed_bytes = 1e9,
		.free_bytes = 2e9,
		.memory_saving = 0,
		.p99_ratio = 1,
		.split_p99_ratio = 1,
		.p99_s = .1,
		.lag_p99_s = .001,
		.split_lag_p99_s = .001,
	};
}

static struct verdict find(const struct verdict_facts *f)
{
	struct verdict_thresholds t = verdict_defaults();
	struct verdict v = verdict_find(f, &t);

	/* Whatever it says, it says why, in words and without NAN. */
	assert_true(v.n_reasons > 0);
	for (size_t i = 0; i < v.n_reasons; i++) {
		char sentence[512];

		verdict_sentence(&v.reasons[i], sentence, sizeof(sentence));
		assert_true(strlen(sentence) > 20 && strlen(sentence) < sizeof(sentence) - 1);
		assert_null(strstr(sentence, "nan"));
		assert_null(strstr(sentence, "inf"));
	}
	return v;
}

static void assert_verdict(const struct verdict_facts *f, enum verdict_class verdict,
			   enum reason reason)
{
	struct verdict v = find(f);

	assert_string_equal(verdict_name(v.verdict), verdict_name(verdict));
	assert_string_equal(reason_name(v.reasons[0].reason), reason_name(reason));
}

static void test_migrate(void **state)
{
	struct verdict_facts f = clear_win();

	(void)state;
	assert_verdict(&f, VERDICT_MIGRATE, REASON_GAIN_AT_LEAST);
	f.async_over_now.lo = 1.29;
	assert_verdict(&f, VERDICT_BORDERLINE, REASON_INTERVAL);
	/* No clear win over tuned workers, but these do not fit. */
	f = clear_win();
	f.tuned_over_now = around(1.1);
	f.async_over_tuned.lo = 1.24;
	assert_verdict(&f, VERDICT_BORDERLINE, REASON_INTERVAL);
	f.allowed = 9;
	assert_verdict(&f, VERDICT_MIGRATE, REASON_GAIN_AT_LEAST);
	/* No latency can be known. */
	f = clear_win();
	f.side_by_side = true;
	f.p99_ratio = f.p99_s = f.lag_p99_s = f.split_p99_ratio = f.split_lag_p99_s = NAN;
	assert_verdict(&f, VERDICT_MIGRATE, REASON_GAIN_AT_LEAST);
}

static void test_already_async(void **state)
{
	struct verdict_facts f = clear_win();
	struct verdict v;

	(void)state;
	f.shared_threads = .5;
	assert_verdict(&f, VERDICT_ALREADY_ASYNC, REASON_SHARED_THREADS);
	f.blocking_calls = 3;
	v = find(&f);
	assert_int_equal(v.n_reasons, 2);
	assert_int_equal(v.reasons[1].reason, REASON_BLOCKING_CALLS);
	assert_true(v.reasons[1].figure == 3);
	f.loop_cpu_p99_s = .049;
	assert_int_equal(find(&f).n_reasons, 2);
	f.loop_cpu_p99_s = .08;
	v = find(&f);
	assert_int_equal(v.n_reasons, 3);
	assert_int_equal(v.reasons[2].reason, REASON_LONG_CPU);
	f.shared_threads = .4;
	assert_verdict(&f, VERDICT_MIGRATE, REASON_GAIN_AT_LEAST);
}

static void test_not_enough_data(void **state)
{
	struct verdict_facts f = clear_win();

	(void)state;
#define POOR(change, reason)                                         \
	do {                                                         \
		f = clear_win();                                     \
		change;                                              \
		assert_verdict(&f, VERDICT_NOT_ENOUGH_DATA, reason); \
	} while (0)
	POOR(f.requests = 499, REASON_REQUESTS);
	POOR(f.requests = 1, REASON_REQUESTS);
	POOR(f.closure = .94, REASON_CLOSURE);
	POOR(f.closure = 1.06, REASON_CLOSURE);
	POOR(f.losses = .006, REASON_LOSSES);
	POOR(f.in_use = .09, REASON_IDLE);
	/* Wide intervals ask for more data where nothing holds at their worse ends. */
	POOR((f.overlap.lo = 1.5, f.overlap.hi = 2.9, f.async_over_now.lo = 1.2), REASON_SPREAD);
	f.async_over_now.lo = 1.6;
	assert_verdict(&f, VERDICT_MIGRATE, REASON_GAIN_AT_LEAST);
	f.async_over_now.lo = 1.2;
	f.overlap = around(2.2);
	assert_verdict(&f, VERDICT_BORDERLINE, REASON_INTERVAL);
	/* 1 / (.5 * 1.1) = 1.8 and 2 are near enough, 1 / (.3 * 1.1) = 3 and 2 are not. */
	POOR(f.utilisation = .3, REASON_ESTIMATORS);
	f.utilisation = .5;
	assert_verdict(&f, VERDICT_MIGRATE, REASON_GAIN_AT_LEAST);
	/* Unless something other than the processors is the limit. */
	f.utilisation = .3;
	f.async.limit = ASYNC_PEER;
	assert_verdict(&f, VERDICT_MIGRATE, REASON_GAIN_AT_LEAST);
	/* An unknown kappa makes the gain wide; watching longer would not help. */
	f = clear_win();
	f.async_over_now = (struct interval){2, 1.2, 3.5};
	assert_verdict(&f, VERDICT_BORDERLINE, REASON_INTERVAL);
#undef POOR
}

static struct gain_ratios ratios_of(const struct verdict_facts *f)
{
	return (struct gain_ratios){f->async_over_now, f->tuned_over_now, f->async_over_tuned,
				    f->overlap};
}

/* What a peer was never seen to do counts only where it decides. */
static void test_extrapolation(void **state)
{
	struct verdict_facts f = clear_win();
	struct verdict v;

	(void)state;
	f.extrapolation = 2.5;
	f.all = f.seen = ratios_of(&f);
	f.seen.async_over_now = around(1);
	f.seen.tuned_over_now = around(1);
	f.seen.async_over_tuned = around(1);
	f.async_over_now.lo /= 2.5;
	f.async_over_tuned.lo /= 2.5;
	assert_verdict(&f, VERDICT_NOT_ENOUGH_DATA, REASON_EXTRAPOLATION);
	f = clear_win();
	f.extrapolation = 2.5;
	f.all = f.seen = ratios_of(&f);
	assert_verdict(&f, VERDICT_MIGRATE, REASON_GAIN_AT_LEAST);
	f.extrapolation = NAN;
	assert_verdict(&f, VERDICT_NOT_ENOUGH_DATA, REASON_PEER_UNKNOWN);
	/* What another stack gains is the stack's, whether or not the peers do all of it. */
	f = clear_win();
	f.extrapolation = 2.5;
	f.utilisation = .98;
	f.kappa = .25;
	f.break_even = 1.02;
	f.overlap = around(1.02);
	f.tuned_over_now = around(1);
	f.async_over_now = f.async_over_tuned = around(4);
	f.all = f.seen = ratios_of(&f);
	f.seen.async_over_now = f.seen.async_over_tuned = around(1.7);
	assert_verdict(&f, VERDICT_DO_NOT_MIGRATE, REASON_STACK);
	/* More workers can be tried and taken back: that is the measurement. */
	f = clear_win();
	f.extrapolation = 10;
	f.tuned_over_now = around(8);
	f.async_over_now = around(8);
	f.async_over_tuned = around(1);
	f.all = f.seen = ratios_of(&f);
	f.seen.tuned_over_now = f.seen.async_over_now = around(1);
	v = find(&f);
	assert_int_equal(v.verdict, VERDICT_TUNE_WORKERS);
	assert_int_equal(v.reasons[2].reason, REASON_PEER_STRESS);
}

static void test_degenerate(void **state)
{
	const struct verdict_facts nothing = {0};
	struct verdict_facts f = clear_win();

	(void)state;
	assert_int_equal(find(&nothing).verdict, VERDICT_NOT_ENOUGH_DATA);
#define UNDEFINED(field)                                                       \
	do {                                                                   \
		f = clear_win();                                               \
		f.field = NAN;                                                 \
		assert_verdict(&f, VERDICT_NOT_ENOUGH_DATA, REASON_UNDEFINED); \
	} while (0)
	UNDEFINED(async_over_now.estimate);
	UNDEFINED(async_over_now.lo);
	UNDEFINED(async_over_now.hi);
	UNDEFINED(tuned_over_now.lo);
	UNDEFINED(async_over_tuned.lo);
	UNDEFINED(overlap.hi);
	UNDEFINED(closure);
	UNDEFINED(losses);
	UNDEFINED(in_use);
	UNDEFINED(kappa);
	UNDEFINED(break_even);
	UNDEFINED(p99_ratio);
	UNDEFINED(p99_s);
	UNDEFINED(lag_p99_s);
#undef UNDEFINED
	f = clear_win();
	f.async_over_now.hi = INFINITY;
	assert_verdict(&f, VERDICT_NOT_ENOUGH_DATA, REASON_UNDEFINED);
	/* Not known and not needed. */
	f = clear_win();
	f.in_flight = f.needed_bytes = f.free_bytes = f.memory_saving = NAN;
	f.split_p99_ratio = f.split_lag_p99_s = f.shared_threads = NAN;
	assert_verdict(&f, VERDICT_MIGRATE, REASON_GAIN_AT_LEAST);
}

static void test_do_not_migrate(void **state)
{
	struct verdict_facts f = clear_win();

	(void)state;
	f.async_over_now = around(1);
	f.tuned_over_now = around(1);
	f.async_over_tuned = around(1);
	f.overlap = around(1.05);
	f.break_even = 1.05;
	assert_verdict(&f, VERDICT_DO_NOT_MIGRATE, REASON_CPU_BOUND);
	f.overlap = around(1.3);
	assert_verdict(&f, VERDICT_DO_NOT_MIGRATE, REASON_FEW_OPERATIONS);
	f.async.limit = ASYNC_PEER;
	assert_verdict(&f, VERDICT_DO_NOT_MIGRATE, REASON_DOWNSTREAM_BOUND);
	f.async.limit = ASYNC_POOL;
	assert_verdict(&f, VERDICT_DO_NOT_MIGRATE, REASON_DOWNSTREAM_BOUND);
	f.async.limit = ASYNC_SERIAL;
	assert_verdict(&f, VERDICT_DO_NOT_MIGRATE, REASON_SERIAL);
	f.async.limit = ASYNC_OFFLOAD;
	assert_verdict(&f, VERDICT_DO_NOT_MIGRATE, REASON_SERIAL);
	f.async_over_now.hi = 1.16;
	assert_verdict(&f, VERDICT_BORDERLINE, REASON_INTERVAL);
	f.async_over_now.hi = 1.1;
	f.memory_saving = .3;
	assert_verdict(&f, VERDICT_BORDERLINE, REASON_INTERVAL);
}

/* A gain that is all kappa is no reason for async. */
static void test_only_stack(void **state)
{
	struct verdict_facts f = clear_win();

	(void)state;
	f.async_over_now = around(4);
	f.tuned_over_now = around(1);
	f.async_over_tuned = around(4);
	f.overlap = around(1);
	f.kappa = .25;
	f.break_even = 1;
	assert_verdict(&f, VERDICT_DO_NOT_MIGRATE, REASON_STACK);
	/* Rather not async's than async's. */
	f.overlap = (struct interval){1.14, 1.05, 1.25};
	assert_verdict(&f, VERDICT_DO_NOT_MIGRATE, REASON_STACK);
	f.overlap = (struct interval){1.15, 1.05, 1.25};
	assert_verdict(&f, VERDICT_MIGRATE, REASON_GAIN_AT_LEAST);
	/* The workers that fit do as much on that stack: memory is no reason either. */
	f.overlap = around(1.1);
	f.memory_saving = .7;
	f.wanted = 4;
	f.allowed = 3;
	assert_verdict(&f, VERDICT_DO_NOT_MIGRATE, REASON_STACK);
	/* Not known well enough to say so. */
	f.overlap = (struct interval){1.10, .9, 1.6};
	assert_verdict(&f, VERDICT_NOT_ENOUGH_DATA, REASON_SPREAD);
}

static void test_tune_workers(void **state)
{
	struct verdict_facts f = clear_win();

	(void)state;
	f.tuned_over_now = around(1.9);
	f.async_over_tuned = around(1.05);
	assert_verdict(&f, VERDICT_TUNE_WORKERS, REASON_TUNED_AT_LEAST);
	/* Even where async gains nothing: tuning does. */
	f.async_over_now = around(1);
	f.async_over_tuned = around(.53);
	assert_verdict(&f, VERDICT_TUNE_WORKERS, REASON_TUNED_AT_LEAST);
	/* Not when the workers do not fit and async gains over those that do. */
	f = clear_win();
	f.tuned_over_now = around(1.9);
	f.async_over_tuned = around(1.2);
	f.allowed = 5;
	assert_verdict(&f, VERDICT_MIGRATE, REASON_GAIN_AT_LEAST);
	f.async_over_tuned.lo = 1.09;
	assert_verdict(&f, VERDICT_TUNE_WORKERS, REASON_TUNED_AT_LEAST);
}

static void test_split_cpu(void **state)
{
	struct verdict_facts f = clear_win();

	(void)state;
	f.p99_ratio = 1.5;
	assert_verdict(&f, VERDICT_MIGRATE_SPLIT_CPU, REASON_GAIN_AT_LEAST);
	/* Splitting does not help, or was not looked at. */
	f.split_p99_ratio = 1.3;
	assert_verdict(&f, VERDICT_BORDERLINE, REASON_INTERVAL);
	f.split_p99_ratio = NAN;
	assert_verdict(&f, VERDICT_BORDERLINE, REASON_INTERVAL);
	/* The loop's lag: 10 % of p99, or 50 ms. */
	f = clear_win();
	f.lag_p99_s = .011;
	assert_verdict(&f, VERDICT_MIGRATE_SPLIT_CPU, REASON_GAIN_AT_LEAST);
	f.p99_s = 10;
	assert_verdict(&f, VERDICT_MIGRATE, REASON_GAIN_AT_LEAST);
	f.lag_p99_s = .051;
	assert_verdict(&f, VERDICT_MIGRATE_SPLIT_CPU, REASON_GAIN_AT_LEAST);
}

/* Long waits: async for their memory, even where it gains nothing else. */
static void test_long_wait(void **state)
{
	struct verdict_facts f = clear_win();

	(void)state;
	f.async_over_now = around(1);
	f.tuned_over_now = around(1);
	f.async_over_tuned = around(1);
	f.in_flight = 3000;
	/* Never where it gains nothing over the workers that fit. */
	assert_int_equal(find(&f).verdict, VERDICT_BORDERLINE);
	f.async_over_tuned.lo = 1.1;
	assert_verdict(&f, VERDICT_MIGRATE, REASON_LONG_WAIT);
	/* Where latencies cannot be simulated, what else is known decides. */
	f.side_by_side = true;
	f.p99_ratio = NAN;
	assert_verdict(&f, VERDICT_MIGRATE, REASON_LONG_WAIT);
	f.side_by_side = false;
	f.p99_ratio = 1;
	f.in_flight = 20;
	f.needed_bytes = 120e9;
	f.memory_saving = .9;
	assert_verdict(&f, VERDICT_MIGRATE, REASON_MEMORY);
	/* A few large processes: async would need as much. */
	f.memory_saving = 0;
	f.overlap = around(1);
	assert_verdict(&f, VERDICT_DO_NOT_MIGRATE, REASON_CPU_BOUND);
}

static void test_no_need(void **state)
{
	struct verdict_facts f = clear_win();
	struct verdict v;

	(void)state;
	f.in_use = .3;
	v = find(&f);
	assert_int_equal(v.verdict, VERDICT_MIGRATE);
	assert_int_equal(v.reasons[v.n_reasons - 1].reason, REASON_NO_NEED);
	f.truncated = .06;
	v = find(&f);
	assert_int_equal(v.reasons[v.n_reasons - 1].reason, REASON_TRUNCATED);
}

static void test_sentences(void **state)
{
	struct verdict_reason r = {REASON_CLOSURE, .937, .05};
	char sentence[256], cut[10];

	(void)state;
	verdict_sentence(&r, sentence, sizeof(sentence));
	assert_string_equal(sentence,
			    "93.7 % of the requests' time is accounted for, but it must be "
			    "100 % within 5 %.");
	verdict_sentence(&r, cut, sizeof(cut));
	assert_string_equal(cut, "93.7 % of");
	r = (struct verdict_reason){REASON_MEMORY, 120e9, 16e9};
	verdict_sentence(&r, sentence, sizeof(sentence));
	assert_string_equal(sentence, "Enough workers need 120.0 GB of memory; there are 16.0 GB.");
	r.reason = REASON_COUNT;
	verdict_sentence(&r, sentence, sizeof(sentence));
	assert_string_equal(sentence, "?");
}

/* Names and headlines are there and each is another. */
static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < VERDICT_COUNT; i++) {
		assert_true(strlen(verdict_headline((enum verdict_class)i)) > 10);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(verdict_name((enum verdict_class)i),
						verdict_name((enum verdict_class)j));
	}
	for (int i = 0; i < REASON_COUNT; i++) {
		for (int j = 0; j < i; j++)
			assert_string_not_equal(reason_name((enum reason)i),
						reason_name((enum reason)j));
	}
	assert_string_equal(verdict_name(VERDICT_COUNT), "?");
	assert_string_equal(verdict_headline(VERDICT_COUNT), "?");
	assert_string_equal(reason_name(REASON_COUNT), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_migrate),		cmocka_unit_test(test_already_async),
		cmocka_unit_test(test_not_enough_data), cmocka_unit_test(test_extrapolation),
		cmocka_unit_test(test_degenerate),	cmocka_unit_test(test_do_not_migrate),
		cmocka_unit_test(test_only_stack),	cmocka_unit_test(test_tune_workers),
		cmocka_unit_test(test_split_cpu),	cmocka_unit_test(test_long_wait),
		cmocka_unit_test(test_no_need),		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
