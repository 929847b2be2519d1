/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: async over now, tuned over now, async over tuned: how much, and how sure?
 *
 * Method: one statistic for the bootstrap. Requests put together give the mean demand; that gives
 * three capacities; their ratios are the gains. In each resample kappa is drawn from its priors,
 * and each ratio is multiplied by the closed forms' own error, 4 % (model.md 2.2). Where a peer
 * would have to do more than it was ever seen to do, what it can do is drawn evenly between what
 * was seen and what would be asked, and no capacity is above that: neither of async nor of more
 * workers, who ask no less of the peer.
 *
 * Gains that the model has from nothing but CPU and waits are kept apart: overlap is the gain at
 * kappa = 1, without any of that.
 */
#include "advise/gain.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "advise/warm.h"
#include "base/cleanup.h"

#define MODEL_ERROR 0.04
#define OFFLOAD_THREADS 32 /* min(32, processors + 4): the most of asyncio's default executor */

/* One evaluation: from requests to capacities. */
struct outcome {
	double ratio, now_per_s, async_per_s, overlap_per_s, stack_per_s;
	double cpu_s; /* of a request with the workers of now, all busy */
	double kappa, stack, loop, utilisation, break_even, others;
	double extrapolation; /* of the largest capacity */
	struct tuned tuned;
	struct async_capacity async;
};

/* What is believed of peers beyond what was seen. */
enum belief { DRAWN, SEEN, ALL, BELIEF_COUNT };

enum ratio { ASYNC_OVER_NOW, TUNED_OVER_NOW, ASYNC_OVER_TUNED, OVERLAP, RATIO_COUNT };

/* The statistic's figures: those of the header, then the ratios of SEEN and of ALL. */
#define FIGURES (GAIN_FIGURE_COUNT + (BELIEF_COUNT - 1) * RATIO_COUNT)

struct gain_context {
	const struct evidence_sample *e;
	const struct gain_opts *opts;
};

/* Operations with the peer per request, from its time and the mean latency of those sampled. */
static double visits(const struct peer_fit *fit, double peer_s)
{
	return fit->mean_latency_s > 0 ? peer_s / fit->mean_latency_s : 0;
}

/* Queueing at the peer taken out of what was measured, where the fit can tell. */
static struct peer_demand peer_demand(const struct peer_fit *fit, double peer_s, double pool)
{
	struct peer_demand d = {peer_s, INFINITY, pool, fit->regularity};

	if (fit->kind == PEER_FIT_FLAT || fit->kind == PEER_FIT_KNEE)
		d.service_s = visits(fit, peer_s) * fit->service_s;
	if (fit->kind == PEER_FIT_KNEE)
		d.servers = fit->servers;
	if (fit->kind == PEER_FIT_SATURATED) {
		d.service_s = visits(fit, peer_s) / fit->capacity_per_s;
		d.servers = 1;
	}
	return d;
}

static struct demand mean_demand(const struct resample *r, const struct gain_opts *opts,
				 double serial_s, struct peer_demand *peers)
{
	double n = r->sums.requests;

	for (uint32_t i = 0; i < r->n_peers; i++)
		peers[i] = peer_demand(&opts->fits[i], r->peer_s[i] / n,
				       opts->pools ? opts->pools[i] : INFINITY);
	return (struct demand){
		.cpu_s = r->sums.cpu_s / n,
		.wait_s = r->sums.wait_s / n,
		.offload_s = r->sums.offload_s / n,
		.fault_s = r->sums.hold_s / n,
		.serial_s = serial_s,
		.peers = peers,
		.n_peers = r->n_peers,
	};
}

/* busy_cpu_s: with the workers of now, all busy. A factor that is given is of that. */
static int changed_cpu(const struct resample *r, const struct gain_opts *opts, double busy_cpu_s,
		       struct changed_cpu *ret_cpu)
{
	struct stack_change change = opts->change;
	double n = r->sums.requests;

	change.cpu_s = change.whole_factor > 0 ? busy_cpu_s : r->sums.cpu_s / n;
	change.operations = r->sums.operations / n;
	change.offloads = r->sums.offloads / n;
	return kappa_cpu(&change, r->prng, ret_cpu);
}

