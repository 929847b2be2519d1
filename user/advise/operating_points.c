/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: what latency at today's load, at a normal one, and near the end of today's capacity?
 *
 * Method: replay.c at each, all setups at the same rate. 40,000 requests are what a p99 at 0.8 of
 * the capacity needs (model.md 2.5: it then varies by 7 % between seeds); with long requests there
 * are fewer, so that all runs together stay within STEPS_MOST steps, some tenths of a second.
 *
 * At such a rate workers pause before requests, which the CPU under full load is without. What that
 * adds is as measured at today's rate, and none at the capacity; between, by the distance to it. Of
 * the other setups it is taken to be the same share.
 *
 * Where several threads work on a request at once, nothing is simulated: which of a trace's waits
 * were at the same time it does not say.
 *
 * A setup that a rate would load beyond 0.95 of its capacity is not simulated there: its latency
 * depends on how long one waits.
 */
#include <errno.h>
#include <math.h>

#include "advise/advice_parts.h"
#include "advise/replay.h"

#define REQUESTS 40000
#define LEAST_REQUESTS 1000
#define STEPS_MOST 4e6 /* of all runs together */
#define RUNS 8	       /* normal: 4; the others: 2 or more */
#define NORMAL_LOAD .7
#define BUSY_LOAD .9
#define FULL .95

static uint64_t requests_within_budget(const struct subject *s)
{
	double steps = fmax(replay_steps(&s->evidence) + 2, 3);
	double most = s->opts->simulated ? (double)s->opts->simulated : REQUESTS;

	return (uint64_t)fmax(fmin(most, STEPS_MOST / RUNS / steps), fmin(most, LEAST_REQUESTS));
}

static struct advice_latency latency_of(const struct des_result *r, double rate_per_s,
					double capacity_per_s)
{
	if (!r->whole || !(rate_per_s < FULL * capacity_per_s))
		return (struct advice_latency){NAN, NAN, NAN, NAN};
	return (struct advice_latency){r->p50_s, r->p99_s, r->lag_p99_s, r->utilisation};
}

/* What a request takes at this rate to what it takes under full load. */
static double cold_at(const struct subject *s, double rate_per_s, double capacity_per_s)
{
	double most = 1 / warm_factor(&s->warm.share, NULL);
	double left = (capacity_per_s - rate_per_s) / (capacity_per_s - s->rate_per_s);

	return 1 + (most - 1) * (isfinite(left) ? fmin(fmax(left, 0), 1) : 0);
}

static int replay_at(const struct subject *s, const struct gain *g, double rate_per_s,
		     uint64_t requests, struct advice_latency *latency)
{
	const struct replay_opts opts = {
		.seed = s->opts->seed,
		.rate_per_s = rate_per_s,
		.requests = requests,
		.cold = cold_at(s, rate_per_s, g->figures[GAIN_NOW_PER_S].estimate),
		.loops = s->gain.loops,
		.fits = s->fits,
		.pools = s->pools,
		.change = s->gain.change,
		.tuned = g->tuned.plan,
	};
	struct replay_result r = {.now = {0}};
	int error = replay_compare(&s->evidence, &opts, &r);

	if (error == -ENOMEM)
		return error;
	if (error < 0)
		return 0;
	latency[ADVICE_NOW] = latency_of(&r.now, rate_per_s, g->figures[GAIN_NOW_PER_S].estimate);
	latency[ADVICE_TUNED] =
		latency_of(&r.tuned, rate_per_s, g->figures[GAIN_TUNED_PER_S].estimate);
	latency[ADVICE_ASYNC] = latency_of(&r.async, rate_per_s, g->async.per_s);
	latency[ADVICE_SPLIT] = latency_of(&r.split, rate_per_s, g->async.per_s);
	return 0;
}

int advice_replay(const struct subject *s, const struct gain *g, struct advice *a)
{
	double now = g->figures[GAIN_NOW_PER_S].estimate, least = fmin(now, g->async.per_s);

	if (!(least > 0) || !isfinite(least) || subject_side_by_side(s))
		return 0;
	a->rate_per_s[ADVICE_TODAY] = s->rate_per_s;
	a->rate_per_s[ADVICE_NORMAL] = NORMAL_LOAD * least;
	a->rate_per_s[ADVICE_BUSY] = BUSY_LOAD * now;
	a->simulated = requests_within_budget(s);
	for (int i = 0; i < ADVICE_POINT_COUNT; i++) {
		/* The verdict is made from the normal point; the others show the trend. */
		uint64_t n = i == ADVICE_NORMAL ? a->simulated : a->simulated / 4 + 1;
		int r;

		/* Nobody could take it: the simulation would only fill up. */
		if (!(a->rate_per_s[i] > 0) || a->rate_per_s[i] >= FULL * now)
			continue;
		r = replay_at(s, g, a->rate_per_s[i], n, a->latency[i]);
		if (r < 0)
			return r;
	}
	return 0;
}
