/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "advise/delivery.h"

#include <math.h>

#include "base/cleanup.h"
#include "model/derive.h"

#define Z_90 1.6448536269514722
#define SAME_CPUS 0.01

const char *delivery_outcome_name(enum delivery_outcome outcome)
{
	static const char *const names[] = {"unknown", "as-predicted", "less", "more"};

	return (unsigned int)outcome < 4 ? names[outcome] : "?";
}

static const struct interval unknown = {NAN, NAN, NAN};

static bool is_known(const struct interval *interval)
{
	return isfinite(interval->estimate) && isfinite(interval->lo) && isfinite(interval->hi);
}

static void judge(struct delivered *delivered)
{
	const struct interval *predicted = &delivered->predicted, *found = &delivered->found;

	if (!is_known(predicted) || !is_known(found))
		delivered->outcome = DELIVERY_UNKNOWN;
	else if (found->hi < predicted->lo)
		delivered->outcome = DELIVERY_LESS;
	else if (found->lo > predicted->hi)
		delivered->outcome = DELIVERY_MORE;
	else
		delivered->outcome = DELIVERY_AS_PREDICTED;
}

/* after / before of CPU per request; its logarithm strays as both relative errors together. */
static struct interval cpu_ratio(const struct diff_pair *pair)
{
	struct comparison c = diff_compare(pair, MEASURE_CPU_TOTAL);
	double ratio = c.after.value / c.before.value;
	double error = hypot(c.before.error / c.before.value, c.after.error / c.after.value);

	if (!isfinite(ratio) || !isfinite(error) || ratio <= 0)
		return unknown;
	return (struct interval){ratio, ratio * exp(-Z_90 * error), ratio * exp(Z_90 * error)};
}

/* Both at their worst for it: the interval is wider than 90 %. */
static struct interval quotient(const struct interval *after, const struct interval *before)
{
	if (!is_known(after) || !is_known(before) || before->lo <= 0)
		return unknown;
	return (struct interval){after->estimate / before->estimate, after->lo / before->hi,
				 after->hi / before->lo};
}

static bool on_loop(const struct service *service)
{
	enum concurrency concurrency = derive_concurrency(service);

	return concurrency == CONCURRENCY_EVENT_LOOP ||
	       concurrency == CONCURRENCY_EVENT_LOOP_THREADS;
}

/* Why the gain cannot be told, as far as the recordings show; NULL if it can. */
static const char *find_obstacle(const struct diff_pair *pair)
{
	const struct service *before = diff_service(&pair->before);
	const struct service *after = diff_service(&pair->after);
	double was = before->surroundings.cpus, is = after->surroundings.cpus;

	if (!before->requests.completed || !after->requests.completed)
		return "there are no requests on one of the sides";
	if (on_loop(before))
		return "it ran on an event loop before: there was nothing to predict";
	if (!on_loop(after))
		return "it does not run on an event loop after: this was no migration to async";
	if (was <= 0 || is <= 0)
		return "how many processors it could use is not known";
	if (fabs(was - is) > SAME_CPUS * was)
		return "it could use another number of processors before than after";
	return NULL;
}

int delivery_judge(const struct diff_pair *pair, const struct advice_opts *opts,
		   struct delivery *ret_delivery)
{
	_cleanup_(advice_freep) struct advice *before = NULL, *after = NULL;
	struct delivery d = {.why = find_obstacle(pair)};
	int r;

	d.cpu = d.gain = (struct delivered){unknown, unknown, DELIVERY_UNKNOWN};
	if (d.why) {
		*ret_delivery = d;
		return 0;
	}
	r = advice_service(pair->before.host->sum, pair->before.service, opts, &before);
	if (r < 0 || !before)
		return r;
	r = advice_service(pair->after.host->sum, pair->after.service, opts, &after);
	if (r < 0 || !after)
		return r;
	d.cpu.predicted =
		(struct interval){before->kappa.estimate, before->kappa.lo, before->kappa.hi};
	d.cpu.found = cpu_ratio(pair);
	d.gain.predicted = before->async_over_now;
	d.gain.found = quotient(&after->now_per_s, &before->now_per_s);
	judge(&d.cpu);
	judge(&d.gain);
	if (d.gain.outcome == DELIVERY_UNKNOWN)
		d.why = "the recordings do not hold enough to tell the capacities: record for longer, with the sampled requests";
	*ret_delivery = d;
	return 0;
}
