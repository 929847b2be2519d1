/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every view of every scene as a terminal of some size has room for it, cell by cell against files
 * in views/: NAME.COLUMNSxROWS.utf8.txt and .ascii.txt hold the six views one below the other;
 * .roles.txt has a letter per cell for its role. IOPROF_BLESS=1 writes the files instead: look at
 * them before committing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "canvas.h"
#include "cases.h"
#include "kind.h"
#include "report/document.h"
#include "shop.h"
#include "view.h"

#define SECONDS 90 /* of history */
#define RECENT 10  /* seconds in the figures */
#define AROUND 2   /* rows of a terminal that a view does not get: tabs, hints */

struct scene {
	const char *name;
	struct snapshot *(*second)(unsigned int tick); /* or */
	const char *golden_case;		       /* or */
	const char *recording; /* a document as ioprof --json wrote it of its demo service */
	const struct advice *(*advice)(void);
	struct view_state state;
};

static const struct scene scenes[] = {
	{.name = "shop", .second = shop_second, .advice = shop_advice},
	{.name = "sorted",
	 .second = shop_second,
	 .advice = shop_no_advice,
	 .state = {.service = 1,
		   .sort = {[VIEW_OVERVIEW] = 2, [VIEW_PEERS] = 1, [VIEW_WORKERS] = 2},
		   .filter = "e"}},
	{.name = "crowd", .second = shop_crowd, .state = {.row = {[VIEW_WORKERS] = 150}}},
	{.name = "silent", .golden_case = "silent"},
	{.name = "losses", .golden_case = "losses"},
	{.name = "hostile", .golden_case = "hostile"},
	{.name = "many-peers", .golden_case = "two-services", .state = {.row = {[VIEW_PEERS] = 7}}},
	{.name = "recorded", .recording = "recorded.json"},
	{.name = "nothing"},
};
#define N_SCENES (sizeof(scenes) / sizeof(scenes[0]))

/* A scene as views want it. */
struct stage {
	struct snapshot *s;
	struct history *history;
	const struct advice *advice[3];
	struct advice_curve curve;
	struct view_input input;
};

static char *read_file(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		return NULL;
	}
	return text;
}

static struct snapshot *make_case(const char *name)
{
	for (size_t i = 0; i < n_golden_cases; i++) {
		if (strcmp(golden_cases[i].name, name) == 0)
			return golden_cases[i].make();
	}
	fail_msg("no case %s", name);
	return NULL;
}

static struct snapshot *read_recording(const char *path)
{
	_cleanup_free_ char *text = read_file(path);
	struct document_error error = {{0}};
	struct snapshot *s = NULL;

	assert_non_null(text);
	if (document_parse(text, strlen(text), &s, &error) < 0)
		fail_msg("%s: %s", path, error.text);
	return s;
}

static void take_second(struct stage *stage, struct snapshot *s, bool recent)
{
	if (!stage->history)
		stage->history = history_new(s->n_services);
	assert_non_null(stage->history);
	assert_int_equal(history_add(stage->history, s), 0);
	if (recent && stage->s)
		assert_int_equal(snapshot_merge(stage->s, s), 0);
	if (recent && !stage->s)
		stage->s = s;
	else
		snapshot_free(s);
}

static void set_up(struct stage *stage, const struct scene *scene)
{
	*stage = (struct stage){0};
	for (unsigned int i = 0; scene->second && i < SECONDS; i++)
		take_second(stage, scene->second(i), i >= SECONDS - RECENT);
	if (scene->recording)
		take_second(stage, read_recording(scene->recording), true);
	if (scene->golden_case)
		take_second(stage, make_case(scene->golden_case), true);
	stage->input.s = stage->s;
	stage->input.history = stage->history;
	if (!scene->advice)
		return;
	stage->advice[scene->state.service] = scene->advice();
	stage->input.advice = stage->advice;
	if (scene->advice == shop_advice) {
		stage->curve = shop_curve();
		stage->input.curve = &stage->curve;
	}
}

static void tear_down(struct stage *stage)
{
	snapshot_free(stage->s);
	history_free(stage->history);
}

/* ---- cells as text ---- */

static const char role_letters[ROLE_COUNT + 1] = ".dthskgwbrWBQnta";

