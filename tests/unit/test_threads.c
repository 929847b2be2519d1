/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What threads did since the update before: of those that stay, come, end, and take over numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "probe/threads.h"

#define MS 1000000ull
#define SERVICE 3

/* A worker process of one thread; milliseconds since it was first seen. */
struct worker {
	uint32_t pid;
	uint64_t start_time, observed, idle, cpu;
};

static void update(struct threads *threads, const struct worker *workers, size_t n)
{
	struct iop_thread_record *records = calloc(n + 1, sizeof(*records));

	assert_non_null(records);
	for (size_t i = 0; i < n; i++)
		records[i] = (struct iop_thread_record){
			.service = SERVICE,
			.tid = workers[i].pid,
			.tgid = workers[i].pid,
			.parent_tgid = 1,
			.start_time = workers[i].start_time,
			.observed_ns = workers[i].observed * MS,
			.idle_ns = workers[i].idle * MS,
			.cpu_ns = workers[i].cpu * MS,
			.cpu_observed_ns = workers[i].cpu * MS,
			.requests = 1,
			.comm = "worker",
		};
	threads_update(threads, records, n);
}

static struct workers workers_of(const struct threads *threads, const struct ended_workers *ended)
{
	struct evidence evidence = {0};
	struct workers workers;

	threads_workers(threads, SERVICE, ended, false, &workers, &evidence);
	return workers;
}

/* One process: threads that read requests, of which some are known to be event loops. */
static uint32_t workers_among(size_t n, size_t loops)
{
	struct iop_thread_record *records = calloc(n, sizeof(*records));
	struct threads *threads = threads_new();
	const struct ended_workers none = {0};
	uint32_t count;

	assert_non_null(records);
	assert_non_null(threads);
	for (size_t i = 0; i < n; i++)
		records[i] = (struct iop_thread_record){
			.service = SERVICE,
			.tid = (uint32_t)(100 + i),
			.tgid = 100,
			.parent_tgid = 1,
			.start_time = 1,
			.observed_ns = 1000 * MS,
			.loop = i < loops,
			.requests = 1,
			.comm = "serves",
		};
	threads_update(threads, records, n);
	count = workers_of(threads, &none).count;
	threads_free(threads);
	return count;
}

static void test_loops_not_yet_proven(void **state)
{
	(void)state;
	assert_int_equal(workers_among(17, 17), 17);
	assert_int_equal(workers_among(17, 16), 17); /* it has hardly served */
	assert_int_equal(workers_among(17, 1), 16);  /* a front and who works for it */
}

static void test_what_was_done_since(void **state)
{
	struct threads *threads = threads_new();
	const struct ended_workers none = {0};
	struct service service = {0};
	struct workers workers;

	(void)state;
	assert_non_null(threads);
	update(threads, (struct worker[]){{20, 1, 500, 100, 300}, {10, 1, 500, 500, 0}}, 2);
	workers = workers_of(threads, &none);
	assert_int_equal(workers.count, 2);
	assert_int_equal(workers.wall_ns, 1000 * MS);
	assert_int_equal(workers.busy_ns, 400 * MS);
	update(threads, (struct worker[]){{10, 1, 1500, 1100, 250}, {20, 1, 1500, 1000, 310}}, 2);
	workers = workers_of(threads, &none);
	assert_int_equal(workers.wall_ns, 2000 * MS);
	assert_int_equal(workers.busy_ns, 500 * MS);
	assert_int_equal(threads_lanes(threads, SERVICE, &service), 0);
	assert_int_equal(service.n_lanes, 2);
	for (size_t i = 0; i < service.n_lanes; i++) {
		assert_int_equal(service.lanes[i].cpu_ns,
				 (service.lanes[i].pid == 10 ? 250 : 10) * MS);
		assert_int_equal(service.lanes[i].idle_ns,
				 (service.lanes[i].pid == 10 ? 600 : 900) * MS);
	}
	free(service.lanes);
	threads_free(threads);
}

/* Another thread has its number: all it did is new. The one before has ended, and only what it did
 * since the update before is of this interval. */
static void test_number_is_taken_again(void **state)
{
	struct threads *threads = threads_new();
	const struct ended_workers ended = {
		.most = 1, .n = 1, .n_processes = 1, .wall_ns = 700 * MS, .idle_ns = 400 * MS};
	struct workers workers;

	(void)state;
	assert_non_null(threads);
	update(threads, (struct worker[]){{10, 1, 500, 300, 200}}, 1);
	update(threads, (struct worker[]){{10, 2, 600, 500, 100}}, 1);
	workers = workers_of(threads, &ended);
	assert_int_equal(workers.count, 1);
	assert_int_equal(workers.wall_ns, (600 + 700 - 500) * MS);
	assert_int_equal(workers.busy_ns, (100 + 300 - 200) * MS);
	threads_free(threads);
}

static void test_none(void **state)
{
	struct threads *threads = threads_new();
	const struct ended_workers none = {0};

	(void)state;
	assert_non_null(threads);
	assert_int_equal(workers_of(threads, &none).count, 0);
	update(threads, NULL, 0);
	update(threads, (struct worker[]){{10, 1, 500, 300, 200}}, 1);
	update(threads, NULL, 0);
	assert_int_equal(workers_of(threads, &none).count, 0);
	threads_free(threads);
	threads_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_done_since),
		cmocka_unit_test(test_number_is_taken_again),
		cmocka_unit_test(test_loops_not_yet_proven),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
