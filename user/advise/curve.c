/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: with so many clients at once, how many requests per second, and how long does each
 * take?
 *
 * Method: clients that send again at once are the customers of the closed network
 * (closed_network.h) and no more of them than there are workers are inside; the rest queue. By
 * Little's law a request takes clients / throughput. An event loop takes all of them in.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "advise/advice_parts.h"
#include "advise/closed_network.h"

#define FIRST_STEPS 8 /* one client more each, then a quarter more */
#define BEYOND 2.5    /* times what saturates */
#define CLIENTS_MOST 2000

struct curve_context {
	const struct subject *s;
	const struct gain *gain;
	struct station *stations; /* CPU, a delay, one per peer */
	size_t n;
};

static double min_customers(double clients, const struct worker_plan *plan)
{
	return fmin(clients, (double)plan->processes * plan->threads);
}

/* One setup's throughput; 0 where it has none. */
static double throughput(struct curve_context *c, double cpu_s, double lanes, double customers)
{
	double per_s = 0, most = fmin(c->s->evidence.cpus, lanes) / cpu_s;

	c->stations[0] = (struct station){cpu_s, lanes, 0};
	if (closed_network_throughput(c->stations, c->n, (uint32_t)customers, &per_s) < 0)
		return 0;
	per_s = fmin(per_s, most);
	return c->s->evidence.serial_s > 0 ? fmin(per_s, 1 / c->s->evidence.serial_s) : per_s;
}

static struct advice_load load_at(struct curve_context *c, double clients)
{
	const struct subject *s = c->s;
	const struct worker_plan now = {s->evidence.processes, s->evidence.threads,
					s->evidence.interpreter_lock};
	const struct worker_plan *tuned = &c->gain->tuned.plan;
	const struct worker_plan loops = {s->gain.loops, 1, true};
	double cpu_s = s->evidence.exact.cpu_s / s->evidence.exact.requests;
	double kappa = c->gain->figures[GAIN_KAPPA].estimate;
	struct advice_load load = {.clients = clients};

	load.per_s[ADVICE_NOW] = throughput(c, cpu_s, capacity_lanes(s->evidence.cpus, &now),
					    min_customers(clients, &now));
	load.per_s[ADVICE_TUNED] = throughput(c, cpu_s, capacity_lanes(s->evidence.cpus, tuned),
					      min_customers(clients, tuned));
	load.per_s[ADVICE_ASYNC] =
		throughput(c, cpu_s * kappa, capacity_lanes(s->evidence.cpus, &loops), clients);
	for (int i = 0; i < ADVICE_SPLIT; i++)
		load.latency_s[i] = load.per_s[i] > 0 ? clients / load.per_s[i] : NAN;
	return load;
}

/* Peers as gain.c sees them; CPU is set for each setup. */
static void lay_stations(const struct subject *s, struct station *stations)
{
	const struct evidence_sample *e = &s->evidence;
	double n = e->exact.requests;

	stations[1] = (struct station){(e->exact.wait_s + e->exact.offload_s + e->exact.hold_s) / n,
				       INFINITY, 0};
	for (uint32_t i = 0; i < e->n_peers; i++) {
		const struct peer_fit *fit = &s->fits[i];
		double wait_s = e->exact_peer_s[i] / n;
		double share = fit->mean_latency_s > 0 && isfinite(fit->service_s)
				       ? fmin(fit->service_s / fit->mean_latency_s, 1)
				       : 1;

		stations[2 + i] = (struct station){wait_s, INFINITY, 0};
		if (fit->kind == PEER_FIT_KNEE)
			stations[2 + i] =
				(struct station){wait_s * share, fit->servers, fit->regularity};
		if (fit->kind == PEER_FIT_SATURATED && fit->mean_latency_s > 0)
			stations[2 + i] = (struct station){
				wait_s / fit->mean_latency_s / fit->capacity_per_s, 1, 0};
	}
}

static uint32_t last_clients(const struct subject *s, const struct gain *gain)
{
	double tuned = (double)gain->tuned.plan.processes * gain->tuned.plan.threads;
	double now = (double)s->evidence.processes * s->evidence.threads;

	return (uint32_t)fmin(BEYOND * fmax(fmax(tuned, now), gain->tuned.wanted), CLIENTS_MOST);
}

static void draw(struct curve_context *c, struct advice_curve *curve)
{
	uint32_t last = last_clients(c->s, c->gain);

	for (uint32_t n = 1; curve->n_points < ADVICE_CURVE_MOST && n <= last;
	     n = n < FIRST_STEPS ? n + 1 : n + n / 4)
		curve->points[curve->n_points++] = load_at(c, n);
}

int advice_curve(const struct snapshot *snapshot, size_t service, const struct advice_opts *opts,
		 struct advice_curve *ret_curve)
{
	__attribute__((cleanup(subject_done))) struct subject s = {.missing = REASON_UNDEFINED};
	struct advice_curve curve = {.n_points = 0};
	struct curve_context c = {.s = &s};
	struct gain gain;
	int r = subject_of(snapshot, service, opts, &s);
	if (r < 0)
		return r;

	s.gain.replicates = 1; /* the estimates only */
	r = advice_gain(&s, &gain);
	if (r == -ENOMEM)
		return r;
	if (r == 0) {
		c.gain = &gain;
		c.n = 2 + (size_t)s.evidence.n_peers;
		c.stations = calloc(c.n, sizeof(*c.stations));
		if (!c.stations)
			return -ENOMEM;
		lay_stations(&s, c.stations);
		draw(&c, &curve);
		free(c.stations);
	}
	*ret_curve = curve;
	return 0;
}
