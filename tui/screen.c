/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "screen.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "status.h"

#define PAGE 10		/* rows */
#define FACTOR_STEP 1.1 /* of the CPU after the change */
#define FACTOR_LEAST 0.05
#define FACTOR_MOST 20.0
#define WORKERS_MOST 10000
#define HELP_NAME_COLUMNS 13

/* clang-format off */
enum action {
	ACTION_NONE,
	ACTION_VIEW_1, ACTION_VIEW_2, ACTION_VIEW_3, ACTION_VIEW_4, ACTION_VIEW_5, ACTION_VIEW_6,
	ACTION_VIEW_NEXT, ACTION_VIEW_PREVIOUS,
	ACTION_DOWN, ACTION_UP, ACTION_PAGE_DOWN, ACTION_PAGE_UP, ACTION_FIRST, ACTION_LAST,
	ACTION_SERVICE_NEXT, ACTION_SERVICE_PREVIOUS,
	ACTION_FILTER, ACTION_SORT_NEXT, ACTION_SORT_PREVIOUS, ACTION_REVERSE,
	ACTION_PAUSE, ACTION_FASTER, ACTION_SLOWER, ACTION_SEEK_FORWARD, ACTION_SEEK_BACK,
	ACTION_WORKERS_MORE, ACTION_WORKERS_FEWER, ACTION_THREADS_MORE, ACTION_THREADS_FEWER,
	ACTION_FACTOR_MORE, ACTION_FACTOR_LESS, ACTION_TARGET, ACTION_AS_IS,
	ACTION_SAVE, ACTION_HELP, ACTION_QUIT,
};

static const struct key {
	uint32_t key;
	enum action action;
	const char *group, *name, *does;
} keys[] = {
#define GROUP(title) {.group = (title)},
#define KEY(key, action, name, does) {key, action, NULL, name, does},
#include "keys.def"
#undef KEY
#undef GROUP
};
/* clang-format on */

#define N_KEYS (sizeof(keys) / sizeof(*keys))

static enum action action_of(uint32_t key)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		if (keys[i].action != ACTION_NONE && keys[i].key == key)
			return keys[i].action;
	}
	return ACTION_NONE;
}

/* The rows of the view, and which is selected. */
struct rows {
	size_t at[512];
	size_t n, selected;
};

static void find_rows(const struct screen *screen, const struct view_input *input,
		      struct rows *rows)
{
	const struct view_state *state = &screen->state;

	rows->n = input->s ? view_rows(screen->view, input, state, rows->at,
				       sizeof(rows->at) / sizeof(*rows->at))
			   : 0;
	rows->selected = screen->view == VIEW_OVERVIEW ? 0 : state->row[screen->view];
	for (size_t i = 0; screen->view == VIEW_OVERVIEW && i < rows->n; i++) {
		if (rows->at[i] == state->service)
			rows->selected = i;
	}
	if (rows->n && rows->selected >= rows->n)
		rows->selected = rows->n - 1;
}

/* Selects a row by its place on the list, as near as there is one. */
static enum screen_request select_row(struct screen *screen, const struct view_input *input,
				      long place)
{
	struct rows rows;

	find_rows(screen, input, &rows);
	if (!rows.n)
		return SCREEN_NOTHING;
	if (place < 0)
		place = 0;
	if (place >= (long)rows.n)
		place = (long)rows.n - 1;
	if (screen->view != VIEW_OVERVIEW) {
		screen->state.row[screen->view] = (size_t)place;
		return SCREEN_NOTHING;
	}
	if (screen->state.service == rows.at[place])
		return SCREEN_NOTHING;
	screen->state.service = rows.at[place];
	return SCREEN_ADVISE;
}

static enum screen_request move(struct screen *screen, const struct view_input *input, long by)
{
	struct rows rows;

	find_rows(screen, input, &rows);
	return select_row(screen, input, (long)rows.selected + by);
}

