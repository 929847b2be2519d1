/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every service in a row; below, the selected one: what its verdict is, what a request of it is
 * made of, how it went over the last minutes.
 */
#include <math.h>
#include <stdio.h>

#include "kind.h"
#include "model/derive.h"
#include "model/pool.h"
#include "status.h"
#include "view_draw.h"

#define DETAIL_HEIGHT 11 /* of what stands below the table, if there is room for it */
#define LEGEND_WIDTH 36
#define GRAPH_LABEL 15	/* columns of what a graph shows, before it */
#define SIDE_BY_SIDE 66 /* columns from which on legend and graphs stand beside each other */

enum field {
	SERVICE,
	RATE,
	IN_FLIGHT,
	P50,
	P99,
	QUEUE,
	CPU,
	WAIT,
	RATIO,
	INTERVAL,
	BUSY,
	REQUESTS,
	VERDICT,
	FIELD_COUNT
};

static const struct column columns[FIELD_COUNT] = {
	[SERVICE] = {"SERVICE", 10, 32, 100, true}, [RATE] = {"REQ/s", 7, 0, 90, false},
	[IN_FLIGHT] = {"FLIGHT", 6, 0, 40, false},  [P50] = {"P50", 7, 0, 60, false},
	[P99] = {"P99", 7, 0, 80, false},	    [QUEUE] = {"QUEUE", 7, 0, 70, false},
	[CPU] = {"CPU", 7, 0, 50, false},	    [WAIT] = {"WAIT", 7, 0, 51, false},
	[RATIO] = {"RATIO", 6, 0, 75, false},	    [INTERVAL] = {"95 %", 14, 0, 30, false},
	[BUSY] = {"BUSY", 7, 0, 20, false},	    [REQUESTS] = {"REQUESTS", 11, 0, 10, false},
	[VERDICT] = {"VERDICT", 17, 0, 65, true},
};

static const struct advice *advice_of(const struct view_input *input, size_t i)
{
	return input->advice ? input->advice[i] : NULL;
}

static size_t count(const struct view_input *input, const struct view_state *state)
{
	(void)state;
	return input->s->n_services;
}

static const char *name(const struct view_input *input, const struct view_state *state, size_t i)
{
	(void)state;
	return input->s->services[i].name;
}

static double quantile(const struct dist *d, double q)
{
	return d->count ? dist_quantile_s(d, q) : NAN;
}

/* All waits of a request, those of an event loop as far as an operation was outstanding. */
static double wait_s(const struct service *service)
{
	double sum = (double)service->overlapped_io_ns / 1e9;

	if (!service->requests.completed)
		return NAN;
	for (int i = 0; i < PART_WAIT_COUNT; i++)
		sum += (double)service->parts[i].sum_ns / 1e9;
	return sum / (double)service->requests.completed;
}

static double value(const struct view_input *input, const struct view_state *state, size_t i,
		    size_t field)
{
	const struct service *service = &input->s->services[i];
	struct blocking blocking;

	(void)state;
	derive_blocking(service, &blocking);
	switch (field) {
	case RATE:
		return derive_rate_per_s(input->s, service);
	case IN_FLIGHT:
		return derive_in_flight(input->s, service);
	case P50:
		return quantile(&service->latency, 0.5);
	case P99:
		return quantile(&service->latency, 0.99);
	case QUEUE:
		return kind_mean_s(service, KIND_QUEUE);
	case CPU:
		return kind_mean_s(service, kind_of_part(PART_CPU));
	case WAIT:
		return wait_s(service);
	case RATIO:
		return blocking.ratio;
	case INTERVAL:
		return blocking.hi - blocking.lo;
	case BUSY:
		return derive_busy_fraction(service);
	case REQUESTS:
		return (double)service->requests.completed;
	case VERDICT:
		return advice_of(input, i) ? (double)advice_of(input, i)->verdict : NAN;
	default:
		return NAN;
	}
}

static struct figure interval(const struct service *service)
{
	struct blocking blocking;
	struct figure figure = {.text = "-"};

	derive_blocking(service, &blocking);
	if (isfinite(blocking.lo))
		(void)snprintf(figure.text, sizeof(figure.text), "%.13s to %.13s",
			       figure_short(blocking.lo).text, figure_short(blocking.hi).text);
	return figure;
}

static struct figure text(const struct view_input *input, const struct view_state *state, size_t i,
			  size_t field)
{
	double x = value(input, state, i, field);
	struct figure figure = {.text = "-"};

	switch (field) {
	case RATE:
	case IN_FLIGHT:
	case RATIO:
		return figure_short(x);
	case INTERVAL:
		return interval(&input->s->services[i]);
	case BUSY:
		return figure_percent(x);
	case REQUESTS:
		return figure_count(input->s->services[i].requests.completed);
	case VERDICT:
		if (advice_of(input, i))
			(void)snprintf(figure.text, sizeof(figure.text), "%s",
				       verdict_name(advice_of(input, i)->verdict));
		return figure;
	default:
		return figure_duration(x);
	}
}

