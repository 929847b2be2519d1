/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The selected service's threads over time: what each did in each interval, and in a line what the
 * pool of them is short of, by the rules of model/pool.h.
 *
 * A cell of a thread's line is a snapshot: what the thread did most while it was not idle, in a
 * lighter fill if it was idle for half of the time or more, as idle if for nine tenths. So a
 * starved pool is solid with waiting, an oversubscribed one with run queue, one that is too large
 * empty.
 */
#include <math.h>
#include <stdio.h>

#include "model/derive.h"
#include "model/pool.h"
#include "chart.h"
#include "status.h"
#include "view_draw.h"

enum field { THREAD, TID, SERVES, CPU, WAIT, RUN_QUEUE, IDLE, HISTORY, FIELD_COUNT };

static const struct column columns[FIELD_COUNT] = {
	[THREAD] = {"THREAD", 12, 15, 100, true}, [TID] = {"TID", 7, 0, 60, false},
	[SERVES] = {"SERVES", 6, 0, 35, true},	  [CPU] = {"CPU", 6, 0, 90, false},
	[WAIT] = {"WAIT", 6, 0, 80, false},	  [RUN_QUEUE] = {"RUNQ", 6, 0, 85, false},
	[IDLE] = {"IDLE", 6, 0, 70, false},	  [HISTORY] = {"OVER TIME", 10, 1000, 75, true},
};

static const struct lane *lane_at(const struct view_input *input, const struct view_state *state,
				  size_t i)
{
	return &status_service(input, state)->lanes[i];
}

static size_t count(const struct view_input *input, const struct view_state *state)
{
	const struct service *service = status_service(input, state);

	return service ? service->n_lanes : 0;
}

static const char *name(const struct view_input *input, const struct view_state *state, size_t i)
{
	return lane_at(input, state, i)->name;
}

static double value(const struct view_input *input, const struct view_state *state, size_t i,
		    size_t field)
{
	const struct lane *lane = lane_at(input, state, i);
	uint64_t all = lane->cpu_ns + lane->wait_ns + lane->run_queue_ns + lane->idle_ns;
	double whole = all ? (double)all : NAN;

	switch (field) {
	case TID:
		return (double)lane->tid;
	case SERVES:
		return lane->serving + lane->loop;
	case CPU:
		return (double)lane->cpu_ns / whole;
	case WAIT:
		return (double)lane->wait_ns / whole;
	case RUN_QUEUE:
		return (double)lane->run_queue_ns / whole;
	case IDLE:
		return (double)lane->idle_ns / whole;
	default:
		return NAN;
	}
}

/* What a thread has to do with requests. */
static const char *duty_of(const struct view_input *input, const struct view_state *state,
			   const struct lane *lane)
{
	enum concurrency model = derive_concurrency(status_service(input, state));

	if (lane->loop)
		return "loop";
	if (lane->serving)
		return "worker";
	return model == CONCURRENCY_EVENT_LOOP_THREADS && lane->cpu_ns ? "pool" : "-";
}

static struct figure text(const struct view_input *input, const struct view_state *state, size_t i,
			  size_t field)
{
	const struct lane *lane = lane_at(input, state, i);
	struct figure figure = {.text = ""};

	switch (field) {
	case TID:
		(void)snprintf(figure.text, sizeof(figure.text), "%d", (int)lane->tid);
		return figure;
	case SERVES:
		(void)snprintf(figure.text, sizeof(figure.text), "%s", duty_of(input, state, lane));
		return figure;
	case HISTORY:
		return figure;
	default:
		return figure_percent(value(input, state, i, field));
	}
}

/* ---- over time ---- */

/* What a thread does: a fill for most of the time, and one for less than half of it. */
enum activity { RUNNING, WAITING, RUNNABLE, IDLING, ACTIVITY_COUNT };

static const struct {
	const char *label;
	struct chart_piece most, some;
} activities[ACTIVITY_COUNT] = {
	[RUNNING] = {"CPU", {1, ROLE_RUN, "\xe2\x96\x88", "#"}, {1, ROLE_RUN, "\xe2\x96\x84", "+"}},
	[WAITING] = {"wait",
		     {1, ROLE_WAIT, "\xe2\x96\x92", "W"},
		     {1, ROLE_WAIT, "\xe2\x96\x91", "w"}},
	[RUNNABLE] = {"run queue",
		      {1, ROLE_QUEUE, "\xe2\x96\x93", "R"},
		      {1, ROLE_QUEUE, "\xe2\x96\x9a", "r"}},
	[IDLING] = {"idle", {1, ROLE_DIM, "\xc2\xb7", "."}, {1, ROLE_DIM, "\xc2\xb7", "."}},
};

/* At least so much of its time, in 1/255, or a thread counts as idle. */
#define NOT_IDLE 25

