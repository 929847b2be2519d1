/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "advise/advice.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define SENTENCE 512

const char *advice_setup_name(enum advice_setup setup)
{
	static const char *const names[ADVICE_SETUP_COUNT] = {"now", "tuned", "async", "split"};

	return (unsigned int)setup < ADVICE_SETUP_COUNT ? names[setup] : "?";
}

const char *advice_point_name(enum advice_point point)
{
	static const char *const names[ADVICE_POINT_COUNT] = {"today", "normal", "busy"};

	return (unsigned int)point < ADVICE_POINT_COUNT ? names[point] : "?";
}

static void free_strings(char **strings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

void advice_free(struct advice *advice)
{
	if (!advice)
		return;
	for (size_t i = 0; i < advice->n_reasons; i++)
		free(advice->sentences[i]);
	for (size_t i = 0; i < advice->n_blocking; i++)
		free(advice->blocking[i].what);
	free(advice->blocking);
	free(advice->precedent.difference);
	free(advice->kappa_source);
	free(advice->library_sentence);
	free(advice->cheaper);
	free(advice->error_budget);
	free_strings(advice->changes, advice->n_changes);
	free_strings(advice->assumptions, advice->n_assumptions);
	free_strings(advice->what_if, advice->n_what_if);
	free(advice);
}

void advice_freep(struct advice **advice)
{
	advice_free(*advice);
}

static struct advice *advice_new(void)
{
	const struct interval unknown = {NAN, NAN, NAN};
	struct advice *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->verdict = VERDICT_NOT_ENOUGH_DATA;
	a->async_over_now = a->tuned_over_now = a->async_over_tuned = a->overlap = unknown;
	a->now_per_s = a->tuned_per_s = a->async_per_s = unknown;
	a->kappa = (struct kappa){.estimate = NAN, .lo = NAN, .hi = NAN, .stack = NAN, .loop = NAN};
	a->break_even = a->utilisation = a->stack_alone = NAN;
	for (int i = 0; i < ADVICE_POINT_COUNT; i++) {
		a->rate_per_s[i] = NAN;
		for (int k = 0; k < ADVICE_SETUP_COUNT; k++)
			a->latency[i][k] = (struct advice_latency){NAN, NAN, NAN, NAN};
	}
	return a;
}

static int take_reasons(struct advice *a, const struct verdict *v)
{
	a->verdict = v->verdict;
	for (size_t i = 0; i < v->n_reasons; i++) {
		char *sentence = malloc(SENTENCE);

		if (!sentence)
			return -ENOMEM;
		verdict_sentence(&v->reasons[i], sentence, SENTENCE);
		a->reasons[i] = v->reasons[i];
		a->sentences[i] = sentence;
		a->n_reasons = i + 1;
	}
	return 0;
}

/* The facts of a service of which nothing is known but how many requests there were. */
static struct verdict_facts no_facts(const struct service *service)
{
	return (struct verdict_facts){.requests = service->requests.completed, .closure = NAN};
}

int advice_service(const struct snapshot *s, size_t service, const struct advice_opts *opts,
		   struct advice **ret_advice)
{
	_cleanup_(advice_freep) struct advice *a = NULL;
	struct verdict_thresholds thresholds = verdict_defaults();
	struct verdict_facts facts;
	struct verdict verdict;
	int r;

	if (service >= s->n_services || (unsigned int)opts->target >= TARGET_COUNT)
		return -EINVAL;
	a = advice_new();
	if (!a)
		return -ENOMEM;
	a->seed = opts->seed;
	facts = no_facts(&s->services[service]);
	verdict = verdict_find(&facts, &thresholds);
	r = take_reasons(a, &verdict);
	if (r < 0)
		return r;
	*ret_advice = TAKE(a);
	return 0;
}

int advice_curve(const struct snapshot *s, size_t service, const struct advice_opts *opts,
		 struct advice_curve *ret_curve)
{
	if (service >= s->n_services || (unsigned int)opts->target >= TARGET_COUNT)
		return -EINVAL;
	*ret_curve = (struct advice_curve){.n_points = 0};
	return 0;
}
