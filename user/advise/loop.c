/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: what keeps an event loop from serving what its CPU allows?
 *
 * Method: waits other than for readiness that stopped a loop were counted by class, for peers by
 * peer. With L loops on C processors, c seconds of CPU and b of such waits per request, and o of
 * CPU that others take for it on the same processors:
 *
 *	now	min(C / (c + o), L / (c + b))
 *	tuned	the same with a loop per processor
 *	async	the loops of now without the waits: min(C / (c + o), L / c)
 *
 * A pool of W threads behind the loops that is busy a share u of the time, at X requests per
 * second, takes X / u (utilisation law): now is that, if it is less, and tuned has threads for
 * all. Only if the pool is full: one that is not may have room to grow, and is not in the capacity.
 *
 * Kappa does not come into it, unless it is given: the stack stays. Peers are assumed to keep up. c
 * is that under full load (warm.c). The intervals hold the closed forms' own error, and as the
 * least of c that turns with peers, after which a loop may have slept, cost no more than its other
 * work.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "advise/advice_parts.h"
#include "model/derive.h"
#include "model/pool.h"

#define NS_PER_S 1e9
#define MATTERS_S .005
#define MATTERS_SHARE .01
#define MOST_SAVED .87	     /* as kappa.c has it */
#define MODEL_ERROR_90 1.068 /* exp(1.645 x 4 %) */

static double seconds(uint64_t ns)
{
	return (double)ns / NS_PER_S;
}

static int add(struct subject const *s, struct advice *a, const struct blocked *b, char *what)
{
	double time_s = subject_loops(s) * s->duration_s;
	struct advice_blocking *list;

	if (!what)
		return -ENOMEM;
	list = reallocarray(a->blocking, a->n_blocking + 1, sizeof(*list));
	if (!list) {
		free(what);
		return -ENOMEM;
	}
	a->blocking = list;
	list[a->n_blocking++] = (struct advice_blocking){
		.what = what,
		.count = b->count,
		.sum_s = seconds(b->sum_ns),
		.max_s = seconds(b->max_ns),
		.share = time_s > 0 ? seconds(b->sum_ns) / time_s : NAN,
	};
	return 0;
}

static int by_sum(const void *left, const void *right)
{
	const struct advice_blocking *a = left, *b = right;

	return (a->sum_s < b->sum_s) - (a->sum_s > b->sum_s);
}

/* Network waits whose peer is not among the peers. */
static struct blocked network_rest(const struct service *service)
{
	struct blocked rest = service->blocked[PART_NETWORK];

	for (size_t i = 0; i < service->n_peers; i++) {
		const struct blocked *b = &service->peers[i].blocked;

		rest.count -= b->count < rest.count ? b->count : rest.count;
		rest.sum_ns -= b->sum_ns < rest.sum_ns ? b->sum_ns : rest.sum_ns;
	}
	return rest;
}

/* V8's threads collect garbage while the loop waits for them, and it waits for no other lock: there
 * is no call to be made another way. */
static bool is_of_the_runtime(const struct service *service, unsigned int part)
{
	return part == PART_LOCK && stack_has(service, "node");
}

static int list_blocking(const struct subject *s, struct advice *a)
{
	const struct service *service = s->service;
	struct sentences words = {.n = 0};
	int r = 0;

	for (size_t i = 0; i < service->n_peers && r == 0; i++) {
		const struct peer *p = &service->peers[i];

		if (p->blocked.count)
			r = add(s, a, &p->blocked,
				sentence_new(&words, "network wait for %s", p->address));
	}
	for (unsigned int i = 0; i < PART_WAIT_COUNT && r == 0; i++) {
		struct blocked b = i == PART_NETWORK ? network_rest(service) : service->blocked[i];

		if (!b.count || is_of_the_runtime(service, i))
			continue;
		if (i == PART_DISK && service->blocking_file)
			r = add(s, a, &b,
				sentence_new(&words, "disk wait, the longest for %s",
					     service->blocking_file));
		else
			r = add(s, a, &b, sentence_new(&words, "%s wait", part_label(i)));
	}
	if (a->n_blocking)
		qsort(a->blocking, a->n_blocking, sizeof(*a->blocking), by_sum);
	return r;
}

uint32_t advice_blocking_kinds(const struct advice *a)
{
	uint32_t n = 0;

	for (size_t i = 0; i < a->n_blocking; i++)
		n += a->blocking[i].max_s >= MATTERS_S || a->blocking[i].share >= MATTERS_SHARE;
	return n;
}

/* With the most and the least CPU that a request may take. */
static struct interval around(double estimate, double slow, double fast)
{
	return (struct interval){estimate, fmin(estimate, fmin(slow, fast)) / MODEL_ERROR_90,
				 fmax(estimate, fmax(slow, fast)) * MODEL_ERROR_90};
}

/* What the pool behind the loops takes; INFINITY: there is none, or it is not the limit. */
static double pool_per_s(const struct subject *s)
{
	double busy = derive_busy_fraction(s->service);

	if (derive_concurrency(s->service) != CONCURRENCY_EVENT_LOOP_THREADS ||
	    !(busy >= POOL_TAKEN))
		return INFINITY;
	return s->rate_per_s / busy;
}

/* So many processes with threads for that many requests per second. */
static struct worker_plan plan(const struct subject *s, double loops, double per_s)
{
	double processes = loops, threads = 1, pool = pool_per_s(s);

