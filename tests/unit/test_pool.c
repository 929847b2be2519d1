/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each state of a pool of workers by the rule of pool.h that leads there, near its edges too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "model/check.h"
#include "model/derive.h"
#include "model/pool.h"

#define MS 1000000ull

/* One worker over a second; milliseconds, the rest idle. */
struct second {
	uint64_t cpu, run_queue, wait, queued, service_time;
};

static struct pool pool_of(const struct second *second)
{
	uint64_t busy = second->cpu + second->run_queue + second->wait;
	struct lane lane = {.serving = true,
			    .cpu_ns = second->cpu * MS,
			    .run_queue_ns = second->run_queue * MS,
			    .wait_ns = second->wait * MS,
			    .idle_ns = (1000 - busy) * MS};
	struct service service = {
		.requests.completed = 1,
		.workers = {1, 1, .busy_ns = busy * MS, .wall_ns = 1000 * MS},
		.lanes = &lane,
		.n_lanes = 1,
	};
	struct pool pool;

	dist_add(&service.queue_wait, second->queued * MS);
	dist_add(&service.service_time, second->service_time * MS);
	derive_pool(&service, &pool);
	dist_done(&service.queue_wait);
	dist_done(&service.service_time);
	return pool;
}

static void test_states(void **state)
{
	static const struct {
		struct second second;
		enum pool_state expected;
	} cases[] = {
		{{.cpu = 100, .run_queue = 101, .service_time = 10}, POOL_OVERSUBSCRIBED},
		{{.cpu = 100, .run_queue = 100, .service_time = 10}, POOL_IDLE},
		/* A processor is waited for longer than used, but neither matters. */
		{{.cpu = 5, .run_queue = 40, .wait = 760, .service_time = 10}, POOL_BALANCED},
		{{.cpu = 5, .run_queue = 50, .wait = 760, .service_time = 10}, POOL_OVERSUBSCRIBED},
		{{.cpu = 100, .wait = 800, .queued = 11, .service_time = 100}, POOL_STARVED},
		{{.cpu = 500, .wait = 400, .queued = 11, .service_time = 100}, POOL_SATURATED},
		{{.cpu = 100, .wait = 800, .queued = 9, .service_time = 100}, POOL_FULL},
		{{.cpu = 100, .wait = 799, .queued = 50, .service_time = 100}, POOL_BALANCED},
		{{.cpu = 299, .service_time = 100}, POOL_IDLE},
		{{.cpu = 300, .service_time = 100}, POOL_BALANCED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pool pool = pool_of(&cases[i].second);

		assert_string_equal(pool_state_name(pool.state),
				    pool_state_name(cases[i].expected));
	}
}

static void test_shares(void **state)
{
	struct pool pool = pool_of(
		&(struct second){.cpu = 100, .run_queue = 50, .wait = 250, .service_time = 1});

	(void)state;
	assert_float_equal(pool.cpu, 0.1, 1e-9);
	assert_float_equal(pool.run_queue, 0.05, 1e-9);
	assert_float_equal(pool.wait, 0.25, 1e-9);
	assert_float_equal(pool.idle, 0.6, 1e-9);
}

/* A master, helpers: only where a pool answers do they count. */
static void test_threads_that_serve(void **state)
{
	struct lane lanes[] = {{.serving = true, .cpu_ns = 100 * MS, .idle_ns = 100 * MS},
			       {.wait_ns = 600 * MS}};
	struct service service = {.requests.completed = 1, .lanes = lanes, .n_lanes = 2};
	struct pool pool;

	(void)state;
	derive_pool(&service, &pool);
	assert_float_equal(pool.cpu, 0.5, 1e-9);
	assert_float_equal(pool.wait, 0, 1e-9);
	service.evidence = (struct evidence){.opened_by_loop = 1, .pool_ns = 1};
	derive_pool(&service, &pool);
	assert_float_equal(pool.cpu, 0.125, 1e-9);
	assert_float_equal(pool.wait, 0.75, 1e-9);
}

/* Whose requests are with others most of their time; not who waits for those that do their parts.
 */
static void test_handed_over(void **state)
{
	struct service service = {
		.requests.completed = 1,
		.evidence = {.opened_by_worker = 1,
			     .pool_ns = 600 * MS,
			     .own_ns = 50 * MS,
			     .processes_serving = 1,
			     .threads_serving = 1},
		.workers = {.count = 1, .processes = 1},
	};

	(void)state;
	dist_add(&service.service_time, 100 * MS);
	assert_true(derive_handed_over(&service));
	assert_int_equal(derive_concurrency(&service), CONCURRENCY_EVENT_LOOP_THREADS);
	service.evidence.own_ns = 51 * MS;
	assert_false(derive_handed_over(&service));
	assert_int_equal(derive_concurrency(&service), CONCURRENCY_PREFORK);
	dist_done(&service.service_time);
}

static void test_nothing_seen(void **state)
{
	struct service service = {0};
	struct pool pool;

	(void)state;
	derive_pool(&service, &pool);
	assert_int_equal(pool.state, POOL_UNKNOWN);
	assert_true(isnan(pool.cpu) && isnan(pool.wait) && isnan(pool.run_queue) &&
		    isnan(pool.idle));
}

static void test_checks(void **state)
{
	struct service service = {0};
	struct snapshot s = {.losses = {[LOSS_PEERS] = 3, [LOSS_BUSY] = 4}};

	(void)state;
	assert_int_equal(check_closure(&service), CHECK_HOLDS);
	assert_int_equal(check_cpu(&s, &service), CHECK_HOLDS);
	assert_int_equal(check_losses(&s), 7);
	service.service_time.sum_ns = 1000;
	service.parts[PART_CPU].sum_ns = 989;
	assert_int_equal(check_closure(&service), CHECK_TOO_LITTLE);
	service.parts[PART_CPU].sum_ns = 1011;
	assert_int_equal(check_closure(&service), CHECK_TOO_MUCH);
	service.parts[PART_CPU].sum_ns = 1005;
	assert_int_equal(check_closure(&service), CHECK_HOLDS);
	service.cpu_ns = 1000 * MS;
	service.cpu_observed_ns = 979 * MS;
	assert_int_equal(check_cpu(&s, &service), CHECK_TOO_LITTLE);
	service.cpu_observed_ns = 1021 * MS;
	assert_int_equal(check_cpu(&s, &service), CHECK_TOO_MUCH);
	s.duration_ns = 1000 * MS; /* of which a part was seen: an estimate */
	assert_int_equal(check_cpu(&s, &service), CHECK_HOLDS);
	s.sampled_ns = s.duration_ns;
	service.cpu_observed_ns = 1019 * MS;
	assert_int_equal(check_cpu(&s, &service), CHECK_HOLDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_threads_that_serve),
		cmocka_unit_test(test_handed_over),
		cmocka_unit_test(test_nothing_seen),
		cmocka_unit_test(test_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
