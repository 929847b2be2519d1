/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/dashboard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/output_file.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "model/history.h"
#include "report/report.h"
#include "screen.h"
#include "term.h"

/* Figures are of so much time: long enough for rates and percentiles to stand still. */
#define SHOWN_NS (10 * CLOCK_NS_PER_S)
#define RECENT_MOST 64
/* Advice is found anew so often, and simulated with so many requests: it takes a part of a second,
 * and the screen is to take none to speak of. */
#define ADVICE_NS (15 * CLOCK_NS_PER_S)
#define ADVICE_OPEN_NS (5 * CLOCK_NS_PER_S)
#define SIMULATED 3000
/* A terminal that has not read the last frame is tried again after this. */
#define RETRY_NS (CLOCK_NS_PER_S / 10)
#define SEEK 10

static const uint64_t intervals_ms[] = {250, 500, 1000, 2000, 5000, 10000, 30000, 60000};
#define N_INTERVALS (sizeof(intervals_ms) / sizeof(*intervals_ms))

struct dashboard {
	const struct dashboard_opts *opts;
	struct watch own; /* of a recording; a live one brings its own */
	struct watch *watch;
	struct term *term;
	struct canvas *canvas;
	struct screen screen;
	char about[48];
	struct snapshot *recent[RECENT_MOST]; /* the last ones, newest last */
	size_t n_recent;
	struct snapshot *shown; /* their sum */
	struct snapshot *total; /* of all */
	struct history *history;
	struct advice **advice; /* of each service of shown */
	struct advice_curve curve;
	size_t n_advice;
	uint64_t advised_ns, due_ns, interval_ns;
	bool unshown; /* something has changed since the last frame */
	bool over;    /* left */
	const char *cause;
};

static void forget_advice(struct dashboard *d)
{
	for (size_t i = 0; i < d->n_advice; i++)
		advice_free(d->advice[i]);
	free(d->advice);
	d->advice = NULL;
	d->n_advice = 0;
	d->curve.n_points = 0;
}

/* Everything that was seen: before a recording is shown from another place. */
static void forget(struct dashboard *d)
{
	while (d->n_recent)
		snapshot_free(d->recent[--d->n_recent]);
	snapshot_free(TAKE(d->shown));
	snapshot_free(TAKE(d->total));
	history_free(TAKE(d->history));
	forget_advice(d);
}

static void dashboard_done(struct dashboard *d)
{
	term_close(TAKE(d->term));
	canvas_free(d->canvas);
	if (d->watch == &d->own)
		watch_close(&d->own);
	forget(d);
}

static struct view_input input_of(const struct dashboard *d)
{
	bool whole = d->shown && d->history && d->history->n_services == d->shown->n_services;

	return (struct view_input){
		.s = d->shown,
		.history = whole ? d->history : NULL,
		.advice = d->shown && d->n_advice == d->shown->n_services
				  ? (const struct advice *const *)d->advice
				  : NULL,
		.curve = d->curve.n_points ? &d->curve : NULL,
	};
}

static int copy_snapshot(const struct snapshot *from, struct snapshot **ret_copy)
{
	_cleanup_(snapshot_freep) struct snapshot *copy = snapshot_new(from->n_services);
	int r;

	if (!copy)
		return -ENOMEM;
	copy->start_unix_ns = from->start_unix_ns;
	copy->cost_known = from->cost_known;
	r = snapshot_merge(copy, from);
	if (r == 0)
		*ret_copy = TAKE(copy);
	return r;
}

/* Adds to a sum that begins with the first. */
static int add_up(struct snapshot **sum, const struct snapshot *s)
{
	return *sum ? snapshot_merge(*sum, s) : copy_snapshot(s, sum);
}

