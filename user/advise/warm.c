/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: what does a request cost in CPU when the processors never idle, as at a capacity?
 *
 * Method: less than was measured. A thread that wakes up on an idle processor runs slower for a
 * while: caches have gone cold, the processor or its hypervisor has gone to sleep. With E per such
 * wake-up and v waits per request, W workers that are busy for a share b of their time and
 * processors for a share u,
 *
 *	wakes = v (1 - u (W - 1) / W) + min(1 - u, 1 - b^W)
 *
 * the first for waits in the request: others use the processors meanwhile; the second for work:
 * some worker was idle, and so was a processor. The request's CPU under full load is what was
 * measured less E wakes. Found on gunicorn with Flask (one worker, JSON only; 8 workers, one call;
 * 3 workers, 4 calls), where E came out the same at 30 and at 60 % load: 80, 240, 136 us. A short
 * burst cannot lose as much as a long one: at most half of the mean burst. On php-fpm (docs/
 * validation.md) predictions were 10 to 26 % too low with it, and 46 to 69 % without. Of others
 * nothing was measured: nothing is taken out.
 *
 * Assumptions: E does not depend on how long the processor was idle. Of one service it is known to
 * a factor of two to three, which the interval has.
 */
#include "advise/warm.h"

#include <math.h>

#include "advise/stack.h"

#define OF_A_BURST .5
/* Of one service to another: 80 and 240 us where a third took 136 us. */
#define LEAST_OF_IT .4
#define MOST_OF_IT 1.8

static double wakes_of(const struct service *service, double utilisation, double busy)
{
	double workers = fmax(service->workers.count, 1), n = (double)service->requests.completed;
	double waits = (double)service->requests.waits / n;
	double u = fmin(fmax(utilisation, 0), 1), work = 1 - u;

	if (isfinite(busy))
		work = fmin(work, 1 - pow(fmin(fmax(busy, 0), 1), workers));
	return waits * (1 - u * (workers - 1) / workers) + work;
}

struct prior warm_cost(const struct service *service, const struct prior *calibrated)
{
	struct prior each = calibrated ? calibrated[COST_COLD] : cost_default(COST_COLD);

	if (!stack_has(service, "cpython") && !stack_has(service, "python3") &&
	    !stack_has(service, "php-fpm"))
		return (struct prior){0};
	each.lo = fmin(each.lo, LEAST_OF_IT * each.estimate);
	each.hi = fmax(each.hi, MOST_OF_IT * each.estimate);
	return each;
}

struct warm_up warm_up_of(const struct service *service, double cpu_s, double utilisation,
			  double busy, const struct prior *each)
{
	struct warm_up up = {0};
	double bursts, most;

	if (!service->requests.completed || !(cpu_s > 0) || !isfinite(utilisation))
		return up;
	bursts = 1 + (double)service->requests.waits / (double)service->requests.completed;
	most = OF_A_BURST * cpu_s / bursts;
	up.wakes = wakes_of(service, utilisation, busy);
	up.share = (struct prior){
		fmin(each->estimate, most) * up.wakes / cpu_s,
		fmin(each->lo, most) * up.wakes / cpu_s,
		fmin(each->hi, most) * up.wakes / cpu_s,
	};
	return up;
}

double warm_factor(const struct prior *share, struct prng *prng)
{
	double drawn = prng && share->hi > share->lo ? prior_draw(share, prng) : share->estimate;

	return 1 - fmin(fmax(drawn, 0), OF_A_BURST);
}
