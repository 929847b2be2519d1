/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: how much CPU will a request take on the other stack?
 *
 * Method: T = own + f E	(today: E is what its known server, framework and clients take)
 *	   T' = factor own + g N + framework	(the stack: N is what their counterparts take)
 *	      + operations * c_op + tasks * c_task + offloads * c_hop	(the loop)
 * with every parameter a best estimate and an interval from a source named in kappa.def. The
 * interval of kappa is by drawing all of them many times.
 *
 * E and N were measured in another program, by default on another machine, and code costs more or
 * less in a service, as caches and processes that take turns have it: f and g, lognormal about 1.
 * Of E what a request that waits takes more is less after shorter waits than calibrate's; of N a
 * call is dearer than there among bursts of the service's own code, and among others of its request
 * that are made at the same time, as a loop's may be.
 *
 * How T divides into own and f E is told by samples where there are any (sampled_s), else for Bayes
 * to say: of own's share p in T nothing is known before (Jeffreys, 1946: Beta(1/2, 1/2)); f as
 * above; their sum is T. Where a service's own computing dominates, that leaves own at T - E. Where
 * the stack does, a rest that f explains as well is hardly its own; and where E is above T, f is
 * below 1. What comes instead follows by half of that, g = sqrt(f), as others' use of the caches is
 * most of what f is made of, and one loop keeps its code in them; but g = f of costs from another
 * machine, which may be a slower or a faster one for both. Times what one stack and the other
 * differed by where the split was sampled.
 *
 * What is not recognised widens the interval: without the framework a factor of 0.85 to 1.45, in
 * another language of 0.5 to 2, and each operation through an unknown client may be an HTTP call
 * whose blocking client costs 0.74 ms more than an asynchronous one, or none at all, with equal
 * chances of all in between. On real Python pairs kappa went from 0.13 (JSON only) to 1.0 (pure
 * CPU), so the stack's part is never below 0.13.
 *
 * Assumptions: parameters independent; costs per event the same on every machine (calibrate if
 * not). Cost: DRAWS times SPLITS.
 */
#include "advise/kappa.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define DRAWS 2000
#define SPLITS 256	   /* of a request's CPU into own and known, that are weighed */
#define SPLIT_SPAN 4	   /* standard deviations of f, on either side */
#define LEAST_SAMPLES 100  /* their share is then known to 0.1 */
#define MOST_WAKING .9	   /* of the CPU that goes with what is left out */
#define LEAST_SAMPLED .4   /* of calibrated costs: what is less was not recognised by samples */
#define MOST_SAMPLED 2.5   /* of the same: what is more is work that stays */
#define COLD_HALF_S 250e-6 /* of own code between calls: COST_FACTOR_COLD then applies by half */
#define GATHERED_CALLS 32  /* that COST_FACTOR_GATHERED is of */
#define MOST_GATHERED 64   /* measured so far */
/* ln N = this times ln E, by 20 runs of calibrate within a day on one machine (2 vCPU AMD EPYC),
 * each of which measures both in turns: 0.42 (+-0.10) of gunicorn, Flask and requests to uvicorn,
 * Starlette and aiohttp, 0.56 (+-0.11) of the same without calls, 0.77 (+-0.20) of php-fpm to Node.
 */
#define FOLLOWS .5
#define LEAST_FACTOR 0.13 /* of the stack: the lowest measured */
#define MOST_SAVED .72	  /* of a blocking HTTP client's CPU: 160 to 280 us for 600 to 900 */
#define US 1e-6

static const struct cost_row {
	const char *name;
	struct prior prior;
	const char *source;
} rows[COST_COUNT] = {
#define COST(id, name, estimate, low, high, source) [id] = {name, {estimate, low, high}, source},
#include "advise/kappa.def"
#undef COST
};

static const struct {
	const char *name;
	enum cost operation;
} targets[TARGET_COUNT] = {
	[TARGET_AUTO] = {"auto", COST_OP_ASYNCIO},
	[TARGET_ASYNCIO] = {"asyncio", COST_OP_ASYNCIO},
	[TARGET_UVLOOP] = {"uvloop", COST_OP_UVLOOP},
	[TARGET_NODE] = {"node", COST_OP_NODE},
	[TARGET_GO] = {"go", COST_OP_GO},
	[TARGET_SWOOLE] = {"swoole", COST_OP_SWOOLE},
	[TARGET_THREADS] = {"threads", COST_OP_THREADS},
};

static bool is_factor(enum cost cost)
{
	return cost == COST_FACTOR_UNKNOWN || cost == COST_FACTOR_SAMPLED ||
	       cost == COST_FACTOR_COLD || cost == COST_FACTOR_GATHERED ||
	       cost == COST_FACTOR_LANGUAGE || cost == COST_FACTOR_KNOWN ||
	       cost == COST_FACTOR_IN_SITU || cost == COST_FACTOR_ELSEWHERE;
}

