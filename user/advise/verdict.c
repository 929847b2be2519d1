/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: what should be done, and would it stand up to a sceptic?
 *
 * Method: rules in order, the first that holds decides (model.md 2.6). Each rule that holds leaves
 * the figures it used. What is below the error of the figures is no gain; what tuning gives as well
 * is no reason to migrate; an interval counts by its worse end.
 *
 * Some things differ from model.md 2.6, for a reason each. The spread that asks for more data is
 * that of the gain at kappa = 1: an unknown kappa alone makes the other one +-27 %, and watching
 * longer would not help; that is borderline, with kappa named. It asks for more only where nothing
 * else holds: what holds at the worse ends of wide intervals is known. And do-not-migrate does not
 * hold where tuning gains: then there is something better to say. And workers that do not fit into
 * memory are a reason only where async needs less of it: a few large processes that compute do not;
 * and memory decides by itself only where workers would need four times what there is; and no
 * memory saved makes a migration of a gain below 1.1 over the best workers that fit. What a peer
 * was never seen to do does not stop the advice to try more workers. A service is async when most
 * of its requests are read by event loops, not 5 % of them: the proof is by thread, not by request.
 * Requests are 500 of those counted; the sample, which only has to show how they vary, 100. And
 * many threads that compute in turns are hardly busy each: idle is what uses neither workers nor
 * processors.
 */
#include "advise/verdict.h"

#include <math.h>
#include <stdio.h>

#include "model/pool.h"

struct reason_row {
	const char *name;
	double scale;
	const char *sentence;
};

static const struct {
	const char *name, *headline;
} verdict_rows[VERDICT_COUNT] = {
#define VERDICT(id, name, headline) [id] = {name, headline},
#define REASON(id, name, scale, sentence)
#include "advise/verdict.def"
#undef VERDICT
#undef REASON
};

static const struct reason_row reason_rows[REASON_COUNT] = {
#define VERDICT(id, name, headline)
#define REASON(id, name, scale, sentence) [id] = {name, scale, sentence},
#include "advise/verdict.def"
#undef VERDICT
#undef REASON
};

const char *verdict_name(enum verdict_class verdict)
{
	return (unsigned int)verdict < VERDICT_COUNT ? verdict_rows[verdict].name : "?";
}

const char *verdict_headline(enum verdict_class verdict)
{
	return (unsigned int)verdict < VERDICT_COUNT ? verdict_rows[verdict].headline : "?";
}

const char *reason_name(enum reason reason)
{
	return (unsigned int)reason < REASON_COUNT ? reason_rows[reason].name : "?";
}

void verdict_sentence(const struct verdict_reason *reason, char *ret_sentence, size_t size)
{
	const struct reason_row *row;

	if ((unsigned int)reason->reason >= REASON_COUNT) {
		(void)snprintf(ret_sentence, size, "?");
		return;
	}
	row = &reason_rows[reason->reason];
	(void)snprintf(ret_sentence, size, row->sentence, reason->figure * row->scale,
		       reason->threshold * row->scale);
}

struct verdict_thresholds verdict_defaults(void)
{
	return (struct verdict_thresholds){
		.shared_threads = .5,
		.requests = 500,
		.sampled = 100,
		.truncated = .05,
		.closure_error = .05,
		.losses = .005,
		.least_busy = .1,
		.spread = .25,
		.estimators = .15,
		.extrapolation = 2,
		.in_flight = 1000,
		.memory_saving = .3,
		.scarcity = 4,
		.noise = 1.15,
		.worth = 1.3,
		.tuned = 1.15,
		.over_tuned = 1.25,
		.least_over_tuned = 1.1,
		.p99_ratio = 1.2,
		.lag_s = .050,
		.lag_share = .1,
		.no_need = .5,
		.long_cpu_s = .050,
	};
}

