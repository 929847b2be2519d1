/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The advice in words: what would be cheaper, what would change the answer, which part of the gain
 * a library or a server alone would bring, what the intervals are made of. Each sentence holds the
 * figures it is made from.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "advise/advice_parts.h"
#include "model/derive.h"

#define LOAD_MATTERS .02 /* of its CPU */
#define WORTH 1.25	 /* what async must gain over the workers to be a clear win */
#define NOTABLE 1.05	 /* a gain that is worth a sentence */
#define MANY_CALLS 4	 /* of a request: kappa changes with how they are made */
#define CLIENT_MATTERS .1
#define LEAST_TOLD .001	      /* of an error */
#define MODEL_HALF_WIDTH .066 /* 1.645 x 4 % */
#define FEW_TRACES 200

static const char *plural(uint32_t n)
{
	return n == 1 ? "" : "es";
}

static char *plan_words(struct sentences *w, const struct worker_plan *plan)
{
	if (plan->threads == 1)
		return sentence_new(w, "%u process%s", plan->processes, plural(plan->processes));
	return sentence_new(w, "%u process%s of %u threads", plan->processes,
			    plural(plan->processes), plan->threads);
}

/* ---- the cheaper alternative ---- */

static char *tuned_words(struct sentences *w, const struct advice *a)
{
	char *plan = plan_words(w, &a->tuned.plan), *now = plan_words(w, &a->now), *text = NULL;
	char memory[64] = "";

	if (a->tuned.memory_bytes > 0)
		(void)snprintf(memory, sizeof(memory), ", %.3g MB of memory",
			       a->tuned.memory_bytes / 1e6);
	if (plan && now)
		text = sentence_new(w,
				    "%s in place of %s: %.2f times today's requests/s, a change "
				    "of configuration%s",
				    plan, now, a->tuned_over_now.estimate, memory);
	free(plan);
	free(now);
	return text;
}

static char *cheaper(struct sentences *w, const struct subject *s, const struct advice *a)
{
	const struct service *service = s->service;
	double client_ns = (double)service->parts[PART_CLIENT].sum_ns;

	if (s->missing != REASON_UNDEFINED)
		return NULL;
	if (client_ns > CLIENT_MATTERS * (double)service->service_time.sum_ns)
		return sentence_new(w,
				    "a buffering proxy in front: %.0f %% of the requests' time is "
				    "waiting for slow clients",
				    100 * client_ns / (double)service->service_time.sum_ns);
	if (a->tuned_over_now.estimate >= NOTABLE)
		return tuned_words(w, a);
	if (isfinite(a->stack_alone) && a->stack_alone >= NOTABLE &&
	    (s->stack.client || s->stack.server))
		return sentence_new(w,
				    "leaner code around the same workers, without async (%s%s%s): "
				    "%.2f times",
				    s->stack.client ? s->stack.client : s->stack.server,
				    s->stack.client && s->stack.server ? ", " : "",
				    s->stack.client && s->stack.server ? s->stack.server : "",
				    a->stack_alone);
	return NULL;
}

/* ---- the stack ---- */

static char *library(struct sentences *w, const struct subject *s, const struct advice *a)
{
	const struct stack *stack = &s->stack;
	double alone = a->stack_alone;

	if (!isfinite(alone) || s->loops)
		return NULL;
	if (s->opts->cpu_factor > 0)
		return sentence_new(w, "How much of kappa is library or server is not known: it "
				       "was given as a whole.");
	if (stack->change.same_stack)
		return sentence_new(w, "None of the gain is the stack's: it stays.");
	if (a->kappa.guessed && !stack->client && !stack->server)
		return sentence_new(w, "What another library or server alone would bring is not "
				       "known: none of known cost was recognised.");
	if (alone < NOTABLE || !isfinite(a->overlap.estimate))
		return sentence_new(w,
				    "Another library or server alone, without going async, would "
				    "bring next to nothing: %.2f times.",
				    alone);
	return sentence_new(w,
			    "%s%s%s%s alone, without going async, would bring %.2f times today's "
			    "requests/s; waiting less (overlap) %.2f times.",
			    stack->client   ? stack->client
			    : stack->server ? stack->server
					    : "The stack",
			    stack->client && stack->server ? " and " : "",
			    stack->client && stack->server ? stack->server : "",
			    " changed for leaner ones", alone, a->overlap.estimate);
}