struct prior cost_default(enum cost cost)
{
	struct prior prior = {0};
	double unit = is_factor(cost) ? 1 : US;

	if ((unsigned int)cost >= COST_COUNT)
		return prior;
	prior = rows[cost].prior;
	return (struct prior){prior.estimate * unit, prior.lo * unit, prior.hi * unit};
}

struct prior cost_of(const struct prior *calibrated, enum cost cost)
{
	return calibrated ? calibrated[cost] : cost_default(cost);
}

const char *cost_name(enum cost cost)
{
	return (unsigned int)cost < COST_COUNT ? rows[cost].name : "?";
}

const char *cost_source(enum cost cost)
{
	return (unsigned int)cost < COST_COUNT ? rows[cost].source : "?";
}

const char *kappa_target_name(enum target target)
{
	return (unsigned int)target < TARGET_COUNT ? targets[target].name : "?";
}

double prior_draw(const struct prior *p, struct prng *prng)
{
	double z = prng_normal(prng);

	return p->estimate + z / NORMAL_95 * (z > 0 ? p->hi - p->estimate : p->estimate - p->lo);
}

/* A parameter: the estimate, or a draw. */
static double parameter(const struct stack_change *c, enum cost cost, struct prng *prng)
{
	struct prior p = cost_of(c->calibrated, cost);

	return prng ? prior_draw(&p, prng) : p.estimate;
}

/* Factors multiply, so they are drawn in logarithms: half as likely as twice. */
static double factor(const struct stack_change *c, enum cost cost, struct prng *prng)
{
	struct prior p = cost_of(c->calibrated, cost);
	struct prior logarithm = {log(p.estimate), log(p.lo), log(p.hi)};

	return prng ? exp(prior_draw(&logarithm, prng)) : p.estimate;
}

static bool framework_known(const struct stack_change *c)
{
	return c->framework >= COST_BOTTLE_TO_STARLETTE &&
	       c->framework <= COST_GUNICORN_FLASK_TO_STARLETTE;
}

/* Of two that may be left out: the middle, or any mixture of the two. */
static double left_out_s(const struct stack_change *c, const struct swap *swap, struct prng *prng)
{
	double from = parameter(c, swap->from, prng), share;

	if (!swap->unsure || (unsigned int)swap->instead >= COST_COUNT)
		return from;
	share = prng ? prng_uniform(prng) : .5;
	return share * from + (1 - share) * parameter(c, swap->instead, prng);
}

/* After a shorter wait than in calibrate less is to be brought back, by the law of warm.c; what
 * longer ones take more is in waits_s. */
static double wait_share(const struct stack_change *c)
{
	return c->off_s > 0 ? fmin(log2(1 + c->off_s / WAIT_CALIBRATED_S), 1) : 1;
}

/* What those of today's server, framework and clients take, as calibrated, that samples show, or
 * that they do not. */
static double swapped_s(const struct stack_change *c, bool hidden, struct prng *prng)
{
	double s = 0;

	for (size_t i = 0; i < c->n_swaps; i++) {
		const struct swap *swap = &c->swaps[i];

		if (swap->from < COST_COUNT && swap->hidden == hidden)
			s += swap->times * left_out_s(c, swap, prng) *
			     (swap->waits ? wait_share(c) : 1);
	}
	return fmax(s, 0);
}

static double waking_s(const struct stack_change *c, struct prng *prng)
{
	return prng ? prior_draw(&c->waits_s, prng) : c->waits_s.estimate;
}

/* What today's known server, framework and clients take, and waking up after waits. */
static double known_s(const struct stack_change *c, struct prng *prng)
{
	return fmax(waking_s(c, prng) + swapped_s(c, false, prng) + swapped_s(c, true, prng), 0);
}

/* By how much known costs are off here. */
static enum cost off_here(const struct stack_change *c)
{
	return c->calibrated ? COST_FACTOR_IN_SITU : COST_FACTOR_ELSEWHERE;
}

/* What was warm in calibrate takes more, where bursts of the service's own code, own_s in all, come
 * between. */
static double cold(const struct stack_change *c, double own_s, struct prng *prng)
{
	double burst_s = own_s / (c->operations + 1);

	return 1 + burst_s / (burst_s + COLD_HALF_S) * (factor(c, COST_FACTOR_COLD, prng) - 1);
}