const struct listing view_overview_listing = {columns, FIELD_COUNT, count, name, value, text, NULL};

/* ---- the selected service ---- */

static enum role verdict_role(enum verdict_class verdict)
{
	if (verdict == VERDICT_NOT_ENOUGH_DATA || verdict == VERDICT_BORDERLINE)
		return ROLE_WARN;
	return verdict == VERDICT_DO_NOT_MIGRATE || verdict == VERDICT_ALREADY_ASYNC ? ROLE_PLAIN
										     : ROLE_GOOD;
}

static void draw_gain(const struct pane *pane, int row, int column, const char *label,
		      const struct interval *gain)
{
	if (isfinite(gain->lo))
		(void)pane_whole(pane, row, column, ROLE_PLAIN, "%s %sx (90 %%: %s to %s)", label,
				 figure_number(gain->estimate).text, figure_number(gain->lo).text,
				 figure_number(gain->hi).text);
}

/* What to do, in a line, and what it gains. */
static void draw_verdict(const struct pane *pane, int row, const struct advice *advice)
{
	bool tune;
	int at;

	if (!advice) {
		(void)pane_print(pane, row, 1, ROLE_DIM,
				 "No verdict yet: it follows once enough requests were seen.");
		return;
	}
	tune = advice->verdict == VERDICT_TUNE_WORKERS || advice->verdict == VERDICT_ALREADY_ASYNC;
	at = pane_print(pane, row, 1, verdict_role(advice->verdict), "%s", advice_headline(advice));
	if (advice->verdict == VERDICT_NOT_ENOUGH_DATA) {
		if (advice->n_reasons)
			pane_field(pane, row, at + 1, pane->width - at - 2, ROLE_PLAIN,
				   advice->sentences[0]);
		return;
	}
	draw_gain(pane, row, at + 2, tune ? "more workers:" : "async:",
		  tune ? &advice->tuned_over_now : &advice->async_over_now);
}

static void draw_title(const struct pane *pane, int row, const struct service *service)
{
	int at = pane_foreign(pane, row, 1, pane->width / 2, ROLE_TITLE, service->name) + 2;
	const struct workers *workers = &service->workers;
	struct pool pool;

	derive_pool(service, &pool);
	if (!service->n_pids)
		at = pane_whole(pane, row, at, ROLE_WARN, "all processes have ended; ");
	at = pane_whole(pane, row, at, ROLE_DIM, "%s",
			concurrency_name(derive_concurrency(service)));
	if (pool.state != POOL_UNKNOWN)
		at = pane_whole(pane, row, at, ROLE_DIM, "; %s", pool_state_name(pool.state));
	if (workers->wall_ns)
		(void)pane_whole(pane, row, at, ROLE_DIM, "; %u worker%s busy %s", workers->count,
				 workers->count == 1 ? "" : "s",
				 figure_percent(derive_busy_fraction(service)).text);
}

/* B with its interval and the fraction, in words. */
static void draw_ratio(const struct pane *pane, int row, const struct service *service)
{
	struct blocking b;
	int at;

	derive_blocking(service, &b);
	at = pane_whole(pane, row, 1, ROLE_PLAIN, "blocking ratio %s", figure_number(b.ratio).text);
	if (isfinite(b.lo))
		at = pane_whole(pane, row, at, ROLE_PLAIN, " (95 %%: %s to %s)",
				figure_number(b.lo).text, figure_number(b.hi).text);
	(void)pane_whole(pane, row, at, ROLE_PLAIN, ", blocked fraction %s",
			 figure_number(b.fraction).text);
}