/* The sum of the recent snapshots, without those that are older than what is shown. */
static int sum_up(struct dashboard *d)
{
	_cleanup_(snapshot_freep) struct snapshot *sum = NULL;
	uint64_t ns = 0;
	size_t first = d->n_recent;
	int r = 0;

	while (first > 0 && (ns < SHOWN_NS || first == d->n_recent))
		ns += d->recent[--first]->duration_ns;
	for (size_t i = 0; i < first; i++)
		snapshot_free(d->recent[i]);
	d->n_recent -= first;
	memmove(d->recent, d->recent + first, d->n_recent * sizeof(struct snapshot *));
	for (size_t i = 0; i < d->n_recent && r == 0; i++)
		r = add_up(&sum, d->recent[i]);
	if (r < 0)
		return r;
	snapshot_free(d->shown);
	d->shown = TAKE(sum);
	(void)snprintf(d->about, sizeof(d->about), "last %.3g s",
		       (double)d->shown->duration_ns / (double)CLOCK_NS_PER_S);
	return 0;
}

/* Takes in the next snapshot, which becomes the dashboard's own. */
static int take_snapshot(struct dashboard *d, struct snapshot *s)
{
	int r;

	if (d->n_recent == RECENT_MOST) {
		snapshot_free(d->recent[0]);
		memmove(d->recent, d->recent + 1, --d->n_recent * sizeof(struct snapshot *));
	}
	d->recent[d->n_recent++] = s;
	if (!d->history)
		d->history = history_new(s->n_services);
	if (!d->history)
		return -ENOMEM;
	r = history_add(d->history, s);
	if (r == 0 || r == -ENOMEM) /* what a picture lacks is no reason to end */
		r = add_up(&d->total, s);
	if (r == 0)
		r = sum_up(d);
	d->unshown = true;
	return r;
}

static int advise(struct dashboard *d)
{
	struct advice_opts opts = d->screen.state.what_if;
	size_t n = d->total ? d->total->n_services : 0;
	int r = 0;

	d->advised_ns = clock_monotonic_ns();
	d->unshown = true;
	forget_advice(d);
	if (n == 0 || d->opts->what_if->no_advice)
		return 0;
	d->advice = calloc(n, sizeof(struct advice *));
	if (!d->advice)
		return -ENOMEM;
	opts.simulated = SIMULATED / n ? SIMULATED / n : 1;
	for (d->n_advice = 0; d->n_advice < n && r == 0; d->n_advice++)
		r = advice_service(d->total, d->n_advice, &opts, &d->advice[d->n_advice]);
	if (r == 0 && d->screen.state.service < n)
		r = advice_curve(d->total, d->screen.state.service, &opts, &d->curve);
	return r;
}

/* Finds advice if that of before has grown old: at first, when it is of half of what there is. */
static int advise_in_time(struct dashboard *d)
{
	uint64_t age_ns = clock_monotonic_ns() - d->advised_ns;
	uint64_t old_ns = d->screen.view == VIEW_ADVICE ? ADVICE_OPEN_NS : ADVICE_NS;

	if (d->screen.paused || !d->total)
		return 0;
	if (old_ns > d->total->duration_ns / 2)
		old_ns = d->total->duration_ns / 2;
	return age_ns < old_ns ? 0 : advise(d);
}

static int read_live(struct dashboard *d)
{
	int r = observation_read(d->opts->observation);

	d->over = d->over || d->opts->observation->too_costly;
	/* While the picture is held, what is seen adds up in the observation. */
	if (r < 0 || d->screen.paused || !d->opts->observation->unreported)
		return r;
	return take_snapshot(d, TAKE(d->opts->observation->unreported));
}

static int read_recording(struct dashboard *d)
{
	struct snapshot *s = NULL;
	int r;

	if (d->screen.paused || d->screen.ended)
		return 0;
	r = d->opts->recording->next(d->opts->recording->ctx, &s);
	if (r == 0) {
		d->screen.ended = d->unshown = true;
		return 0;
	}
	return r < 0 ? r : take_snapshot(d, s);
}

