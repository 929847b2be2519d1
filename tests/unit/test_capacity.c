/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capacities and their limits, worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>

#include "advise/capacity.h"

#define ASSERT_NEAR(a, b, relative) assert_true(fabs((a) / (b)-1) <= (relative))

static const struct worker_plan one = {1, 1, false}, five = {5, 1, false};

static double sync_per_s(const struct demand *d, double cpus, struct worker_plan plan)
{
	double per_s = NAN;

	assert_int_equal(capacity_sync(d, cpus, &plan, &per_s), 0);
	return per_s;
}

static void test_sync(void **state)
{
	const struct peer_demand peer = {.020, INFINITY, INFINITY, 0},
				 narrow = {.020, 1, INFINITY, 0};
	const struct demand plain = {.cpu_s = .004, .peers = &peer, .n_peers = 1};
	const struct demand limited = {.cpu_s = .004, .peers = &narrow, .n_peers = 1};
	const struct demand locked = {.cpu_s = .004, .serial_s = .010};

	(void)state;
	ASSERT_NEAR(demand_ratio(&plain), 5, 1e-12);
	ASSERT_NEAR(sync_per_s(&plain, 2, one), 1 / .024, 1e-9);
	/* With enough workers the processors are busy, or the peer is. */
	ASSERT_NEAR(sync_per_s(&plain, 2, (struct worker_plan){100, 1, false}), 500, 1e-6);
	ASSERT_NEAR(sync_per_s(&limited, 2, (struct worker_plan){100, 1, false}), 50, 1e-6);
	ASSERT_NEAR(sync_per_s(&locked, 2, five), 100, 1e-6);
	/* Threads under one interpreter lock have one processor, in two processes two. */
	ASSERT_NEAR(sync_per_s(&plain, 2, (struct worker_plan){1, 60, true}), 250, 1e-4);
	ASSERT_NEAR(sync_per_s(&plain, 2, (struct worker_plan){2, 60, true}), 500, 1e-4);
	ASSERT_NEAR(sync_per_s(&plain, 2, (struct worker_plan){1, 60, false}), 500, 1e-4);
	/* A quota limits how much is computed, not how fast. */
	ASSERT_NEAR(sync_per_s(&plain, 1.5, (struct worker_plan){100, 1, false}), 375, 1e-6);
	ASSERT_NEAR(sync_per_s(&plain, .5, one), 1 / .024, 1e-9);
	ASSERT_NEAR(sync_per_s(&plain, .5, (struct worker_plan){2, 60, true}), 125, 1e-6);
}

/* A pool of connections holds workers back as a peer with so many servers would. */
static void test_pool(void **state)
{
	const struct peer_demand pooled = {.020, INFINITY, 2, 0}, servers = {.020, 6, INFINITY, 0};
	const struct demand a = {.cpu_s = .001, .peers = &pooled, .n_peers = 1};
	const struct demand b = {.cpu_s = .001, .peers = &servers, .n_peers = 1};

	(void)state;
	ASSERT_NEAR(sync_per_s(&a, 2, (struct worker_plan){3, 10, false}),
		    sync_per_s(&b, 2, (struct worker_plan){3, 10, false}), 1e-12);
}

/* A database beside it that takes half as much again: full processors serve two thirds, workers
 * that wait as much as ever, an interpreter's lock what it does alone, if there is room beside it.
 */
static void test_others(void **state)
{
	const struct demand d = {.cpu_s = .004, .wait_s = .020, .other_s = .002};
	const struct async_plan plan = {2, .002, 0};
	struct async_capacity c = {0};

	(void)state;
	ASSERT_NEAR(sync_per_s(&d, 2, (struct worker_plan){60, 1, false}), 2 / .006, 1e-6);
	ASSERT_NEAR(sync_per_s(&d, 2, one), 1 / .024, 1e-9);
	ASSERT_NEAR(sync_per_s(&d, 2, (struct worker_plan){1, 60, true}), 250, 1e-3);
	assert_int_equal(capacity_async(&d, 2, &plan, &c), 0);
	ASSERT_NEAR(c.per_s, 2 / .004, 1e-9);
	assert_int_equal(c.limit, ASYNC_CPU);
}

/* A wait of 20 ms keeps a worker off for as long, or until 29 others have run for 4 ms each: then
 * code runs slower by 0.1 ms for each doubling of 1 ms and that. At most to three times
 * its time. */
