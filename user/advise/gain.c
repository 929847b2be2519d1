/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: async over now, tuned over now, async over tuned: how much, and how sure?
 *
 * Method: one statistic for the bootstrap. Requests put together give the mean demand; that gives
 * three capacities; their ratios are the gains. In each resample kappa is drawn from its priors,
 * and each ratio is multiplied by the closed forms' own error, 4 % (model.md 2.2), and async by
 * something between seen and asked where a peer would have to do more than it was ever seen to do.
 *
 * Gains that the model has from nothing but CPU and waits are kept apart: overlap is the gain at
 * kappa = 1, without any of that.
 */
#include "advise/gain.h"

#include <errno.h>
#include <math.h>

#include "base/cleanup.h"

#define MODEL_ERROR 0.04
#define OFFLOAD_THREADS 32 /* min(32, processors + 4): the most of asyncio's default executor */

/* One evaluation: from requests to capacities. */
struct outcome {
	double ratio, now_per_s, async_per_s, overlap_per_s, kappa, extrapolation, utilisation;
	struct tuned tuned;
	struct async_capacity async;
};

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
	struct peer_demand d = {peer_s, INFINITY, pool};

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
				 struct peer_demand *peers)
{
	double n = r->sums.requests;

	for (uint32_t i = 0; i < r->n_peers; i++)
		peers[i] = peer_demand(&opts->fits[i], r->peer_s[i] / n,
				       opts->pools ? opts->pools[i] : INFINITY);
	return (struct demand){
		.cpu_s = r->sums.cpu_s / n,
		.wait_s = r->sums.wait_s / n,
		.offload_s = r->sums.offload_s / n,
		.peers = peers,
		.n_peers = r->n_peers,
	};
}

static int changed_cpu_s(const struct resample *r, const struct gain_opts *opts, double *ret_s)
{
	struct stack_change change = opts->change;
	struct changed_cpu cpu = {0};
	double n = r->sums.requests;
	int error;

	change.cpu_s = r->sums.cpu_s / n;
	change.operations = r->sums.operations / n;
	change.offloads = r->sums.offloads / n;
	error = kappa_cpu(&change, r->prng, &cpu);
	if (error < 0)
		return error;
	*ret_s = cpu.stack_s + cpu.loop_s;
	return 0;
}

/* How far beyond what its peers have shown the service would go at this rate: 1 is not at all. */
static double extrapolation(const struct resample *r, const struct gain_opts *opts, double per_s)
{
	double most = 1;

	for (uint32_t i = 0; i < r->n_peers; i++) {
		double calls = visits(&opts->fits[i], r->peer_s[i] / r->sums.requests);

		if (calls > 0)
			most = fmax(most, peer_fit_extrapolation(&opts->fits[i], per_s * calls));
	}
	return most;
}

static int async_outcome(const struct resample *r, const struct gain_context *c,
			 const struct demand *d, struct outcome *out)
{
	const struct gain_opts *opts = c->opts;
	struct async_plan plan = {
		.processes = opts->loops ? opts->loops : (uint32_t)ceil(c->e->cpus),
		.cpu_s = d->cpu_s,
		.offload_threads = opts->offload_threads ? opts->offload_threads : OFFLOAD_THREADS,
	};
	struct async_capacity overlap = {0};
	int error = capacity_async(d, c->e->cpus, &plan, &overlap);
	if (error < 0)
		return error;

	error = changed_cpu_s(r, opts, &plan.cpu_s);
	if (error < 0)
		return error;
	error = capacity_async(d, c->e->cpus, &plan, &out->async);
	if (error < 0)
		return error;
	out->overlap_per_s = overlap.per_s;
	out->async_per_s = out->async.per_s;
	out->kappa = plan.cpu_s / d->cpu_s;
	out->extrapolation = extrapolation(r, opts, out->async_per_s);
	return 0;
}

