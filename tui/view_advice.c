/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What to do about the selected service: the verdict, what each change gains and how sure that is,
 * why, the nearest published case, and throughput and latency over load for the service as it is,
 * with tuned workers, and async. The what-if the figures answer is always shown.
 */
#include <math.h>
#include <stdio.h>

#include "chart.h"
#include "report/figure.h"
#include "status.h"
#include "view_draw.h"

#define SIDE_BY_SIDE 130 /* columns from which on the charts stand beside the words */
#define CHART_LEAST 6
#define CHART_HIGHEST 20

/* ---- the gains ---- */

struct gain_row {
	const char *label;
	const struct interval *gain;
	enum role role;
};

/* What the scale ends at: all of the intervals, but no more than twice the largest estimate, so
 * that one without a bound worth the name does not squeeze the others. */
static double most_of(const struct gain_row *rows, size_t n)
{
	double most = 0, estimate = 0;

	for (size_t i = 0; i < n; i++) {
		if (isfinite(rows[i].gain->hi))
			most = fmax(most, rows[i].gain->hi);
		if (isfinite(rows[i].gain->estimate))
			estimate = fmax(estimate, rows[i].gain->estimate);
	}
	return fmax(1.5, fmin(most, 2 * estimate));
}

/* A line where nothing is gained, so that what crosses it is seen to be doubtful. */
static void draw_gain(const struct pane *pane, int row, const struct gain_row *gain, double most)
{
	const struct interval *x = gain->gain;
	int plot = 40, width = pane->width - plot - 1;
	char factor[40] = "-", between[80] = "";

	if (isfinite(x->estimate))
		(void)snprintf(factor, sizeof(factor), "%sx", figure_number(x->estimate).text);
	if (isfinite(x->lo))
		(void)snprintf(between, sizeof(between), "%s to %s", figure_number(x->lo).text,
			       figure_number(x->hi).text);
	pane_field(pane, row, 1, 16, ROLE_PLAIN, gain->label);
	pane_field(pane, row, 17, -6, gain->role, factor);
	pane_field(pane, row, 24, 14, ROLE_DIM, between);
	if (width < 12)
		return;
	pane_fill(pane, row, plot + (int)lround(1 / most * (width - 1)), 1, ROLE_DIM,
		  "\xe2\x94\x82", ":");
	chart_interval(pane, row, plot, width, gain->role,
		       (const double[3]){x->estimate, x->lo, x->hi}, most);
}

/* What async would be, where it is known. */
static const char *async_name(const struct advice *advice)
{
	return advice_has_target(advice) ? advice->target : "async";
}

static int draw_gains(const struct pane *pane, int row, const struct advice *advice)
{
	char over_now[32], over_tuned[32];
	const struct gain_row rows[] = {
		{"tuned / now", &advice->tuned_over_now, ROLE_TUNED},
		{over_now, &advice->async_over_now, ROLE_ASYNC},
		{over_tuned, &advice->async_over_tuned, ROLE_ASYNC},
		{"overlap alone", &advice->overlap, ROLE_DIM},
	};
	bool low = pane->height < 12; /* the three gains, and no more */
	size_t n = sizeof(rows) / sizeof(rows[0]) - low;
	double most = most_of(rows, n);

	(void)snprintf(over_now, sizeof(over_now), "%s / now", async_name(advice));
	(void)snprintf(over_tuned, sizeof(over_tuned), "%s / tuned", async_name(advice));
	if (!low) {
		pane_field(pane, row, 1, 16, ROLE_HEADER, "GAIN");
		pane_field(pane, row, 24, 14, ROLE_HEADER, "90 %");
		row++;
	}
	for (size_t i = 0; i < n; i++)
		draw_gain(pane, row++, &rows[i], most);
	return row;
}

/* ---- the words ---- */

static enum role verdict_role(enum verdict_class verdict)
{
	if (verdict == VERDICT_NOT_ENOUGH_DATA || verdict == VERDICT_BORDERLINE)
		return ROLE_WARN;
	return verdict == VERDICT_DO_NOT_MIGRATE || verdict == VERDICT_ALREADY_ASYNC ? ROLE_TITLE
										     : ROLE_GOOD;
}

/* A labelled paragraph, whole or not at all: then what comes after it, less important, stays away
 * too. Nothing without text. Returns the row after it. */
