/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/advising.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "model/total.h"

/* Requests simulated for all services together: some hundred milliseconds of CPU. */
#define SIMULATED 6000

static void forget_advice(struct advising *a)
{
	for (size_t i = 0; i < a->n_advice; i++) {
		free(a->advice[i].service);
		advice_free(a->advice[i].advice);
	}
	a->n_advice = 0;
}

static void forget_window(struct advising *a)
{
	snapshot_free(TAKE(a->window));
	a->intervals = 0;
}

void advising_end(struct advising *a)
{
	forget_advice(a);
	forget_window(a);
}

static int add_to_window(struct advising *a, const struct snapshot *s)
{
	int r;

	/* Services only join; a source that begins anew has less of them. */
	if (a->window && a->window->n_services > s->n_services)
		forget_window(a);
	if (!a->window) {
		a->window = snapshot_new(0);
		if (!a->window)
			return -ENOMEM;
		a->window->start_unix_ns = s->start_unix_ns;
	}
	r = snapshot_merge(a->window, s);
	if (r == 0)
		a->intervals++;
	return r;
}

static size_t count_serving(const struct snapshot *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_services; i++)
		n += s->services[i].requests.completed > 0;
	return n < ADVISING_SERVICES_MOST ? n : ADVISING_SERVICES_MOST;
}

/* Takes the name over. 0 or -ENOMEM. */
static int advise_service(struct advising *a, size_t at, char **name,
			  const struct advice_opts *opts)
{
	int r;

	if (!a->window->services[at].requests.completed || a->n_advice == ADVISING_SERVICES_MOST)
		return 0;
	r = advice_service(a->window, at, opts, &a->advice[a->n_advice].advice);
	if (r < 0)
		return r;
	a->advice[a->n_advice++].service = TAKE(*name);
	return 0;
}

static int advise(struct advising *a, struct advice_opts opts)
{
	size_t n = a->window->n_services, n_serving = count_serving(a->window);
	char **names = calloc(n + 1, sizeof(*names));
	int r;

	if (!names)
		return -ENOMEM;
	forget_advice(a);
	a->advised = true;
	opts.simulated = SIMULATED / (n_serving ? n_serving : 1);
	r = total_name_services(a->window, names);
	for (size_t i = 0; i < n && r == 0; i++)
		r = advise_service(a, i, &names[i], &opts);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return r;
}

int advising_add(struct advising *a, const struct snapshot *s, const struct advice_opts *opts)
{
	bool whole;
	int r;

	r = add_to_window(a, s);
	if (r < 0)
		return r;
	whole = a->intervals == ADVISING_INTERVALS;
	if (!whole && (a->advised || a->intervals < ADVISING_FIRST))
		return 0;
	r = advise(a, *opts);
	if (whole)
		forget_window(a);
	return r;
}
