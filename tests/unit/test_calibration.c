/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was measured, as a file and back; and what is no such file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/calibration.h"

#define US 1e-6

static void assert_near(double a, double b)
{
	assert_true(a - b < 1e-12 && b - a < 1e-12);
}

static int take(struct calibration *c, const char *line)
{
	return calibration_take(c, line, strlen(line));
}

static char *write_text(const struct calibration *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	assert_non_null(memory);
	assert_int_equal(calibration_write(memory, c), 0);
	assert_int_equal(fclose(memory), 0);
	return text;
}

static void test_nothing_measured_is_defaults(void **state)
{
	struct calibration c;

	(void)state;
	calibration_init(&c, "x86_64 Some", 1);
	assert_int_equal(calibration_count(&c), 0);
	assert_true(c.costs[COST_TASK].estimate == cost_default(COST_TASK).estimate);
	assert_true(c.costs[COST_FACTOR_KNOWN].lo == cost_default(COST_FACTOR_KNOWN).lo);
}

static void test_takes_runs(void **state)
{
	struct calibration c;

	(void)state;
	calibration_init(&c, "x86_64 Some", 1);
	assert_int_equal(take(&c, "{\"cost\": \"requests\", \"us\": [420, 400, 410]}"), 0);
	assert_int_equal(take(&c, "{\"component\": \"requests\", \"version\": \"2.28\"}"), 0);
	assert_int_equal(calibration_count(&c), 1);
	assert_near(c.costs[COST_REQUESTS].estimate, 410 * US);
	assert_near(c.costs[COST_REQUESTS].lo, (400 - 41) * US);
	assert_near(c.costs[COST_REQUESTS].hi, (420 + 41) * US);
	assert_int_equal(c.n_components, 1);
}

static void test_refuses_lines(void **state)
{
	static const char *const wrong[] = {
		"",
		"[]",
		"requests 410",
		"{\"cost\": \"requests\"}",
		"{\"cost\": \"requests\", \"us\": []}",
		"{\"cost\": \"requests\", \"us\": [\"410\"]}",
		"{\"cost\": \"requests\", \"us\": [410, null]}",
		"{\"cost\": \"requests\", \"us\": [1e9]}",
		"{\"cost\": \"requests\", \"us\": [99000]}", /* above it with its interval */
		"{\"cost\": \"requests\", \"us\": [-1e308, 1e308, 1e308]}",
		"{\"cost\": \"requests\", \"us\": [1,2,3,4,5,6,7,8,9,10]}",
		"{\"cost\": \"magic\", \"us\": [1]}",
		"{\"cost\": \"factor, stack not recognised\", \"us\": [1]}",
		"{\"cost\": \"client library not recognised\", \"us\": [1]}",
		"{\"cost\": \"requests\", \"us\": [1], \"more\": 1}",
		"{\"component\": \"python\"}",
		"{\"component\": \"\", \"version\": \"3\"}",
	};
	struct calibration c;

	(void)state;
	calibration_init(&c, "x86_64 Some", 1);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(take(&c, wrong[i]), -EBADMSG);
	assert_int_equal(calibration_count(&c), 0);
	assert_int_equal(c.n_components, 0);
}

static void test_round_trip(void **state)
{
	_cleanup_free_ char *text = NULL, *again = NULL;
	struct calibration c, read;
	const char *why = NULL;

	(void)state;
	calibration_init(&c, "x86_64 Some \"processor\"", 1795386230);
	assert_int_equal(take(&c, "{\"cost\": \"operation on asyncio\", \"us\": [2.5, 3.1]}"), 0);
	assert_int_equal(take(&c, "{\"cost\": \"gunicorn\", \"us\": [90.1]}"), 0);
	assert_int_equal(take(&c, "{\"component\": \"python\", \"version\": \"3.11.2\"}"), 0);
	text = write_text(&c);
	assert_int_equal(calibration_read(text, strlen(text), &read, &why), 0);
	assert_string_equal(read.processor, c.processor);
	assert_true(read.unix_s == c.unix_s);
	assert_int_equal(calibration_count(&read), 2);
	assert_true(read.costs[COST_GUNICORN].hi == c.costs[COST_GUNICORN].hi);
	assert_true(read.costs[COST_TASK].estimate == cost_default(COST_TASK).estimate);
	again = write_text(&read);
	assert_string_equal(again, text);
}

#define HEAD "{\"format\":\"ioprof-calibration\",\"version\":1,\"processor\":\"p\",\"unix_s\":5,"
#define PARTS "\"components\":[],"

static void test_refuses_documents(void **state)
{
	static const char *const wrong[] = {
		"",
		"{}",
		"null",
		HEAD PARTS "\"costs_s\":{\"requests\":[1e-4,2e-4,3e-4]}",
		HEAD PARTS "\"costs_s\":{}}",
		HEAD PARTS "\"costs_s\":{\"requests\":[1e-4,2e-4]}}",
		HEAD PARTS "\"costs_s\":{\"requests\":[3e-4,2e-4,1e-4]}}",
		HEAD PARTS "\"costs_s\":{\"requests\":[1e-4,2e-4,30]}}",
		HEAD PARTS "\"costs_s\":{\"requests\":[1e-4,2e-4,\"3\"]}}",
		HEAD PARTS "\"costs_s\":{\"magic\":[1e-4,2e-4,3e-4]}}",
		HEAD PARTS "\"costs_s\":{\"factor, framework recognised\":[1e-4,2e-4,3e-4]}}",
		HEAD "\"components\":[[1]],\"costs_s\":{\"requests\":[1e-4,2e-4,3e-4]}}",
		HEAD "\"components\":{},\"costs_s\":{\"requests\":[1e-4,2e-4,3e-4]}}",
		HEAD PARTS "\"costs_s\":{\"requests\":[1e-4,2e-4,3e-4]},\"more\":1}",
		"{\"format\":\"other\",\"version\":1,\"processor\":\"p\",\"unix_s\":5," PARTS
		"\"costs_s\":{\"requests\":[1e-4,2e-4,3e-4]}}",
		"{\"format\":\"ioprof-calibration\",\"version\":2,\"processor\":\"p\",\"unix_s\":5," PARTS
		"\"costs_s\":{\"requests\":[1e-4,2e-4,3e-4]}}",
		"{\"format\":\"ioprof-calibration\",\"version\":1,\"processor\":\"\",\"unix_s\":5," PARTS
		"\"costs_s\":{\"requests\":[1e-4,2e-4,3e-4]}}",
		"{\"format\":\"ioprof-calibration\",\"version\":1,\"processor\":\"p\",\"unix_s\":-5," PARTS
		"\"costs_s\":{\"requests\":[1e-4,2e-4,3e-4]}}",
	};
	const char *right = HEAD PARTS "\"costs_s\":{\"requests\":[1e-4,2e-4,3e-4]}}";
	struct calibration c;
	const char *why = NULL;

	(void)state;
	assert_int_equal(calibration_read(right, strlen(right), &c, &why), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		why = NULL;
		assert_int_equal(calibration_read(wrong[i], strlen(wrong[i]), &c, &why), -EBADMSG);
		assert_non_null(why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_measured_is_defaults),
		cmocka_unit_test(test_takes_runs),
		cmocka_unit_test(test_refuses_lines),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refuses_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