/* How far beyond what its peers have shown the service would go at this rate: 1 is not at all. */
static double extrapolation(const struct resample *r, const struct gain_opts *opts, double per_s)
{
	double most = 1;

	for (uint32_t i = 0; i < r->n_peers; i++) {
		const struct peer_fit *fit = &opts->fits[i];
		double calls = visits(fit, r->peer_s[i] / r->sums.requests);

		if (fit->minor)
			continue;
		if (fit->kind == PEER_FIT_UNKNOWN && r->peer_s[i] > 0)
			return INFINITY;
		if (calls > 0)
			most = fmax(most, peer_fit_extrapolation(fit, per_s * calls));
	}
	return most;
}

static int async_outcome(const struct resample *r, const struct gain_context *c,
			 const struct demand *d, struct outcome *out)
{
	const struct gain_opts *opts = c->opts;
	struct async_plan plan = {
		.processes = opts->loops ? opts->loops : (uint32_t)ceil(c->e->cpus),
		.cpu_s = out->cpu_s,
		.offload_threads = opts->offload_threads ? opts->offload_threads : OFFLOAD_THREADS,
	};
	struct async_capacity overlap = {0};
	struct changed_cpu cpu = {0};
	int error = capacity_async(d, c->e->cpus, &plan, &overlap);
	if (error < 0)
		return error;

	error = changed_cpu(r, opts, out->cpu_s, &cpu);
	if (error < 0)
		return error;
	plan.cpu_s = cpu.stack_s + cpu.loop_s;
	error = capacity_async(d, c->e->cpus, &plan, &out->async);
	if (error < 0)
		return error;
	out->overlap_per_s = overlap.per_s;
	out->async_per_s = out->async.per_s;
	out->kappa = plan.cpu_s / out->cpu_s;
	out->stack = cpu.stack_s / out->cpu_s;
	out->loop = cpu.loop_s / out->cpu_s;
	return 0;
}

/* The workers of now, with the stack's part of the change and nothing else. */
static int stack_outcome(const struct gain_context *c, const struct demand *d,
			 const struct worker_plan *now, struct outcome *out)
{
	struct demand changed = *d;

	changed.cpu_s *= out->stack * out->cpu_s / d->cpu_s;
	return capacity_sync(&changed, c->e->cpus, now, &out->stack_per_s);
}

static int tuned_outcome(const struct gain_context *c, const struct demand *d,
			 const struct worker_plan *now, struct outcome *out)
{
	int error = capacity_tuned(d, c->e->cpus, now, &c->opts->tune, &out->tuned);
	struct tune_opts unlimited = {.threads = c->opts->tune.threads,
				      .interpreter_lock = c->opts->tune.interpreter_lock};

	if (error != -ENOSPC)
		return error;
	/* No room for a single worker: what is wanted stays true, and there is nothing to tune. */
	error = capacity_tuned(d, c->e->cpus, now, &unlimited, &out->tuned);
	out->tuned.plan = *now;
	out->tuned.per_s = out->now_per_s;
	out->tuned.limit = c->opts->tune.memory_bytes > 0 ? TUNE_MEMORY : TUNE_CONNECTIONS;
	out->tuned.most = 0;
	out->tuned.memory_bytes = 0;
	return error;
}

/* Of the peers' CPU that was seen: as likely as not all, else less, as they run warmer under full
 * load, or more, as what they hand on is not seen. */
static double other_share(struct prng *prng)
{
	return !prng || prng_uniform(prng) < .5 ? 1 : .6 + prng_uniform(prng);
}

static struct crowding crowding(const struct gain_opts *opts, struct prng *prng)
{
	struct crowding c = opts->crowding;

	c.cold_s = prng && c.waits > 0 ? prior_draw(&opts->each_s, prng) : opts->each_s.estimate;
	return c;
}

static int evaluate(const struct resample *sampled, const struct gain_context *c,
		    struct outcome *out)
{
	_cleanup_free_ struct peer_demand *peers =
		calloc((size_t)sampled->n_peers + 1, sizeof(*peers));
	const struct worker_plan now = {c->e->processes, c->e->threads, c->e->interpreter_lock};
	struct resample warm = *sampled, *r = &warm;
	struct demand d;
	double factor;
	int error;

