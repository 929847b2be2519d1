/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparisons of the cases, as text and as JSON, byte for byte against diff/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise/delivery.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "cases.h"
#include "golden_file.h"
#include "report/diff.h"

#define GATHERING _cleanup_(gathering_done) struct gathering
#define DIFF _cleanup_(diff_done) struct diff

static struct snapshot *make(const char *name)
{
	for (size_t i = 0; i < n_golden_cases; i++) {
		if (strcmp(golden_cases[i].name, name) == 0)
			return golden_cases[i].make();
	}
	fail_msg("no case %s", name);
	return NULL;
}

static void add(struct gathering *gathering, struct snapshot *s)
{
	assert_int_equal(gathering_add(gathering, s), 0);
}

/* Ten intervals that differ a little. */
static void add_intervals(struct gathering *gathering, const char *name)
{
	for (unsigned int i = 0; i < 10; i++) {
		struct snapshot *s = make(name);

		s->start_unix_ns += i * (int64_t)s->duration_ns;
		for (size_t k = 0; k < s->n_services; k++) {
			s->services[k].cpu_ns += (i * 7 % 10) * 1000000;
			s->services[k].parts[PART_NETWORK].sum_ns += (i * 3 % 10) * 20000000;
			s->services[k].latency.sum_ns += (i * 3 % 10) * 20000000;
		}
		add(gathering, s);
	}
}

/* opts NULL: JSON. */
static char *report(const struct diff *diff, const struct report_opts *opts)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(
		opts ? report_diff_text(out, diff, opts) : report_diff_json(out, diff, NULL), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void expect_width(const char *text, size_t columns)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = NULL;

	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (text_width(line) > columns)
			fail_msg("wider than %zu columns: %s", columns, line);
		assert_int_not_equal(line[strlen(line) - 1], ' ');
	}
}

static void expect(const char *name, const struct gathering *before, const struct gathering *after)
{
	DIFF diff = {0};
	_cleanup_free_ char *text = NULL, *narrow = NULL, *json = NULL;

	assert_int_equal(diff_match(before, after, &diff), 0);
	text = report(&diff, &(struct report_opts){.utf8 = true});
	narrow = report(&diff, &(struct report_opts){.columns = 60});
	json = report(&diff, NULL);
	expect_width(text, 80);
	golden_file_expect(name, ".txt", text);
	golden_file_expect(name, ".json", json);
	for (const char *c = narrow; *c; c++)
		assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
	assert_null(strstr(json, "nan"));
	assert_null(strstr(json, "inf\""));
}

/* A migration: other name, other host, few intervals. */
static void test_migration(void **state)
{
	GATHERING before = {0}, after = {0};

	(void)state;
	add(&before, make("prefork"));
	add(&after, make("event-loop"));
	expect("diff/migration", &before, &after);
}

static void test_many_intervals(void **state)
{
	GATHERING before = {0}, after = {0};

	(void)state;
	add_intervals(&before, "merge-first");
	add_intervals(&after, "merge-second");
	expect("diff/intervals", &before, &after);
}

/* Nothing changed: nothing is marked. */
static void test_same(void **state)
{
	GATHERING before = {0}, after = {0};
	DIFF diff = {0};

	(void)state;
	add_intervals(&before, "prefork");
	add_intervals(&after, "prefork");
	assert_int_equal(diff_match(&before, &after, &diff), 0);
	for (enum measure i = 0; i < MEASURE_COUNT; i++) {
		struct comparison c = diff_compare(&diff.pairs[0], i);

		assert_int_not_equal(c.change, CHANGE_BEYOND);
	}
	expect("diff/same", &before, &after);
}

/* Services on one side only, undefined figures, hostile names, losses. */
static void test_odd(void **state)
{
	GATHERING before = {0}, after = {0};

	(void)state;
	add(&before, make("two-services"));
	add(&before, make("hostile"));
	add(&before, make("silent"));
	add(&after, make("hostile"));
	add(&after, make("silent"));
	add(&after, make("losses"));
	add(&after, make("batch"));
	expect("diff/odd", &before, &after);
}

static void test_nothing_in_common(void **state)
{
	GATHERING before = {0}, after = {0};
	DIFF diff = {0};

	(void)state;
	add(&before, make("two-services"));
	add(&after, make("batch"));
	assert_int_equal(diff_match(&before, &after, &diff), 0);
	assert_int_equal(diff.n_pairs, 0);
	assert_int_equal(diff.n_only_before, 2);
	assert_int_equal(diff.n_only_after, 1);
}

/* What was predicted and what came of it, where that cannot be told. */
static void expect_obstacle(const char *before_name, const char *after_name, const char *words)
{
	GATHERING before = {0}, after = {0};
	DIFF diff = {0};
	const struct advice_opts as_it_is = {0};
	struct delivery delivery;
	_cleanup_free_ char *text = NULL;

	add(&before, make(before_name));
	add(&after, make(after_name));
	assert_int_equal(diff_match(&before, &after, &diff), 0);
	assert_int_equal(delivery_judge(&diff.pairs[0], &as_it_is, &delivery), 0);
	assert_int_equal(delivery.gain.outcome, DELIVERY_UNKNOWN);
	if (!delivery.why || !strstr(delivery.why, words))
		fail_msg("'%s' instead of '%s'", delivery.why, words);
	text = report(&diff, &(struct report_opts){.advice = &as_it_is});
	assert_non_null(strstr(text, "the gain of async cannot be told"));
	expect_width(text, 80);
}

static void test_delivery(void **state)
{
	(void)state;
	expect_obstacle("prefork", "prefork", "no migration to async");
	expect_obstacle("event-loop", "prefork", "event loop before");
	expect_obstacle("prefork", "silent", "no requests");
	expect_obstacle("merge-first", "event-loop", "processors");
	assert_string_equal(delivery_outcome_name(DELIVERY_LESS), "less");
	assert_string_equal(delivery_outcome_name((enum delivery_outcome)9), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_migration),
		cmocka_unit_test(test_many_intervals),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_nothing_in_common),
		cmocka_unit_test(test_delivery),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
