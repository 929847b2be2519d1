/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/json_advice.h"

#include <math.h>

#include "base/cleanup.h"
#include "report/json_value.h"

/* From here on one key and its value per line. */
/* clang-format off */

static json_t *interval(const struct interval *i)
{
	return json_pack("{s:o, s:o, s:o}",
			 "estimate", json_value_real(i->estimate),
			 "lo", json_value_real(i->lo),
			 "hi", json_value_real(i->hi));
}

static json_t *gain(const struct advice *a)
{
	return json_pack("{s:o, s:o, s:o, s:o}",
			 "async_over_now", interval(&a->async_over_now),
			 "tuned_over_now", interval(&a->tuned_over_now),
			 "async_over_tuned", interval(&a->async_over_tuned),
			 "overlap", interval(&a->overlap));
}

static json_t *plan(const struct worker_plan *p, double memory_bytes)
{
	if (!p->processes)
		return json_null();
	return json_pack("{s:o, s:o, s:o}",
			 "processes", json_value_integer(p->processes),
			 "threads", json_value_integer(p->threads),
			 "memory_bytes", json_value_real(memory_bytes > 0 ? memory_bytes : NAN));
}

static json_t *kappa(const struct advice *a)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "estimate", json_value_real(a->kappa.estimate),
			 "lo", json_value_real(a->kappa.lo),
			 "hi", json_value_real(a->kappa.hi),
			 "break_even", json_value_real(a->break_even),
			 "source", json_value_string_or_null(a->kappa_source),
			 "stack", json_value_real(a->kappa.stack),
			 "loop", json_value_real(a->kappa.loop));
}

static json_t *latency_of(const struct advice_latency *l)
{
	if (!isfinite(l->p50_s))
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o}",
			 "p50_s", json_value_real(l->p50_s),
			 "p99_s", json_value_real(l->p99_s),
			 "lag_p99_s", json_value_real(l->lag_p99_s),
			 "utilisation", json_value_real(l->utilisation));
}

static json_t *latency(const struct advice *a)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (unsigned int i = 0; i < ADVICE_POINT_COUNT; i++) {
		_cleanup_(json_value_freep) json_t *point = NULL;

		if (!isfinite(a->rate_per_s[i]))
			continue;
		point = json_pack("{s:s, s:o}",
				  "point", advice_point_name(i),
				  "rate_per_s", json_value_real(a->rate_per_s[i]));
		for (unsigned int k = 0; k < ADVICE_SETUP_COUNT; k++) {
			if (json_object_set_new(point, advice_setup_name(k),
						latency_of(&a->latency[i][k])) < 0)
				return NULL;
		}
		if (json_array_append_new(array, TAKE(point)) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *reasons(const struct advice *a)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (size_t i = 0; i < a->n_reasons; i++) {
		json_t *reason = json_pack("{s:s, s:o}",
					   "name", reason_name(a->reasons[i].reason),
					   "sentence", json_value_string(a->sentences[i]));

		if (json_array_append_new(array, reason) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *blocking(const struct advice *a)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (size_t i = 0; i < a->n_blocking; i++) {
		const struct advice_blocking *b = &a->blocking[i];
		json_t *call = json_pack("{s:o, s:o, s:o, s:o, s:o}",
					 "what", json_value_string(b->what),
					 "count", json_value_integer(b->count),
					 "sum_s", json_value_real(b->sum_s),
					 "max_s", json_value_real(b->max_s),
					 "share_of_loops", json_value_real(b->share));

		if (json_array_append_new(array, call) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *precedent(const struct advice_precedent *p)
{
	if (!p->name)
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:o}",
			 "name", p->name,
			 "published", p->published,
			 "source", p->source,
			 "difference", json_value_string_or_null(p->difference));
}

json_t *json_advice(const struct advice *a)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:{s:o, s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:o, "
			 "s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}",
			 "verdict", verdict_name(a->verdict),
			 "reason", reason_name(a->n_reasons ? a->reasons[0].reason : REASON_COUNT),
			 "headline", advice_headline(a),
			 "reasons", reasons(a),
			 "gain", gain(a),
			 "capacity_per_s",
			 "now", json_value_real(a->now_per_s.estimate),
			 "tuned", json_value_real(a->tuned_per_s.estimate),
			 "async", json_value_real(a->async_per_s.estimate),
			 "now", plan(&a->now, 0),
			 "tuned", plan(&a->tuned.plan, a->tuned.memory_bytes),
			 "kappa", kappa(a),
			 "utilisation", json_value_real(a->utilisation),
			 "stack_alone", json_value_real(a->stack_alone),
			 "library", json_value_string_or_null(a->library_sentence),
			 "latency", latency(a),
			 "simulated", json_value_integer(a->simulated),
			 "blocking_calls", blocking(a),
			 "cheaper", json_value_string_or_null(a->cheaper),
			 "changes", json_value_strings(a->changes, a->n_changes),
			 "precedent", precedent(&a->precedent),
			 "error_budget", json_value_string_or_null(a->error_budget),
			 "assumptions", json_value_strings(a->assumptions, a->n_assumptions),
			 "what_if", json_value_strings(a->what_if, a->n_what_if),
			 "seed", json_value_integer(a->seed),
			 "target", a->target);
}