	if (!peers)
		return -ENOMEM;
	if (!(sampled->sums.requests > 0) || !(sampled->sums.cpu_s > 0))
		return -EDOM;
	factor = warm_factor(&c->opts->cold, r->prng);
	warm.sums.cpu_s *= factor / warm_factor(&c->opts->cold, NULL);
	d = mean_demand(r, c->opts, c->e->serial_s, peers);
	if (c->e->other_s > 0)
		d.other_s = other_share(r->prng) * c->e->other_s;
	d.crowding = crowding(c->opts, r->prng);
	bootstrap_ratio(r, NULL, &out->ratio);
	out->ratio *= factor; /* as measured */
	error = capacity_sync(&d, c->e->cpus, &now, &out->now_per_s);
	if (error < 0)
		return error;
	out->cpu_s = capacity_cpu_s(&d, c->e->cpus, &now);
	out->utilisation = fmin(out->now_per_s * (out->cpu_s + d.other_s) / c->e->cpus, 1);
	out->others = d.other_s / (out->cpu_s + d.other_s);
	out->break_even = (c->e->cpus / out->now_per_s - d.other_s) / out->cpu_s;
	error = tuned_outcome(c, &d, &now, out);
	if (error < 0)
		return error;
	error = async_outcome(r, c, &d, out);
	if (error < 0)
		return error;
	out->extrapolation = extrapolation(r, c->opts, fmax(out->async_per_s, out->tuned.per_s));
	return stack_outcome(c, &d, &now, out);
}

/* The model's own error, on a ratio of two of its capacities. */
static double model_error(struct prng *prng)
{
	return prng ? exp(MODEL_ERROR * prng_normal(prng)) : 1;
}

/* No more than the peers do: `share`, 0..1, of what is asked of them beyond what was seen. */
static double most_of_peers(const struct outcome *o, const struct gain_opts *opts, double share)
{
	double asked = fmax(o->async_per_s, o->tuned.per_s), seen = asked / o->extrapolation;

	seen = fmax(seen, fmin(opts->observed_per_s, asked));
	return seen + (asked - seen) * share;
}

static void take_ratios(const struct outcome *o, double most_per_s, const double *errors,
			double *ratios)
{
	double now = fmin(o->now_per_s, most_per_s), tuned = fmin(o->tuned.per_s, most_per_s);
	double async = fmin(o->async_per_s, most_per_s);
	/* Where peers would do all that is asked, they would that, too. */
	double overlap =
		most_per_s < o->async_per_s ? fmin(o->overlap_per_s, most_per_s) : o->overlap_per_s;

	ratios[ASYNC_OVER_NOW] = async / now * errors[ASYNC_OVER_NOW];
	ratios[TUNED_OVER_NOW] = tuned / now * errors[TUNED_OVER_NOW];
	ratios[ASYNC_OVER_TUNED] = async / tuned * errors[ASYNC_OVER_TUNED];
	ratios[OVERLAP] = overlap / now * errors[OVERLAP];
}

static void take_all_ratios(const struct outcome *o, const struct gain_opts *opts,
			    struct prng *prng, double *figures)
{
	double errors[RATIO_COUNT], drawn = prng ? prng_uniform(prng) : 1, ratios[RATIO_COUNT];
	double *rest = &figures[GAIN_FIGURE_COUNT];

	for (int i = 0; i < RATIO_COUNT; i++)
		errors[i] = model_error(prng);
	take_ratios(o, most_of_peers(o, opts, drawn), errors, ratios);
	figures[GAIN_ASYNC_OVER_NOW] = ratios[ASYNC_OVER_NOW];
	figures[GAIN_TUNED_OVER_NOW] = ratios[TUNED_OVER_NOW];
	figures[GAIN_ASYNC_OVER_TUNED] = ratios[ASYNC_OVER_TUNED];
	figures[GAIN_OVERLAP] = ratios[OVERLAP];
	figures[GAIN_NOW_PER_S] = o->now_per_s;
	figures[GAIN_TUNED_PER_S] = fmin(o->tuned.per_s, most_of_peers(o, opts, drawn));
	figures[GAIN_ASYNC_PER_S] = fmin(o->async_per_s, most_of_peers(o, opts, drawn));
	take_ratios(o, most_of_peers(o, opts, 0), errors, rest);
	take_ratios(o, most_of_peers(o, opts, 1), errors, rest + RATIO_COUNT);
}