void verdict_take_gain(struct verdict_facts *facts, const struct gain *gain)
{
	facts->async_over_now = gain->figures[GAIN_ASYNC_OVER_NOW];
	facts->tuned_over_now = gain->figures[GAIN_TUNED_OVER_NOW];
	facts->async_over_tuned = gain->figures[GAIN_ASYNC_OVER_TUNED];
	facts->overlap = gain->figures[GAIN_OVERLAP];
	facts->seen = gain->seen;
	facts->all = gain->all;
	facts->kappa = gain->figures[GAIN_KAPPA].estimate;
	facts->extrapolation = gain->figures[GAIN_EXTRAPOLATION].estimate;
	facts->break_even = gain->break_even;
	facts->full_utilisation = gain->utilisation;
	facts->others = gain->others;
	facts->async = gain->async;
	facts->wanted = gain->tuned.wanted;
	facts->allowed =
		gain->tuned.limit == TUNE_UNLIMITED ? gain->tuned.wanted : gain->tuned.most;
}

static void add(struct verdict *v, enum reason reason, double figure, double threshold)
{
	if (v->n_reasons < VERDICT_MOST_REASONS)
		v->reasons[v->n_reasons++] = (struct verdict_reason){reason, figure, threshold};
}

/* Leaves the reason if it holds. */
static bool because(struct verdict *v, bool holds, enum reason reason, double figure,
		    double threshold)
{
	if (holds)
		add(v, reason, figure, threshold);
	return holds;
}

static bool known(const struct interval *i)
{
	return isfinite(i->estimate) && isfinite(i->lo) && isfinite(i->hi) && i->estimate > 0;
}

static bool latencies_known(const struct verdict_facts *f)
{
	return isfinite(f->p99_ratio) && isfinite(f->lag_p99_s) && isfinite(f->p99_s);
}

/* Where nobody can know latencies, what else is known decides. */
static bool all_known(const struct verdict_facts *f)
{
	return known(&f->async_over_now) && known(&f->tuned_over_now) &&
	       known(&f->async_over_tuned) && known(&f->overlap) && isfinite(f->closure) &&
	       isfinite(f->losses) && isfinite(f->in_use) && isfinite(f->break_even) &&
	       isfinite(f->kappa) && f->kappa > 0 && (f->side_by_side || latencies_known(f));
}

/* ---- the rules: each says whether it holds, and leaves its reasons if so ---- */

typedef bool rule(const struct verdict_facts *f, const struct verdict_thresholds *t,
		  struct verdict *v);

static bool already_async(const struct verdict_facts *f, const struct verdict_thresholds *t,
			  struct verdict *v)
{
	bool loop = because(v, f->shared_threads >= t->shared_threads, REASON_SHARED_THREADS,
			    f->shared_threads, t->shared_threads);

	loop |= because(v, f->pooled, REASON_POOL, 0, 0);
	(void)because(v, f->pooled && f->busy >= POOL_TAKEN, REASON_POOL_FULL, f->busy, POOL_TAKEN);
	loop |= because(v, f->overlapping, REASON_RUNTIME, 0, 0);
	if (!loop)
		return false;
	(void)because(v, f->blocking_calls > 0, REASON_BLOCKING_CALLS, f->blocking_calls, 0);
	(void)because(v, f->loop_cpu_p99_s >= t->long_cpu_s, REASON_LONG_CPU, f->loop_cpu_p99_s,
		      t->long_cpu_s);
	return true;
}

/*
 * By how much the gain by utilisation, 1 / (u kappa), differs from the gain by waits. Kappa does
 * not change what others take for a request. What the threads waited for processors may be theirs
 * or others' load: the gain may lie between.
 */
static double estimators_differ(const struct verdict_facts *f)
{
	double kappa = f->kappa + (1 - f->kappa) * f->others;
	double most = capacity_gain_bound(f->utilisation, kappa);
	double least = capacity_gain_bound(fmin(f->utilisation + fmax(f->wanted_cpu, 0), 1), kappa);
	double gain = f->async_over_now.estimate;

	if (isnan(most))
		return 0;
	if (isfinite(least) && gain < least)
		return log(least / gain);
	return gain > most || !isfinite(least) ? fabs(log(gain / most)) : 0;
}