static enum screen_request next_service(struct screen *screen, const struct view_input *input,
					bool back)
{
	size_t n = input->s ? input->s->n_services : 0;

	if (n < 2)
		return SCREEN_NOTHING;
	screen->state.service = (screen->state.service + (back ? n - 1 : 1)) % n;
	return SCREEN_ADVISE;
}

/* 0, as it comes, then each column. */
static void sort_by_next(struct screen *screen, bool back)
{
	unsigned int n = view_columns(screen->view) + 1;
	unsigned int *sort = &screen->state.sort[screen->view];

	*sort = (*sort + (back ? n - 1 : 1)) % n;
	if (*sort)
		(void)snprintf(screen->message, sizeof(screen->message), "sorted by %s",
			       view_column(screen->view, *sort));
}

static void begin_filter(struct screen *screen)
{
	memcpy(screen->filter_before, screen->state.filter, sizeof(screen->filter_before));
	screen->state.filter[0] = '\0';
	screen->filtering = true;
}

/* Appends a character, if it fits whole. */
static void filter_type(struct screen *screen, uint32_t c)
{
	char *filter = screen->state.filter;
	size_t length = strlen(filter);
	char bytes[5] = "";

	if (c < 0x20 || c == 0x7f || c > 0x10ffff)
		return;
	if (c < 0x80) {
		bytes[0] = (char)c;
	} else if (c < 0x800) {
		bytes[0] = (char)(0xc0 | c >> 6);
		bytes[1] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		bytes[0] = (char)(0xe0 | c >> 12);
		bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[2] = (char)(0x80 | (c & 0x3f));
	} else {
		bytes[0] = (char)(0xf0 | c >> 18);
		bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
		bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[3] = (char)(0x80 | (c & 0x3f));
	}
	if (length + strlen(bytes) < VIEW_FILTER_BYTES)
		memcpy(filter + length, bytes, strlen(bytes) + 1);
}

/* Takes back a character, all of its bytes. */
static void filter_erase(char *filter)
{
	size_t length = strlen(filter);

	while (length > 0 && ((unsigned char)filter[length - 1] & 0xc0) == 0x80)
		length--;
	filter[length ? length - 1 : 0] = '\0';
}

static void handle_filter(struct screen *screen, uint32_t key)
{
	switch (key) {
	case TERM_ENTER:
		screen->filtering = false;
		break;
	case TERM_ESCAPE:
		memcpy(screen->state.filter, screen->filter_before, sizeof(screen->filter_before));
		screen->filtering = false;
		break;
	case TERM_BACKSPACE:
		filter_erase(screen->state.filter);
		break;
	default:
		filter_type(screen, key);
		break;
	}
}

static uint32_t stepped(uint32_t asked, uint32_t now, int by)
{
	uint32_t n = asked ? asked : now;

	if (by < 0)
		return n > 1 ? n - 1 : 1;
	return n < WORKERS_MOST ? n + 1 : n;
}

/* What-if begins at what is there now. */
static void what_if(struct screen *screen, const struct view_input *input, enum action action)
{
	const struct service *service = status_service(input, &screen->state);
	struct advice_opts *opts = &screen->state.what_if;
	uint32_t processes = service && service->workers.processes ? service->workers.processes : 1;
	uint32_t threads = service ? service->workers.count / processes : 1;
	double factor = opts->cpu_factor > 0 ? opts->cpu_factor : 1;

	if (action == ACTION_WORKERS_MORE || action == ACTION_WORKERS_FEWER)
		opts->workers =
			stepped(opts->workers, processes, action == ACTION_WORKERS_MORE ? 1 : -1);
	else if (action == ACTION_THREADS_MORE || action == ACTION_THREADS_FEWER)
		opts->threads = stepped(opts->threads, threads ? threads : 1,
					action == ACTION_THREADS_MORE ? 1 : -1);
	else if (action == ACTION_FACTOR_MORE && factor * FACTOR_STEP <= FACTOR_MOST)
		opts->cpu_factor = factor * FACTOR_STEP;
	else if (action == ACTION_FACTOR_LESS && factor / FACTOR_STEP >= FACTOR_LEAST)
		opts->cpu_factor = factor / FACTOR_STEP;
	else if (action == ACTION_TARGET)
		opts->target = (opts->target + 1) % TARGET_COUNT;
	else if (action == ACTION_AS_IS)
		*opts = (struct advice_opts){.calibrated = opts->calibrated,
					     .simulated = opts->simulated};
}