/* What a call takes more as one of n of its request. */
static double gathered(const struct stack_change *c, double n, struct prng *prng)
{
	double others = fmin(fmax(n, 1), MOST_GATHERED) - 1;

	return 1 + (factor(c, COST_FACTOR_GATHERED, prng) - 1) * others / (GATHERED_CALLS - 1);
}

/* What comes in their place, as calibrated, where the service's own code takes own_s. */
static double replacing_s(const struct stack_change *c, double own_s, struct prng *prng)
{
	double s = 0;

	for (size_t i = 0; i < c->n_swaps; i++) {
		const struct swap *swap = &c->swaps[i];

		if (swap->to < COST_COUNT)
			s += swap->times * parameter(c, swap->to, prng) *
			     (swap->alone ? cold(c, own_s, prng) * gathered(c, swap->times, prng)
					  : 1);
	}
	return fmax(s, 0);
}

/* The share of samples in what is left out, as a probability: Beta(1/2, 1/2) before they were
 * taken, by its normal approximation. */
static double share_swapped(const struct stack_change *c, struct prng *prng)
{
	double n = c->samples, share = (c->samples_swapped + .5) / (n + 1);

	if (prng)
		share += prng_normal(prng) * sqrt(share * (1 - share) / (n + 2));
	return fmin(fmax(share, .5 / (n + 1)), 1 - .5 / (n + 1));
}

/* What waking up adds to a request, of which stack_s goes with what is left out. It is this that
 * gets dearer by it: what becomes of the service's own code was measured against workers that wait,
 * too, and is in its factor. */
static double woken_s(const struct stack_change *c, double stack_s, struct prng *prng)
{
	return fmin(fmax(waking_s(c, prng), 0), MOST_WAKING * stack_s);
}

bool kappa_sampled(const struct stack_change *c)
{
	double visible = swapped_s(c, false, NULL);
	double stack_s = share_swapped(c, NULL) * c->cpu_s;

	if (c->samples < LEAST_SAMPLES || !(visible > 0))
		return false;
	return stack_s - woken_s(c, stack_s, NULL) > LEAST_SAMPLED * visible;
}

/* By how much what comes instead is off its calibrated costs, where what it replaces is by f. */
static double follows(const struct stack_change *c, double f)
{
	return c->calibrated ? pow(f, FOLLOWS) : f;
}

/*
 * The service's own part and what comes in place of the rest, by samples: these tell what the
 * visible swaps take here, so by how much calibrated costs are off, and that holds for the hidden
 * ones and for what comes in their place.
 */
static double sampled_s(const struct stack_change *c, double own_factor, struct prng *prng)
{
	double stack_s = share_swapped(c, prng) * c->cpu_s, woken = woken_s(c, stack_s, prng);
	double visible = swapped_s(c, false, NULL), hidden = swapped_s(c, true, prng);
	double off = fmin((stack_s - woken) / visible, MOST_SAMPLED);
	double own = fmax(c->cpu_s - woken - off * (visible + hidden), 0);

	return own_factor * own +
	       follows(c, off) * replacing_s(c, own, prng) * factor(c, COST_FACTOR_SAMPLED, prng);
}

/*
 * What of a request's CPU is the service's own, where what is known takes `known` as calibrated:
 * the median, or a draw, of what both priors leave possible. By f, evenly in its logarithm.
 */
static double own_s(const struct stack_change *c, double known, struct prng *prng)
{
	double deviation = log(cost_default(off_here(c)).hi) / NORMAL_95;
	double weights[SPLITS], owns[SPLITS], sum = 0, top, bottom, left;
	size_t i;

	if (!(known > 0))
		return c->cpu_s;
	top = fmin(SPLIT_SPAN * deviation, log(c->cpu_s / known));
	bottom = fmin(-SPLIT_SPAN * deviation, top - SPLIT_SPAN * deviation);
	for (i = 0; i < SPLITS; i++) {
		double f = bottom + (top - bottom) * ((double)i + .5) / SPLITS;
		double share = exp(f) * known / c->cpu_s;

		owns[i] = (1 - share) * c->cpu_s;
		/* Relative to the top: none of them vanishes where f must be far below 1. */
		weights[i] = exp((top * top - f * f) / 2 / (deviation * deviation)) /
			     sqrt((1 - share) * share);
		sum += weights[i];
	}
	left = sum * (prng ? prng_uniform(prng) : .5);
	for (i = 0; i < SPLITS - 1 && left >= weights[i]; i++)
		left -= weights[i];
	return owns[i];
}

/*
 * What an operation through an unknown client may cost less: it may be an HTTP client, or one that
 * costs nothing worth mentioning, and nothing says which. But no client costs more than the CPU
 * that nothing else explains.
 */
