/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last minutes hold what the snapshots held, the newest last, within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/history.h"

#define S 1000000000ull
#define LAST (HISTORY_MOST - 1)

static void add(struct history *history, uint64_t completed, struct lane *lanes, size_t n_lanes)
{
	struct service service = {.requests.completed = completed,
				  .workers = {.count = 4, .busy_ns = S, .wall_ns = 2 * S},
				  .lanes = lanes,
				  .n_lanes = n_lanes};
	struct snapshot s = {.duration_ns = S, .services = &service, .n_services = 1};

	assert_int_equal(history_add(history, &s), 0);
}

static void test_points(void **state)
{
	_cleanup_(history_freep) struct history *history = history_new(1);
	const struct history_point *points;

	(void)state;
	assert_non_null(history);
	points = history->services[0].points;
	for (uint64_t i = 0; i < HISTORY_MOST + 10; i++)
		add(history, i, NULL, 0);
	assert_int_equal(history->n, HISTORY_MOST);
	assert_float_equal(points[LAST].rate_per_s, HISTORY_MOST + 9, 1e-9);
	assert_float_equal(history->duration_s[LAST], 1, 1e-9);
	assert_float_equal(points[0].rate_per_s, 10, 1e-9);
	assert_float_equal(points[LAST].busy_workers, 2, 1e-9);
	assert_true(isnan(points[LAST].p99_s) && isnan(points[LAST].ratio));
}

static void test_lanes(void **state)
{
	_cleanup_(history_freep) struct history *history = history_new(1);
	struct lane lanes[] = {
		{.tid = 7, .start_time = 1, .name = "a", .cpu_ns = S / 5, .idle_ns = S / 5 * 4},
		{.tid = 8, .start_time = 1, .name = "b", .wait_ns = S - 1, .run_queue_ns = 1},
	};
	const struct history_service *service;

	(void)state;
	assert_non_null(history);
	service = &history->services[0];
	add(history, 0, lanes, 2);
	lanes[0].start_time = 2; /* the same number, another thread */
	add(history, 0, lanes, 1);
	assert_int_equal(service->n_lanes, 3);
	assert_int_equal(service->lanes[0].shares[LAST - 1].cpu, 51);
	assert_int_equal(service->lanes[0].shares[LAST - 1].idle, 204);
	assert_int_equal(service->lanes[0].shares[LAST].idle, 0);
	assert_int_equal(service->lanes[1].shares[LAST - 1].run_queue, 1);
	assert_int_equal(service->lanes[2].shares[LAST].cpu, 51);
	for (int i = 0; i < HISTORY_MOST; i++)
		add(history, 0, NULL, 0);
	assert_int_equal(service->n_lanes, 0);
}

/* However many threads come and go. */
static void test_bounded(void **state)
{
	static struct lane lanes[HISTORY_LANES_MOST + 1];
	_cleanup_(history_freep) struct history *history = history_new(1);
	struct service service = {.lanes = lanes, .n_lanes = HISTORY_LANES_MOST + 1};
	struct snapshot s = {.duration_ns = S, .services = &service, .n_services = 1};

	(void)state;
	assert_non_null(history);
	for (int i = 0; i <= HISTORY_LANES_MOST; i++)
		lanes[i] = (struct lane){.tid = i, .cpu_ns = S};
	assert_int_equal(history_add(history, &s), -ENOMEM);
	assert_int_equal(history->services[0].n_lanes, HISTORY_LANES_MOST);
	s.n_services = 0;
	assert_int_equal(history_add(history, &s), -EINVAL);
	assert_int_equal(history->n, 1);
}

/* A thread per point, and one that stays: of those that are gone the oldest make room. */
static void test_churn(void **state)
{
	_cleanup_(history_freep) struct history *history = history_new(1);
	struct lane lanes[4] = {{.tid = 1, .cpu_ns = S}};
	const struct history_service *service;
	int tid = 1;

	(void)state;
	assert_non_null(history);
	service = &history->services[0];
	for (int i = 0; i < HISTORY_MOST; i++) {
		for (int k = 1; k < 4; k++)
			lanes[k] = (struct lane){.tid = ++tid, .cpu_ns = S};
		add(history, 0, lanes, 4);
	}
	assert_int_equal(service->n_lanes, HISTORY_LANES_MOST);
	assert_int_equal(service->lanes[0].tid, 1);
	assert_int_equal(service->lanes[0].shares[0].cpu, 255);
	assert_int_equal(service->lanes[HISTORY_LANES_MOST - 1].tid, tid);
	assert_int_equal(service->lanes[1].tid, tid - (HISTORY_LANES_MOST - 2));
}

/* Services that come have no past, the others keep theirs. */
static void test_services_come(void **state)
{
	_cleanup_(history_freep) struct history *history = history_new(1);
	struct service services[2] = {{.requests.completed = 5}, {.requests.completed = 7}};
	struct snapshot s = {.duration_ns = S, .services = services, .n_services = 2};

	(void)state;
	assert_non_null(history);
	add(history, 3, NULL, 0);
	assert_int_equal(history_add(history, &s), 0);
	assert_int_equal(history->n, 2);
	assert_float_equal(history->services[0].points[LAST - 1].rate_per_s, 3, 1e-9);
	assert_float_equal(history->services[1].points[LAST].rate_per_s, 7, 1e-9);
	assert_true(isnan(history->services[1].points[LAST - 1].rate_per_s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_points),	      cmocka_unit_test(test_lanes),
		cmocka_unit_test(test_bounded),	      cmocka_unit_test(test_churn),
		cmocka_unit_test(test_services_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