static int seek(struct dashboard *d, long by)
{
	int r;

	/* The history is of what was passed through: it begins anew. */
	forget(d);
	d->screen.ended = false;
	r = d->opts->recording->seek(d->opts->recording->ctx, by);
	return r < 0 ? r : read_recording(d);
}

/* "ioprof-20261122-153000.json" in the current directory. */
static void save(struct dashboard *d)
{
	_cleanup_free_ char *text = NULL;
	const struct json_opts opts = {.advice = &d->screen.state.what_if};
	char path[64], *message = d->screen.message;
	size_t size = 0, room = sizeof(d->screen.message);
	time_t now = time(NULL);
	_cleanup_close_ int fd = -1;
	struct tm local;
	FILE *memory;
	int r;

	if (!d->shown)
		return;
	(void)localtime_r(&now, &local);
	(void)strftime(path, sizeof(path), "ioprof-%Y%m%d-%H%M%S.json", &local);
	memory = open_memstream(&text, &size);
	r = memory ? report_json(memory, d->shown, &opts) : -ENOMEM;
	if (memory && fclose(memory) != 0 && r == 0)
		r = -ENOMEM;
	if (r == 0)
		r = output_file_create(path, OUTPUT_FILE_PRIVATE, &fd);
	if (r == 0)
		r = output_file_write(fd, text, size);
	if (r == 0)
		(void)snprintf(message, room, "saved in %s", path);
	else
		(void)snprintf(message, room, "cannot save '%s': %s", path, output_file_explain(r));
}

static void change_interval(struct dashboard *d, bool faster)
{
	uint64_t ms = d->interval_ns / 1000000, next = ms;

	for (size_t i = 0; i < N_INTERVALS; i++) {
		if (faster && intervals_ms[i] < ms)
			next = intervals_ms[i];
		if (!faster && intervals_ms[i] > ms) {
			next = intervals_ms[i];
			break;
		}
	}
	d->interval_ns = next * 1000000;
	(void)snprintf(d->screen.message, sizeof(d->screen.message), "every %.3g s",
		       (double)next / 1000);
}

static int serve_request(struct dashboard *d, enum screen_request request)
{
	switch (request) {
	case SCREEN_QUIT:
		d->over = true;
		return 0;
	case SCREEN_SAVE:
		save(d);
		return 0;
	case SCREEN_FASTER:
	case SCREEN_SLOWER:
		change_interval(d, request == SCREEN_FASTER);
		return 0;
	case SCREEN_SEEK_FORWARD:
		return seek(d, SEEK);
	case SCREEN_SEEK_BACK:
		return seek(d, -SEEK);
	case SCREEN_ADVISE:
		return advise(d);
	default:
		return 0;
	}
}

/* Everything the user has done since. */
static int handle_input(struct dashboard *d)
{
	struct view_input input;
	struct term_event event;
	int height, width, r;

	while ((r = term_event(d->term, &event)) > 0) {
		input = input_of(d);
		term_size(d->term, &height, &width);
		r = serve_request(d, screen_handle(&d->screen, &input, &event, height, width));
		if (r < 0)
			return r;
		d->unshown = true;
	}
	if (r == -EIO) { /* nobody is there to see it */
		d->over = true;
		return 0;
	}
	return r;
}

static void show_message(struct dashboard *d)
{
	const char *message = term_message(d->term);

	if (!*message)
		return;
	(void)snprintf(d->screen.message, sizeof(d->screen.message), "%s", message);
	d->unshown = true;
}

/* A canvas of the terminal's size. */
static int fit_canvas(struct dashboard *d)
{
	int height, width;

	term_size(d->term, &height, &width);
	if (d->canvas && d->canvas->height == height && d->canvas->width == width)
		return 0;
	d->unshown = true;
	canvas_free(d->canvas);
	d->canvas = canvas_new(height, width, term_utf8(d->term));
	return d->canvas ? 0 : -ENOMEM;
}

static int show(struct dashboard *d)
{
	struct view_input input = input_of(d);
	int r;

	show_message(d);
	r = fit_canvas(d);
	if (r < 0 || !d->unshown)
		return r;
	screen_draw(&d->screen, &input, d->canvas);
	d->unshown = !term_show(d->term, d->canvas);
	return 0;
}