/* Columns of a tab in the first row: "1 Overview " or, where there is no room for all, "1 ". */
static int tab_width(enum view view, bool titles)
{
	return 3 + (titles ? (int)strlen(view_title(view)) : 0);
}

static bool titles_fit(int width)
{
	int columns = 8;

	for (unsigned int v = 0; v < VIEW_COUNT; v++)
		columns += tab_width((enum view)v, true);
	return columns <= width;
}

#define TABS_AT 7 /* behind the program's name */

/* The view whose tab stands there; VIEW_COUNT: none. */
static enum view tab_at(const struct screen *screen, int column, int width)
{
	bool titles = titles_fit(width);
	int at = TABS_AT;

	for (unsigned int v = 0; v < VIEW_COUNT; v++) {
		int columns = tab_width((enum view)v, titles || v == (unsigned int)screen->view);

		if (column >= at && column < at + columns)
			return (enum view)v;
		at += columns;
	}
	return VIEW_COUNT;
}

/* What the view said a click there means: see view_draw(). */
static int target_at(const struct screen *screen, const struct view_input *input, int row,
		     int column, int height, int width)
{
	struct canvas *canvas = canvas_new(height, width, false);
	int target = 0;

	if (!canvas)
		return 0;
	screen_draw(screen, input, canvas);
	if (row >= 0 && row < height && column >= 0 && column < width)
		target = canvas_cell(canvas, row, column)->target;
	canvas_free(canvas);
	return target;
}

/* A row is selected; a title sorts by its column, once more the other way round. */
static enum screen_request click(struct screen *screen, const struct view_input *input, int target)
{
	unsigned int *sort = &screen->state.sort[screen->view];
	bool *reversed = &screen->state.reversed[screen->view];

	if (target > 0)
		return select_row(screen, input, target - 1);
	if (target < 0) {
		*reversed = *sort == (unsigned int)-target && !*reversed;
		*sort = (unsigned int)-target;
	}
	return SCREEN_NOTHING;
}

static enum screen_request handle_mouse(struct screen *screen, const struct view_input *input,
					const struct term_event *event, int height, int width)
{
	enum view view;

	if (event->key == TERM_WHEEL_UP)
		return move(screen, input, -1);
	if (event->key == TERM_WHEEL_DOWN)
		return move(screen, input, 1);
	if (event->row > 0)
		return click(screen, input,
			     target_at(screen, input, event->row, event->column, height, width));
	view = tab_at(screen, event->column, width);
	if (view != VIEW_COUNT)
		screen->view = view;
	return SCREEN_NOTHING;
}

static enum screen_request act_on_rows(struct screen *screen, const struct view_input *input,
				       enum action action)
{
	switch (action) {
	case ACTION_DOWN:
		return move(screen, input, 1);
	case ACTION_UP:
		return move(screen, input, -1);
	case ACTION_PAGE_DOWN:
		return move(screen, input, PAGE);
	case ACTION_PAGE_UP:
		return move(screen, input, -PAGE);
	case ACTION_FIRST:
		return select_row(screen, input, 0);
	case ACTION_LAST:
		return select_row(screen, input, WORKERS_MOST);
	default:
		return SCREEN_NOTHING;
	}
}

