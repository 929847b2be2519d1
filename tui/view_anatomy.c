/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request of the selected service: what its latency is made of, how latencies are spread, and
 * some real requests from their arrival to their end, typical and slow ones.
 */
#include <math.h>
#include <stdio.h>

#include "kind.h"
#include "report/figure.h"
#include "status.h"
#include "table.h"
#include "view_draw.h"
#include "waterfall.h"

#define SIDE_BY_SIDE 130 /* columns from which on the histogram stands beside the table */
#define HISTOGRAM_LEAST 5
#define WATERFALL_LEAST 3

enum field { KIND_NAME, MEAN, P50, P90, P99, SHARE, BAR, FIELD_COUNT };

static const struct column columns[FIELD_COUNT] = {
	[KIND_NAME] = {"PART", 15, 0, 100, true}, [MEAN] = {"MEAN", 8, 0, 90, false},
	[P50] = {"P50", 8, 0, 50, false},	  [P90] = {"P90", 8, 0, 40, false},
	[P99] = {"P99", 8, 0, 80, false},	  [SHARE] = {"SHARE", 7, 0, 60, false},
	[BAR] = {"", 4, 120, 30, true},
};

static void draw_figures(const struct table *table, const struct pane *pane, int row,
			 enum role role, const struct dist *d, double share)
{
	const struct dist none = {0};
	const double q[] = {[P50] = 0.5, [P90] = 0.9, [P99] = 0.99};

	if (!d)
		d = &none;
	table_cell(table, pane, row, MEAN, role,
		   figure_duration(d->count ? dist_mean_s(d) : NAN).text);
	for (size_t i = P50; i <= P99; i++)
		table_cell(table, pane, row, i, role,
			   figure_duration(d->count ? dist_quantile_s(d, q[i]) : NAN).text);
	table_cell(table, pane, row, SHARE, role, figure_percent(share).text);
}

/* The kinds worth a row, most: the largest, in their own order. */
static size_t choose_kinds(const struct service *service, size_t most, unsigned int *ret_kinds)
{
	size_t n = 0;

	for (unsigned int kind = 0; kind < KIND_COUNT; kind++) {
		size_t larger = 0;

		for (unsigned int k = 0; k < KIND_COUNT; k++) {
			double x = kind_mean_s(service, k), mine = kind_mean_s(service, kind);

			larger += x > mine || (x == mine && k < kind);
		}
		if (kind_mean_s(service, kind) > 0 && larger < most)
			ret_kinds[n++] = kind;
	}
	return n;
}

static const struct dist *latency_of(const struct service *service)
{
	return service->latency.count ? &service->latency : &service->service_time;
}

/* Returns how many rows it took. */
static int draw_table(const struct pane *pane, const struct service *service)
{
	struct table table = table_fit(columns, FIELD_COUNT, pane->width);
	unsigned int kinds[KIND_COUNT];
	size_t most = pane->height > 3 ? (size_t)pane->height - 2 : 1;
	size_t n = choose_kinds(service, most, kinds);
	double whole = kind_whole_s(service);
	int row = 1;

	table_header(&table, pane, 0, FIELD_COUNT, false);
	for (size_t i = 0; i < n; i++, row++) {
		double share = kind_mean_s(service, kinds[i]) / whole;
		struct pane name = pane_part(pane, row, table.at[0], 1, table.width[0]);
		struct chart_piece look = kind_piece(kinds[i], 1);

		(void)kind_draw_name(&name, 0, 0, kinds[i]);
		draw_figures(&table, pane, row, ROLE_PLAIN, kind_dist(service, kinds[i]), share);
		if (table.width[BAR])
			chart_bar(pane, row, table.at[BAR], table.width[BAR], look.role, share);
	}
	pane_field(pane, row, table.at[0], table.width[0], ROLE_TITLE,
		   service->latency.count ? "latency" : "service time");
	draw_figures(&table, pane, row, ROLE_TITLE, latency_of(service), 1);
	return row + 1;
}

/* ---- the histogram ---- */

/* Of the durations, how many lie below ns; within a bucket they lie evenly. */
static double below(const struct dist *d, double ns)
{
	double sum = 0;

	for (unsigned int i = 0; i < IOP_BUCKET_COUNT; i++) {
		double from = (double)bucket_floor(i), to = (double)bucket_floor(i + 1);

		if (!dist_bucket(d, i))
			continue;
		if (ns <= from)
			break;
		sum += (double)dist_bucket(d, i) * (ns >= to ? 1 : (ns - from) / (to - from));
	}
	return sum;
}

