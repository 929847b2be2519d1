/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "advise/delivery.h"
#include "base/cleanup.h"
#include "model/derive.h"
#include "report/diff.h"
#include "report/figure.h"
#include "report/page.h"

#define NS_PER_S 1000000000
#define PEERS_SHOWN 8
#define LABEL_COLUMNS 19
#define INTERVAL_BYTES 128

static struct figure figure_of(enum unit unit, double x)
{
	switch (unit) {
	case UNIT_SECONDS:
		return figure_duration(x);
	case UNIT_SHARE:
		return figure_percent(x);
	case UNIT_BYTES:
		return isfinite(x) && x >= 0 ? figure_bytes((uint64_t)x) : figure_number(NAN);
	default:
		return figure_number(x);
	}
}

/* With its sign. */
static struct figure signed_figure(enum unit unit, double x)
{
	struct figure figure = figure_of(unit, fabs(x)), with_sign;

	if (!isfinite(x) || strcmp(figure.text, "0") == 0)
		return figure;
	(void)snprintf(with_sign.text, sizeof(with_sign.text), "%c%.30s", x < 0 ? '-' : '+',
		       figure.text);
	return with_sign;
}

/* By how much of what it was before it changed. */
static struct figure relative(const struct comparison *c)
{
	double share = c->difference / c->before.value;
	struct figure figure;

	if (!isfinite(share))
		return figure_number(NAN);
	if (share >= 9.995) {
		(void)snprintf(figure.text, sizeof(figure.text), "x%.10s",
			       figure_number(1 + share).text);
		return figure;
	}
	/* What would round to nothing is nothing, without a sign. */
	if (fabs(share) < 0.0005)
		return (struct figure){.text = "0 %"};
	(void)snprintf(figure.text, sizeof(figure.text), "%+.1f %%", share * 100);
	return figure;
}

static bool worth_a_row(const struct comparison *c)
{
	bool before = isfinite(c->before.value) && c->before.value != 0;
	bool after = isfinite(c->after.value) && c->after.value != 0;

	return before || after;
}

/* The rest of a row, whose label is printed. */
static void show_comparison(struct page *page, enum unit unit, const struct comparison *c)
{
	static const char marks[] = {
		[CHANGE_UNKNOWN] = '?', [CHANGE_WITHIN] = ' ', [CHANGE_BEYOND] = '*'};
	char between[80] = "";

	if (isfinite(c->lo))
		(void)snprintf(between, sizeof(between), "  %s to %s",
			       signed_figure(unit, c->lo).text, signed_figure(unit, c->hi).text);
	page_print(page, " %9s %9s %9s", figure_of(unit, c->before.value).text,
		   figure_of(unit, c->after.value).text, relative(c).text);
	if (*between || (c->change == CHANGE_UNKNOWN && c->difference != 0))
		page_print(page, " %c", marks[c->change]);
	page_print(page, "%s\n", between);
}

static void show_heading(struct page *page, const char *title)
{
	page_style(page, STYLE_DIM);
	page_print(page, "\n  %-*s %9s %9s %9s    %s\n", LABEL_COLUMNS, title, "before", "after",
		   "change", "difference, 99 %");
	page_style(page, STYLE_PLAIN);
}

static void show_measures(struct page *page, const struct diff_pair *pair)
{
	show_heading(page, "per request");
	for (enum measure i = 0; i < MEASURE_COUNT; i++) {
		struct comparison c = diff_compare(pair, i);

		if (!worth_a_row(&c))
			continue;
		page_print(page, "  %-*s", LABEL_COLUMNS, measure_label(i));
		show_comparison(page, measure_unit(i), &c);
	}
}

static const struct peer *find_peer(const struct service *service, const char *address)
{
	for (size_t i = 0; i < service->n_peers; i++) {
		if (strcmp(service->peers[i].address, address) == 0)
			return &service->peers[i];
	}
	return NULL;
}

/* Those that both waited for. */
static void show_peers(struct page *page, const struct diff_pair *pair)
{
	const struct service *before = diff_service(&pair->before);
	unsigned int shown = 0;

	for (size_t i = 0; i < before->n_peers && shown < PEERS_SHOWN; i++) {
		const struct peer *was = &before->peers[i];
		const struct peer *is = find_peer(diff_service(&pair->after), was->address);
		struct comparison c;

		if (!is)
			continue;
		c = measure_compare(measure_dist(&was->wait), measure_dist(&is->wait));
		if (!worth_a_row(&c))
			continue;
		if (shown++ == 0)
			show_heading(page, "wait per operation");
		page_print(page, "  ");
		page_foreign(page, was->address, LABEL_COLUMNS);
		show_comparison(page, UNIT_SECONDS, &c);
	}
}

