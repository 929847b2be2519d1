/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metrics of some cases in each format, byte for byte against the file of its name in this
 * folder. IOPROF_BLESS=1 writes the files instead: read the difference before committing it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cases.h"
#include "golden_file.h"
#include "model/total.h"
#include "report/otlp.h"
#include "report/prometheus.h"

enum format { TEXT, OPENMETRICS, OTLP };

static const char *const suffixes[] = {
	[TEXT] = ".prom", [OPENMETRICS] = ".openmetrics", [OTLP] = ".otlp"};

/* As the exporter would show it. */
static char *metrics_text(const struct snapshot *s, enum format format)
{
	const struct output_count outputs[] = {{"otlp", 7, 1}};
	struct advice advice = {
		.verdict = VERDICT_NOT_ENOUGH_DATA,
		.async_over_now = {1.4, 1.3, 1.5},
		.tuned_over_now = {1.25, 1, 1.5},
		.async_over_tuned = {1.12, NAN, NAN},
	};
	const struct service_advice judged = {s->services[0].name, &advice};
	const struct metrics_source source = {
		.s = s,
		.version = "1.2.3",
		.outputs = outputs,
		.n_outputs = 1,
		.advice = &judged,
		.n_advice = 1,
	};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	if (format == OTLP)
		assert_int_equal(report_otlp(out, &source), 0);
	else
		assert_int_equal(report_prometheus(out, &source, format == OPENMETRICS), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static struct snapshot *make(const char *name)
{
	for (size_t i = 0; i < n_golden_cases; i++) {
		if (strcmp(golden_cases[i].name, name) == 0)
			return golden_cases[i].make();
	}
	fail_msg("no case %s", name);
	return NULL;
}

static void expect_metrics(const char *name, enum format format)
{
	_cleanup_(snapshot_freep) struct snapshot *s = make(name);
	_cleanup_(total_freep) struct total *total = total_new();
	_cleanup_free_ char *text = NULL;

	assert_int_equal(total_add(total, s), 0);
	text = metrics_text(total_snapshot(total), format);
	golden_file_expect(name, suffixes[format], text);
}

static void test_text(void **state)
{
	(void)state;
	expect_metrics("prefork", TEXT);
	expect_metrics("event-loop", TEXT);
	expect_metrics("hostile", TEXT);
}

static void test_openmetrics(void **state)
{
	(void)state;
	expect_metrics("two-services", OPENMETRICS);
}

static void test_otlp(void **state)
{
	(void)state;
	expect_metrics("prefork", OTLP);
	expect_metrics("hostile", OTLP);
}

/* Bytes that are not even in a total are harmless: every line is a comment or a sample. */
static void test_raw_bytes(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = make("hostile");
	_cleanup_free_ char *text = metrics_text(s, TEXT);
	char *rest = NULL;

	(void)state;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		assert_true(strncmp(line, "# ", 2) == 0 || strncmp(line, "ioprof_", 7) == 0);
}

/* What docs/monitoring.md says a service costs at most: peers without limit, all rows taken. */
static void test_cardinality(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = make("silent");
	_cleanup_(snapshot_freep) struct snapshot *many = make("silent");
	_cleanup_(total_freep) struct total *total = total_new();
	_cleanup_free_ char *text = NULL;
	size_t series = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char address[32];

		(void)snprintf(address, sizeof(address), "10.0.0.1:%d", i);
		service_add_peer(&many->services[0], address)->operations = 1;
	}
	many->services[0].surroundings.cpus = 2;
	assert_int_equal(total_add(total, s), 0);
	assert_int_equal(total_add(total, many), 0);
	text = metrics_text(total_snapshot(total), TEXT);
	for (const char *c = text; (c = strstr(c, "{service=")); c++)
		series++;
	/* Of the gains' figures two are not to be had here. */
	assert_int_equal(series, 218 - 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	    cmocka_unit_test(test_openmetrics),
		cmocka_unit_test(test_otlp),	    cmocka_unit_test(test_raw_bytes),
		cmocka_unit_test(test_cardinality),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
