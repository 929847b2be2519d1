/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dashboard without a terminal: what keys do to it, and what it then shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "screen.h"

#define HEIGHT 24
#define WIDTH 80

struct fixture {
	struct snapshot *s;
	struct screen screen;
};

/* Three services, of 10, 30 and 20 requests. */
static int set_up(void **state)
{
	static const char *const names[] = {"alpha", "beta", "gamma"};
	static const uint64_t requests[] = {10, 30, 20};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->s = snapshot_new(3);
	assert_non_null(f->s);
	f->s->duration_ns = f->s->sampled_ns = 1000000000;
	for (size_t i = 0; i < 3; i++) {
		struct service *service = &f->s->services[i];

		service->name = strdup(names[i]);
		service->requests.completed = requests[i];
		service->workers.count = 4;
		service->workers.processes = 2;
		for (uint64_t k = 0; k < requests[i]; k++)
			dist_add(&service->service_time, 1000000);
	}
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	snapshot_free(f->s);
	free(f);
	return 0;
}

static struct view_input input_of(const struct fixture *f)
{
	return (struct view_input){.s = f->s};
}

static enum screen_request press(struct fixture *f, uint32_t key)
{
	struct view_input input = input_of(f);
	struct term_event event = {.key = key};

	return screen_handle(&f->screen, &input, &event, HEIGHT, WIDTH);
}

static void type(struct fixture *f, const char *text)
{
	for (; *text; text++)
		assert_int_equal(press(f, (uint32_t)*text), SCREEN_NOTHING);
}

/* One line of the screen, as ASCII. */
static const char *line(const struct fixture *f, int row, char text[WIDTH + 1])
{
	struct view_input input = input_of(f);
	struct canvas *canvas = canvas_new(HEIGHT, WIDTH, false);

	assert_non_null(canvas);
	screen_draw(&f->screen, &input, canvas);
	for (int column = 0; column < WIDTH; column++)
		text[column] = canvas_cell(canvas, row, column)->text[0];
	text[WIDTH] = '\0';
	canvas_free(canvas);
	return text;
}

static void assert_line_has(const struct fixture *f, int row, const char *part)
{
	char text[WIDTH + 1];

	if (!strstr(line(f, row, text), part))
		fail_msg("line %d is '%s', without '%s'", row, text, part);
}

static void test_views(void **state)
{
	struct fixture *f = *state;

	for (unsigned int v = 0; v < VIEW_COUNT; v++) {
		assert_int_equal(press(f, '1' + v), SCREEN_NOTHING);
		assert_int_equal(f->screen.view, v);
		assert_line_has(f, 0, view_title((enum view)v));
	}
	press(f, TERM_TAB);
	assert_int_equal(f->screen.view, VIEW_OVERVIEW);
	press(f, TERM_BACK_TAB);
	assert_int_equal(f->screen.view, VIEW_QUALITY);
}

static void test_rows(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(press(f, 'j'), SCREEN_ADVISE);
	assert_int_equal(f->screen.state.service, 1);
	press(f, TERM_DOWN);
	assert_int_equal(f->screen.state.service, 2);
	assert_int_equal(press(f, TERM_DOWN), SCREEN_NOTHING); /* there is no more */
	assert_int_equal(f->screen.state.service, 2);
	press(f, 'k');
	assert_int_equal(f->screen.state.service, 1);
	press(f, 'g');
	assert_int_equal(f->screen.state.service, 0);
	press(f, 'G');
	assert_int_equal(f->screen.state.service, 2);
	press(f, TERM_PAGE_UP);
	assert_int_equal(f->screen.state.service, 0);
	press(f, 'N');
	assert_int_equal(f->screen.state.service, 2);
	press(f, 'n');
	assert_int_equal(f->screen.state.service, 0);
}

/* The order on screen is the one that rows are selected in. */
static void test_sort(void **state)
{
	struct fixture *f = *state;

	press(f, TERM_RIGHT);
	press(f, TERM_RIGHT); /* by rate, the largest first */
	assert_line_has(f, f->screen.message[0] ? HEIGHT - 1 : 0, "sorted by");
	press(f, 'g');
	assert_int_equal(f->screen.state.service, 1);
	press(f, 'j');
	assert_int_equal(f->screen.state.service, 2);
	press(f, 'r');
	press(f, 'g');
	assert_int_equal(f->screen.state.service, 0);
	press(f, TERM_LEFT);
	press(f, TERM_LEFT);
	assert_int_equal(f->screen.state.sort[VIEW_OVERVIEW], 0);
}

static void test_filter(void **state)
{
	struct fixture *f = *state;

	press(f, '/');
	type(f, "qbet"); /* q types here */
	assert_line_has(f, HEIGHT - 1, "/qbet");
	for (int i = 0; i < 4; i++)
		press(f, TERM_BACKSPACE);
	type(f, "ET");
	press(f, TERM_ENTER);
	assert_string_equal(f->screen.state.filter, "ET");
	assert_line_has(f, 2, "beta");
	assert_int_equal(f->screen.state.service, 1); /* what is hidden is not selected */
	press(f, '/');
	type(f, "x");
	press(f, TERM_ESCAPE);
	assert_string_equal(f->screen.state.filter, "ET");
	press(f, '/');
	press(f, TERM_ENTER);
	assert_string_equal(f->screen.state.filter, "");
}