/* The durations' span, at least a factor of two, so that a logarithmic axis can show it. */
static void span_of(const struct dist *d, double *ret_from, double *ret_to)
{
	double to = (double)(d->max_ns ? d->max_ns : 1), from = to / 2;

	for (unsigned int i = 0; i < IOP_BUCKET_COUNT; i++) {
		if (!dist_bucket(d, i))
			continue;
		from = fmin(from, (double)bucket_floor(i));
		break;
	}
	*ret_from = fmax(from, 1);
	*ret_to = to;
}

/* The quantiles where they lie on the axis; those that would touch another stay away. */
static void draw_quantiles(const struct pane *pane, const struct dist *d, double from, double to)
{
	static const struct {
		const char *name;
		double q;
	} marks[] = {{"p50", 0.5}, {"p99", 0.99}, {"p90", 0.9}};
	int axis = pane->height - 2, taken[3][2];

	pane_fill(pane, axis, 0, pane->width, ROLE_DIM, "\xe2\x94\x80", "-");
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		double s = dist_quantile_s(d, marks[i].q);
		int at = (int)(log(s * 1e9 / from) / log(to / from) * pane->width), length;
		struct figure figure = figure_duration(s);
		char label[48];
		bool free = true;

		at = at < 0 ? 0 : at > pane->width - 1 ? pane->width - 1 : at;
		length = snprintf(label, sizeof(label), "%s %s", marks[i].name, figure.text);
		taken[i][0] = at > pane->width - length ? pane->width - length : at;
		taken[i][1] = taken[i][0] + length;
		for (size_t k = 0; k < i; k++)
			free &= taken[i][1] < taken[k][0] || taken[k][1] < taken[i][0];
		if (!free) {
			taken[i][0] = taken[i][1] = -2;
			continue;
		}
		pane_fill(pane, axis, at, 1, ROLE_KEY, "\xe2\x94\xb4", "+");
		(void)pane_print(pane, axis + 1, taken[i][0], ROLE_KEY, "%s", label);
	}
}

#define HISTOGRAM_MOST 256

static void draw_histogram(const struct pane *pane, const struct service *service)
{
	const struct dist *d = latency_of(service);
	struct pane whole = pane_part(pane, 1, 1, pane->height - 1, pane->width - 2), bars;
	int width = whole.width < HISTOGRAM_MOST ? whole.width : HISTOGRAM_MOST;
	double counts[HISTOGRAM_MOST], from, to, most = 0;

	if (pane->height < 4 || width < 10)
		return;
	whole.width = width;
	bars = pane_part(&whole, 0, 0, whole.height - 2, width);
	span_of(d, &from, &to);
	for (int i = 0; i < width; i++) {
		double x0 = from * pow(to / from, (double)i / width);
		double x1 = from * pow(to / from, (double)(i + 1) / width);

		counts[i] = below(d, i == width - 1 ? INFINITY : x1) - below(d, x0);
		most = fmax(most, counts[i]);
	}
	pane_rule(pane, 0, "how often each latency, logarithmic");
	chart_columns(&bars, ROLE_RUN, counts, (size_t)width, most);
	draw_quantiles(&whole, d, from, to);
}

void view_anatomy_draw(const struct pane *pane, const struct view_input *input,
		       const struct view_state *state)
{
	const struct service *service = status_expect_requests(pane, 0, input, state);
	struct pane left = *pane, right, below_both;
	bool wide = pane->width >= SIDE_BY_SIDE;
	int height, rest;

	if (!service)
		return;
	if (wide)
		left.width = pane->width / 2;
	height = draw_table(&left, service);
	if (wide) {
		height = height < 12 ? 12 : height;
		right = pane_part(pane, 0, left.width + 1, height, pane->width);
	} else {
		rest = pane->height - height - 1;
		right = pane_part(pane, height + 1, 0, rest - WATERFALL_LEAST - 3, pane->width);
		if (right.height > 9)
			right.height = 9;
		if (right.height < HISTOGRAM_LEAST)
			right.height = 0;
		height += 1 + right.height;
	}
	draw_histogram(&right, service);
	below_both = pane_part(pane, height + wide, 0, pane->height, pane->width);
	waterfall_draw(&below_both, service);
}