static int draw_note(const struct pane *pane, int row, const char *label, const char *words)
{
	int indent = pane->width >= 60 ? 11 : 1;
	struct pane body = pane_part(pane, 0, indent, pane->height, pane->width - indent - 1);
	struct pane measure = pane_part(&body, 0, 0, 0, body.width);

	if (!words || !*words)
		return row;
	if (row + pane_wrapped(&measure, 0, ROLE_PLAIN, words) > pane->height)
		return pane->height;
	if (indent > 1)
		pane_field(pane, row, 1, indent - 1, ROLE_DIM, label);
	return pane_wrapped(&body, row, ROLE_PLAIN, words);
}

static int draw_what_if(const struct pane *pane, int row, const struct advice *advice)
{
	char words[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < advice->n_what_if && used < sizeof(words); i++)
		used += (size_t)snprintf(words + used, sizeof(words) - used, "%s%s", i ? ", " : "",
					 advice->what_if[i]);
	return draw_note(pane, row, "what if", words);
}

static int draw_precedent(const struct pane *pane, int row, const struct advice *advice)
{
	const struct advice_precedent *p = &advice->precedent;
	char words[1024];

	if (!p->name)
		return row;
	(void)snprintf(words, sizeof(words), "%s: %s. %s (%s)", p->name, p->published,
		       p->difference ? p->difference : "", p->source);
	return draw_note(pane, row, "like", words);
}

static int draw_list(const struct pane *pane, int row, const char *label, char *const *items,
		     size_t n)
{
	for (size_t i = 0; i < n; i++)
		row = draw_note(pane, row, i ? "" : label, items[i]);
	return row;
}

static int draw_blocking(const struct pane *pane, int row, const struct advice *advice)
{
	for (size_t i = 0; i < advice->n_blocking; i++) {
		const struct advice_blocking *call = &advice->blocking[i];
		char words[512];

		(void)snprintf(words, sizeof(words), "%s: %s times, at most %s, %s of the loop",
			       call->what, figure_count(call->count).text,
			       figure_duration(call->max_s).text, figure_percent(call->share).text);
		row = draw_note(pane, row, i ? "" : "stops loop", words);
	}
	return row;
}

/* Less and less important from the top. */
static int draw_words(const struct pane *pane, int row, const struct advice *advice)
{
	row = draw_what_if(pane, row, advice);
	row = draw_note(pane, row, "do", advice->cheaper);
	for (size_t i = 0; i < advice->n_reasons; i++)
		row = draw_note(pane, row, i ? "" : "why", advice->sentences[i]);
	row = draw_blocking(pane, row, advice);
	row = draw_precedent(pane, row, advice);
	row = draw_list(pane, row, "otherwise", advice->changes, advice->n_changes);
	row = draw_list(pane, row, "assumed", advice->assumptions, advice->n_assumptions);
	row = draw_note(pane, row, "CPU after", advice->kappa_source);
	row = draw_note(pane, row, "intervals", advice->error_budget);
	return advice->n_what_if ? row
				 : draw_note(pane, row, "what if",
					     "nothing: the service as it is; keys change that");
}

/* ---- the charts ---- */

struct figures {
	double x[ADVICE_CURVE_MOST], y[ADVICE_SPLIT][ADVICE_CURVE_MOST];
	size_t n;
	double x_most, y_most;
};

/* Latency is shown up to four times its least: above, all of them go through the roof. */
static void collect(const struct advice_curve *curve, bool latency, struct figures *ret)
{
	double least = INFINITY;

	*ret = (struct figures){.n = curve->n_points};
	for (size_t i = 0; i < curve->n_points; i++) {
		const struct advice_load *load = &curve->points[i];

		ret->x[i] = load->clients;
		ret->x_most = load->clients;
		for (int setup = 0; setup < ADVICE_SPLIT; setup++) {
			double y = latency ? load->latency_s[setup] : load->per_s[setup];

			ret->y[setup][i] = y;
			if (!isfinite(y))
				continue;
			ret->y_most = fmax(ret->y_most, y);
			least = fmin(least, y);
		}
	}
	if (latency && isfinite(least))
		ret->y_most = fmin(ret->y_most, 4 * least);
}

