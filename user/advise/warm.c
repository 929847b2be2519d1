/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: what does a request cost in CPU when its workers never sleep, as at a capacity?
 *
 * Method: less than was measured. Code that has not run for a while runs slower at first. With t
 * since the process ran last, a burst takes
 *
 *	E(t) = E1 log2(1 + t / 1 ms)
 *
 * more, but at most two thirds of what it took. How much of that comes before requests, and E1, are
 * what the service itself has shown (pause_fit.c), wherever its requests are not read by event
 * loops. Of loops, and of recordings from before that was counted, it follows from how they sleep,
 * with a prior for E1; what is cold after a sleep before a request may be of any of its bursts, so
 * there it is two thirds of all, less what its waits add.
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
 * Assumptions: a burst after a wait has as much to bring back as one after a pause.
 */
#include "advise/warm.h"

#include <math.h>

#include "advise/stack.h"

#define OF_A_BURST (2. / 3)
#define SCALE_S 1e-3 /* after which E is E1 */
#define NS_PER_S 1e9

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

static double cold(double each_s, double slept_s, double most)
{
	return fmin(each_s * log2(1 + slept_s / SCALE_S), most);
}

/* So many bursts after so long a sleep add this. */
static struct prior added(double bursts, double slept_s, const struct prior *each, double most)
{
	return (struct prior){bursts * cold(each->estimate, slept_s, most),
			      bursts * cold(each->lo, slept_s, most),
			      bursts * cold(each->hi, slept_s, most)};
}

double warm_change(double each_s, double burst_s, double from_s, double to_s)
{
	double was = cold(each_s, from_s, OF_A_BURST * burst_s);
	double most = OF_A_BURST / (1 - OF_A_BURST) * (burst_s - was);

	return cold(each_s, to_s, most) - was;
}

struct prior warm_cost(const struct service *service)
{
	if (!stack_has(service, "cpython") && !stack_has(service, "python3") &&
	    !stack_has(service, "php-fpm"))
		return (struct prior){0};
	return cost_default(COST_COLD);
}

static double deviation_of(const struct prior *p)
{
	return (p->hi - p->lo) / 2 / NORMAL_95;
}

/* Of a runtime that was never measured: as much either way as of those that were. */
static struct pause_prior prior_of(const struct service *service, double cpu_s)
{
	const struct prior cold = cost_default(COST_COLD), wake = cost_default(COST_WAKE);
	const struct prior each = warm_cost(service);
	bool measured = each.estimate > 0;

	return (struct pause_prior){
		.each_s = each.estimate,
		.each_deviation_s = fmin(deviation_of(&cold), cpu_s / 2),
		.wake_s = measured ? wake.estimate : 0,
		.wake_deviation_s = fmin(deviation_of(&wake), cpu_s / 2),
	};
}

struct pause_fit warm_fit(const struct service *service, double seen)
{
	double n = 0, cpu_s = 0;
	struct pause_prior prior;

	for (unsigned int i = 0; i < IOP_PAUSE_BINS; i++) {
		n += (double)service->pauses[i].requests;
		cpu_s += (double)service->pauses[i].cpu_ns / NS_PER_S;
	}
	if (!(n > 0) || !(cpu_s > 0))
		return (struct pause_fit){.known = false};
	prior = prior_of(service, cpu_s / n);
	return pause_fit(service->pauses, seen, &prior);
}

/* What sleeping within requests adds, and what of it short waits would not have. */
static void take_waits(struct warm_up *up, const struct sleeps *s, const struct prior *each,
		       double most)
{
	struct prior short_s = added(s->within, fmin(s->within_s, WAIT_CALIBRATED_S), each, most);

	up->waits_s = added(s->within, s->within_s, each, most);
	up->calls_s = (struct prior){up->waits_s.estimate - short_s.estimate,
				     up->waits_s.lo - short_s.lo, up->waits_s.hi - short_s.hi};
}

static bool rhythm_valid(const struct rhythm *r)
{
	return r->per_s > 0 && r->cpu_s > 0 && r->waits >= 0 && r->wait_s >= 0 &&
	       isfinite(r->per_s) && isfinite(r->cpu_s) && isfinite(r->waits * r->wait_s);
}

static struct sleeps sleeps_of(const struct rhythm *r)
{
	return r->alone ? sleeps_alone(r) : sleeps_among_others(r);
}

struct warm_up warm_up_measured(const struct rhythm *r, const struct pause_fit *fit)
{
	struct warm_up up = {.slept_s = fit->pause_s, .each_s = fit->each_s, .measured = true};
	struct sleeps s;

	up.share = (struct prior){
		fmax(1 - fit->full_s.estimate / fit->mean_s, 0),
		fmax(1 - fit->full_s.hi / fit->mean_s, 0),
		fmax(1 - fit->full_s.lo / fit->mean_s, 0),
	};
	if (!rhythm_valid(r))
		return up;
	s = sleeps_of(r);
	take_waits(&up, &s, &fit->each_s, OF_A_BURST * r->cpu_s / (1 + r->waits));
	return up;
}

struct warm_up warm_up_of(const struct rhythm *r, const struct prior *each)
{
	struct warm_up up = {.each_s = *each};
	struct sleeps s;

	if (!rhythm_valid(r))
		return up;
	s = sleeps_of(r);
	take_waits(&up, &s, each, OF_A_BURST * r->cpu_s / (1 + r->waits));
	up.slept_s = s.before_s;
	up.share = added(s.before / r->cpu_s, s.before_s, each,
			 OF_A_BURST * r->cpu_s - up.waits_s.estimate);
	return up;
}

double warm_factor(const struct prior *share, struct prng *prng)
{
	double drawn = prng && share->hi > share->lo ? prior_draw(share, prng) : share->estimate;

	return 1 - fmin(fmax(drawn, 0), OF_A_BURST);
}