static void gain_statistic(const struct resample *r, const void *context, double *figures)
{
	const struct gain_context *c = context;
	struct outcome o = {0};

	for (int i = 0; i < FIGURES; i++)
		figures[i] = NAN;
	if (evaluate(r, c, &o) < 0)
		return;
	take_all_ratios(&o, c->opts, r->prng, figures);
	figures[GAIN_RATIO] = o.ratio;
	figures[GAIN_KAPPA] = o.kappa;
	if (isfinite(o.extrapolation))
		figures[GAIN_EXTRAPOLATION] = o.extrapolation;
}

/* The whole sample once more, for what is no number. */
static int best_outcome(const struct gain_context *c, struct outcome *out)
{
	_cleanup_free_ double *peer_s = calloc((size_t)c->e->n_peers + 1, sizeof(*peer_s));
	_cleanup_free_ double *whole_s = calloc((size_t)c->e->n_peers + 1, sizeof(*whole_s));
	struct resample all = {.peer_s = peer_s, .n_peers = c->e->n_peers};
	struct evidence_whole whole = {.peer_s = whole_s};

	if (!peer_s || !whole_s)
		return -ENOMEM;
	evidence_sum(c->e, &all.sums, peer_s);
	evidence_sum(c->e, &whole.sums, whole_s);
	evidence_correct(c->e, &whole, &all.sums, peer_s);
	return evaluate(&all, c, out);
}

static struct gain_ratios ratios_of(const struct interval *figures)
{
	return (struct gain_ratios){
		.async_over_now = figures[ASYNC_OVER_NOW],
		.tuned_over_now = figures[TUNED_OVER_NOW],
		.async_over_tuned = figures[ASYNC_OVER_TUNED],
		.overlap = figures[OVERLAP],
	};
}

/* Gains end where the peers do all that is asked: that they do is not less likely than any less. */
static void reach_up(struct interval *figures, const struct interval *all)
{
	static const struct {
		int figure, ratio;
	} same[] = {
		{GAIN_ASYNC_OVER_NOW, ASYNC_OVER_NOW},
		{GAIN_TUNED_OVER_NOW, TUNED_OVER_NOW},
		{GAIN_ASYNC_OVER_TUNED, ASYNC_OVER_TUNED},
		{GAIN_OVERLAP, OVERLAP},
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		figures[same[i].figure].hi =
			fmax(figures[same[i].figure].hi, all[same[i].ratio].hi);
}

double gain_overlap_half_width(const struct interval *overlap, const struct gain_ratios *all)
{
	const struct interval *i = all->overlap.estimate > 0 ? &all->overlap : overlap;

	return (i->hi - i->lo) / 2 / i->estimate;
}

int gain_estimate(const struct evidence_sample *e, const struct gain_opts *opts,
		  struct gain *ret_gain)
{
	const struct gain_context context = {e, opts};
	const struct bootstrap_opts bootstrap = {
		.seed = opts->seed,
		.replicates = opts->replicates,
		.n_figures = FIGURES,
	};
	struct interval figures[FIGURES];
	struct gain gain = {.break_even = 0};
	struct outcome best = {0};
	int r = bootstrap_run(e, &bootstrap, gain_statistic, &context, figures);
	if (r < 0)
		return r;

	r = best_outcome(&context, &best);
	if (r < 0)
		return r;
	memcpy(gain.figures, figures, sizeof(gain.figures));
	reach_up(gain.figures, &figures[GAIN_FIGURE_COUNT + RATIO_COUNT]);
	gain.seen = ratios_of(&figures[GAIN_FIGURE_COUNT]);
	gain.all = ratios_of(&figures[GAIN_FIGURE_COUNT + RATIO_COUNT]);
	gain.tuned = best.tuned;
	gain.async = best.async;
	gain.stack = best.stack;
	gain.loop = best.loop;
	gain.stack_alone = best.stack_per_s / best.now_per_s;
	gain.utilisation = best.utilisation;
	gain.break_even = best.break_even;
	gain.others = best.others;
	*ret_gain = gain;
	return 0;
}