static enum screen_request ask(struct screen *screen, enum action action)
{
	switch (action) {
	case ACTION_QUIT:
		return SCREEN_QUIT;
	case ACTION_SAVE:
		return SCREEN_SAVE;
	case ACTION_FASTER:
		return SCREEN_FASTER;
	case ACTION_SLOWER:
		return SCREEN_SLOWER;
	case ACTION_SEEK_FORWARD:
	case ACTION_SEEK_BACK:
		if (screen->seekable)
			return action == ACTION_SEEK_BACK ? SCREEN_SEEK_BACK : SCREEN_SEEK_FORWARD;
		(void)snprintf(screen->message, sizeof(screen->message),
			       "only a recording can be moved through (ioprof top FILE)");
		return SCREEN_NOTHING;
	default:
		return SCREEN_NOTHING;
	}
}

static enum screen_request act(struct screen *screen, const struct view_input *input,
			       enum action action)
{
	if (action >= ACTION_VIEW_1 && action <= ACTION_VIEW_6)
		screen->view = (enum view)(action - ACTION_VIEW_1);
	else if (action == ACTION_VIEW_NEXT)
		screen->view = (screen->view + 1) % VIEW_COUNT;
	else if (action == ACTION_VIEW_PREVIOUS)
		screen->view = (screen->view + VIEW_COUNT - 1) % VIEW_COUNT;
	else if (action == ACTION_SERVICE_NEXT || action == ACTION_SERVICE_PREVIOUS)
		return next_service(screen, input, action == ACTION_SERVICE_PREVIOUS);
	else if (action == ACTION_FILTER && view_columns(screen->view))
		begin_filter(screen);
	else if (action == ACTION_SORT_NEXT || action == ACTION_SORT_PREVIOUS)
		sort_by_next(screen, action == ACTION_SORT_PREVIOUS);
	else if (action == ACTION_REVERSE)
		screen->state.reversed[screen->view] = !screen->state.reversed[screen->view];
	else if (action == ACTION_PAUSE)
		screen->paused = !screen->paused;
	else if (action == ACTION_HELP)
		screen->help = 1;
	else if (action >= ACTION_WORKERS_MORE && action <= ACTION_AS_IS) {
		what_if(screen, input, action);
		screen->view = VIEW_ADVICE;
		return SCREEN_ADVISE;
	} else if (action >= ACTION_DOWN && action <= ACTION_LAST)
		return act_on_rows(screen, input, action);
	return ask(screen, action);
}

#define HELP_WIDE 120 /* columns from which on the help stands in two */

static int help_columns(int width)
{
	return width >= HELP_WIDE ? 2 : 1;
}

static bool is_help_line(const struct key *key)
{
	return key->group || key->name;
}

/* How many pages the help has in so many rows. */
static unsigned int help_pages(int height, int width)
{
	unsigned int lines = 0,
		     room = (unsigned int)((height > 0 ? height : 1) * help_columns(width));

	for (size_t i = 0; i < N_KEYS; i++)
		lines += is_help_line(&keys[i]);
	return (lines + room - 1) / room;
}

enum screen_request screen_handle(struct screen *screen, const struct view_input *input,
				  const struct term_event *event, int height, int width)
{
	screen->message[0] = '\0';
	if (screen->help) {
		screen->help = screen->help < help_pages(height - 2, width) ? screen->help + 1 : 0;
		return SCREEN_NOTHING;
	}
	if (event->key == TERM_CLICK || event->key == TERM_WHEEL_UP ||
	    event->key == TERM_WHEEL_DOWN)
		return handle_mouse(screen, input, event, height, width);
	if (screen->filtering) {
		handle_filter(screen, event->key);
		/* What is filtered out is no longer selected. */
		return event->key == TERM_ENTER ? move(screen, input, 0) : SCREEN_NOTHING;
	}
	return act(screen, input, action_of(event->key));
}