/* The kinds by size, those that hold nothing last. */
static void sort_kinds(const struct service *service, unsigned int *order)
{
	for (unsigned int i = 0; i < KIND_COUNT; i++) {
		unsigned int at = i;

		for (; at > 0 && kind_mean_s(service, order[at - 1]) < kind_mean_s(service, i);
		     at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
}

static void draw_legend(const struct pane *pane, const struct service *service)
{
	unsigned int order[KIND_COUNT];
	double whole = kind_whole_s(service);

	sort_kinds(service, order);
	for (int row = 0; row < pane->height && row < (int)KIND_COUNT; row++) {
		double mean = kind_mean_s(service, order[row]);

		if (!(mean > 0))
			return;
		(void)kind_draw_name(pane, row, 1, order[row]);
		pane_field(pane, row, 17, -8, ROLE_PLAIN, figure_duration(mean).text);
		pane_field(pane, row, 26, -7, ROLE_PLAIN, figure_percent(mean / whole).text);
	}
}

/* ---- the last minutes ---- */

enum graph { GRAPH_RATE, GRAPH_P99, GRAPH_RATIO, GRAPH_BUSY, GRAPH_COUNT };

static double graph_value(const struct history_point *point, enum graph graph)
{
	switch (graph) {
	case GRAPH_RATE:
		return point->rate_per_s;
	case GRAPH_P99:
		return point->p99_s;
	case GRAPH_RATIO:
		return point->ratio;
	default:
		return point->busy_workers;
	}
}

static struct figure graph_text(enum graph graph, double x)
{
	return graph == GRAPH_P99 ? figure_duration(x) : figure_short(x);
}

static void draw_graph(const struct pane *pane, enum graph graph, const struct view_input *input,
		       const struct view_state *state)
{
	static const char *const labels[] = {"req/s", "p99", "ratio", "busy"};
	const struct service *service = status_service(input, state);
	const struct history *history = input->history;
	const struct history_point *points = history->services[service - input->s->services].points;
	double values[HISTORY_MOST], most = graph == GRAPH_BUSY ? service->workers.count : 0;
	struct pane plot = pane_part(pane, 0, GRAPH_LABEL, pane->height, pane->width);
	double last = graph_value(&points[HISTORY_MOST - 1], graph);

	for (size_t i = 0; i < history->n; i++) {
		values[i] = graph_value(&points[HISTORY_MOST - history->n + i], graph);
		if (values[i] > most)
			most = values[i];
	}
	pane_field(pane, 0, 0, 6, ROLE_DIM, labels[graph]);
	pane_field(pane, 0, 6, -8, ROLE_PLAIN, graph_text(graph, last).text);
	if (pane->height > 1 && history->n > 1) {
		pane_field(pane, 1, 0, 6, ROLE_DIM, "most");
		pane_field(pane, 1, 6, -8, ROLE_DIM, graph_text(graph, most).text);
	}
	chart_columns(&plot, graph == GRAPH_RATE || graph == GRAPH_BUSY ? ROLE_RUN : ROLE_WAIT,
		      values, history->n, most);
}

static void draw_graphs(const struct pane *pane, const struct view_input *input,
			const struct view_state *state)
{
	int height = pane->height / GRAPH_COUNT;

	if (!input->history || !input->history->n || pane->width < 20)
		return;
	height = height < 1 ? 1 : height > 8 ? 8 : height;
	for (int i = 0; i < GRAPH_COUNT; i++) {
		struct pane part = pane_part(pane, i * height, 0, height, pane->width);

		draw_graph(&part, (enum graph)i, input, state);
	}
}

/* How far back the graphs reach, above them. */
static void draw_span(const struct pane *pane, int row, const struct view_input *input)
{
	int shown = pane->width - LEGEND_WIDTH - 1 - GRAPH_LABEL;
	const struct history *history = input->history;
	double sum = 0;
	char span[40];

	if (!history || history->n < 2 || pane->width < 80)
		return;
	for (int i = 0; i < shown && i < (int)history->n; i++)
		sum += history->duration_s[HISTORY_MOST - 1 - i];
	(void)snprintf(span, sizeof(span), "last %s", figure_duration(sum).text);
	pane_field(pane, row, pane->width - 13, -12, ROLE_DIM, span);
}

static void draw_detail(const struct pane *pane, const struct view_input *input,
			const struct view_state *state)
{
	const struct service *service = status_service(input, state);
	struct pane legend, graphs;
	int row = 0;

	if (pane->height >= 4)
		draw_title(pane, row++, service);
	if (!status_expect_requests(pane, row, input, state))
		return;
	draw_verdict(pane, row++, advice_of(input, (size_t)(service - input->s->services)));
	if (pane->height >= 8) {
		draw_span(pane, row, input);
		draw_ratio(pane, row++, service);
	}
	kind_draw_stack(pane, row++, 1, pane->width - 2, service);
	legend = pane_part(pane, row, 0, pane->height, LEGEND_WIDTH);
	graphs = pane_part(pane, row, LEGEND_WIDTH, pane->height, pane->width - LEGEND_WIDTH - 1);
	if (pane->width < SIDE_BY_SIDE) {
		legend.width = pane->width;
		graphs = pane_part(pane, row + 6, 1, pane->height, pane->width - 2);
		legend.height = legend.height < 5 ? legend.height : 5;
	}
	draw_legend(&legend, service);
	draw_graphs(&graphs, input, state);
}

void view_overview_draw(const struct pane *pane, const struct view_input *input,
			const struct view_state *state)
{
	int services = input->s ? (int)input->s->n_services : 0;
	int height = pane->height - 1 - DETAIL_HEIGHT; /* of the table, a space below it */
	struct pane table, detail;

	if (!services) {
		(void)status_expect_requests(pane, 0, input, state);
		return;
	}
	height = height < pane->height / 3 ? pane->height / 3 : height;
	height = height < services + 1 ? height : services + 1;
	table = pane_part(pane, 0, 0, height < 2 ? 2 : height, pane->width);
	listing_draw(&view_overview_listing, VIEW_OVERVIEW, &table, input, state);
	detail = pane_part(pane, table.height + (pane->height >= 14), 0, pane->height, pane->width);
	if (detail.height > 0)
		draw_detail(&detail, input, state);
}