/* "gunicorn on web-1, 60.0 s from 2026-11-22 18:39:17 UTC, 6 intervals" */
static void show_side(struct page *page, const char *label, const struct diff_side *side)
{
	const struct snapshot *s = side->host->sum;
	time_t start = (time_t)(s->start_unix_ns / NS_PER_S);
	_cleanup_free_ char *text = NULL;
	char when[40] = "?";
	struct tm tm;

	if (gmtime_r(&start, &tm))
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	if (asprintf(&text, "%s on %s, %s from %s, %" PRIu64 " interval%s",
		     diff_service(side)->name, s->host ? s->host : "?",
		     figure_duration((double)s->duration_ns / NS_PER_S).text, when,
		     side->host->intervals, side->host->intervals == 1 ? "" : "s") < 0) {
		text = NULL;
		return;
	}
	page_wrapped(page, STYLE_PLAIN, label, text);
}

static void show_pair(struct page *page, const struct diff_pair *pair)
{
	const struct service *before = diff_service(&pair->before);
	const struct service *after = diff_service(&pair->after);
	enum concurrency was = derive_concurrency(before), is = derive_concurrency(after);

	page_rule(page, after->name, "before and after");
	show_side(page, "before", &pair->before);
	show_side(page, "after", &pair->after);
	if (was == is)
		page_line(page, "concurrency", "%s", concurrency_label(is));
	else
		page_line(page, "concurrency", "was %s; is %s", concurrency_label(was),
			  concurrency_label(is));
	show_measures(page, pair);
	show_peers(page, pair);
	page_print(page, "\n");
}

/* "3.95 times (1.64 to 4.94)" */
static void print_interval(const struct interval *interval, char text[INTERVAL_BYTES])
{
	(void)snprintf(text, INTERVAL_BYTES, "%s times (%s to %s)",
		       figure_number(interval->estimate).text, figure_number(interval->lo).text,
		       figure_number(interval->hi).text);
}

static void show_delivered(struct page *page, const char *label, const char *what,
			   const struct delivered *delivered)
{
	static const char *const verdicts[] = {
		[DELIVERY_UNKNOWN] = "whether that is as predicted cannot be told",
		[DELIVERY_AS_PREDICTED] = "as predicted",
		[DELIVERY_LESS] = "less than predicted",
		[DELIVERY_MORE] = "more than predicted",
	};
	char predicted[INTERVAL_BYTES], found[INTERVAL_BYTES];

	print_interval(&delivered->predicted, predicted);
	print_interval(&delivered->found, found);
	page_line(page, label, "%s: predicted %s, found %s: %s", what, predicted, found,
		  verdicts[delivered->outcome]);
}

/* Did it deliver what was predicted? */
static void show_delivery(struct page *page, const struct diff_pair *pair,
			  const struct advice_opts *advice)
{
	struct delivery d;
	int r = delivery_judge(pair, advice, &d);

	if (r < 0) {
		page_fail(page, r);
		return;
	}
	if (isfinite(d.cpu.found.estimate))
		show_delivered(page, "delivered", "CPU per request, after / before", &d.cpu);
	if (d.why)
		page_line(page, "delivered", "the gain of async cannot be told: %s", d.why);
	else
		show_delivered(page, "", "capacity, after / before, each from its own figures",
			       &d.gain);
}

static void show_only(struct page *page, const char *label, const struct diff_side *sides, size_t n)
{
	for (size_t i = 0; i < n; i++)
		show_side(page, label, &sides[i]);
}

/* What was lost makes the figures too small, and differences with them. */
static void show_losses(struct page *page, const char *label, const struct diff_side *side)
{
	for (enum loss i = 0; i < LOSS_COUNT; i++) {
		if (side->host->sum->losses[i])
			page_line(page, "LOST", "%s: %s: %s", label,
				  figure_count(side->host->sum->losses[i]).text, loss_label(i));
	}
}

int report_diff_text(FILE *out, const struct diff *diff, const struct report_opts *opts)
{
	struct page page = page_new(out, opts);

	for (size_t i = 0; i < diff->n_pairs; i++) {
		show_pair(&page, &diff->pairs[i]);
		if (opts->advice)
			show_delivery(&page, &diff->pairs[i], opts->advice);
		show_losses(&page, "before", &diff->pairs[i].before);
		show_losses(&page, "after", &diff->pairs[i].after);
	}
	if (diff->n_pairs) {
		page_line(&page, "*",
			  "more than chance: the 99 %% interval of the difference is without zero");
		page_line(&page, "?", "how much of it is chance cannot be told");
	}
	show_only(&page, "only before", diff->only_before, diff->n_only_before);
	show_only(&page, "only after", diff->only_after, diff->n_only_after);
	return page.error;
}