/* Characters of several bytes go and come whole, and no more than there is room for. */
static void test_filter_bytes(void **state)
{
	struct fixture *f = *state;

	press(f, '/');
	press(f, 0xe9);
	press(f, 0x20ac);
	press(f, 0x1f600);
	assert_string_equal(f->screen.state.filter, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	press(f, TERM_BACKSPACE);
	press(f, TERM_BACKSPACE);
	assert_string_equal(f->screen.state.filter, "\xc3\xa9");
	for (int i = 0; i < 100; i++)
		press(f, 0x20ac);
	assert_true(strlen(f->screen.state.filter) < VIEW_FILTER_BYTES);
	assert_int_equal((strlen(f->screen.state.filter) - 2) % 3, 0);
	press(f, 0x1b);
	press(f, 0x07);
}

static void test_what_if(void **state)
{
	struct fixture *f = *state;
	const struct advice_opts *what_if = &f->screen.state.what_if;

	assert_int_equal(press(f, 'w'), SCREEN_ADVISE);
	assert_int_equal(f->screen.view, VIEW_ADVICE);
	assert_int_equal(what_if->workers, 3); /* one more than there are */
	press(f, 'W');
	press(f, 'W');
	press(f, 'W');
	assert_int_equal(what_if->workers, 1); /* never none */
	press(f, 't');
	assert_int_equal(what_if->threads, 3);
	press(f, 'c');
	assert_true(what_if->cpu_factor > 1.09 && what_if->cpu_factor < 1.11);
	for (int i = 0; i < 200; i++)
		press(f, 'C');
	assert_true(what_if->cpu_factor >= 0.05);
	press(f, 'a');
	assert_int_equal(what_if->target, TARGET_ASYNCIO);
	assert_int_equal(press(f, '0'), SCREEN_ADVISE);
	assert_int_equal(what_if->workers, 0);
	assert_true(what_if->cpu_factor == 0);
}

static void test_requests(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(press(f, 's'), SCREEN_SAVE);
	assert_int_equal(press(f, '+'), SCREEN_FASTER);
	assert_int_equal(press(f, '-'), SCREEN_SLOWER);
	assert_int_equal(press(f, ']'), SCREEN_NOTHING); /* live */
	assert_line_has(f, HEIGHT - 1, "recording");
	f->screen.seekable = true;
	assert_int_equal(press(f, ']'), SCREEN_SEEK_FORWARD);
	assert_int_equal(press(f, '['), SCREEN_SEEK_BACK);
	press(f, ' ');
	assert_true(f->screen.paused);
	assert_line_has(f, 0, "paused");
	press(f, 'p');
	assert_false(f->screen.paused);
	assert_int_equal(press(f, 'q'), SCREEN_QUIT);
	assert_int_equal(press(f, 0x3b1), SCREEN_NOTHING); /* means nothing */
}

static void test_help(void **state)
{
	struct fixture *f = *state;

	press(f, '?');
	assert_int_equal(f->screen.help, 1);
	assert_line_has(f, 1, "Views");
	assert_int_equal(press(f, 'q'), SCREEN_NOTHING); /* the next page, not the end */
	assert_int_equal(f->screen.help, 2);
	press(f, 'x');
	assert_int_equal(f->screen.help, 0);
}

static void test_mouse(void **state)
{
	struct fixture *f = *state;
	struct view_input input = input_of(f);
	struct term_event click = {.key = TERM_CLICK, .row = 4, .column = 3};

	/* Rows: tabs, header, alpha, beta, gamma. */
	assert_int_equal(screen_handle(&f->screen, &input, &click, HEIGHT, WIDTH), SCREEN_ADVISE);
	assert_int_equal(f->screen.state.service, 2);
	click.row = 12;
	screen_handle(&f->screen, &input, &click, HEIGHT, WIDTH);
	assert_int_equal(f->screen.state.service, 2);
	press(f, TERM_WHEEL_UP);
	assert_int_equal(f->screen.state.service, 1);
	for (int column = 0; column < WIDTH; column++) {
		char text[WIDTH + 1];

		f->screen.view = VIEW_OVERVIEW;
		if (line(f, 0, text)[column] != '5')
			continue;
		click = (struct term_event){.key = TERM_CLICK, .row = 0, .column = column};
		screen_handle(&f->screen, &input, &click, HEIGHT, WIDTH);
		assert_int_equal(f->screen.view, VIEW_ADVICE);
		return;
	}
	fail_msg("no tab");
}

/* Any size, any view, with and without figures: something legal. */
static void test_sizes(void **state)
{
	struct fixture *f = *state;
	static const struct view_input nothing;

	for (int height = 1; height < 30; height += 3) {
		for (int width = 1; width < 130; width += 13) {
			struct canvas *canvas = canvas_new(height, width, true);
			struct view_input input = input_of(f);

			assert_non_null(canvas);
			for (unsigned int v = 0; v < VIEW_COUNT; v++) {
				f->screen.view = (enum view)v;
				screen_draw(&f->screen, &input, canvas);
				screen_draw(&f->screen, &nothing, canvas);
			}
			canvas_free(canvas);
		}
	}
}

#define SCREEN_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCREEN_TEST(test_views),	SCREEN_TEST(test_rows),
		SCREEN_TEST(test_sort),		SCREEN_TEST(test_filter),
		SCREEN_TEST(test_filter_bytes), SCREEN_TEST(test_what_if),
		SCREEN_TEST(test_requests),	SCREEN_TEST(test_help),
		SCREEN_TEST(test_mouse),	SCREEN_TEST(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