/* ---- what would change the answer ---- */

static double sync_per_s(const struct subject *s, uint32_t workers)
{
	const struct evidence_sample *e = &s->evidence;
	const struct demand demand = {.cpu_s = e->exact.cpu_s / e->exact.requests,
				      .wait_s = subject_wait_s(s),
				      .other_s = e->other_s};
	const struct worker_plan plan = {workers, 1, false};
	double per_s = 0;

	return capacity_sync(&demand, e->cpus, &plan, &per_s) < 0 ? 0 : per_s;
}

/* So few workers that async is a clear win over them. */
static void change_by_memory(struct subject *s, struct advice *a, struct sentences *changes)
{
	uint32_t workers = a->tuned.plan.processes * a->tuned.plan.threads;
	const double goal = a->async_per_s.estimate / WORTH;

	while (workers > 1 && sync_per_s(s, workers) > goal)
		workers--;
	if (workers > 1 || sync_per_s(s, 1) <= goal)
		sentences_add(changes,
			      "With room for %u worker%s or fewer async would be the clear win "
			      "(--memory-budget, --max-connections).",
			      workers, workers == 1 ? "" : "s");
}

static void list_changes(struct subject *s, const struct gain *g, struct advice *a,
			 struct sentences *changes)
{
	double k = a->break_even;

	switch (a->verdict) {
	case VERDICT_TUNE_WORKERS:
		change_by_memory(s, a, changes);
		break;
	case VERDICT_MIGRATE:
	case VERDICT_MIGRATE_SPLIT_CPU:
		sentences_add(changes,
			      "Kappa above %.2f: async would gain nothing (taken as %.2f).", k,
			      a->kappa.estimate);
		if (a->tuned.limit != TUNE_UNLIMITED)
			sentences_add(changes, "Room for %u workers: they would serve as much.",
				      g->tuned.wanted);
		break;
	case VERDICT_DO_NOT_MIGRATE:
		if (a->reasons[0].reason == REASON_STACK)
			sentences_add(changes,
				      "Requests that wait more: overlap alone would have to "
				      "gain 1.15 times or more.");
		else if (a->async.limit == ASYNC_PEER || a->async.limit == ASYNC_POOL)
			sentences_add(changes,
				      "A peer that serves more, or more connections to it.");
		else if (a->async.limit != ASYNC_CPU)
			sentences_add(changes, "The lock or the thread pool done away with.");
		else
			sentences_add(changes,
				      "A request whose CPU after the change is below %.2f of "
				      "today's (--cpu-factor), or that waits more.",
				      k / WORTH);
		break;
	case VERDICT_BORDERLINE:
		sentences_add(changes,
			      "One endpoint ported and its CPU per request measured: that is "
			      "kappa, and --cpu-factor takes it. Below %.2f async is worth it.",
			      k / 1.3);
		break;
	default:
		break;
	}
}

/* "now 155 ms (missed)", or that it cannot be said. */
static char *slo_words(const struct advice_latency *l, enum advice_setup setup, double slo_s,
		       struct sentences *w)
{
	if (!isfinite(l->p99_s))
		return sentence_new(w, "%s -", advice_setup_name(setup));
	return sentence_new(w, "%s %.3g ms%s", advice_setup_name(setup), l->p99_s * 1e3,
			    l->p99_s > slo_s ? " (missed)" : "");
}

static void tell_slo(const struct subject *s, struct advice *a, struct sentences *changes)
{
	double slo_s = s->opts->slo_p99_s;

	for (int i = 0; slo_s > 0 && i < ADVICE_POINT_COUNT; i++) {
		const struct advice_latency *l = a->latency[i];
		char *now = slo_words(&l[ADVICE_NOW], ADVICE_NOW, slo_s, changes);
		char *tuned = slo_words(&l[ADVICE_TUNED], ADVICE_TUNED, slo_s, changes);
		char *async = slo_words(&l[ADVICE_ASYNC], ADVICE_ASYNC, slo_s, changes);

		if (now && tuned && async && isfinite(l[ADVICE_NOW].p99_s + l[ADVICE_ASYNC].p99_s))
			sentences_add(changes, "A p99 of %.3g ms at %.3g requests/s: %s, %s, %s.",
				      slo_s * 1e3, a->rate_per_s[i], now, tuned, async);
		free(now);
		free(tuned);
		free(async);
	}
}

/* ---- how far to trust it ---- */

