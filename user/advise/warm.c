/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: what does a request cost in CPU when its workers never sleep, as at a capacity?
 *
 * Method: less than was measured. Code that has not run for a while runs slower at first: what
 * else ran, here or on the hypervisor's other machines, has had the caches. With t since the
 * process ran last, a burst takes
 *
 *	E(t) = E1 log2(1 + t / 1 ms)
 *
 * more, but at most two thirds of what it took; what is cold after a sleep before a request may be
 * of any of its bursts, so there it is two thirds of all, less what its waits add.
 *
 * Found on gunicorn with Flask and an HTTP client, on two machines: E1 104 us, half to 1.7 times
 * that, where requests came every 0.6 to 130 ms and waits took 0.3 to 20 ms; whether the processor
 * idled meanwhile or ran other workers made no difference.
 *
 * A worker that is alone in its process sleeps before a share q of its requests, for its idle time
 * per request / q, and in each wait. Where threads share a process that runs a share r of the time,
 * a burst finds it asleep with 1 - r, the last one being the mean time between bursts ago, or the
 * wait if that is less.
 *
 * Before requests nobody sleeps under full load, so this is taken out of the CPU. Waits stay in
 * blocking workers; in an event loop under full load other requests run meanwhile, so what they
 * add is of the stack that is left (kappa.c).
 *
 * Neighbours come and go: what calibrate finds within ten minutes differs by a factor of two, as
 * much as services do. So E1 is the geometric mean of what it found and of the default, which
 * services have shown.
 *
 * Assumptions: E1 of one service is known to a factor of two to three, which the interval has.
 */
#include "advise/warm.h"

#include <math.h>

#include "advise/stack.h"

#define OF_A_BURST (2. / 3)
#define SCALE_S 1e-3 /* after which E is E1 */
/* Of one service to another. */
#define LEAST_OF_IT .4
#define MOST_OF_IT 1.8

/* So often per request a burst came after so long a sleep. */
struct sleeps {
	double before, before_s, within, within_s;
};

static struct sleeps sleeps_alone(const struct rhythm *r)
{
	double idle_s =
		isfinite(r->idle_s) ? r->idle_s : 1 / r->per_s - r->waits * r->wait_s - r->cpu_s;
	double found = isfinite(r->found_asleep) ? fmin(fmax(r->found_asleep, 0), 1) : 1;

	return (struct sleeps){
		.before = found,
		.before_s = found > 0 ? fmax(idle_s, 0) / found : 0,
		.within = r->waits,
		.within_s = r->wait_s,
	};
}

static struct sleeps sleeps_among_others(const struct rhythm *r)
{
	double asleep = 1 - fmin(r->per_s * r->cpu_s, 1), between_s = 1 / r->per_s / (1 + r->waits);
	double within_s = fmin(r->wait_s, between_s);

	return (struct sleeps){
		.before = asleep,
		.before_s = fmax(1 / r->per_s - r->waits * within_s, 0),
		.within = r->waits * asleep,
		.within_s = within_s,
	};
}

/* So many bursts after so long a sleep add this. */
static struct prior added(double bursts, double slept_s, const struct prior *each, double most)
{
	double times = log2(1 + slept_s / SCALE_S);

	return (struct prior){bursts * fmin(each->estimate * times, most),
			      bursts * fmin(each->lo * times, most),
			      bursts * fmin(each->hi * times, most)};
}

struct prior warm_cost(const struct service *service, const struct prior *calibrated)
{
	struct prior each = cost_default(COST_COLD);

	if (!stack_has(service, "cpython") && !stack_has(service, "python3") &&
	    !stack_has(service, "php-fpm"))
		return (struct prior){0};
	if (calibrated)
		each.estimate = sqrt(each.estimate * fmax(calibrated[COST_COLD].estimate, 0));
	each.lo = fmin(each.lo, LEAST_OF_IT * each.estimate);
	each.hi = fmax(each.hi, MOST_OF_IT * each.estimate);
	return each;
}

struct warm_up warm_up_of(const struct rhythm *r, const struct prior *each)
{
	struct warm_up up = {0};
	struct sleeps s;
	struct prior short_s;
	double most;

	if (!(r->per_s > 0) || !(r->cpu_s > 0) || !(r->waits >= 0) || !(r->wait_s >= 0) ||
	    !isfinite(r->per_s) || !isfinite(r->cpu_s) || !isfinite(r->waits * r->wait_s))
		return up;
	s = r->alone ? sleeps_alone(r) : sleeps_among_others(r);
	most = OF_A_BURST * r->cpu_s / (1 + r->waits);
	up.slept_s = s.before_s;
	up.waits_s = added(s.within, s.within_s, each, most);
	up.share = added(s.before / r->cpu_s, s.before_s, each,
			 OF_A_BURST * r->cpu_s - up.waits_s.estimate);
	short_s = added(s.within, fmin(s.within_s, WARM_CALL_S), each, most);
	up.calls_s = (struct prior){up.waits_s.estimate - short_s.estimate,
				    up.waits_s.lo - short_s.lo, up.waits_s.hi - short_s.hi};
	return up;
}

double warm_factor(const struct prior *share, struct prng *prng)
{
	double drawn = prng && share->hi > share->lo ? prior_draw(share, prng) : share->estimate;

	return 1 - fmin(fmax(drawn, 0), OF_A_BURST);
}
