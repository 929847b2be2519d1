/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "waterfall.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kind.h"
#include "report/figure.h"

/* Which of the sampled requests are shown, by nearest rank; the first ones first if not all fit. */
static const struct choice {
	const char *name;
	double q;
} choices[] = {{"median", 0.5}, {"p99", 0.99}, {"slowest", 1}, {"p90", 0.9},
	       {"p75", 0.75},	{"p25", 0.25}, {"p95", 0.95},  {"fastest", 0}};
#define N_CHOICES (sizeof(choices) / sizeof(choices[0]))

#define LABEL_WIDTH 18
#define STEPS_LEAST 8 /* rows that steps are readable in */

static uint64_t queue_ns(const struct trace *trace)
{
	return trace->queue_wait_ns == TRACE_NOT_KNOWN ? 0 : trace->queue_wait_ns;
}

static uint64_t latency_ns(const struct trace *trace)
{
	return queue_ns(trace) + trace->wall_ns;
}

/* Requests by rising latency. */
struct ranked {
	const struct trace *trace;
	uint64_t ns;
};

static int compare(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->ns != b->ns)
		return a->ns > b->ns ? 1 : -1;
	return (a->trace->key > b->trace->key) - (a->trace->key < b->trace->key);
}

/* The rank of a quantile among n > 0. */
static size_t rank(double q, size_t n)
{
	size_t r = (size_t)ceil(q * (double)n);

	return r ? r - 1 : 0;
}

/* The kind that fills most of the time from..to of a request; KIND_COUNT: none. */
static unsigned int kind_between(const struct trace *trace, double from, double to)
{
	double filled[KIND_COUNT + 1] = {0}, at = (double)queue_ns(trace);
	unsigned int best = KIND_COUNT;

	filled[KIND_QUEUE] = fmax(0, fmin(to, at) - from);
	for (size_t i = 0; i < trace->n_segments && at < to; i++) {
		const struct trace_segment *segment = &trace->segments[i];
		double end = at + (double)segment->ns;

		if (end > from && segment->part < PART_COUNT)
			filled[kind_of_part((enum part)segment->part)] +=
				fmin(to, end) - fmax(from, at);
		at = end;
	}
	for (unsigned int kind = 0; kind < KIND_COUNT; kind++) {
		if (filled[kind] > filled[best])
			best = kind;
	}
	return best;
}

/* A request over width columns that are so many ns each. */
static void draw_request(const struct pane *pane, int row, int column, const struct trace *trace,
			 double ns_per_column)
{
	int columns = (int)ceil((double)latency_ns(trace) / ns_per_column);

	for (int i = 0; i < columns; i++) {
		unsigned int kind = kind_between(trace, i * ns_per_column, (i + 1) * ns_per_column);
		struct chart_piece look;

		if (kind == KIND_COUNT) { /* not kept, or not seen */
			pane_fill(pane, row, column + i, 1, ROLE_DIM, "\xe2\x80\xa6", ">");
			continue;
		}
		look = kind_piece(kind, 1);
		pane_fill(pane, row, column + i, 1, look.role, look.utf8, look.ascii);
	}
}

/* One segment or the queue: what, whom for, how long, and when on the request's own scale. */
static void draw_step(const struct pane *pane, int row, unsigned int kind, const char *peer,
		      double at_ns, double ns, double whole_ns)
{
	int plot = 48, width = pane->width - plot - 1;
	int from = (int)floor(at_ns / whole_ns * width);
	int to = (int)ceil((at_ns + ns) / whole_ns * width);
	struct chart_piece look = kind_piece(kind, 1);

	(void)kind_draw_name(pane, row, 1, kind);
	if (peer)
		(void)pane_foreign(pane, row, 16, 22, ROLE_PLAIN, peer);
	pane_field(pane, row, 38, -8, ROLE_PLAIN, figure_duration(ns / 1e9).text);
	pane_fill(pane, row, plot + from, to > from ? to - from : 1, look.role, look.utf8,
		  look.ascii);
}

/* The duration from which on at most so many segments are as long. */
static uint64_t longest(const struct trace *trace, size_t most)
{
	uint64_t least = 0;

	for (size_t i = 0; i < trace->n_segments; i++) {
		size_t longer = 0;

		for (size_t k = 0; k < trace->n_segments; k++)
			longer += trace->segments[k].ns >= trace->segments[i].ns;
		if (longer > most && trace->segments[i].ns >= least)
			least = trace->segments[i].ns + 1;
	}
	return least;
}

