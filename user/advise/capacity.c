/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "advise/capacity.h"

#include <errno.h>
#include <math.h>

#include "advise/closed_network.h"
#include "advise/warm.h"
#include "base/cleanup.h"

#define TUNE_MARGIN 1.2 /* workers above C (1 + B): model.md 2.1 */

double demand_wait_s(const struct demand *d)
{
	double wait = d->wait_s + d->offload_s + d->fault_s;

	for (size_t i = 0; i < d->n_peers; i++)
		wait += d->peers[i].service_s;
	return wait;
}

double demand_ratio(const struct demand *d)
{
	return d->cpu_s > 0 ? demand_wait_s(d) / d->cpu_s : NAN;
}

static bool plan_valid(const struct worker_plan *plan)
{
	return plan->processes > 0 && plan->threads > 0 &&
	       plan->processes <= CLOSED_NETWORK_MAX_CUSTOMERS &&
	       plan->threads <= CLOSED_NETWORK_MAX_CUSTOMERS;
}

double capacity_lanes(double cpus, const struct worker_plan *plan)
{
	double whole = ceil(cpus);

	return plan->interpreter_lock ? fmin(whole, plan->processes) : whole;
}

static double serial_bound(const struct demand *d)
{
	return d->serial_s > 0 ? 1 / d->serial_s : INFINITY;
}

static double cpu_bound(const struct demand *d, double cpus, double cpu_s)
{
	return cpu_s > 0 ? cpus / (cpu_s + d->other_s) : INFINITY;
}

double capacity_cpu_s(const struct demand *d, double cpus, const struct worker_plan *plan)
{
	const struct crowding *c = &d->crowding;
	double off_s;

	if (!(c->waits > 0))
		return d->cpu_s;
	off_s = fmax(c->wait_s, (plan->processes / cpus - 1) * d->cpu_s / c->waits);
	return d->cpu_s +
	       c->waits * warm_change(c->cold_s, d->cpu_s / (1 + c->waits), c->off_s, off_s);
}

/* CPU, one station per limited peer, and one delay for all the rest. What others take is in the
 * waits; where the workers fill all processors, it queues there with them. */
static void lay_stations(const struct demand *d, double cpus, double cpu_s,
			 const struct worker_plan *plan, struct station *stations)
{
	double lanes = capacity_lanes(cpus, plan), other_s = lanes < ceil(cpus) ? 0 : d->other_s;

	stations[0] = (struct station){.demand_s = cpu_s + other_s, .servers = lanes};
	stations[1] = (struct station){.demand_s = d->wait_s + d->offload_s + d->fault_s,
				       .servers = INFINITY};
	for (size_t i = 0; i < d->n_peers; i++) {
		const struct peer_demand *p = &d->peers[i];

		stations[2 + i] = (struct station){
			p->service_s, fmin(p->servers, plan->processes * p->pool), p->regularity};
	}
	/* Delays are one delay together: fewer stations to go through. */
	for (size_t i = 0; i < d->n_peers; i++) {
		if (!isinf(stations[2 + i].servers))
			continue;
		stations[1].demand_s += stations[2 + i].demand_s;
		stations[2 + i].demand_s = 0;
	}
	stations[1].demand_s = fmax(stations[1].demand_s - other_s, 0);
}

int capacity_sync(const struct demand *d, double cpus, const struct worker_plan *plan,
		  double *ret_per_s)
{
	_cleanup_free_ struct station *stations = NULL;
	double per_s = 0, cpu_s;
	int r;

	if (!plan_valid(plan) || !(d->serial_s >= 0) || !(d->other_s >= 0) || !(cpus > 0))
		return -EINVAL;
	stations = calloc(2 + d->n_peers, sizeof(*stations));
	if (!stations)
		return -ENOMEM;
	cpu_s = capacity_cpu_s(d, cpus, plan);
	lay_stations(d, cpus, cpu_s, plan, stations);
	r = closed_network_throughput(stations, 2 + d->n_peers, plan->processes * plan->threads,
				      &per_s);
	if (r < 0)
		return r;
	*ret_per_s = fmin(per_s, fmin(cpu_bound(d, cpus, cpu_s), serial_bound(d)));
	return 0;
}

/* How many workers the limits allow, and which of them it is; processes as the plan would have. */
static double most_workers(const struct tune_opts *opts, double processes, enum tune_limit *limit)
{
	double most = CLOSED_NETWORK_MAX_CUSTOMERS;
	double left = opts->memory_bytes, each = opts->process_bytes;

	*limit = TUNE_WORKERS;
	if (opts->max_workers > 0)
		most = fmin(most, opts->max_workers);
	if (opts->threads) {
		left -= processes * opts->process_bytes;
		each = opts->thread_bytes;
	}
	if (opts->memory_bytes > 0 && each > 0 && left / each < most) {
		most = fmax(left / each, 0);
		*limit = TUNE_MEMORY;
	}
	for (size_t i = 0; i < opts->n_connections; i++) {
		const struct connection_limit *c = &opts->connections[i];
		double workers = c->available / c->per_worker;

		if (c->per_worker > 0 && workers < most) {
			most = workers;
			*limit = TUNE_CONNECTIONS;
		}
	}
	return floor(most);
}

