/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cells hold what a terminal shows in them: wide, combining and hostile characters too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <string.h>

#include "base/cleanup.h"
#include "canvas.h"
#include "pane.h"

#define WIDE "\xe4\xb8\xad"
#define ACUTE "\xcc\x81"

static void expect_row(const struct canvas *canvas, const char *expected)
{
	char text[256];
	char *out = text;

	for (int i = 0; i < canvas->width; i++)
		out = stpcpy(out, canvas_cell(canvas, 0, i)->text);
	assert_string_equal(text, expected);
}

static void test_wide(void **state)
{
	_cleanup_(canvas_freep) struct canvas *canvas = canvas_new(1, 6, true);

	(void)state;
	assert_non_null(canvas);
	/* Half of a character is none. */
	assert_int_equal(canvas_text(canvas, 0, 0, 6, ROLE_PLAIN, "a" WIDE WIDE WIDE), 5);
	expect_row(canvas, "a" WIDE WIDE " ");
	assert_int_equal(canvas_cell(canvas, 0, 1)->columns, 2);
	assert_int_equal(canvas_cell(canvas, 0, 2)->columns, 0);
	/* What loses a half goes. */
	assert_int_equal(canvas_text(canvas, 0, 2, 2, ROLE_PLAIN, "xy"), 2);
	expect_row(canvas, "a xy  ");
	canvas_clear(canvas);
	(void)canvas_text(canvas, 0, 1, 2, ROLE_PLAIN, WIDE);
	(void)canvas_text(canvas, 0, 0, 2, ROLE_PLAIN, WIDE);
	expect_row(canvas, WIDE "    ");
}

static void test_combining(void **state)
{
	_cleanup_(canvas_freep) struct canvas *canvas = canvas_new(1, 3, true);

	(void)state;
	assert_non_null(canvas);
	assert_int_equal(canvas_text(canvas, 0, 0, 3, ROLE_PLAIN, ACUTE "e" ACUTE "x"), 2);
	expect_row(canvas, "e" ACUTE "x ");
	/* As many marks as a cell holds, no more. */
	(void)canvas_text(canvas, 0, 0, 1, ROLE_PLAIN,
			  "e" ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE);
	assert_int_equal(strlen(canvas_cell(canvas, 0, 0)->text), 15);
}

static void test_ascii(void **state)
{
	_cleanup_(canvas_freep) struct canvas *canvas = canvas_new(1, 6, false);
	struct pane pane;

	(void)state;
	assert_non_null(canvas);
	pane = (struct pane){canvas, 0, 0, 1, 6};
	assert_int_equal(canvas_text(canvas, 0, 0, 6, ROLE_PLAIN, "e" ACUTE WIDE "\xc3\xa9"), 3);
	expect_row(canvas, "e??   ");
	assert_int_equal(pane_foreign(&pane, 0, 0, 5, ROLE_PLAIN, "abcdefgh"), 5);
	expect_row(canvas, "abcd~ ");
}

/* Nothing leaves a pane, whatever it is asked for. */
static void test_clipping(void **state)
{
	_cleanup_(canvas_freep) struct canvas *canvas = canvas_new(1, 8, true);
	struct pane pane, part, none;

	(void)state;
	assert_non_null(canvas);
	pane = (struct pane){canvas, 0, 0, 1, 8};
	part = pane_part(&pane, 0, 2, 9, 3);
	none = pane_part(&part, 1, 4, 2, 2);
	assert_int_equal(none.height, 0);
	assert_int_equal(none.width, 0);
	(void)pane_print(&part, 0, 0, ROLE_BAD, "abcdef");
	(void)pane_print(&part, 1, 0, ROLE_BAD, "below");
	(void)pane_print(&part, -1, 0, ROLE_BAD, "above");
	(void)pane_print(&none, 0, 0, ROLE_BAD, "x");
	pane_fill(&part, 0, 2, 100, ROLE_BAD, "#", "#");
	expect_row(canvas, "  ab#   ");
	assert_int_equal(canvas_cell(canvas, 0, 4)->role, ROLE_BAD);
	assert_int_equal(canvas_cell(canvas, 0, 5)->role, ROLE_PLAIN);
}

static void test_hostile(void **state)
{
	_cleanup_(canvas_freep) struct canvas *canvas = canvas_new(1, 20, true);
	struct pane pane;

	(void)state;
	assert_non_null(canvas);
	pane = (struct pane){canvas, 0, 0, 1, 20};
	(void)pane_foreign(&pane, 0, 0, 20, ROLE_PLAIN, "\x1b[2J\n\xff\xe2\x80\xae");
	expect_row(canvas, "\\x1b[2J\\n\\xff\\u202e ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wide),	cmocka_unit_test(test_combining),
		cmocka_unit_test(test_ascii),	cmocka_unit_test(test_clipping),
		cmocka_unit_test(test_hostile),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