static void print_row(FILE *out, const struct canvas *canvas, int row, bool roles)
{
	int end = canvas->width;

	while (!roles && end > 0 && strcmp(canvas_cell(canvas, row, end - 1)->text, " ") == 0)
		end--;
	for (int column = 0; column < end; column++) {
		const struct cell *cell = canvas_cell(canvas, row, column);

		if (roles)
			assert_true(fputc(role_letters[cell->role], out) != EOF);
		else
			assert_true(fputs(cell->text, out) != EOF);
	}
	assert_true(fputc('\n', out) != EOF);
}

/* All views, each below its title. */
static char *draw_all(const struct stage *stage, const struct view_state *state, int height,
		      int width, bool utf8, bool roles)
{
	_cleanup_(canvas_freep) struct canvas *canvas = canvas_new(height, width, utf8);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(canvas);
	assert_non_null(out);
	for (enum view view = 0; view < VIEW_COUNT; view++) {
		struct pane pane = {canvas, 0, 0, height, width};

		view_draw(view, &pane, &stage->input, state);
		assert_true(fprintf(out, "=== %s ===\n", view_title(view)) > 0);
		for (int row = 0; row < height; row++)
			print_row(out, canvas, row, roles);
	}
	assert_int_equal(fclose(out), 0);
	return text;
}

static void expect(const char *scene, int width, int height, const char *kind, const char *text)
{
	_cleanup_free_ char *path = NULL, *golden = NULL;

	assert_true(asprintf(&path, "views/%s.%dx%d.%s.txt", scene, width, height, kind) > 0);
	if (getenv("IOPROF_BLESS")) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		assert_true(fputs(text, file) != EOF);
		assert_int_equal(fclose(file), 0);
		return;
	}
	golden = read_file(path);
	if (!golden) {
		fail_msg("%s: no such file; IOPROF_BLESS=1 writes it", path);
		return;
	}
	if (strcmp(golden, text) != 0)
		fail_msg("%s differs; now:\n%s", path, text);
}

static void expect_scene(const struct scene *scene, int height, int width)
{
	struct stage stage;
	char *text;

	set_up(&stage, scene);
	for (int utf8 = 0; utf8 < 2; utf8++) {
		text = draw_all(&stage, &scene->state, height - AROUND, width, utf8, false);
		for (const char *c = text; !utf8 && *c; c++)
			assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
		expect(scene->name, width, height, utf8 ? "utf8" : "ascii", text);
		free(text);
	}
	if (width == 80) {
		text = draw_all(&stage, &scene->state, height - AROUND, width, true, true);
		expect(scene->name, width, height, "roles", text);
		free(text);
	}
	tear_down(&stage);
}

static void test_shop(void **state)
{
	(void)state;
	expect_scene(&scenes[0], 10, 40);
	expect_scene(&scenes[0], 24, 80);
	expect_scene(&scenes[0], 60, 200);
}

static void test_other_scenes(void **state)
{
	(void)state;
	for (size_t i = 1; i < N_SCENES; i++)
		expect_scene(&scenes[i], 24, 80);
}

/* At any size a view draws what fits and nothing beside it. */
static void test_any_size(void **state)
{
	static const int heights[] = {0, 1, 2, 3, 5, 7, 10, 13, 24, 31, 60, 100};
	static const int widths[] = {0, 1, 2, 3, 10, 19, 40, 59, 71, 100, 132, 200, 400};

	(void)state;
	for (size_t i = 0; i < N_SCENES; i++) {
		struct stage stage;

		set_up(&stage, &scenes[i]);
		for (size_t h = 0; h < sizeof(heights) / sizeof(heights[0]); h++) {
			for (size_t w = 0; w < sizeof(widths) / sizeof(widths[0]); w++)
				free(draw_all(&stage, &scenes[i].state, heights[h], widths[w], true,
					      false));
		}
		tear_down(&stage);
	}
}