static void test_crowding(void **state)
{
	const struct crowding crowding = {1, .020, .020, 100e-6}, crowded = {1, .020, .116, 100e-6};
	const struct worker_plan sixty = {60, 1, false}, threads = {1, 60, false};
	struct demand d = {.cpu_s = .004, .wait_s = .020, .crowding = crowding};
	double more = 100e-6 * (log2(117) - log2(21));

	(void)state;
	ASSERT_NEAR(capacity_cpu_s(&d, 2, &one), .004, 1e-12);
	ASSERT_NEAR(capacity_cpu_s(&d, 2, &threads), .004, 1e-12);
	ASSERT_NEAR(capacity_cpu_s(&d, 2, &sixty), .004 + more, 1e-9);
	ASSERT_NEAR(sync_per_s(&d, 2, sixty), 2 / (.004 + more), 1e-6);
	ASSERT_NEAR(sync_per_s(&d, 2, one), 1 / .024, 1e-9);
	/* As measured with all of them; with fewer it is less. */
	d.crowding = crowded;
	ASSERT_NEAR(capacity_cpu_s(&d, 2, &sixty), .004, 1e-12);
	ASSERT_NEAR(capacity_cpu_s(&d, 2, &one), .004 - more, 1e-9);
	d.crowding.cold_s = 1;
	ASSERT_NEAR(capacity_cpu_s(&d, 2, &one), .004, 1e-9);
	d.crowding.off_s = 0;
	ASSERT_NEAR(capacity_cpu_s(&d, 2, &one), .004 + 2 * .002, 1e-9);
}

static struct tuned tune(const struct demand *d, struct worker_plan now,
			 const struct tune_opts *opts)
{
	struct tuned tuned = {0};

	assert_int_equal(capacity_tuned(d, 2, &now, opts, &tuned), 0);
	return tuned;
}

static void test_tuned(void **state)
{
	const struct demand d = {.cpu_s = .004, .wait_s = .020};
	const struct tune_opts free_rein = {0},
			       threads = {.threads = true, .process_bytes = 100, .thread_bytes = 1};
	struct tuned t = tune(&d, five, &free_rein);

	(void)state;
	/* 1.2 * 2 * (1 + 5) = 14.4 */
	assert_int_equal(t.wanted, 15);
	assert_int_equal(t.plan.processes, 15);
	assert_int_equal(t.plan.threads, 1);
	assert_int_equal(t.limit, TUNE_UNLIMITED);
	ASSERT_NEAR(t.per_s, sync_per_s(&d, 2, t.plan), 1e-12);
	assert_true(t.per_s > .9 * 500 && t.per_s > sync_per_s(&d, 2, five));

	t = tune(&d, five, &threads);
	assert_int_equal(t.plan.processes, 2);
	assert_int_equal(t.plan.threads, 8);
	assert_true(t.memory_bytes == 216);
}

static void test_tuned_within_limits(void **state)
{
	const struct demand d = {.cpu_s = .004, .wait_s = .020};
	const struct connection_limit connections = {.available = 18, .per_worker = 2};
	const struct tune_opts memory = {.memory_bytes = 75, .process_bytes = 10};
	const struct tune_opts thread_memory = {
		.threads = true, .memory_bytes = 110, .process_bytes = 50, .thread_bytes = 1};
	const struct tune_opts peers = {.connections = &connections, .n_connections = 1};
	const struct tune_opts count = {.max_workers = 3};
	const struct tune_opts too_little = {.memory_bytes = 5, .process_bytes = 10};
	struct tuned t = tune(&d, five, &memory);
	const struct tuned untouched = t;

	(void)state;
	assert_int_equal(t.plan.processes, 7);
	assert_int_equal(t.limit, TUNE_MEMORY);
	assert_int_equal(t.wanted, 15);
	t = tune(&d, five, &thread_memory);
	assert_int_equal(t.plan.processes * t.plan.threads, 10);
	t = tune(&d, five, &peers);
	assert_int_equal(t.plan.processes, 9);
	assert_int_equal(t.limit, TUNE_CONNECTIONS);
	t = tune(&d, five, &count);
	assert_int_equal(t.plan.processes, 3);
	assert_int_equal(t.limit, TUNE_WORKERS);
	t = untouched;
	assert_int_equal(capacity_tuned(&d, 2, &five, &too_little, &t), -ENOSPC);
	assert_int_equal(t.plan.processes, 7);
}

/* More workers than tuning would ask for stay, unless they break a limit. */
static void test_tuned_is_never_worse(void **state)
{
	const struct demand d = {.cpu_s = .004, .wait_s = .020};
	const struct worker_plan many = {40, 1, false};
	const struct tune_opts free_rein = {0}, memory = {.memory_bytes = 75, .process_bytes = 10};

	(void)state;
	assert_int_equal(tune(&d, many, &free_rein).plan.processes, 40);
	assert_int_equal(tune(&d, many, &memory).plan.processes, 7);
}

static struct async_capacity async(const struct demand *d, struct async_plan plan)
{
	struct async_capacity c = {0};

	assert_int_equal(capacity_async(d, 2, &plan, &c), 0);
	return c;
}