/* What sampling and CPU at full load make of the gain at kappa = 1, which has the model's error,
 * too. */
static double sampling_half_width(const struct gain *g)
{
	double all = gain_overlap_half_width(&g->figures[GAIN_OVERLAP], &g->all);

	return sqrt(fmax(all * all - MODEL_HALF_WIDTH * MODEL_HALF_WIDTH, 0));
}

/* What the intervals of guessed or calibrated kappa were worth when real twins were measured:
 * docs/validation.md has the table. */
#define VALIDATED                                                                          \
	"; in tests with real twins 90 % of the gains measured lay within such intervals " \
	"(docs/validation.md)"

static char *budget(struct sentences *w, const struct subject *s, const struct gain *g,
		    const struct advice *a)
{
	double kappa = (a->kappa.hi - a->kappa.lo) / 2 / a->kappa.estimate;
	double peers = g->figures[GAIN_EXTRAPOLATION].estimate;
	double sampled = sampling_half_width(g);
	char beyond[64] = "none";

	if (peers > 1.005)
		(void)snprintf(beyond, sizeof(beyond), "asked %.1f times what was seen", peers);
	return sentence_new(w,
			    "90 %% intervals: sampling%s +-%.1f %% (%zu of %.0f requests), model "
			    "+-%.1f %%, kappa +-%.0f %%, peers: %s%s",
			    s->warm.share.hi > 0 ? " and CPU at full load" : "",
			    100 * fmax(sampled, LEAST_TOLD), s->evidence.n_traces,
			    s->evidence.exact.requests, 100 * MODEL_HALF_WIDTH, 100 * kappa, beyond,
			    s->opts->cpu_factor > 0 ? "" : VALIDATED);
}

static void assume_load(struct subject *s)
{
	double cpu_ms = 1e3 * s->evidence.exact.cpu_s / s->evidence.exact.requests;
	double factor = warm_factor(&s->warm.share, NULL);
	double waits_ms = 1e3 * s->warm.calls_s.estimate;

	if (factor < 1 - LOAD_MATTERS)
		sentences_add(
			&s->assumptions,
			"Under full load a request takes %.3g ms of CPU, not %.3g ms: its "
			"%s had slept for %.3g ms before it, after which code runs slower "
			"for a while (%.0f us per request after 1 ms, more after longer; %s).",
			cpu_ms, cpu_ms / factor, s->loops ? "loop" : "worker",
			1e3 * s->warm.slept_s, 1e6 * s->warm.each_s.estimate,
			s->warm.measured ? "measured in this service" : "a prior");
	if (s->loops)
		return;
	if (waits_ms > LOAD_MATTERS * cpu_ms && !(s->opts->cpu_factor > 0) &&
	    !s->stack.change.same_stack)
		sentences_add(
			&s->assumptions,
			"Of a request's CPU %.2g ms go with waking up from waits: other requests "
			"run meanwhile on a loop under full load, which is in kappa.",
			waits_ms);
}

/* What calls cost that the same client need not: the other stack is taken to do without. */
static void assume_calls(struct subject *s)
{
	const struct stack_change *c = &s->stack.change;

	for (size_t i = 0; i < c->n_swaps && !(s->opts->cpu_factor > 0); i++) {
		const struct swap *swap = &c->swaps[i];
		double us = 0;

		if (swap->from < COST_COUNT)
			us = 1e6 * swap->times * cost_of(c->calibrated, swap->from).estimate;
		if (swap->from == COST_REQUESTS_VARIABLE)
			sentences_add(
				&s->assumptions,
				"requests goes through the %u variables of the service's "
				"environment at each call, %.0f us of CPU per request: unless "
				"trust_env = False is set, which saves that.",
				s->service->surroundings.environment_variables, us);
		if (swap->from == COST_REQUESTS_CONNECTION)
			sentences_add(
				&s->assumptions,
				"%.2f connections are opened per request, %.0f us of CPU: the "
				"other stack keeps them, as one kept Session of requests would.",
				swap->times, us);
		if (swap->alone && swap->times >= MANY_CALLS)
			sentences_add(
				&s->assumptions,
				"Of a request's %.3g calls some are made at once: then each costs "
				"aiohttp more than one after the other, of 8 up to 1.2 times that, "
				"of 32 up to 2.1 times (measured on another machine).",
				swap->times);
	}
}