/* What does not depend on any verdict. */
static bool data_is_poor(const struct verdict_facts *f, const struct verdict_thresholds *t,
			 struct verdict *v)
{
	bool poor = because(v, f->missing != REASON_UNDEFINED, f->missing, 0, 0);

	poor |= because(v, f->requests < t->requests, REASON_REQUESTS, (double)f->requests,
			(double)t->requests);
	if (f->missing != REASON_UNDEFINED)
		return true;
	poor |= because(v, f->sampled < t->sampled, REASON_SAMPLED, (double)f->sampled,
			(double)t->sampled);
	if (!all_known(f)) {
		(void)because(v, !poor, REASON_UNDEFINED, 0, 0);
		return true;
	}
	poor |= because(v, fabs(f->closure - 1) > t->closure_error, REASON_CLOSURE, f->closure,
			t->closure_error);
	poor |= because(v, f->losses > t->losses, REASON_LOSSES, f->losses, t->losses);
	poor |= because(v, f->in_use < t->least_busy, REASON_IDLE, f->in_use, t->least_busy);
	/* Only while a processor is the limit does the bound say what async would do. */
	poor |= because(v, f->async.limit == ASYNC_CPU && estimators_differ(f) > t->estimators,
			REASON_ESTIMATORS, estimators_differ(f), t->estimators);
	return poor;
}

/* A worker for each request is out of the question. */
static bool too_many(const struct verdict_facts *f, const struct verdict_thresholds *t,
		     struct verdict *v)
{
	bool many = because(v, f->in_flight > t->in_flight, REASON_LONG_WAIT, f->in_flight,
			    t->in_flight);
	bool tight = f->needed_bytes > t->scarcity * f->free_bytes &&
		     f->memory_saving >= t->memory_saving;

	return because(v, tight, REASON_MEMORY, f->needed_bytes, f->free_bytes) || many;
}

static bool long_wait(const struct verdict_facts *f, const struct verdict_thresholds *t,
		      struct verdict *v)
{
	/* Memory alone moves nobody who serves as much with the workers that do fit. */
	return !(f->p99_ratio > t->p99_ratio) && too_many(f, t, v) &&
	       because(v, f->async_over_tuned.lo >= t->least_over_tuned, REASON_OVER_TUNED,
		       f->async_over_tuned.lo, t->least_over_tuned);
}

/* Hardly anything is gained by waiting less: what async gains, another stack would. Here the
 * estimate counts: a gain is async's if it is more likely so than not. */
static bool is_the_stacks(const struct verdict_facts *f, const struct verdict_thresholds *t)
{
	return f->overlap.estimate < t->noise;
}

static bool only_stack(const struct verdict_facts *f, const struct verdict_thresholds *t)
{
	return is_the_stacks(f, t) && f->async_over_now.hi >= t->noise &&
	       gain_overlap_half_width(&f->overlap, &f->all) <= t->spread;
}

static void why_not(const struct verdict_facts *f, const struct verdict_thresholds *t,
		    struct verdict *v)
{
	switch (f->async.limit) {
	case ASYNC_PEER:
	case ASYNC_POOL:
		add(v, REASON_DOWNSTREAM_BOUND, f->async.per_s, 0);
		return;
	case ASYNC_OFFLOAD:
	case ASYNC_SERIAL:
		add(v, REASON_SERIAL, f->async.per_s, 0);
		return;
	default:
		break;
	}
	if (f->overlap.estimate < t->noise)
		add(v, REASON_CPU_BOUND, f->overlap.estimate, t->noise);
	else
		add(v, REASON_FEW_OPERATIONS, f->kappa, f->break_even);
}

static bool do_not_migrate(const struct verdict_facts *f, const struct verdict_thresholds *t,
			   struct verdict *v)
{
	struct verdict unused = {.n_reasons = 0};

