/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: how many operations per second can a peer do, of which we see only our own?
 *
 * Method: with k servers of S seconds each, an operation that finds n - 1 others there takes
 * R(n) = S max(1, 1 + a (n / k - 1)) on average: a = 1 is exact for exponential service, in order;
 * where all take the same time, and so began together, those served have done half of theirs on
 * average, and a is near 1 / 2. Workers of one client come in bursts, and the few operations that
 * find hardly more than k find them nearly done: there R(n) = S (1 + a (n / k - 1)^b), b 1.5 or 2,
 * which is taken where it halves the error. Operations come put together by n, from 17 on by ranges
 * of n, whose middle is taken; for every k, and a from 1 / 2 (0.3 where R is bent) to 1, the best S
 * follows by weighted least squares; the k with the least error is taken. That is done only where
 * the data can tell:
 *
 *	flat		n = 1 was seen, or n grew by 1.25 or more while R stayed within 1.1 of its
 *			least, the first of them not surely slower; and no rise as below: no limit
 *			seen
 *	knee		the same, with a rise at the high end: of 1.3 or more over the twentieth of
 *			operations that found the most others there; or begun, of 1.2 or more at the
 *			highest n (of n that were found too seldom several count as one), with
 *			two n in a row surely slower than the least, by three standard errors each
 *	saturated	no flat stretch; n / R(n), the throughput, stays within 5 % (more in a bin
 *			that holds a range of n) while n grows by 1.2 or more
 *	high only	neither: past the knee R grows with n, but other things may make it too
 *
 * Why not call R flat that never rises by 1.3 (model.md 2.4): 20 workers that keep a peer of 8 busy
 * have 16 to 20 in flight, where R rises by 1.25 and is nothing but queue.
 * Why not fit always: a client that is always past the knee sees R grow in proportion, which fits
 * any k (research: k = 26, S = 19 ms for a true 8 and 6 ms).
 *
 * How much service varies, where the limit is known: by what is left of the latencies' variance
 * when that of R(n) is taken out. Queues add to it, so that a peer is never taken for more regular
 * than it is.
 *
 * Assumptions: operations alike; other clients of the peer are not seen. Cost: bins times
 * highest n.
 */
#include "advise/peer_fit.h"

#include <math.h>

#define NS_PER_S 1e9
#define LEAST_IN_BIN 30	 /* operations, for a mean to be believed */
#define LEAST_IN_REST 10 /* where it is asked whether they are slower by more than chance */
#define LEAST_IN_ALL 100 /* operations */
#define HIGH_END .05
#define SLOPE_STEP .1
#define STRAIGHT_SLOPES 6 /* from 1 down to 0.5 */
#define BENT_SLOPES 8	  /* from 1 down to 0.3 */
#define BENT_LESS .5	  /* of the error: else straight */
#define FLAT 1.1
#define RISE 1.3
#define RISE_BEGUN 1.2
#define SURE 3 /* standard errors */
#define FLAT_STRETCH 1.25
#define STEADY 0.05
#define STEADY_RANGE 1.2

struct bin {
	double n, count, mean_s;
	double slack; /* by how much n may be off, relatively */
};

/* The bins that can be believed, by rising n. */
struct curve {
	struct bin bins[IOP_IN_FLIGHT_BINS];
	size_t n_bins;
	unsigned int rest; /* of the bins by n: from here on none can be believed */
	double least_s, high_s;
};

/* The middle of a bin, as far as there can have been so many, and half its width. */
static struct bin bin_of(unsigned int bin, uint32_t most_in_flight)
{
	double low = in_flight_floor(bin), high = low;

	if (bin + 1 < IOP_IN_FLIGHT_BINS)
		high = fmax(low, in_flight_floor(bin + 1) - 1.);
	if (most_in_flight > 0)
		high = fmax(low, fmin(high, most_in_flight));
	return (struct bin){.n = (low + high) / 2, .slack = (high - low) / (low + high)};
}

/* The mean of so many operations with the highest n: one bin of few would be chance. */
static double high_end(const struct curve *curve, double operations)
{
	double count = 0, sum_s = 0;

	for (size_t i = curve->n_bins; i > 0 && count < operations; i--) {
		count += curve->bins[i - 1].count;
		sum_s += curve->bins[i - 1].count * curve->bins[i - 1].mean_s;
	}
	return count > 0 ? sum_s / count : 0;
}

static void collect(const struct peer_load *loads, uint32_t most_in_flight, struct curve *curve,
		    struct peer_fit *fit)
{
	double count = 0, sum_s = 0;

