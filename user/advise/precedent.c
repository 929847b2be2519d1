/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: has anyone with such a service tried it?
 *
 * Method: the published case whose CPU, operations and waiting per request are nearest, each by the
 * logarithm of its ratio (with something added, so that none against little is near); none where
 * all are further than a factor of MOST_OFF away on average. Among event loops: those with blocking
 * calls, and those with a pool behind. Near is not alike: what differs is said.
 */
#include <math.h>
#include <stdlib.h>

#include "advise/advice_parts.h"
#include "model/derive.h"

#define MOST_OFF 6.

enum kind { WORKERS, LOOP, POOLED };

static const struct row {
	const char *name;
	enum kind kind;
	double cpu_ms, operations, wait_ms;
	const char *published, *source;
} rows[] = {
#define PRECEDENT(name, kind, cpu_ms, operations, wait_ms, published, source) \
	{name, kind, cpu_ms, operations, wait_ms, published, source},
#include "advise/precedent.def"
#undef PRECEDENT
};

static double apart(double a, double b, double grain)
{
	return fabs(log((a + grain) / (b + grain)));
}

static double distance(const struct row *row, double cpu_ms, double operations, double wait_ms)
{
	return (apart(row->cpu_ms, cpu_ms, .1) + apart(row->operations, operations, 1) +
		apart(row->wait_ms, wait_ms, .1)) /
	       3;
}

static enum kind kind_of(const struct subject *s)
{
	if (!s->loops)
		return WORKERS;
	return derive_concurrency(s->service) == CONCURRENCY_EVENT_LOOP ? LOOP : POOLED;
}

static const struct row *nearest(const struct subject *s, double cpu_ms, double operations,
				 double wait_ms, bool blocked)
{
	const struct row *best = NULL;
	double least = log(MOST_OFF);
	enum kind kind = kind_of(s);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		double d = kind == WORKERS ? distance(&rows[i], cpu_ms, operations, wait_ms) : 0;

		if (rows[i].kind != kind || d >= least || (kind == LOOP && !blocked))
			continue;
		least = d;
		best = &rows[i];
	}
	return best;
}

int advice_precedent(const struct subject *s, struct advice *a)
{
	double n = s->evidence.exact.requests;
	double cpu_ms = s->evidence.exact.cpu_s / n * 1e3 / warm_factor(&s->warm.share, NULL);
	double operations = s->evidence.exact.operations / n, wait_ms = subject_wait_s(s) * 1e3;
	struct sentences words = {.n = 0};
	const struct row *row;

	if (s->missing != REASON_UNDEFINED)
		return 0;
	row = nearest(s, cpu_ms, operations, wait_ms, advice_blocking_kinds(a) > 0);
	if (!row)
		return 0;
	a->precedent = (struct advice_precedent){
		.name = row->name, .published = row->published, .source = row->source};
	if (row->kind == WORKERS)
		a->precedent.difference = sentence_new(
			&words,
			"CPU, operations, waiting per request there: %.3g ms, %.3g, %.3g ms; "
			"here: %.3g ms, %.3g, %.3g ms",
			row->cpu_ms, row->operations, row->wait_ms, cpu_ms, operations, wait_ms);
	else
		a->precedent.difference = sentence_new(
			&words,
			"its figures per request were not published; here: %.3g ms of CPU, %.3g operations",
			cpu_ms, operations);
	return words.error;
}