/* The request's segments in order; where there are more than rows the longest of them. */
static void draw_steps(const struct pane *pane, const struct service *service,
		       const struct trace *trace, const char *name)
{
	double whole = fmax((double)latency_ns(trace), 1), at = (double)queue_ns(trace);
	size_t left_out = trace->truncated;
	int row = 1 + (trace->queue_wait_ns != TRACE_NOT_KNOWN);
	uint64_t least = longest(trace, (size_t)(pane->height - row - 1));
	char title[80];

	(void)snprintf(title, sizeof(title), "%s: %s, step by step", name,
		       figure_duration(whole / 1e9).text);
	pane_rule(pane, 0, title);
	if (row == 2)
		draw_step(pane, 1, KIND_QUEUE, NULL, 0, at, whole);
	for (size_t i = 0; i < trace->n_segments; i++) {
		const struct trace_segment *segment = &trace->segments[i];
		const char *peer = segment->peer < service->n_peers
					   ? service->peers[segment->peer].address
					   : NULL;

		if (segment->ns < least || segment->part >= PART_COUNT)
			left_out++;
		else
			draw_step(pane, row++, kind_of_part((enum part)segment->part), peer, at,
				  (double)segment->ns, whole);
		at += (double)segment->ns;
	}
	if (left_out)
		(void)pane_print(pane, row, 1, ROLE_DIM, "and %zu shorter ones", left_out);
}

/* The choices that fit, by rising latency. */
static size_t choose(size_t most, const struct choice **ret_shown)
{
	size_t n = 0;

	for (size_t i = 0; i < N_CHOICES && i < most; i++) {
		size_t at = n++;

		for (; at > 0 && ret_shown[at - 1]->q > choices[i].q; at--)
			ret_shown[at] = ret_shown[at - 1];
		ret_shown[at] = &choices[i];
	}
	return n;
}

static void draw_bars(const struct pane *pane, const struct ranked *sorted, size_t n,
		      const struct choice *const *shown, size_t n_shown)
{
	int width = pane->width - LABEL_WIDTH - 1;
	double longest;

	if (!n_shown || width < 1)
		return;
	longest = (double)sorted[rank(shown[n_shown - 1]->q, n)].ns;
	for (size_t i = 0; i < n_shown; i++) {
		const struct trace *trace = sorted[rank(shown[i]->q, n)].trace;
		int row = (int)i;

		pane_field(pane, row, 1, 7, ROLE_DIM, shown[i]->name);
		pane_field(pane, row, 8, -8, ROLE_PLAIN,
			   figure_duration((double)latency_ns(trace) / 1e9).text);
		draw_request(pane, row, LABEL_WIDTH, trace, fmax(longest, 1) / width);
	}
}

/* Side by side, else one above the other, else that of the slow one alone. */
static void draw_both_steps(const struct pane *pane, const struct service *service,
			    const struct ranked *sorted, size_t n)
{
	struct pane first = *pane, second = *pane;

	if (pane->height < STEPS_LEAST || pane->width < 60)
		return;
	if (pane->width >= 150) {
		first.width = pane->width / 2 - 1;
		second = pane_part(pane, 0, pane->width / 2, pane->height, pane->width);
	} else {
		first.height = pane->height / 2;
		if (first.height >= STEPS_LEAST)
			second = pane_part(pane, first.height, 0, pane->height, pane->width);
	}
	if (first.height >= STEPS_LEAST)
		draw_steps(&first, service, sorted[rank(0.5, n)].trace, "median");
	draw_steps(&second, service, sorted[rank(0.99, n)].trace, "p99");
}

void waterfall_draw(const struct pane *pane, const struct service *service)
{
	const struct choice *shown[N_CHOICES];
	struct ranked *sorted;
	size_t n = service->traces.n, most, n_shown;
	struct pane bars, steps;
	char title[80];

	if (pane->height < 2)
		return;
	if (n == 0) {
		pane_rule(pane, 0, "sampled requests: none in this interval");
		return;
	}
	sorted = calloc(n, sizeof(*sorted));
	if (!sorted)
		return;
	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct ranked){&service->traces.kept[i],
					    latency_ns(&service->traces.kept[i])};
	qsort(sorted, n, sizeof(*sorted), compare);
	most = (size_t)pane->height - 1;
	if (most > 4 && pane->height < 22)
		most = 4;
	n_shown = choose(most, shown);
	(void)snprintf(title, sizeof(title), "of %zu sampled requests", n);
	pane_rule(pane, 0, title);
	bars = pane_part(pane, 1, 0, (int)n_shown, pane->width);
	draw_bars(&bars, sorted, n, shown, n_shown);
	steps = pane_part(pane, (int)n_shown + 2, 0, pane->height, pane->width);
	draw_both_steps(&steps, service, sorted, n);
	free(sorted);
}