	for (unsigned int i = 0; i < IOP_IN_FLIGHT_BINS; i++) {
		count += (double)loads[i].operations;
		sum_s += (double)loads[i].sum_ns / NS_PER_S;
	}
	fit->mean_latency_s = count > 0 ? sum_s / count : NAN;
	curve->least_s = INFINITY;
	if (count < LEAST_IN_ALL)
		return;
	for (unsigned int i = 0; i < IOP_IN_FLIGHT_BINS; i++) {
		double n = (double)loads[i].operations;
		double mean_s = (double)loads[i].sum_ns / NS_PER_S / n;

		if (n < LEAST_IN_BIN)
			continue;
		struct bin *bin = &curve->bins[curve->n_bins++];

		*bin = bin_of(i, most_in_flight);
		bin->count = n;
		bin->mean_s = mean_s;
		curve->least_s = fmin(curve->least_s, mean_s);
		curve->rest = i + 1;
	}
	curve->high_s = high_end(curve, fmax(LEAST_IN_ALL, HIGH_END * count));
}

/* The highest rate seen, and where. */
static void demonstrate(const struct curve *curve, struct peer_fit *fit)
{
	for (size_t i = 0; i < curve->n_bins; i++) {
		const struct bin *b = &curve->bins[i];

		fit->demonstrated_per_s = fmax(fit->demonstrated_per_s, b->n / b->mean_s);
		fit->most_in_flight = (uint32_t)b->n;
	}
}

/* By more than chance, where one operation's latency deviates by so much. */
static bool surely_slower(const struct curve *curve, const struct bin *bin, double deviation_s)
{
	return bin->mean_s - curve->least_s > SURE * deviation_s / sqrt(bin->count);
}

/* The fewest that were ever in flight may be of few operations, and look slow by chance. */
static bool has_flat_stretch(const struct curve *curve, double deviation_s)
{
	double first = curve->bins[0].n, last = 0;
	bool begins = curve->bins[0].mean_s <= FLAT * curve->least_s ||
		      !surely_slower(curve, &curve->bins[0], deviation_s);

	for (size_t i = 0; i < curve->n_bins; i++) {
		if (curve->bins[i].mean_s <= FLAT * curve->least_s)
			last = curve->bins[i].n;
	}
	return begins && (first <= 1 || last / first >= FLAT_STRETCH);
}

/* Is the throughput the same whatever the number in flight? */
static bool is_steady(const struct curve *curve, double *ret_per_s)
{
	double count = 0, sum = 0;

	for (size_t i = 0; i < curve->n_bins; i++) {
		const struct bin *b = &curve->bins[i];

		count += b->count;
		sum += b->count * b->n / b->mean_s;
	}
	*ret_per_s = sum / count;
	for (size_t i = 0; i < curve->n_bins; i++) {
		const struct bin *b = &curve->bins[i];

		if (fabs(b->n / b->mean_s / *ret_per_s - 1) > STEADY + b->slack)
			return false;
	}
	return curve->bins[curve->n_bins - 1].n >= STEADY_RANGE * curve->bins[0].n;
}

/* The knee was hardly reached: few operations saw more, but they surely took longer. */
static bool rise_begins(const struct curve *curve, double deviation_s)
{
	const struct bin *last, *before;

	if (curve->n_bins < 3)
		return false;
	last = &curve->bins[curve->n_bins - 1];
	before = last - 1;
	return last->mean_s >= RISE_BEGUN * curve->least_s && last->mean_s > before->mean_s &&
	       surely_slower(curve, last, deviation_s) && surely_slower(curve, before, deviation_s);
}

/* How R(n) rises past the knee: by bend 1 in a straight line. */
struct rise {
	double slope, bend;
};

/* R(n) / S of k servers. */
static double slowdown(double n, double k, const struct rise *rise)
{
	return 1 + rise->slope * pow(fmax(n / k - 1, 0), rise->bend);
}

/* The squared error with k servers and the S that suits them best. */
static double squared_error(const struct curve *curve, double k, const struct rise *rise,
			    double *ret_service_s)
{
	double gr = 0, gg = 0, error = 0;

	for (size_t i = 0; i < curve->n_bins; i++) {
		const struct bin *b = &curve->bins[i];
		double g = slowdown(b->n, k, rise);

		gr += b->count * g * b->mean_s;
		gg += b->count * g * g;
	}
	*ret_service_s = gr / gg;
	for (size_t i = 0; i < curve->n_bins; i++) {
		const struct bin *b = &curve->bins[i];
		double off = b->mean_s - *ret_service_s * slowdown(b->n, k, rise);

		error += b->count * off * off;
	}
	return error;
}

/* The best of all k and slopes, if its error is less than the least so far. The least then. */
static double fit_servers(const struct curve *curve, double bend, uint32_t slopes, double least,
			  struct peer_fit *fit)
{
	for (uint32_t i = 0; i < fit->most_in_flight * slopes; i++) {
		const struct rise rise = {.slope = 1 - SLOPE_STEP * (i % slopes), .bend = bend};
		uint32_t k = i / slopes + 1;
		double service_s = 0, error = squared_error(curve, k, &rise, &service_s);

		if (error >= least)
			continue;
		least = error;
		fit->servers = k;
		fit->service_s = service_s;
	}
	return least;
}