static int evaluate(const struct resample *r, const struct gain_context *c, struct outcome *out)
{
	_cleanup_free_ struct peer_demand *peers = calloc((size_t)r->n_peers + 1, sizeof(*peers));
	const struct worker_plan now = {c->e->processes, c->e->threads, c->e->interpreter_lock};
	struct demand d;
	int error;

	if (!peers)
		return -ENOMEM;
	if (!(r->sums.requests > 0) || !(r->sums.cpu_s > 0))
		return -EDOM;
	d = mean_demand(r, c->opts, peers);
	bootstrap_ratio(r, NULL, &out->ratio);
	error = capacity_sync(&d, c->e->cpus, &now, &out->now_per_s);
	if (error < 0)
		return error;
	error = capacity_tuned(&d, c->e->cpus, &now, &c->opts->tune, &out->tuned);
	if (error < 0)
		return error;
	out->utilisation = fmin(out->now_per_s * d.cpu_s / c->e->cpus, 1);
	return async_outcome(r, c, &d, out);
}

/* The model's own error, on a ratio of two of its capacities. */
static double model_error(struct prng *prng)
{
	return prng ? exp(MODEL_ERROR * prng_normal(prng)) : 1;
}

/* Of what a peer was never seen to do, it may do nothing or all. */
static double peer_error(const struct outcome *o, struct prng *prng)
{
	double least = 1 / o->extrapolation;

	return prng ? least + (1 - least) * prng_uniform(prng) : 1;
}

static void gain_statistic(const struct resample *r, const void *context, double *figures)
{
	struct outcome o = {0};
	double async_per_s;

	for (int i = 0; i < GAIN_FIGURE_COUNT; i++)
		figures[i] = NAN;
	if (evaluate(r, context, &o) < 0)
		return;
	async_per_s = o.async_per_s * peer_error(&o, r->prng);
	figures[GAIN_RATIO] = o.ratio;
	figures[GAIN_NOW_PER_S] = o.now_per_s;
	figures[GAIN_TUNED_PER_S] = o.tuned.per_s;
	figures[GAIN_ASYNC_PER_S] = async_per_s;
	figures[GAIN_ASYNC_OVER_NOW] = async_per_s / o.now_per_s * model_error(r->prng);
	figures[GAIN_TUNED_OVER_NOW] = o.tuned.per_s / o.now_per_s * model_error(r->prng);
	figures[GAIN_ASYNC_OVER_TUNED] = async_per_s / o.tuned.per_s * model_error(r->prng);
	figures[GAIN_OVERLAP] = o.overlap_per_s / o.now_per_s * model_error(r->prng);
	figures[GAIN_KAPPA] = o.kappa;
	if (isfinite(o.extrapolation))
		figures[GAIN_EXTRAPOLATION] = o.extrapolation;
}

/* The whole sample once more, for what is no number. */
static int best_outcome(const struct gain_context *c, struct outcome *out)
{
	_cleanup_free_ double *peer_s = calloc((size_t)c->e->n_peers + 1, sizeof(*peer_s));
	struct resample whole = {.peer_s = peer_s, .n_peers = c->e->n_peers};

	if (!peer_s)
		return -ENOMEM;
	for (size_t i = 0; i < c->e->n_traces; i++)
		evidence_add_trace(&c->e->traces[i], &whole.sums, peer_s);
	return evaluate(&whole, c, out);
}

int gain_estimate(const struct evidence_sample *e, const struct gain_opts *opts,
		  struct gain *ret_gain)
{
	const struct gain_context context = {e, opts};
	const struct bootstrap_opts bootstrap = {
		.seed = opts->seed,
		.replicates = opts->replicates,
		.n_figures = GAIN_FIGURE_COUNT,
	};
	struct gain gain = {0};
	struct outcome best = {0};
	int r = bootstrap_run(e, &bootstrap, gain_statistic, &context, gain.figures);
	if (r < 0)
		return r;

	r = best_outcome(&context, &best);
	if (r < 0)
		return r;
	gain.tuned = best.tuned;
	gain.async = best.async;
	gain.utilisation = best.utilisation;
	gain.break_even = capacity_break_even(best.utilisation);
	*ret_gain = gain;
	return 0;
}
