/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recommendation for a reader who will doubt it: what to do, why, how much it gains and how
 * sure that is, what would be cheaper, what would change the answer, who has tried.
 */
#include "report/text_advice.h"

#include <math.h>
#include <stdio.h>

#include "report/figure.h"

#define BLOCKING_SHOWN 5

/* "1.49 times (1.39 to 1.57)" */
static void show_gain(struct page *page, const char *label, const char *name,
		      const struct interval *gain)
{
	page_print(page, "  %-13s %-17s", label, name);
	if (!isfinite(gain->lo) || !isfinite(gain->hi))
		page_print(page, "%s times\n", figure_number(gain->estimate).text);
	else
		page_print(page, "%s times (%s to %s)\n", figure_number(gain->estimate).text,
			   figure_number(gain->lo).text, figure_number(gain->hi).text);
}

/* What would be changed of an event loop, so short that it fits a column; empty: nothing. */
static void loop_change(const struct advice *a, char *ret_text, size_t size)
{
	*ret_text = '\0';
	if (a->n_blocking)
		(void)snprintf(ret_text, size, "without these");
	else if (a->cpu_factor > 0)
		(void)snprintf(ret_text, size, "at --cpu-factor");
	else if (advice_has_target(a))
		(void)snprintf(ret_text, size, "on %s", a->target);
}

static void show_gains(struct page *page, const struct advice *a)
{
	char change[32];

	if (!isfinite(a->async_over_now.estimate))
		return;
	if (a->verdict == VERDICT_ALREADY_ASYNC) {
		loop_change(a, change, sizeof(change));
		if (*change)
			show_gain(page, "gain", change, &a->async_over_now);
		show_gain(page, *change ? "" : "gain", "loop/processor", &a->tuned_over_now);
		return;
	}
	page_line(page, "async here", "%s (--target)", a->target);
	show_gain(page, "gain", "async over now", &a->async_over_now);
	show_gain(page, "", "tuned over now", &a->tuned_over_now);
	show_gain(page, "", "async over tuned", &a->async_over_tuned);
	if (isfinite(a->overlap.estimate))
		show_gain(page, "", "overlap alone", &a->overlap);
	if (isfinite(a->kappa.estimate))
		page_line(
			page, "kappa",
			"%s (%s to %s) times today's CPU per request, %s of it the loop's; from %s "
			"on async gains nothing. From: %s",
			figure_number(a->kappa.estimate).text, figure_number(a->kappa.lo).text,
			figure_number(a->kappa.hi).text, figure_number(a->kappa.loop).text,
			figure_number(a->break_even).text, a->kappa_source ? a->kappa_source : "?");
	if (a->library_sentence)
		page_line(page, "stack", "%s", a->library_sentence);
}

static void plan_words(const struct worker_plan *plan, char *ret_text, size_t size)
{
	if (plan->threads > 1)
		(void)snprintf(ret_text, size, "%u x %u threads", plan->processes, plan->threads);
	else
		(void)snprintf(ret_text, size, "%u process%s", plan->processes,
			       plan->processes == 1 ? "" : "es");
}

static bool same_plan(const struct advice *a)
{
	return a->now.processes == a->tuned.plan.processes &&
	       a->now.threads == a->tuned.plan.threads;
}

static void show_capacity(struct page *page, const struct advice *a)
{
	char now[48], tuned[48], change[32] = "async", async[96] = "";

	if (!isfinite(a->now_per_s.estimate))
		return;
	plan_words(&a->now, now, sizeof(now));
	plan_words(&a->tuned.plan, tuned, sizeof(tuned));
	if (a->verdict == VERDICT_ALREADY_ASYNC)
		loop_change(a, change, sizeof(change));
	if (*change)
		(void)snprintf(async, sizeof(async), ", %s%s %s/s", change,
			       a->verdict == VERDICT_ALREADY_ASYNC && a->n_blocking ? " calls" : "",
			       figure_number(a->async_per_s.estimate).text);
	page_line(page, "capacity", "now %s/s (%s), tuned %s/s (%s)%s",
		  figure_number(a->now_per_s.estimate).text, now,
		  figure_number(a->tuned_per_s.estimate).text, same_plan(a) ? "the same" : tuned,
		  async);
}

static void show_latency(struct page *page, const struct advice *a)
{
	const struct advice_latency *l = a->latency[ADVICE_NORMAL];
	char tuned[80] = "";

	if (!isfinite(l[ADVICE_NOW].p99_s) || !isfinite(l[ADVICE_ASYNC].p99_s))
		return;
	if (!same_plan(a))
		(void)snprintf(tuned, sizeof(tuned), "tuned %s, %s; ",
			       figure_duration(l[ADVICE_TUNED].p50_s).text,
			       figure_duration(l[ADVICE_TUNED].p99_s).text);
	page_line(page, "p50, p99", "at %s/s, simulated: now %s, %s; %sasync %s, %s",
		  figure_number(a->rate_per_s[ADVICE_NORMAL]).text,
		  figure_duration(l[ADVICE_NOW].p50_s).text,
		  figure_duration(l[ADVICE_NOW].p99_s).text, tuned,
		  figure_duration(l[ADVICE_ASYNC].p50_s).text,
		  figure_duration(l[ADVICE_ASYNC].p99_s).text);
}

static void show_blocking(struct page *page, const struct advice *a)
{
	for (size_t i = 0; i < a->n_blocking && i < BLOCKING_SHOWN; i++) {
		const struct advice_blocking *b = &a->blocking[i];

		page_line(page, i ? "" : "blocks loop",
			  "%s: %s times, %s in all (%s of the loops' time), longest %s", b->what,
			  figure_count(b->count).text, figure_duration(b->sum_s).text,
			  figure_percent(b->share).text, figure_duration(b->max_s).text);
	}
	if (a->n_blocking > BLOCKING_SHOWN)
		page_line(page, "", "and %zu more", a->n_blocking - BLOCKING_SHOWN);
}

static void show_list(struct page *page, const char *label, char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		page_line(page, i ? "" : label, "%s", list[i]);
}

static void show_precedent(struct page *page, const struct advice_precedent *p)
{
	if (p->name)
		page_line(page, "precedent", "%s: %s (%s); %s.", p->name, p->published, p->source,
			  p->difference ? p->difference : "?");
}

void text_advice(struct page *page, const char *name, const struct advice *a)
{
	page_print(page, "\n");
	if (name)
		page_line(page, "service", "%s", name);
	page_wrapped(page, STYLE_TITLE, "ADVICE", advice_headline(a));
	show_list(page, "asked", a->what_if, a->n_what_if);
	show_list(page, "because", a->sentences, a->n_reasons);
	show_blocking(page, a);
	show_gains(page, a);
	show_capacity(page, a);
	show_latency(page, a);
	if (a->cheaper)
		page_line(page, "cheaper", "%s", a->cheaper);
	show_list(page, "would change", a->changes, a->n_changes);
	show_precedent(page, &a->precedent);
	if (a->error_budget)
		page_line(page, "errors", "%s", a->error_budget);
	show_list(page, "assumed", a->assumptions, a->n_assumptions);
}
