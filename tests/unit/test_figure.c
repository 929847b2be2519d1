/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures as people read them, at the edges where digits and units change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "report/figure.h"

static void test_durations(void **state)
{
	static const struct {
		double s;
		const char *text;
	} cases[] = {
		{NAN, "-"},
		{INFINITY, "-"},
		{0, "0"},
		{0.3e-9, "0 ns"},
		{850e-9, "850 ns"},
		{999.4e-9, "999 ns"},
		{999.6e-9, "1.00 us"},
		{1e-6, "1.00 us"},
		{9.994e-6, "9.99 us"},
		{9.996e-6, "10.0 us"},
		{14.93e-6, "14.9 us"},
		{99.96e-6, "100 us"},
		{999.6e-6, "1.00 ms"},
		{19.4e-3, "19.4 ms"},
		{0.9996, "1.00 s"},
		{1.2345, "1.23 s"},
		{59.96, "60.0 s"},
		{86400, "86400 s"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(figure_duration(cases[i].s).text, cases[i].text);
}

static void test_numbers(void **state)
{
	(void)state;
	assert_string_equal(figure_number(NAN).text, "-");
	assert_string_equal(figure_number(0).text, "0");
	assert_string_equal(figure_number(0.0001).text, "<0.001");
	assert_string_equal(figure_number(0.125).text, "0.125");
	assert_string_equal(figure_number(0.9996).text, "1.00");
	assert_string_equal(figure_number(3.967).text, "3.97");
	assert_string_equal(figure_number(9.996).text, "10.0");
	assert_string_equal(figure_number(99.96).text, "100");
	assert_string_equal(figure_number(50122.7).text, "50,123");
}

static void test_short(void **state)
{
	(void)state;
	assert_string_equal(figure_short(NAN).text, "-");
	assert_string_equal(figure_short(0.125).text, "0.125");
	assert_string_equal(figure_short(99999.4).text, "99,999");
	assert_string_equal(figure_short(99999.6).text, "100k");
	assert_string_equal(figure_short(2413456).text, "2.41M");
	assert_string_equal(figure_short(9.996e8).text, "1.00G");
	assert_string_equal(figure_short(1e17).text, "100P");
}

static void test_counts(void **state)
{
	(void)state;
	assert_string_equal(figure_count(0).text, "0");
	assert_string_equal(figure_count(999).text, "999");
	assert_string_equal(figure_count(1000).text, "1,000");
	assert_string_equal(figure_count(1234567).text, "1,234,567");
	assert_string_equal(figure_count(UINT64_MAX).text, "18,446,744,073,709,551,615");
}

static void test_percents(void **state)
{
	(void)state;
	assert_string_equal(figure_percent(NAN).text, "-");
	assert_string_equal(figure_percent(0).text, "0 %");
	assert_string_equal(figure_percent(0.0001).text, "<0.1 %");
	assert_string_equal(figure_percent(0.497).text, "49.7 %");
	assert_string_equal(figure_percent(0.9994).text, "99.9 %");
	assert_string_equal(figure_percent(0.9999).text, "100 %");
	assert_string_equal(figure_percent(2.354).text, "235 %");
}

static void test_bytes(void **state)
{
	(void)state;
	assert_string_equal(figure_bytes(0).text, "0 bytes");
	assert_string_equal(figure_bytes(999).text, "999 bytes");
	assert_string_equal(figure_bytes(45ull << 20).text, "45.0 MiB");
	assert_string_equal(figure_bytes(1ull << 30).text, "1.00 GiB");
	assert_string_equal(figure_bytes(UINT64_MAX).text, "16777216 TiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_counts),	  cmocka_unit_test(test_percents),
		cmocka_unit_test(test_bytes),	  cmocka_unit_test(test_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