/* A pane leaves the rest of the canvas alone, and the same input draws the same cells. */
static void test_stays_inside(void **state)
{
	struct stage stage;

	(void)state;
	set_up(&stage, &scenes[0]);
	for (enum view view = 0; view < VIEW_COUNT; view++) {
		_cleanup_(canvas_freep) struct canvas *canvas = canvas_new(30, 90, true);
		struct pane all = {canvas, 0, 0, 30, 90}, part = {canvas, 3, 5, 24, 80};

		for (int row = 0; row < 30; row++)
			pane_fill(&all, row, 0, 90, ROLE_BAD, "@", "@");
		view_draw(view, &part, &stage.input, &scenes[0].state);
		for (int row = 0; row < 30; row++) {
			for (int column = 0; column < 90; column++) {
				bool inside = row >= 3 && row < 27 && column >= 5 && column < 85;
				const char *text = canvas_cell(canvas, row, column)->text;

				assert_true(inside != (strcmp(text, "@") == 0));
			}
		}
	}
	tear_down(&stage);
}

/* Never colour alone: where two kinds of time meet in a bar, their fills differ. */
static void test_fills_differ(void **state)
{
	(void)state;
	for (unsigned int a = 0; a < KIND_COUNT; a++) {
		struct chart_piece x = kind_piece(a, 1);

		assert_true(strlen(x.ascii) == 1 && (unsigned char)*x.ascii < 0x80);
		for (unsigned int b = 0; b < a; b++) {
			assert_string_not_equal(x.utf8, kind_piece(b, 1).utf8);
			assert_string_not_equal(x.ascii, kind_piece(b, 1).ascii);
			assert_string_not_equal(kind_label(a), kind_label(b));
		}
	}
	for (int part = 0; part < PART_COUNT; part++)
		assert_string_equal(kind_label(kind_of_part((enum part)part)),
				    part_label((enum part)part));
}

/* What a click on a row and on a title finds. */
static void test_targets(void **state)
{
	struct view_state view_state = {.sort = {[VIEW_OVERVIEW] = 2}};
	_cleanup_(canvas_freep) struct canvas *canvas = canvas_new(24, 80, true);
	struct pane pane = {canvas, 0, 0, 24, 80};
	struct stage stage;

	(void)state;
	assert_non_null(canvas);
	set_up(&stage, &scenes[0]);
	view_draw(VIEW_OVERVIEW, &pane, &stage.input, &view_state);
	assert_int_equal(canvas_cell(canvas, 0, 1)->target, -1);
	assert_int_equal(canvas_cell(canvas, 0, 21)->target, -2);
	assert_int_equal(canvas_cell(canvas, 1, 0)->target, 1);
	assert_int_equal(canvas_cell(canvas, 3, 79)->target, 3);
	assert_int_equal(canvas_cell(canvas, 4, 0)->target, 0);
	view_draw(VIEW_QUALITY, &pane, &stage.input, &view_state);
	assert_int_equal(canvas_cell(canvas, 1, 0)->target, 0);
	tear_down(&stage);
}

static void test_rows(void **state)
{
	struct view_state view_state = {.sort = {[VIEW_OVERVIEW] = 2}, .filter = "E"};
	struct stage stage;
	size_t rows[8];

	(void)state;
	set_up(&stage, &scenes[0]);
	assert_string_equal(view_column(VIEW_OVERVIEW, 2), "REQ/s");
	assert_int_equal(view_rows(VIEW_OVERVIEW, &stage.input, &view_state, rows, 8), 2);
	assert_int_equal(rows[0], 2); /* redis-server */
	assert_int_equal(rows[1], 1); /* node */
	view_state.reversed[VIEW_OVERVIEW] = true;
	assert_int_equal(view_rows(VIEW_OVERVIEW, &stage.input, &view_state, rows, 8), 2);
	assert_int_equal(rows[0], 1);
	assert_int_equal(view_rows(VIEW_OVERVIEW, &stage.input, &view_state, rows, 1), 1);
	assert_int_equal(view_rows(VIEW_QUALITY, &stage.input, &view_state, rows, 8), 0);
	assert_null(view_column(VIEW_QUALITY, 1));
	assert_null(view_column(VIEW_OVERVIEW, 0));
	tear_down(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shop),	     cmocka_unit_test(test_other_scenes),
		cmocka_unit_test(test_any_size),     cmocka_unit_test(test_stays_inside),
		cmocka_unit_test(test_rows),	     cmocka_unit_test(test_targets),
		cmocka_unit_test(test_fills_differ),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