/* Of an event loop that goes to another loop. */
static void assume_loop(struct subject *s)
{
	enum target target = s->opts->target;
	double saved_s = target == TARGET_UVLOOP
				 ? stack_uvloop_saves(s->service, s->opts->calibrated).estimate
				 : 0;

	if (target == TARGET_AUTO || target == TARGET_ASYNCIO || s->opts->cpu_factor > 0)
		return;
	if (saved_s > 0)
		sentences_add(&s->assumptions,
			      "On uvloop a request would take %.3g ms of CPU less, by what ioprof "
			      "calibrate measured%s of its server and clients on either loop.",
			      saved_s * 1e3, s->opts->calibrated ? "" : " on another machine");
	else
		sentences_add(
			&s->assumptions,
			"What %s would save an event loop is not known here: --target changes "
			"nothing.%s",
			kappa_target_name(target),
			target == TARGET_UVLOOP && !stack_has(s->service, "uvloop")
				? " ioprof calibrate measures it of uvicorn, aiohttp and "
				  "asyncpg."
				: "");
}

static void assume(struct subject *s, const struct advice *a)
{
	struct sentences *w = &s->assumptions;
	const struct service *service = s->service;

	if (s->missing != REASON_UNDEFINED)
		return;
	assume_load(s);
	if (s->loops) {
		sentences_add(w, "Its peers would keep up%s.",
			      a->n_blocking ? ", and its blocking calls have versions that do not "
					      "block"
					    : "");
		assume_loop(s);
		return;
	}
	assume_calls(s);
	if (s->evidence.n_traces > 0 && s->evidence.n_traces < FEW_TRACES)
		sentences_add(w, "How requests vary is known from %zu only.", s->evidence.n_traces);
	if (a->simulated > 0 && a->simulated < 40000)
		sentences_add(w,
			      "Latencies are from %llu simulated requests: a p99 may be off by "
			      "a tenth and more.",
			      (unsigned long long)a->simulated);
	if (subject_side_by_side(s))
		sentences_add(w,
			      "Latencies are not simulated: several threads work on a request at "
			      "once, and which of their waits were at the same time is not known.");
	if (!service->surroundings.n_components)
		sentences_add(w, "Interpreter and libraries were not recognised.");
	if (service->surroundings.modules_seen == MODULES_PART)
		sentences_add(w, "It has more memory than was looked at for packages: one that "
				 "was not found may be loaded.");
	if (s->evidence.after_s > 0.01 * s->evidence.exact.cpu_s / s->evidence.exact.requests)
		sentences_add(w,
			      "%.0f %% of the CPU per request is spent outside requests "
			      "(accept, logging, waking up); it is taken to grow with them.",
			      100 * s->evidence.after_s * s->evidence.exact.requests /
				      s->evidence.exact.cpu_s);
	for (size_t i = 0; i < service->n_peers; i++) {
		if (s->fits[i].minor && s->fits[i].kind == PEER_FIT_UNKNOWN)
			sentences_add(w, "Peers that get less than 5 %% of operations and waiting "
					 "will keep up.");
		if (s->fits[i].minor && s->fits[i].kind == PEER_FIT_UNKNOWN)
			break;
	}
	if (service->n_peers)
		sentences_add(w,
			      "Nobody else's load on the peers grows: other clients are not seen.");
}

int advice_explain(struct subject *s, const struct gain *gain, struct advice *a)
{
	struct sentences changes = {.n = 0}, words = {.n = 0};
	bool error;

	if (gain) {
		a->kappa_source = stack_source(&s->stack, &a->kappa);
		if (isfinite(a->now_per_s.estimate) && isfinite(a->kappa.hi))
			a->error_budget = budget(&words, s, gain, a);
		list_changes(s, gain, a, &changes);
		tell_slo(s, a, &changes);
	}
	a->cheaper = cheaper(&words, s, a);
	a->library_sentence = library(&words, s, a);
	assume(s, a);
	a->changes = changes.list;
	a->n_changes = changes.n;
	a->assumptions = s->assumptions.list;
	a->n_assumptions = s->assumptions.n;
	a->what_if = s->what_if.list;
	a->n_what_if = s->what_if.n;
	error = changes.error || words.error || s->assumptions.error || s->what_if.error;
	/* Given away. */
	s->assumptions = s->what_if = (struct sentences){.n = 0};
	return error ? -ENOMEM : 0;
}