	if (f->tuned_over_now.lo >= t->tuned || too_many(f, t, &unused))
		return false;
	/* Whatever memory that saves: the workers that fit do nearly as much on that stack. */
	if (only_stack(f, t)) {
		add(v, REASON_STACK, f->overlap.estimate, t->noise);
		return true;
	}
	if (f->memory_saving >= t->memory_saving || f->async_over_now.hi >= t->noise)
		return false;
	why_not(f, t, v);
	add(v, REASON_GAIN_AT_MOST, f->async_over_now.hi, t->noise);
	return true;
}

static bool tune_workers(const struct verdict_facts *f, const struct verdict_thresholds *t,
			 struct verdict *v)
{
	/* Workers that do not all fit are a reason for async only if it then gains something. */
	double worth = f->wanted > f->allowed ? t->least_over_tuned : t->over_tuned;

	if (f->tuned_over_now.lo < t->tuned || f->async_over_tuned.lo >= worth)
		return false;
	add(v, REASON_TUNED_AT_LEAST, f->tuned_over_now.lo, t->tuned);
	add(v, REASON_OVER_TUNED, f->async_over_tuned.lo, t->over_tuned);
	return true;
}

/* All of migrate but its latency. */
static bool worth_it(const struct verdict_facts *f, const struct verdict_thresholds *t,
		     struct verdict *v)
{
	bool clear = f->async_over_tuned.lo >= t->over_tuned, limited = f->wanted > f->allowed;

	if (f->async_over_now.lo < t->worth || is_the_stacks(f, t) || (!clear && !limited) ||
	    f->async_over_tuned.lo < t->least_over_tuned)
		return false;
	add(v, REASON_GAIN_AT_LEAST, f->async_over_now.lo, t->worth);
	(void)because(v, clear, REASON_OVER_TUNED, f->async_over_tuned.lo, t->over_tuned);
	(void)because(v, limited, REASON_TUNE_LIMITED, f->wanted, f->allowed);
	return true;
}

static double accepted_lag_s(const struct verdict_facts *f, const struct verdict_thresholds *t)
{
	return fmin(t->lag_s, t->lag_share * f->p99_s);
}

static bool split_cpu(const struct verdict_facts *f, const struct verdict_thresholds *t,
		      struct verdict *v)
{
	double lag_s = accepted_lag_s(f, t);
	bool slow = f->p99_ratio > t->p99_ratio, lags = f->lag_p99_s > lag_s;
	/* Not simulated, NAN: not removed. */
	bool removed = f->split_p99_ratio <= t->p99_ratio && f->split_lag_p99_s <= lag_s;

	if ((!slow && !lags) || !removed || !worth_it(f, t, v))
		return false;
	(void)because(v, slow, REASON_P99, f->p99_ratio, t->p99_ratio);
	(void)because(v, lags, REASON_LAG, f->lag_p99_s, lag_s);
	add(v, REASON_SPLIT_P99, f->split_p99_ratio, t->p99_ratio);
	return true;
}

static bool migrate(const struct verdict_facts *f, const struct verdict_thresholds *t,
		    struct verdict *v)
{
	if (f->p99_ratio > t->p99_ratio || !worth_it(f, t, v))
		return false;
	if (isfinite(f->p99_ratio))
		add(v, REASON_P99, f->p99_ratio, t->p99_ratio);
	return true;
}

/* Nothing holds at the worse ends of the intervals, and they are wide by what was seen. */
static bool too_wide(const struct verdict_facts *f, const struct verdict_thresholds *t,
		     struct verdict *v)
{
	double spread = gain_overlap_half_width(&f->overlap, &f->all);

	return because(v, spread > t->spread, REASON_SPREAD, spread, t->spread);
}

static bool borderline(const struct verdict_facts *f, const struct verdict_thresholds *t,
		       struct verdict *v)
{
	add(v, REASON_INTERVAL, f->async_over_now.lo, f->async_over_now.hi);
	(void)too_many(f, t, v);
	(void)because(v, f->p99_ratio > t->p99_ratio, REASON_P99, f->p99_ratio, t->p99_ratio);
	add(v, REASON_KAPPA, f->kappa, f->break_even);
	return true;
}

