/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/derive.h"

#include <math.h>

#define NS_PER_S 1e9
#define Z_95 1.959963984540054 /* the standard normal's 97.5 % quantile */

static double quotient(double a, double b)
{
	return b > 0 ? a / b : NAN;
}

static double seconds(uint64_t ns)
{
	return (double)ns / NS_PER_S;
}

/*
 * How far the ratio R = sum(y) / sum(x) over n requests may be off, by the delta method (Cochran,
 * Sampling Techniques, 2.11): var(R) = n / (n - 1) * sum((y - R x)^2) / sum(x)^2, the square
 * multiplied out into the moments. Assumes that requests are independent, and enough of them for
 * their mean to be normal.
 */
static double ratio_deviation(double ratio, double sum_x, double n, const struct ratio_moments *m)
{
	double residual = m->yy - 2 * ratio * m->xy + ratio * ratio * m->xx;

	if (n < 2)
		return NAN;
	/* Where all requests are alike the terms cancel, and rounding may go below zero. */
	return sqrt(n / (n - 1) * fmax(residual, 0)) / sum_x;
}

void derive_blocking(const struct service *service, struct blocking *ret_blocking)
{
	const struct dist *parts = service->parts;
	double cpu = seconds(parts[PART_CPU].sum_ns);
	double n = (double)service->requests.completed;
	double wait = seconds(parts[PART_NETWORK].sum_ns) + seconds(parts[PART_SLEEP].sum_ns) +
		      seconds(parts[PART_CHILD].sum_ns) + seconds(service->overlapped_io_ns);
	double ratio = quotient(wait, cpu);
	double half = Z_95 * ratio_deviation(ratio, cpu, n, &service->moments);

	*ret_blocking = (struct blocking){
		.ratio = ratio,
		.ratio_loose = quotient(wait + seconds(parts[PART_DISK].sum_ns), cpu),
		.fraction = ratio / (1 + ratio),
		/* fmax would turn an unknown bound into zero. */
		.lo = ratio < half ? 0 : ratio - half,
		.hi = ratio + half,
	};
}

/* The request time that is accounted for, in seconds. */
static double accounted(const struct service *service)
{
	double sum = -seconds(service->requests.parallel_ns);

	for (int i = 0; i < PART_COUNT; i++) {
		if (i != PART_UNATTRIBUTED)
			sum += seconds(service->parts[i].sum_ns);
	}
	return sum;
}

double derive_closure(const struct service *service)
{
	return quotient(accounted(service), seconds(service->service_time.sum_ns));
}

double derive_snapshot_closure(const struct snapshot *s)
{
	double known = 0, all = 0;

	for (size_t i = 0; i < s->n_services; i++) {
		known += accounted(&s->services[i]);
		all += seconds(s->services[i].service_time.sum_ns);
	}
	return quotient(known, all);
}

double derive_apart(const struct service *service)
{
	double parallel_s = seconds(service->requests.parallel_ns);
	double waits_s = seconds(service->parts[PART_RUN_QUEUE].sum_ns);

	for (int i = 0; i < PART_WAIT_COUNT; i++)
		if (i != PART_LOCK)
			waits_s += seconds(service->parts[i].sum_ns);
	return waits_s > 0 ? fmax(1 - parallel_s / waits_s, 0) : 1;
}

uint64_t derive_requests_seen(const struct snapshot *s, const struct service *service)
{
	double completed = (double)service->requests.completed;

	if (s->sampled_ns >= s->duration_ns)
		return service->requests.completed;
	return (uint64_t)(completed * (double)s->sampled_ns / (double)s->duration_ns);
}

double derive_rate_per_s(const struct snapshot *s, const struct service *service)
{
	return quotient((double)service->requests.completed, seconds(s->duration_ns));
}

/* Requests whose arrival is unknown are taken to have been there as long as the others: leaving
 * them out is worse. */
double derive_in_flight(const struct snapshot *s, const struct service *service)
{
	double latency = quotient(seconds(service->latency.sum_ns), (double)service->latency.count);

	return derive_rate_per_s(s, service) * latency;
}

double derive_busy_fraction(const struct service *service)
{
	double busy = quotient((double)service->workers.busy_ns, (double)service->workers.wall_ns);

	return busy > 1 ? 1 : busy;
}

double derive_probe_cpu_s(const struct snapshot *s)
{
	double sum = 0;

	if (!s->cost_known)
		return NAN;
	for (size_t i = 0; i < s->n_programs; i++)
		sum += seconds(s->programs[i].run_ns);
	return sum;
}