static void draw_chart(const struct pane *pane, const struct advice_curve *curve, bool latency)
{
	static const enum role roles[ADVICE_SPLIT] = {ROLE_NOW, ROLE_TUNED, ROLE_ASYNC};
	struct figures f;
	struct chart_curve curves[ADVICE_SPLIT];
	struct chart_axes axes;
	struct figure x_text, y_text;

	collect(curve, latency, &f);
	x_text = figure_number(f.x_most);
	y_text = latency ? figure_duration(f.y_most) : figure_number(f.y_most);
	for (int i = 0; i < ADVICE_SPLIT; i++)
		curves[i] = (struct chart_curve){f.x, f.y[i], f.n, roles[i], "nta"[i]};
	axes = (struct chart_axes){
		.x_most = f.x_most,
		.y_most = f.y_most,
		.y_label = latency ? "mean latency: n now  t tuned  a async"
				   : "requests/s: n now  t tuned  a async",
		.x_label = "clients",
		.y_most_text = y_text.text,
		.x_most_text = x_text.text,
	};
	chart_curves(pane, &axes, curves, ADVICE_SPLIT);
}

static void draw_charts(const struct pane *pane, const struct advice_curve *curve)
{
	struct pane one = *pane, other;

	if (!curve || !curve->n_points || pane->height < CHART_LEAST)
		return;
	if (pane->width >= 70 && pane->height < 2 * CHART_LEAST + 8) {
		one.width = pane->width / 2 - 1;
		other = pane_part(pane, 0, pane->width / 2, pane->height, pane->width);
	} else {
		one.height = pane->height / 2;
		other = pane_part(pane, one.height, 0, one.height, pane->width);
	}
	one.height = one.height > CHART_HIGHEST ? CHART_HIGHEST : one.height;
	other.height = other.height > CHART_HIGHEST ? CHART_HIGHEST : other.height;
	draw_chart(&one, curve, false);
	if (other.height >= CHART_LEAST)
		draw_chart(&other, curve, true);
}

/* Latencies by simulation at three loads. */
static int draw_latencies(const struct pane *pane, int row, const struct advice *advice)
{
	static const char *const titles[] = {"P99 AT", "REQ/s", "NOW", "TUNED", "ASYNC", "SPLIT"};

	if (row + 5 > pane->height)
		return row;
	row++;
	for (int i = 0; i < 6; i++)
		pane_field(pane, row, 1 + i * 9, i ? -8 : 8, ROLE_HEADER, titles[i]);
	row++;
	for (int p = 0; p < ADVICE_POINT_COUNT; p++, row++) {
		pane_field(pane, row, 1, 8, ROLE_PLAIN, advice_point_name((enum advice_point)p));
		pane_field(pane, row, 10, -8, ROLE_PLAIN,
			   figure_number(advice->rate_per_s[p]).text);
		for (int i = 0; i < ADVICE_SETUP_COUNT; i++)
			pane_field(pane, row, 19 + i * 9, -8, ROLE_PLAIN,
				   figure_duration(advice->latency[p][i].p99_s).text);
	}
	return row + 1;
}

void view_advice_draw(const struct pane *pane, const struct view_input *input,
		      const struct view_state *state)
{
	const struct service *service = status_expect_requests(pane, 0, input, state);
	const struct advice *advice;
	struct pane words = *pane, charts;
	bool wide = pane->width >= SIDE_BY_SIDE;
	int row;

	if (!service)
		return;
	advice = input->advice ? input->advice[service - input->s->services] : NULL;
	if (!advice) {
		(void)pane_print(pane, 0, 1, ROLE_DIM,
				 "No advice yet: it is computed as soon as "
				 "there are requests enough.");
		return;
	}
	if (wide) {
		words.width = pane->width / 2;
		charts = pane_part(pane, 0, words.width + 1, pane->height, pane->width);
	}
	row = pane_wrapped(&(struct pane){pane->canvas, pane->row, pane->column + 1, pane->height,
					  pane->width - 2},
			   0, verdict_role(advice->verdict), advice_headline(advice));
	row = draw_gains(&words, row + (pane->height > 12), advice);
	if (wide)
		row = draw_latencies(&words, row, advice);
	else if (pane->height >= row + 2 + CHART_LEAST)
		words.height = pane->height - (pane->height > 40 ? 26 : 8);
	row = draw_words(&words, row + (pane->height > 12), advice);
	if (!wide)
		charts = pane_part(pane, row + 1 < words.height ? row + 1 : words.height, 1,
				   pane->height, pane->width - 2);
	draw_charts(&charts, input->curve);
}