static int read_if_due(struct dashboard *d)
{
	uint64_t now = clock_monotonic_ns();
	int r;

	if (now < d->due_ns || (d->screen.ended && d->opts->observation))
		return 0;
	r = d->opts->observation ? read_live(d) : read_recording(d);
	if (r == 0)
		r = advise_in_time(d);
	d->due_ns = clock_monotonic_ns() + d->interval_ns;
	return r;
}

/* The service is gone: its last figures stay on the screen. */
static int take_end(struct dashboard *d)
{
	int r = observation_process_ended(d->opts->observation);

	if (r != 0)
		return r < 0 ? r : 0;
	d->screen.paused = false;
	r = read_live(d);
	d->screen.ended = d->unshown = true;
	return r < 0 ? r : advise(d);
}

static int handle_event(struct dashboard *d, enum watch_event event)
{
	switch (event) {
	case WATCH_SIGNAL:
	case WATCH_READER_CLOSED:
		d->over = true;
		return 0;
	case WATCH_PROCESS_ENDED:
		return take_end(d);
	default:
		return 0;
	}
}

static int wait_for_event(struct dashboard *d, enum watch_event *ret_event)
{
	if (d->watch == &d->own)
		return watch_wait(d->watch, ret_event);
	return observation_wait(d->opts->observation, ret_event);
}

static int run(struct dashboard *d)
{
	enum watch_event event;
	uint64_t wake_ns;
	int r = 0;

	while (r == 0 && !d->over) {
		r = read_if_due(d);
		if (r == 0)
			r = handle_input(d);
		if (r == 0 && !d->over)
			r = show(d);
		if (r < 0 || d->over)
			break;
		wake_ns = d->due_ns;
		if (d->unshown && wake_ns > clock_monotonic_ns() + RETRY_NS)
			wake_ns = clock_monotonic_ns() + RETRY_NS;
		if (d->screen.ended && !d->unshown)
			wake_ns = 0;
		r = watch_set_alarm(d->watch, wake_ns);
		if (r == 0)
			r = wait_for_event(d, &event);
		if (r == 0)
			r = handle_event(d, event);
	}
	return r;
}

static int start(struct dashboard *d)
{
	int fds[TERM_FDS], r = 0;

	d->watch = d->opts->observation ? &d->opts->observation->watch : &d->own;
	if (d->watch == &d->own)
		r = watch_open(&d->own);
	d->cause = "cannot take over the terminal";
	if (r == 0)
		r = term_open(&d->term);
	if (r < 0)
		return r;
	term_fds(d->term, fds);
	for (int i = 0; i < TERM_FDS && r == 0; i++)
		r = watch_add_other(d->watch, fds[i]);
	d->cause = "cannot go on";
	return r;
}

bool dashboard_possible(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

int dashboard_run(const struct dashboard_opts *opts, const char **ret_cause)
{
	_cleanup_(dashboard_done) struct dashboard d = {
		.opts = opts,
		.own = WATCH_NONE,
		.interval_ns = opts->interval_ns ? opts->interval_ns : CLOCK_NS_PER_S,
		.unshown = true,
	};
	int r;

	d.screen.about = d.about;
	d.screen.seekable = opts->recording != NULL;
	(void)what_if_opts(opts->what_if, 1, d.interval_ns, &d.screen.state.what_if);
	r = start(&d);
	if (r == 0)
		r = run(&d);
	if (opts->observation && d.total) {
		/* What has been taken from it goes back, for the report. */
		if (opts->observation->unreported &&
		    snapshot_merge(d.total, opts->observation->unreported) < 0 && r == 0)
			r = -ENOMEM;
		snapshot_free(opts->observation->unreported);
		opts->observation->unreported = TAKE(d.total);
	}
	*ret_cause = d.cause;
	return r;
}