static double unknown_client_s(const struct stack_change *c, double unknown, struct prng *prng)
{
	struct prior p = cost_of(c->calibrated, COST_CLIENT_UNKNOWN);
	double most = fmax(c->cpu_s - known_s(c, NULL), 0) / unknown * MOST_SAVED;
	double scale = p.lo < 0 ? fmin(1, most / -p.lo) : 1;

	return fmax(fmin(parameter(c, COST_CLIENT_UNKNOWN, prng), 0), p.lo) * scale;
}

/* What the service's own code takes there, to what it takes here. */
static enum cost own_factor(const struct stack_change *c)
{
	if (c->another_language)
		return COST_FACTOR_LANGUAGE;
	return c->server_known || framework_known(c) ? COST_FACTOR_KNOWN : COST_FACTOR_UNKNOWN;
}

static double stack_s(const struct stack_change *c, struct prng *prng)
{
	double s, own, known, off, unknown = 0;

	if (c->cpu_factor > 0)
		return c->cpu_factor * c->cpu_s;
	if (c->same_stack)
		return c->cpu_s;
	s = factor(c, own_factor(c), prng);
	if (kappa_sampled(c)) {
		s = sampled_s(c, s, prng);
	} else {
		known = known_s(c, prng);
		own = own_s(c, known, prng);
		off = known > 0 ? (c->cpu_s - own) / known : 1;
		s = s * own + follows(c, off) * replacing_s(c, own, prng) *
				      factor(c, COST_FACTOR_SAMPLED, prng);
	}
	if (!c->server_known && framework_known(c))
		s += parameter(c, c->framework, prng);
	if (!c->clients_known)
		unknown = c->operations - fmax(c->known_calls, c->http_calls);
	s += c->http_calls * parameter(c, COST_HTTP_CLIENT, prng);
	if (unknown > 0)
		s += unknown * unknown_client_s(c, unknown, prng);
	return fmax(s, LEAST_FACTOR * c->cpu_s);
}

static double loop_s(const struct stack_change *c, struct prng *prng)
{
	double s = c->operations * parameter(c, targets[c->target].operation, prng) +
		   c->tasks * parameter(c, COST_TASK, prng) +
		   c->offloads * parameter(c, COST_HOP, prng);

	return fmax(s, 0);
}

static bool is_count(double n)
{
	return n >= 0 && isfinite(n);
}

static int change_check(const struct stack_change *c)
{
	if (!(c->cpu_s > 0) || !isfinite(c->cpu_s))
		return -EDOM;
	if (!is_count(c->operations) || !is_count(c->tasks) || !is_count(c->offloads) ||
	    !is_count(c->http_calls) || !is_count(c->cpu_factor) || !is_count(c->whole_factor) ||
	    c->n_swaps > SWAPS_MOST || (unsigned int)c->target >= TARGET_COUNT)
		return -EINVAL;
	return 0;
}

int kappa_cpu(const struct stack_change *change, struct prng *prng, struct changed_cpu *ret_cpu)
{
	int r = change_check(change);
	if (r < 0)
		return r;

	*ret_cpu = (struct changed_cpu){stack_s(change, prng), loop_s(change, prng)};
	if (change->whole_factor > 0) {
		ret_cpu->loop_s = fmin(ret_cpu->loop_s, change->whole_factor * change->cpu_s);
		ret_cpu->stack_s = change->whole_factor * change->cpu_s - ret_cpu->loop_s;
	}
	return 0;
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

bool kappa_guessed(const struct stack_change *c)
{
	if (c->cpu_factor > 0 || c->whole_factor > 0 || c->same_stack)
		return false;
	return !(c->server_known || framework_known(c)) || !c->clients_known;
}

int kappa_estimate(const struct stack_change *change, uint64_t seed, struct kappa *ret_kappa)
{
	double draws[DRAWS];
	struct changed_cpu cpu = {0};
	struct prng prng;
	int r = kappa_cpu(change, NULL, &cpu);
	if (r < 0)
		return r;

	*ret_kappa = (struct kappa){
		.estimate = (cpu.stack_s + cpu.loop_s) / change->cpu_s,
		.stack = cpu.stack_s / change->cpu_s,
		.loop = cpu.loop_s / change->cpu_s,
		.guessed = kappa_guessed(change),
	};
	prng_seed(&prng, seed);
	for (size_t i = 0; i < DRAWS; i++) {
		(void)kappa_cpu(change, &prng, &cpu);
		draws[i] = (cpu.stack_s + cpu.loop_s) / change->cpu_s;
	}
	qsort(draws, DRAWS, sizeof(*draws), compare);
	ret_kappa->lo = draws[DRAWS / 20];
	ret_kappa->hi = draws[DRAWS - 1 - DRAWS / 20];
	return 0;
}