static void fit_knee(const struct curve *curve, struct peer_fit *fit)
{
	double least = fit_servers(curve, 1, STRAIGHT_SLOPES, INFINITY, fit);

	least = fit_servers(curve, 1.5, BENT_SLOPES, BENT_LESS * least, fit);
	(void)fit_servers(curve, 2, BENT_SLOPES, least, fit);
	fit->kind = PEER_FIT_KNEE;
	fit->capacity_per_s = fit->servers / fit->service_s;
}

static double weighted_mean(const struct curve *curve)
{
	const struct rise none = {0};
	double service_s = 0;

	(void)squared_error(curve, INFINITY, &none, &service_s);
	return service_s;
}

/* Puts b and what follows it together, in proportion. */
static void join(struct bin *b, const struct bin *more)
{
	double count = b->count + more->count;

	b->n = (b->n * b->count + more->n * more->count) / count;
	b->mean_s = (b->mean_s * b->count + more->mean_s * more->count) / count;
	b->slack = fmax(b->slack, more->slack);
	b->count = count;
}

/* With the bins beyond all that can be believed: as many together as can be, and what is left, if
 * it is less than this many operations, with the last of them. Where the knee was hardly reached,
 * they show it. */
static struct curve with_rest(const struct curve *curve, const struct peer_load *loads,
			      uint32_t most_in_flight, double alone)
{
	struct bin sum = {.count = 0};
	struct curve all = *curve;

	for (unsigned int i = curve->rest; i < IOP_IN_FLIGHT_BINS; i++) {
		struct bin b = bin_of(i, most_in_flight);

		if (!loads[i].operations)
			continue;
		b.count = (double)loads[i].operations;
		b.mean_s = (double)loads[i].sum_ns / NS_PER_S / b.count;
		join(&sum, &b);
		if (sum.count < LEAST_IN_BIN)
			continue;
		all.bins[all.n_bins++] = sum;
		sum = (struct bin){.count = 0};
	}
	if (sum.count >= alone)
		all.bins[all.n_bins++] = sum;
	else if (sum.count > 0)
		join(&all.bins[all.n_bins - 1], &sum);
	return all;
}

/* Of latencies around R(n): NAN without any. */
static double variance_within(const struct peer_load *loads, double deviation_s)
{
	double n = 0, bins = 0, sum_s = 0, squares = 0, within;

	for (unsigned int i = 0; i < IOP_IN_FLIGHT_BINS; i++) {
		double s = (double)loads[i].sum_ns / NS_PER_S;

		if (!loads[i].operations)
			continue;
		bins++;
		n += (double)loads[i].operations;
		sum_s += s;
		squares += s * s / (double)loads[i].operations;
	}
	within = deviation_s * deviation_s - (squares / n - sum_s * sum_s / (n * n));
	return n > bins ? within * n / (n - bins) : NAN;
}

static double regularity(const struct peer_load *loads, double deviation_s, double service_s)
{
	double varies = variance_within(loads, deviation_s) / (service_s * service_s);

	return varies < 1 ? 1 - fmax(varies, 0) : 0;
}

static void classify(const struct curve *curve, const struct peer_load *loads,
		     uint32_t most_in_flight, double deviation_s, struct peer_fit *fit)
{
	double steady_per_s = 0;
	struct curve all;

	if (curve->n_bins == 0 || !(curve->least_s > 0))
		return;
	demonstrate(curve, fit);
	fit->servers = fit->most_in_flight;
	fit->service_s = curve->least_s;
	if (has_flat_stretch(curve, deviation_s)) {
		if (curve->high_s >= RISE * curve->least_s) {
			fit_knee(curve, fit);
			return;
		}
		all = with_rest(curve, loads, most_in_flight, INFINITY);
		if (!rise_begins(&all, deviation_s))
			all = with_rest(curve, loads, most_in_flight, LEAST_IN_REST);
		if (rise_begins(&all, deviation_s)) {
			fit_knee(&all, fit);
			return;
		}
		fit->kind = PEER_FIT_FLAT;
		fit->service_s = weighted_mean(curve);
		return;
	}
	fit->servers = 1;
	fit->kind = PEER_FIT_HIGH_ONLY;
	if (is_steady(curve, &steady_per_s)) {
		fit->kind = PEER_FIT_SATURATED;
		fit->capacity_per_s = steady_per_s;
	}
}

struct peer_fit peer_fit(const struct peer_load loads[IOP_IN_FLIGHT_BINS], uint32_t most_in_flight,
			 double deviation_s)
{
	struct curve curve = {.n_bins = 0};
	struct peer_fit fit = {.service_s = NAN, .capacity_per_s = INFINITY};

	collect(loads, most_in_flight, &curve, &fit);
	classify(&curve, loads, most_in_flight, deviation_s, &fit);
	if (fit.kind == PEER_FIT_KNEE)
		fit.regularity = regularity(loads, deviation_s, fit.service_s);
	return fit;
}

double peer_fit_extrapolation(const struct peer_fit *fit, double per_s)
{
	if (isfinite(fit->capacity_per_s) || per_s <= fit->demonstrated_per_s)
		return 1;
	return fit->demonstrated_per_s > 0 ? per_s / fit->demonstrated_per_s : INFINITY;
}
