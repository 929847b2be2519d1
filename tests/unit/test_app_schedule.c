/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app/schedule.h"

#define START 1000ull

static void assert_next(const struct schedule *s, uint64_t now_ns, enum due due, uint64_t due_ns)
{
	uint64_t found_ns = 0;

	assert_int_equal(schedule_next(s, now_ns, &found_ns), due);
	assert_int_equal(found_ns, due_ns);
}

static void without_times_nothing_is_due(void **state)
{
	const struct schedule s = {.start_ns = START};

	(void)state;
	assert_next(&s, START, DUE_NOTHING, 0);
}

static void reports_come_at_multiples_and_the_end_once(void **state)
{
	const struct schedule s = {.start_ns = START, .interval_ns = 10, .duration_ns = 30};

	(void)state;
	assert_next(&s, START, DUE_REPORT, START + 10);
	/* Late by a little: the next one does not drift. */
	assert_next(&s, START + 11, DUE_REPORT, START + 20);
	/* The third report is the end's. */
	assert_next(&s, START + 20, DUE_END, START + 30);
	assert_next(&s, START + 35, DUE_END, START + 30);
}

static void the_last_interval_may_be_short(void **state)
{
	const struct schedule s = {.start_ns = START, .interval_ns = 10, .duration_ns = 25};

	(void)state;
	assert_next(&s, START + 10, DUE_REPORT, START + 20);
	assert_next(&s, START + 20, DUE_END, START + 25);
}

static void missed_ticks_are_left_out(void **state)
{
	const struct schedule s = {.start_ns = START, .interval_ns = 10};

	(void)state;
	assert_next(&s, START + 57, DUE_REPORT, START + 60);
}

static void a_report_goes_before_a_progress_line(void **state)
{
	const struct schedule s = {.start_ns = START, .interval_ns = 20, .progress_ns = 10};

	(void)state;
	assert_next(&s, START, DUE_PROGRESS, START + 10);
	assert_next(&s, START + 10, DUE_REPORT, START + 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_times_nothing_is_due),
		cmocka_unit_test(reports_come_at_multiples_and_the_end_once),
		cmocka_unit_test(the_last_interval_may_be_short),
		cmocka_unit_test(missed_ticks_are_left_out),
		cmocka_unit_test(a_report_goes_before_a_progress_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
