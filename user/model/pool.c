/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/pool.h"

#include <math.h>

#include "model/derive.h"

static double quotient(double a, double b)
{
	return b > 0 ? a / b : NAN;
}

static void add_up(const struct service *service, struct pool *pool)
{
	bool pooled = derive_concurrency(service) == CONCURRENCY_EVENT_LOOP_THREADS;
	double all;

	*pool = (struct pool){.state = POOL_UNKNOWN};
	for (size_t i = 0; i < service->n_lanes; i++) {
		const struct lane *lane = &service->lanes[i];

		/* A master that waits for its workers is none of them. */
		if (!lane->serving && !pooled)
			continue;
		pool->cpu += (double)lane->cpu_ns;
		pool->wait += (double)lane->wait_ns;
		pool->run_queue += (double)lane->run_queue_ns;
		pool->idle += (double)lane->idle_ns;
	}
	all = pool->cpu + pool->wait + pool->run_queue + pool->idle;
	pool->cpu = quotient(pool->cpu, all);
	pool->wait = quotient(pool->wait, all);
	pool->run_queue = quotient(pool->run_queue, all);
	pool->idle = quotient(pool->idle, all);
}

static enum pool_state state_of(const struct service *service, const struct pool *pool)
{
	double busy = derive_busy_fraction(service);
	double queued =
		quotient(dist_mean_s(&service->queue_wait), dist_mean_s(&service->service_time));

	if (!service->requests.completed || isnan(pool->cpu) || isnan(busy))
		return POOL_UNKNOWN;
	if (pool->run_queue > pool->cpu && pool->run_queue >= POOL_NOTABLE * (1 - pool->idle))
		return POOL_OVERSUBSCRIBED;
	if (busy >= POOL_TAKEN && !(queued >= POOL_QUEUE))
		return POOL_FULL;
	if (busy >= POOL_TAKEN)
		return pool->wait > pool->cpu ? POOL_STARVED : POOL_SATURATED;
	return busy < POOL_LOW ? POOL_IDLE : POOL_BALANCED;
}

void derive_pool(const struct service *service, struct pool *ret_pool)
{
	struct pool pool;

	add_up(service, &pool);
	pool.state = state_of(service, &pool);
	*ret_pool = pool;
}