static void test_async(void **state)
{
	const struct async_plan plan = {.processes = 2, .cpu_s = .005, .offload_threads = 4};
	const struct peer_demand wide = {.020, INFINITY, INFINITY, 0};
	struct peer_demand peers[] = {wide, wide};
	struct demand d = {.cpu_s = .004, .peers = peers, .n_peers = 2};
	struct async_capacity c = async(&d, plan);

	(void)state;
	assert_int_equal(c.limit, ASYNC_CPU);
	ASSERT_NEAR(c.per_s, 400, 1e-12);
	/* One loop uses one processor. */
	ASSERT_NEAR(async(&d, (struct async_plan){.processes = 1, .cpu_s = .005}).per_s, 200,
		    1e-12);
	peers[1].servers = 6;
	c = async(&d, plan);
	assert_int_equal(c.limit, ASYNC_PEER);
	assert_int_equal(c.peer, 1);
	ASSERT_NEAR(c.per_s, 300, 1e-12);
	peers[0].pool = 2;
	c = async(&d, plan);
	assert_int_equal(c.limit, ASYNC_POOL);
	assert_int_equal(c.peer, 0);
	ASSERT_NEAR(c.per_s, 200, 1e-12);
	d.offload_s = .080;
	c = async(&d, plan);
	assert_int_equal(c.limit, ASYNC_OFFLOAD);
	ASSERT_NEAR(c.per_s, 100, 1e-12);
	d.serial_s = .020;
	c = async(&d, plan);
	assert_int_equal(c.limit, ASYNC_SERIAL);
	ASSERT_NEAR(c.per_s, 50, 1e-12);
}

/* A page fault stops its loop. */
static void test_async_faults(void **state)
{
	const struct demand d = {.cpu_s = .004, .fault_s = .006};

	(void)state;
	ASSERT_NEAR(async(&d, (struct async_plan){.processes = 2, .cpu_s = .004}).per_s, 200,
		    1e-12);
	ASSERT_NEAR(async(&d, (struct async_plan){.processes = 5, .cpu_s = .004}).per_s, 500,
		    1e-12);
}

/* The async capacity does not depend on the workers of now; the gain is within its bound. */
static void test_utilisation_bound(void **state)
{
	const struct demand d = {.cpu_s = .004, .wait_s = .020};
	const double kappa = 1.25;
	struct async_capacity a = async(&d, (struct async_plan){2, kappa * d.cpu_s, 0});

	(void)state;
	for (uint32_t w = 2; w <= 40; w++) {
		double now = sync_per_s(&d, 2, (struct worker_plan){w, 1, false});
		double u = fmin(now * d.cpu_s / 2, 1);

		ASSERT_NEAR(a.per_s / now, capacity_gain_bound(u, kappa), 1e-6);
		ASSERT_NEAR(capacity_break_even(u), 1 / u, 1e-12);
	}
	assert_true(isnan(capacity_gain_bound(0, 1)));
	assert_true(isnan(capacity_gain_bound(1.5, 1)));
	assert_true(isnan(capacity_gain_bound(.5, 0)));
	assert_true(isnan(capacity_gain_bound(NAN, 1)));
}

static void test_bad_input(void **state)
{
	const struct demand nothing = {0}, negative = {.cpu_s = -1}, unknown = {.cpu_s = NAN};
	const struct demand idle = {.wait_s = 1}, fine = {.cpu_s = 1};
	const struct worker_plan none = {0, 1, false};
	const struct async_plan plan = {.processes = 1, .cpu_s = .1}, no_loop = {.cpu_s = .1};
	const struct async_plan no_cpu = {.processes = 1}, not_a_number = {1, NAN, 1};
	const struct tune_opts opts = {0};
	struct async_capacity a = {.per_s = 42};
	struct tuned t = {.per_s = 42};
	double per_s = 42;

	(void)state;
	assert_int_equal(capacity_sync(&nothing, 2, &one, &per_s), -EDOM);
	assert_int_equal(capacity_sync(&negative, 2, &one, &per_s), -EINVAL);
	assert_int_equal(capacity_sync(&unknown, 2, &one, &per_s), -EINVAL);
	assert_int_equal(capacity_sync(&fine, 0, &one, &per_s), -EINVAL);
	assert_int_equal(capacity_sync(&fine, NAN, &one, &per_s), -EINVAL);
	assert_int_equal(capacity_sync(&fine, 2, &none, &per_s), -EINVAL);
	assert_int_equal(capacity_tuned(&nothing, 2, &one, &opts, &t), -EDOM);
	assert_int_equal(capacity_tuned(&idle, 2, &one, &opts, &t), -EDOM);
	assert_int_equal(capacity_tuned(&unknown, 2, &one, &opts, &t), -EDOM);
	assert_int_equal(capacity_tuned(&fine, NAN, &one, &opts, &t), -EINVAL);
	assert_int_equal(capacity_async(&fine, 2, &no_loop, &a), -EINVAL);
	assert_int_equal(capacity_async(&fine, 2, &not_a_number, &a), -EINVAL);
	assert_int_equal(capacity_async(&fine, 0, &plan, &a), -EINVAL);
	assert_int_equal(capacity_async(&nothing, 2, &no_cpu, &a), -EDOM);
	assert_true(per_s == 42 && t.per_s == 42 && a.per_s == 42);
	assert_true(isnan(demand_ratio(&idle)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sync),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_crowding),
		cmocka_unit_test(test_tuned),
		cmocka_unit_test(test_tuned_within_limits),
		cmocka_unit_test(test_tuned_is_never_worse),
		cmocka_unit_test(test_async),
		cmocka_unit_test(test_async_faults),
		cmocka_unit_test(test_utilisation_bound),
		cmocka_unit_test(test_bad_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