	/* Goroutines are run by several threads of a process, each as good as a loop. */
	if (stack_has(s->service, "go") && s->service->workers.processes > 0)
		processes = s->service->workers.processes;
	if (isfinite(pool))
		threads = fmax(ceil(s->service->workers.count * per_s / pool / processes), 1);
	return (struct worker_plan){.processes = (uint32_t)processes, .threads = (uint32_t)threads};
}

struct capacities {
	double now, tuned, async;
};

/* left: of a request's CPU, on the loops of async. */
static struct capacities capacities(const struct subject *s, double cpu_s, double blocked_s,
				    double left)
{
	double cpus = s->evidence.cpus, loops = subject_loops(s), most = fmax(loops, ceil(cpus));
	double full = cpus / (cpu_s + s->evidence.other_s);

	return (struct capacities){
		.now = fmin(fmin(full, loops / (cpu_s + blocked_s)), pool_per_s(s)),
		.tuned = fmin(full, most / (cpu_s + blocked_s)),
		.async = fmin(cpus / (left * cpu_s + s->evidence.other_s), loops / (left * cpu_s)),
	};
}

/* What was measured, of which cpu_s is the estimate under full load. */
static double measured_cpu_s(const struct subject *s, double cpu_s)
{
	return cpu_s / warm_factor(&s->warm.share, NULL);
}

/* The least that a request may take under full load: without what sleeping adds, at each turn with
 * a peer as well. */
static double least_cpu_s(const struct subject *s, double cpu_s)
{
	const struct requests *r = &s->service->requests;
	double n = (double)r->completed, waits = fmax((double)r->waits, (double)r->operations) / n;
	struct prior each = warm_cost(s->service);
	double measured_s = measured_cpu_s(s, cpu_s);
	struct warm_up up = warm_up_of(
		&(struct rhythm){
			.per_s = s->rate_per_s / subject_loops(s),
			.cpu_s = measured_s,
			.waits = waits,
			.wait_s = waits > 0 ? seconds(s->service->service_time.sum_ns) / n / waits
					    : 0,
		},
		&each);

	up.share.hi = fmax(up.share.hi + up.waits_s.hi / measured_s, s->warm.share.hi);
	return measured_s * warm_factor(&(struct prior){.estimate = up.share.hi}, NULL);
}

/* The most: as measured, but for the least that sleeping adds. */
static double most_cpu_s(const struct subject *s, double cpu_s)
{
	return measured_cpu_s(s, cpu_s) *
	       warm_factor(&(struct prior){.estimate = s->warm.share.lo}, NULL);
}

/* What is left of a request's CPU on the loop that is asked for. */
static struct prior left_of_cpu(const struct subject *s, double cpu_s)
{
	struct prior saved = {0};

	if (s->opts->cpu_factor > 0)
		return (struct prior){s->opts->cpu_factor, s->opts->cpu_factor,
				      s->opts->cpu_factor};
	if (s->opts->target == TARGET_UVLOOP)
		saved = stack_uvloop_saves(s->service, s->opts->calibrated);
	return (struct prior){1 - fmin(saved.estimate / cpu_s, MOST_SAVED),
			      1 - fmin(saved.hi / cpu_s, MOST_SAVED),
			      1 - fmin(saved.lo / cpu_s, MOST_SAVED)};
}

int advice_loop(const struct subject *s, struct advice *a)
{
	double n = s->evidence.exact.requests, cpu_s = s->evidence.exact.cpu_s / n, blocked_s = 0;
	double loops = subject_loops(s), most = fmax(loops, ceil(s->evidence.cpus));
	struct capacities c, slow, fast;
	struct prior left;
	int r = list_blocking(s, a);

	if (r < 0 || s->missing != REASON_UNDEFINED)
		return r;
	for (unsigned int i = 0; i < PART_WAIT_COUNT; i++) {
		if (!is_of_the_runtime(s->service, i))
			blocked_s += seconds(s->service->blocked[i].sum_ns) / n;
	}
	left = left_of_cpu(s, cpu_s);
	c = capacities(s, cpu_s, blocked_s, left.estimate);
	slow = capacities(s, most_cpu_s(s, cpu_s), blocked_s, left.hi);
	fast = capacities(s, least_cpu_s(s, cpu_s), blocked_s, left.lo);
	if (!(c.now > 0) || !isfinite(c.async) || !isfinite(fast.async))
		return 0;
	a->now_per_s = around(c.now, slow.now, fast.now);
	a->tuned_per_s = around(c.tuned, slow.tuned, fast.tuned);
	a->async_per_s = around(c.async, slow.async, fast.async);
	a->async_over_now = around(c.async / c.now, slow.async / slow.now, fast.async / fast.now);
	a->tuned_over_now = around(c.tuned / c.now, slow.tuned / slow.now, fast.tuned / fast.now);
	a->async_over_tuned =
		around(c.async / c.tuned, slow.async / slow.tuned, fast.async / fast.tuned);
	a->now = plan(s, loops, pool_per_s(s));
	a->tuned.plan = c.tuned > c.now * (1 + TUNE_LEAST) ? plan(s, most, c.tuned) : a->now;
	a->tuned.per_s = c.tuned;
	a->utilisation = fmin(c.now * cpu_s / s->evidence.cpus, 1);
	return 0;
}