static void draw_tabs(const struct screen *screen, const struct pane *pane)
{
	bool titles = titles_fit(pane->width);
	int at = TABS_AT;
	const char *about = screen->ended ? "ended" : screen->paused ? "paused" : screen->about;

	(void)pane_print(pane, 0, 0, ROLE_TITLE, "ioprof");
	for (unsigned int v = 0; v < VIEW_COUNT; v++) {
		bool here = v == (unsigned int)screen->view;

		(void)pane_print(pane, 0, at, here ? ROLE_SELECTED : ROLE_KEY, "%u", v + 1);
		if (titles || here)
			(void)pane_print(pane, 0, at + 1, here ? ROLE_SELECTED : ROLE_PLAIN, " %s",
					 view_title((enum view)v));
		at += tab_width((enum view)v, titles || here);
	}
	if (about && at + (int)strlen(about) < pane->width)
		(void)pane_print(pane, 0, pane->width - (int)strlen(about),
				 screen->ended || screen->paused ? ROLE_WARN : ROLE_DIM, "%s",
				 about);
}

static void draw_last_line(const struct screen *screen, const struct pane *pane)
{
	int row = pane->height - 1, at;

	if (screen->help) {
		(void)pane_print(pane, row, 0, ROLE_DIM, "any key goes on");
		return;
	}
	if (screen->filtering) {
		at = pane_print(pane, row, 0, ROLE_KEY, "/");
		at = pane_foreign(pane, row, at, pane->width - at, ROLE_PLAIN,
				  screen->state.filter);
		(void)pane_print(pane, row, at, ROLE_SELECTED, " ");
		return;
	}
	if (screen->message[0]) {
		(void)pane_foreign(pane, row, 0, pane->width, ROLE_TITLE, screen->message);
		return;
	}
	if (screen->ended) {
		(void)pane_print(
			pane, row, 0, ROLE_WARN,
			screen->seekable
				? "End of the recording: [ goes back, q leaves"
				: "The service has ended: this is its last state; q leaves");
		return;
	}
	at = pane_whole(pane, row, 0, ROLE_DIM,
			"? help  q leave  1-6 Tab view  / filter  Space hold  s save");
	if (!at)
		at = pane_print(pane, row, 0, ROLE_DIM, "? help  q leave  Tab view");
	if (screen->state.filter[0] && at + 2 < pane->width) {
		at = pane_print(pane, row, at + 2, ROLE_WARN, "/");
		(void)pane_foreign(pane, row, at, pane->width - at, ROLE_WARN,
				   screen->state.filter);
	}
}

static void draw_help_line(const struct pane *pane, int row, int column, const struct key *key)
{
	if (key->group) {
		(void)pane_print(pane, row, column, ROLE_TITLE, "%s", key->group);
		return;
	}
	(void)pane_print(pane, row, column + 2, ROLE_KEY, "%s", key->name);
	(void)pane_print(pane, row, column + 2 + HELP_NAME_COLUMNS, ROLE_PLAIN, "%s", key->does);
}

static void draw_help(const struct pane *pane, unsigned int page)
{
	int columns = help_columns(pane->width), width = pane->width / columns;
	int at = -(int)(page - 1) * pane->height * columns;

	for (size_t i = 0; i < N_KEYS; i++) {
		if (!is_help_line(&keys[i]))
			continue;
		if (at >= 0 && at < pane->height * columns)
			draw_help_line(pane, at % pane->height, at / pane->height * width,
				       &keys[i]);
		at++;
	}
}

void screen_draw(const struct screen *screen, const struct view_input *input, struct canvas *canvas)
{
	struct pane all = {canvas, 0, 0, canvas->height, canvas->width};
	struct pane body;

	canvas_clear(canvas);
	if (canvas->height < SCREEN_LEAST_HEIGHT || canvas->width < SCREEN_LEAST_WIDTH) {
		(void)pane_wrapped(
			&all, 0, ROLE_WARN,
			"ioprof needs 40 columns and 10 rows: enlarge the window, or q to leave");
		return;
	}
	body = pane_part(&all, 1, 0, canvas->height - 2, canvas->width);
	draw_tabs(screen, &all);
	if (screen->help)
		draw_help(&body, screen->help);
	else
		view_draw(screen->view, &body, input, &screen->state);
	draw_last_line(screen, &all);
}