static const struct {
	enum verdict_class verdict;
	rule *holds;
} rules[] = {
	{VERDICT_ALREADY_ASYNC, already_async},
	{VERDICT_NOT_ENOUGH_DATA, data_is_poor},
	{VERDICT_DO_NOT_MIGRATE, do_not_migrate},
	{VERDICT_TUNE_WORKERS, tune_workers},
	{VERDICT_MIGRATE_SPLIT_CPU, split_cpu},
	{VERDICT_MIGRATE, migrate},
	{VERDICT_MIGRATE, long_wait},
	{VERDICT_NOT_ENOUGH_DATA, too_wide},
	{VERDICT_BORDERLINE, borderline},
};

static struct verdict apply(const struct verdict_facts *f, const struct verdict_thresholds *t)
{
	struct verdict v = {0};

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		v = (struct verdict){.verdict = rules[i].verdict};
		if (rules[i].holds(f, t, &v))
			return v;
	}
	return v;
}

/* The facts as they would be if peers did no more than they were seen to do, or all that is asked.
 */
static struct verdict_facts believe(const struct verdict_facts *f, const struct gain_ratios *g)
{
	struct verdict_facts changed = *f;

	changed.async_over_now = g->async_over_now;
	changed.tuned_over_now = g->tuned_over_now;
	changed.async_over_tuned = g->async_over_tuned;
	changed.overlap = g->overlap;
	if (g->async_over_now.estimate < f->all.async_over_now.estimate)
		changed.async.limit = ASYNC_PEER;
	return changed;
}

/*
 * Does it depend on what a peer was never seen to do? Not where the advice is more workers: that
 * can be tried and taken back, and shows what the peer does.
 */
static bool extrapolation_decides(const struct verdict_facts *f, const struct verdict_thresholds *t)
{
	struct verdict_facts all = believe(f, &f->all), seen = believe(f, &f->seen);
	enum verdict_class optimist = apply(&all, t).verdict;

	return optimist != VERDICT_TUNE_WORKERS && optimist != apply(&seen, t).verdict;
}

/* More workers that gain whatever the peers do come first: they show what the peers do. */
static struct verdict peers_decide(const struct verdict_facts *f,
				   const struct verdict_thresholds *t)
{
	struct verdict v = {.verdict = VERDICT_NOT_ENOUGH_DATA};

	if (f->tuned_over_now.lo >= t->tuned) {
		v.verdict = VERDICT_TUNE_WORKERS;
		add(&v, REASON_TUNED_AT_LEAST, f->tuned_over_now.lo, t->tuned);
		add(&v, REASON_TUNE_FIRST, f->extrapolation, t->extrapolation);
	} else {
		add(&v, REASON_EXTRAPOLATION, f->extrapolation, t->extrapolation);
	}
	return v;
}

/* What holds whatever the verdict, for the reader to know. */
static void add_context(const struct verdict_facts *f, const struct verdict_thresholds *t,
			struct verdict *v)
{
	(void)because(v, f->full_utilisation > 0, REASON_UTILISATION, f->full_utilisation,
		      capacity_break_even(f->full_utilisation));
	(void)because(v, f->in_use < t->no_need, REASON_NO_NEED, f->in_use, t->no_need);
	(void)because(v, f->truncated > t->truncated, REASON_TRUNCATED, f->truncated, 0);
}

struct verdict verdict_find(const struct verdict_facts *f, const struct verdict_thresholds *t)
{
	struct verdict v = apply(f, t);

	if (v.verdict == VERDICT_ALREADY_ASYNC || v.verdict == VERDICT_NOT_ENOUGH_DATA)
		return v;
	if (!isfinite(f->extrapolation)) {
		v = (struct verdict){.verdict = VERDICT_NOT_ENOUGH_DATA};
		add(&v, REASON_PEER_UNKNOWN, 0, 0);
	} else if (f->extrapolation > t->extrapolation && extrapolation_decides(f, t)) {
		v = peers_decide(f, t);
	} else {
		(void)because(&v, f->extrapolation > t->extrapolation, REASON_PEER_STRESS,
			      f->extrapolation, t->extrapolation);
	}
	add_context(f, t, &v);
	return v;
}
