/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "advise/advice.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise/advice_parts.h"
#include "base/cleanup.h"
#include "model/derive.h"

#define SENTENCE 512
#define NS_PER_S 1e9
#define SATURATED .95	      /* of the workers' time: then utilisation is what it can be */
#define IN_FLIGHT_BYTES 65536 /* of a request in a loop: 30 to 100 KiB assumed, model.md 2.3 */
#define MATTERS .1	      /* of the memory there is */

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

bool advice_has_target(const struct advice *a)
{
	return a->target && strcmp(a->target, kappa_target_name(TARGET_AUTO)) != 0;
}

const char *advice_headline(const struct advice *a)
{
	for (size_t i = 0; a->verdict == VERDICT_ALREADY_ASYNC && i < a->n_reasons; i++) {
		if (a->reasons[i].reason == REASON_POOL)
			return "Its front is async already; the threads behind it wait.";
	}
	return verdict_headline(a->verdict);
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

/* ---- figures ---- */

int advice_gain(const struct subject *s, struct gain *ret_gain)
{
	if (s->missing != REASON_UNDEFINED || s->loops || s->evidence.n_traces == 0)
		return -ENODATA;
	return gain_estimate(&s->evidence, &s->gain, ret_gain);
}

/* An estimate of which nobody can say how sure it is, is none. */
static struct interval sure(const struct interval *i)
{
	if (isfinite(i->estimate) && isfinite(i->lo) && isfinite(i->hi))
		return *i;
	return (struct interval){NAN, NAN, NAN};
}

static void take_gain(struct advice *a, const struct subject *s, const struct gain *g)
{
	const struct interval *kappa = &g->figures[GAIN_KAPPA];

	a->async_over_now = sure(&g->figures[GAIN_ASYNC_OVER_NOW]);
	a->tuned_over_now = sure(&g->figures[GAIN_TUNED_OVER_NOW]);
	a->async_over_tuned = sure(&g->figures[GAIN_ASYNC_OVER_TUNED]);
	a->overlap = sure(&g->figures[GAIN_OVERLAP]);
	a->now_per_s = sure(&g->figures[GAIN_NOW_PER_S]);
	a->tuned_per_s = sure(&g->figures[GAIN_TUNED_PER_S]);
	a->async_per_s = sure(&g->figures[GAIN_ASYNC_PER_S]);
	a->tuned = g->tuned;
	a->async = g->async;
	a->now = (struct worker_plan){s->evidence.processes, s->evidence.threads,
				      s->evidence.interpreter_lock};
	a->kappa = (struct kappa){kappa->estimate, kappa->lo, kappa->hi,
				  g->stack,	   g->loop,   kappa_guessed(&s->gain.change)};
	a->break_even = g->break_even;
	a->utilisation = g->utilisation;
	a->stack_alone = g->stack_alone;
}

/* ---- facts ---- */

/* What was lost, of what there was: counted, or estimated from the requests where the kernel keeps
 * no count. */
static double lost_share(const struct snapshot *s, const struct service *service)
{
	const struct requests *r = &service->requests;
	double lost = 0, events = 0;

	for (int i = 0; i < LOSS_COUNT; i++)
		lost += (double)s->losses[i];
	for (size_t i = 0; i < s->n_programs; i++)
		events += (double)s->programs[i].runs;
	if (!(events > 0))
		events = 2 * (double)(r->completed + r->operations + r->waits);
	return lost > 0 ? lost / (lost + events) : 0;
}

static double loop_share(const struct service *service)
{
	double loop = (double)service->evidence.opened_by_loop;
	double all = loop + (double)service->evidence.opened_by_worker;

	return all > 0 ? loop / all : 0;
}

static double truncated_share(const struct subject *s)
{
	double n = (double)s->evidence.n_traces;

	return n > 0 ? s->evidence.exact.truncated / n : 0;
}

/* A part of requests, as a share of the processors' time. */
static double part_share(const struct subject *s, enum part part)
{
	return (double)s->service->parts[part].sum_ns / NS_PER_S / s->duration_s / s->evidence.cpus;
}

/* Processors that it ran on. */
static double used_cpus(const struct subject *s)
{
	return (double)s->service->cpu_ns / NS_PER_S / s->duration_s;
}

/* The share of the processors that it and others for its requests took. */
static double utilisation(const struct subject *s)
{
	const struct evidence_sample *e = &s->evidence;

	return (used_cpus(s) + e->other_s * e->exact.requests / s->duration_s) / e->cpus;
}

/* Of its workers' time or of the processors', of which a process uses one where threads take turns.
 */
static double in_use(const struct subject *s)
{
	const struct evidence_sample *e = &s->evidence;
	double cpus = e->interpreter_lock ? fmin(e->cpus, e->processes) : e->cpus;
	double used = used_cpus(s) / cpus;

	return s->busy < used && isfinite(used) ? used : s->busy;
}

static struct verdict_facts facts_of(const struct snapshot *snapshot, const struct subject *s,
				     const struct advice *a)
{
	const struct service *service = s->service;
	enum concurrency concurrency = derive_concurrency(service);
	double busy = s->busy;

	return (struct verdict_facts){
		.shared_threads = loop_share(service),
		.pooled = concurrency == CONCURRENCY_EVENT_LOOP_THREADS,
		.side_by_side = subject_side_by_side(s),
		.overlapping = stack_has(service, "go") || stack_has(service, "node"),
		.blocking_calls = advice_blocking_kinds(a),
		.loop_cpu_p99_s = concurrency == CONCURRENCY_EVENT_LOOP && !stack_has(service, "go")
					  ? dist_quantile_s(&service->parts[PART_CPU], .99)
					  : NAN,
		.missing = s->missing,
		.requests = derive_requests_seen(snapshot, service),
		.sampled = s->evidence.n_traces,
		.truncated = truncated_share(s),
		.closure = derive_closure(service),
		.losses = lost_share(snapshot, service),
		.busy = busy,
		.in_use = in_use(s),
		.utilisation = busy >= SATURATED ? utilisation(s) : NAN,
		.wanted_cpu = part_share(s, PART_RUN_QUEUE),
		.in_flight = NAN,
		.needed_bytes = NAN,
		.free_bytes = NAN,
		.p99_ratio = NAN,
		.p99_s = NAN,
		.lag_p99_s = NAN,
		.split_p99_ratio = NAN,
		.split_lag_p99_s = NAN,
	};
}

/* What enough workers would need, and what loops would need for as many requests in flight. */
static void take_memory(struct verdict_facts *f, const struct subject *s, const struct gain *g)
{
	const struct tune_opts *tune = &s->gain.tune;
	double per_process = tune->process_bytes, wanted = g->tuned.wanted, loops, workers;

	f->in_flight = g->async.per_s * (subject_wait_s(s) + g->figures[GAIN_KAPPA].estimate *
								     s->evidence.exact.cpu_s /
								     s->evidence.exact.requests);
	if (!(per_process > 0) || !(tune->memory_bytes > 0))
		return;
	workers = tune->threads ? s->gain.loops * per_process + wanted * tune->thread_bytes
				: wanted * per_process;
	loops = s->gain.loops * per_process + f->in_flight * IN_FLIGHT_BYTES;
	f->needed_bytes = workers;
	f->free_bytes = tune->memory_bytes;
	/* A share of little is no saving. */
	if (workers - loops >= MATTERS * tune->memory_bytes)
		f->memory_saving = 1 - loops / workers;
}

static void take_latency(struct verdict_facts *f, const struct advice *a)
{
	const struct advice_latency *l = a->latency[ADVICE_NORMAL];

	f->p99_s = l[ADVICE_ASYNC].p99_s;
	f->p99_ratio = l[ADVICE_ASYNC].p99_s / l[ADVICE_NOW].p99_s;
	f->lag_p99_s = l[ADVICE_ASYNC].lag_p99_s;
	f->split_p99_ratio = l[ADVICE_SPLIT].p99_s / l[ADVICE_NOW].p99_s;
	f->split_lag_p99_s = l[ADVICE_SPLIT].lag_p99_s;
}

/* ---- the advice ---- */

static int judge(const struct snapshot *snapshot, struct subject *s, struct advice *a)
{
	struct verdict_thresholds thresholds = verdict_defaults();
	struct verdict_facts facts;
	struct verdict verdict;
	struct gain gain;
	int r, known = advice_gain(s, &gain);

	if (known == -ENOMEM)
		return known;
	if (known == 0) {
		take_gain(a, s, &gain);
		r = advice_replay(s, &gain, a);
	} else {
		r = s->loops ? advice_loop(s, a) : 0;
	}
	if (r < 0)
		return r;
	facts = facts_of(snapshot, s, a);
	if (known == 0) {
		verdict_take_gain(&facts, &gain);
		take_memory(&facts, s, &gain);
		take_latency(&facts, a);
	}
	verdict = verdict_find(&facts, &thresholds);
	r = take_reasons(a, &verdict);
	if (r < 0)
		return r;
	r = advice_precedent(s, a);
	return r < 0 ? r : advice_explain(s, known == 0 ? &gain : NULL, a);
}

int advice_service(const struct snapshot *snapshot, size_t service, const struct advice_opts *opts,
		   struct advice **ret_advice)
{
	_cleanup_(advice_freep) struct advice *a = NULL;
	_cleanup_(subject_done) struct subject s = {.missing = REASON_UNDEFINED};
	int r;

	r = subject_of(snapshot, service, opts, &s);
	if (r < 0)
		return r;
	a = advice_new();
	if (!a)
		return -ENOMEM;
	a->seed = opts->seed;
	a->cpu_factor = opts->cpu_factor;
	a->target = kappa_target_name(s.loops ? opts->target : s.stack.target);
	r = judge(snapshot, &s, a);
	if (r < 0)
		return r;
	*ret_advice = TAKE(a);
	return 0;
}