/* This many workers as processes of one thread, or as threads of one process per processor. */
static struct worker_plan shape(double workers, double processes, const struct tune_opts *opts)
{
	if (!opts->threads)
		return (struct worker_plan){(uint32_t)workers, 1, opts->interpreter_lock};
	processes = fmin(processes, workers);
	return (struct worker_plan){
		.processes = (uint32_t)processes,
		.threads = (uint32_t)floor(workers / processes),
		.interpreter_lock = opts->interpreter_lock,
	};
}

static double plan_memory(const struct worker_plan *plan, const struct tune_opts *opts)
{
	double processes = plan->processes * opts->process_bytes;

	return plan->threads > 1
		       ? processes + (double)plan->processes * plan->threads * opts->thread_bytes
		       : processes;
}

static bool tuned_is_no_better(double now_per_s, const struct worker_plan *now, double most,
			       double tuned_per_s)
{
	return (double)now->processes * now->threads <= most &&
	       now_per_s * (1 + TUNE_LEAST) >= tuned_per_s;
}

int capacity_tuned(const struct demand *d, double cpus, const struct worker_plan *now,
		   const struct tune_opts *opts, struct tuned *ret_tuned)
{
	double processes = fmax(ceil(cpus), 1), wanted, most, now_per_s = 0;
	struct tuned tuned = {0};
	int r;

	if (!(d->cpu_s > 0))
		return -EDOM;
	wanted = ceil(TUNE_MARGIN * cpus * (1 + demand_ratio(d)));
	if (!(wanted >= 1))
		return -EINVAL;
	/* Whole threads in each process. */
	if (opts->threads)
		wanted = processes * ceil(wanted / processes);
	wanted = fmin(wanted, CLOSED_NETWORK_MAX_CUSTOMERS);
	most = most_workers(opts, processes, &tuned.limit);
	if (most < 1)
		return -ENOSPC;
	if (most >= wanted)
		tuned.limit = TUNE_UNLIMITED;

	tuned.wanted = (uint32_t)wanted;
	tuned.most = (uint32_t)most;
	if (opts->fixed.processes > 0)
		tuned.plan = opts->fixed;
	else
		tuned.plan = shape(fmin(wanted, most), processes, opts);
	r = capacity_sync(d, cpus, &tuned.plan, &tuned.per_s);
	if (r < 0)
		return r;
	r = capacity_sync(d, cpus, now, &now_per_s);
	if (r < 0)
		return r;
	if (!opts->fixed.processes && tuned_is_no_better(now_per_s, now, most, tuned.per_s)) {
		tuned.plan = *now;
		tuned.per_s = now_per_s;
	}
	tuned.memory_bytes = plan_memory(&tuned.plan, opts);
	*ret_tuned = tuned;
	return 0;
}

/* Takes a bound if it is the smallest so far. */
static void lower(struct async_capacity *capacity, double bound, enum async_limit limit,
		  size_t peer)
{
	if (bound < capacity->per_s)
		*capacity = (struct async_capacity){bound, limit, peer};
}

int capacity_async(const struct demand *d, double cpus, const struct async_plan *plan,
		   struct async_capacity *ret_capacity)
{
	struct async_capacity capacity = {.per_s = INFINITY};
	double loops = plan->processes;

	if (!(cpus > 0) || !(loops > 0) || !(plan->cpu_s >= 0) || !(d->fault_s >= 0) ||
	    !(d->offload_s >= 0) || !(d->serial_s >= 0) || !(d->other_s >= 0))
		return -EINVAL;
	lower(&capacity, cpus / (plan->cpu_s + d->other_s), ASYNC_CPU, 0);
	/* A page fault stops its loop, while the processor goes to another one. */
	lower(&capacity, loops / (plan->cpu_s + d->fault_s), ASYNC_CPU, 0);
	for (size_t i = 0; i < d->n_peers; i++) {
		const struct peer_demand *p = &d->peers[i];

		if (!(p->service_s >= 0) || !(p->servers > 0) || !(p->pool > 0))
			return -EINVAL;
		lower(&capacity, p->servers / p->service_s, ASYNC_PEER, i);
		lower(&capacity, loops * p->pool / p->service_s, ASYNC_POOL, i);
	}
	if (d->offload_s > 0)
		lower(&capacity, loops * plan->offload_threads / d->offload_s, ASYNC_OFFLOAD, 0);
	lower(&capacity, serial_bound(d), ASYNC_SERIAL, 0);
	if (isinf(capacity.per_s))
		return -EDOM;
	*ret_capacity = capacity;
	return 0;
}

double capacity_gain_bound(double utilisation, double kappa)
{
	if (!(utilisation > 0) || !(utilisation <= 1) || !(kappa > 0))
		return NAN;
	return 1 / (utilisation * kappa);
}

double capacity_break_even(double utilisation)
{
	return capacity_gain_bound(utilisation, 1);
}
