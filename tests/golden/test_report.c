/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every report of every case, byte for byte against the file of its name in this folder.
 * IOPROF_BLESS=1 writes the files instead: read the difference before committing it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cases.h"
#include "golden_file.h"
#include "report/report.h"

/* The report as text; opts NULL for JSON. */
static char *report(const struct snapshot *s, const struct report_opts *opts)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(opts ? report_text(out, s, opts) : report_json(out, s, NULL), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* No line is wider than the page, none ends in a space. */
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

static void test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_golden_cases; i++) {
		_cleanup_(snapshot_freep) struct snapshot *s = golden_cases[i].make();
		_cleanup_free_ char *utf8 = report(s, &(struct report_opts){.utf8 = true});
		_cleanup_free_ char *ascii = report(s, &(struct report_opts){.columns = 80});

		golden_file_expect(golden_cases[i].name, ".utf8.txt", utf8);
		golden_file_expect(golden_cases[i].name, ".ascii.txt", ascii);
		expect_width(utf8, 80);
		expect_width(ascii, 80);
		for (const char *c = ascii; *c; c++)
			assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
	}
}

static void test_widths(void **state)
{
	static const unsigned int widths[] = {1, 60, 71, 100, 120, 5000};

	(void)state;
	for (size_t i = 0; i < n_golden_cases; i++) {
		_cleanup_(snapshot_freep) struct snapshot *s = golden_cases[i].make();

		for (size_t w = 0; w < sizeof(widths) / sizeof(widths[0]); w++) {
			_cleanup_free_ char *text = report(
				s, &(struct report_opts){.columns = widths[w], .utf8 = true});

			expect_width(text, widths[w] < 60 ? 60 : widths[w] > 120 ? 120 : widths[w]);
		}
	}
}

/* Colour adds sequences and nothing else, and hostile names add none. */
static void test_color(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_golden_cases; i++) {
		_cleanup_(snapshot_freep) struct snapshot *s = golden_cases[i].make();
		_cleanup_free_ char *plain = report(s, &(struct report_opts){.utf8 = true});
		_cleanup_free_ char *colored =
			report(s, &(struct report_opts){.utf8 = true, .color = true});
		char *out = colored;

		assert_null(strchr(plain, '\033'));
		for (const char *in = colored; *in;) {
			if (*in == '\033')
				in += strcspn(in, "m") + 1;
			else
				*out++ = *in++;
		}
		*out = '\0';
		assert_string_equal(colored, plain);
	}
}

static void test_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_golden_cases; i++) {
		_cleanup_(snapshot_freep) struct snapshot *s = golden_cases[i].make();
		_cleanup_free_ char *json = report(s, NULL);

		assert_ptr_equal(strchr(json, '\n'), json + strlen(json) - 1);
		golden_file_expect(golden_cases[i].name, ".json", json);
	}
}

/* A write that fails is reported with its reason. */
static void test_full_disk(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = golden_cases[0].make();
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	assert_int_equal(setvbuf(full, NULL, _IONBF, 0), 0);
	assert_int_equal(report_json(full, s, NULL), -ENOSPC);
	assert_int_equal(report_text(full, s, &(struct report_opts){.utf8 = true}), -ENOSPC);
	(void)fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	  cmocka_unit_test(test_widths),
		cmocka_unit_test(test_color),	  cmocka_unit_test(test_json),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
