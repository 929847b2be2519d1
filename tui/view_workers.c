/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The selected service's threads over time: what each did second by second, and in a line what the
 * pool of them is short of, by the rules of model/pool.h.
 *
 * A cell of a thread's line is a snapshot: idle if the thread was idle for more than half of it,
 * else what it did most. So a starved pool is solid with waiting, an oversubscribed one with run
 * queue, a pool that is too large mostly empty.
 */
#include <math.h>
#include <stdio.h>

#include "kind.h"
#include "model/pool.h"
#include "status.h"
#include "view_draw.h"

enum field { THREAD, TID, CPU, WAIT, RUN_QUEUE, IDLE, HISTORY, FIELD_COUNT };

static const struct column columns[FIELD_COUNT] = {
	[THREAD] = {"THREAD", 12, 100, true, false},   [TID] = {"TID", 7, 60, false, false},
	[CPU] = {"CPU", 6, 90, false, false},	       [WAIT] = {"WAIT", 6, 80, false, false},
	[RUN_QUEUE] = {"RUNQ", 6, 85, false, false},   [IDLE] = {"IDLE", 6, 70, false, false},
	[HISTORY] = {"OVER TIME", 10, 75, true, true},
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

static struct figure text(const struct view_input *input, const struct view_state *state, size_t i,
			  size_t field)
{
	struct figure figure = {.text = ""};

	if (field == HISTORY)
		return figure;
	if (field != TID)
		return figure_percent(value(input, state, i, field));
	(void)snprintf(figure.text, sizeof(figure.text), "%d", (int)lane_at(input, state, i)->tid);
	return figure;
}

/* ---- over time ---- */

static const struct chart_piece idle_look = {1, ROLE_DIM, "\xc2\xb7", "."};
static const struct chart_piece nothing = {1, ROLE_DIM, " ", " "};

/* Of waiting, whatever for: the look of the network, which it mostly is. */
static struct chart_piece look_of(const struct history_share *share)
{
	if (!share->cpu && !share->run_queue && !share->wait && !share->idle)
		return nothing;
	if (share->idle > 127)
		return idle_look;
	if (share->cpu >= share->wait && share->cpu >= share->run_queue)
		return kind_piece(kind_of_part(PART_CPU), 1);
	return kind_piece(
		kind_of_part(share->wait >= share->run_queue ? PART_NETWORK : PART_RUN_QUEUE), 1);
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

static int draw_key(const struct pane *pane, int row, int column, struct chart_piece look,
		    const char *label, double share)
{
	pane_fill(pane, row, column, 1, look.role, look.utf8, look.ascii);
	return pane_print(pane, row, column + 2, ROLE_PLAIN, "%s %s", label,
			  figure_percent(share).text) +
	       2;
}

/* Words, one bar for all threads together, and what its fills mean. Returns the row after it. */
static int draw_pool(const struct pane *pane, const struct service *service)
{
	struct pane words = pane_part(pane, 0, 1, pane->height, pane->width - 2);
	struct chart_piece pieces[] = {kind_piece(kind_of_part(PART_CPU), 0),
				       kind_piece(kind_of_part(PART_NETWORK), 0),
				       kind_piece(kind_of_part(PART_RUN_QUEUE), 0), idle_look};
	struct pool pool;
	char reading[256];
	int row, at;

	derive_pool(service, &pool);
	pieces[0].amount = pool.cpu;
	pieces[1].amount = pool.wait;
	pieces[2].amount = pool.run_queue;
	pieces[3].amount = pool.idle;
	(void)snprintf(reading, sizeof(reading), "%s: %s", pool_state_name(pool.state),
		       pool_state_label(pool.state));
	row = pane_wrapped(&words, 0, state_role(pool.state), reading);
	if (pane->height < 8)
		return row;
	chart_stack(pane, row, 1, pane->width - 2, pieces, 4);
	at = draw_key(pane, row + 1, 1, pieces[0], "CPU", pool.cpu);
	at = draw_key(pane, row + 1, at, pieces[1], "wait", pool.wait);
	at = draw_key(pane, row + 1, at, pieces[2], "run queue", pool.run_queue);
	(void)draw_key(pane, row + 1, at, pieces[3], "idle", pool.idle);
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
	listing_draw(&view_workers_listing, VIEW_WORKERS, &table, input, state);
	if (service->lanes_left_out && table.height > 2)
		(void)pane_print(pane, pane->height - 1, 1, ROLE_DIM, "and %s threads less busy",
				 figure_count(service->lanes_left_out).text);
}