static struct chart_piece look_of(const struct history_share *share)
{
	static const struct chart_piece not_observed = {1, ROLE_DIM, " ", " "};
	const unsigned int shares[] = {share->cpu, share->wait, share->run_queue};
	unsigned int busy = shares[RUNNING] + shares[WAITING] + shares[RUNNABLE];
	enum activity most = RUNNING;

	if (!busy && !share->idle)
		return not_observed;
	for (enum activity i = RUNNING; i < IDLING; i++)
		most = shares[i] > shares[most] ? i : most;
	if (busy < NOT_IDLE)
		return activities[IDLING].most;
	return busy > 127 ? activities[most].most : activities[most].some;
}

static const struct history_lane *history_of(const struct view_input *input,
					     const struct view_state *state, size_t i)
{
	const struct lane *lane = lane_at(input, state, i);
	size_t position = (size_t)(status_service(input, state) - input->s->services);
	const struct history_service *service = &input->history->services[position];

	for (size_t k = 0; k < service->n_lanes; k++) {
		if (service->lanes[k].tid == lane->tid &&
		    service->lanes[k].start_time == lane->start_time)
			return &service->lanes[k];
	}
	return NULL;
}

/* The newest on the right. */
static void draw_over_time(const struct pane *pane, int row, int column, int width,
			   const struct view_input *input, const struct view_state *state, size_t i)
{
	const struct history_lane *lane = input->history ? history_of(input, state, i) : NULL;

	for (int c = 0; lane && c < width && c < HISTORY_MOST; c++) {
		struct chart_piece look = look_of(&lane->shares[HISTORY_MOST - 1 - c]);

		pane_fill(pane, row, column + width - 1 - c, 1, look.role, look.utf8, look.ascii);
	}
}

const struct listing view_workers_listing = {columns, FIELD_COUNT, count,	  name,
					     value,   text,	   draw_over_time};

/* ---- the pool ---- */

static enum role state_role(enum pool_state state)
{
	switch (state) {
	case POOL_OVERSUBSCRIBED:
	case POOL_STARVED:
	case POOL_SATURATED:
		return ROLE_BAD;
	case POOL_BALANCED:
		return ROLE_GOOD;
	default:
		return ROLE_WARN;
	}
}

/* Words, one bar for all threads together, and what its fills mean. Returns the row after it. */
static int draw_pool(const struct pane *pane, const struct service *service)
{
	struct pane words = pane_part(pane, 0, 1, pane->height, pane->width - 2);
	struct chart_piece pieces[ACTIVITY_COUNT];
	struct pool pool;
	char reading[256];
	int row, at = 1;

	derive_pool(service, &pool);
	(void)snprintf(reading, sizeof(reading), "%s: %s", pool_state_name(pool.state),
		       pool_state_label(pool.state));
	row = pane_wrapped(&words, 0, state_role(pool.state), reading);
	if (pane->height < 8)
		return row;
	for (enum activity i = RUNNING; i < ACTIVITY_COUNT; i++) {
		const double shares[] = {pool.cpu, pool.wait, pool.run_queue, pool.idle};
		struct chart_piece most = activities[i].most, some = activities[i].some;
		int after;

		pieces[i] = most;
		pieces[i].amount = shares[i];
		after = pane_whole(pane, row + 1, at + 3, ROLE_PLAIN, "%s %s", activities[i].label,
				   figure_percent(shares[i]).text);
		if (after == at + 3)
			continue;
		pane_fill(pane, row + 1, at, 1, most.role, most.utf8, most.ascii);
		pane_fill(pane, row + 1, at + 1, 1, some.role, some.utf8, some.ascii);
		at = after + 2;
	}
	chart_stack(pane, row, 1, pane->width - 2, pieces, ACTIVITY_COUNT);
	return row + 3;
}

void view_workers_draw(const struct pane *pane, const struct view_input *input,
		       const struct view_state *state)
{
	const struct service *service = status_service(input, state);
	struct pane table;

	if (!service) {
		(void)status_expect_requests(pane, 0, input, state);
		return;
	}
	if (!service->n_lanes) {
		(void)pane_print(pane, 0, 1, ROLE_PLAIN, "%s",
				 service->n_pids ? "No thread observed yet: wait for an interval."
						 : "All processes have ended.");
		return;
	}
	table = pane_part(pane, draw_pool(pane, service), 0, pane->height, pane->width);
	if (service->lanes_left_out)
		table.height -= table.height > 2;
	listing_draw(&view_workers_listing, VIEW_WORKERS, &table, input, state);
	if (service->lanes_left_out && table.height > 2)
		(void)pane_print(pane, pane->height - 1, 1, ROLE_DIM, "and %s threads less busy",
				 figure_count(service->lanes_left_out).text);
}
