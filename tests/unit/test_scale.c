/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "model/derive.h"
#include "model/scale.h"

#define US 1000ull

/* Requests of 100 us of CPU, waiting 200, 300, 400, ... us for a peer. */
static struct snapshot *sample(unsigned int requests)
{
	struct snapshot *s = snapshot_new(1);
	struct service *service = &s->services[0];
	double x = 100e-6;

	s->duration_ns = s->sampled_ns = 1000000 * US;
	for (unsigned int i = 0; i < requests; i++) {
		uint64_t wait_ns = (200 + 100 * (uint64_t)i) * US;
		double y = (double)wait_ns / 1e9;

		service->requests.completed++;
		(void)dist_add(&service->parts[PART_CPU], 100 * US);
		(void)dist_add(&service->parts[PART_NETWORK], wait_ns);
		(void)dist_add(&service->service_time, 100 * US + wait_ns);
		service->moments.xx += x * x;
		service->moments.yy += y * y;
		service->moments.xy += x * y;
	}
	return s;
}

static uint64_t counted(const struct dist *dist)
{
	uint64_t n = 0;

	for (unsigned int b = 0; b < IOP_BUCKET_COUNT; b++)
		n += dist_bucket(dist, b);
	return n;
}

static void counts_and_sums_grow_together(void **state)
{
	struct snapshot *s = sample(7);
	struct service *service = &s->services[0];

	(void)state;
	service_scale(service, 3.5, 3.5);
	assert_int_equal(service->requests.completed, 25); /* 24.5 */
	assert_int_equal(service->service_time.count, 25);
	assert_int_equal(counted(&service->service_time), 25);
	assert_int_equal(service->parts[PART_CPU].sum_ns, 2450 * US);
	assert_int_equal(service->service_time.sum_ns, (7 * 100 + 7 * 500) * US * 7 / 2);
	assert_int_equal(service->service_time.max_ns, 900 * US);
	snapshot_free(s);
}

static void a_distribution_keeps_its_shape(void **state)
{
	struct snapshot *s = sample(1000), *whole = sample(1000);
	const struct dist *dist = &s->services[0].service_time;

	(void)state;
	service_scale(&s->services[0], 1.7, 1.7);
	assert_int_equal(dist->count, 1700);
	for (int i = 0; i <= 10; i++) {
		double q = i / 10.0;

		assert_true(fabs(dist_quantile_s(dist, q) /
					 dist_quantile_s(&whole->services[0].service_time, q) -
				 1) < 0.01);
	}
	snapshot_free(s);
	snapshot_free(whole);
}

/* What was not seen makes nothing more certain. */
static void an_interval_stays_as_wide(void **state)
{
	struct snapshot *s = sample(200);
	struct blocking before, after;

	(void)state;
	derive_blocking(&s->services[0], &before);
	service_scale(&s->services[0], 64, 64);
	derive_blocking(&s->services[0], &after);
	assert_true(fabs(after.ratio / before.ratio - 1) < 1e-9);
	/* but for n / (n - 1) */
	assert_true(fabs((after.hi - after.lo) / (before.hi - before.lo) - 1) < 0.01);
	snapshot_free(s);
}

/* How much each took on average, and how much that varies, stays. */
static void pauses_keep_their_means(void **state)
{
	struct snapshot *s = sample(7);
	struct pause *pauses = s->services[0].pauses;

	(void)state;
	pauses[0] = (struct pause){4, 0, 4 * 300 * US, 4 * 1e-7};
	pauses[5] = (struct pause){2, 2 * 1300 * US, 2 * 500 * US, 2 * 3e-7};
	service_scale(&s->services[0], 2.5, 7);
	assert_int_equal(pauses[0].requests, 10);
	assert_int_equal(pauses[0].sum_ns, 0);
	assert_int_equal(pauses[0].cpu_ns, 10 * 300 * US);
	assert_true(fabs(pauses[0].cpu_squares / (10 * 1e-7) - 1) < 1e-12);
	assert_int_equal(pauses[5].requests, 5);
	assert_int_equal(pauses[5].sum_ns, 5 * 1300 * US);
	assert_int_equal(pauses[5].cpu_ns, 5 * 500 * US);
	assert_true(fabs(pauses[5].cpu_squares / (5 * 3e-7) - 1) < 1e-12);
	assert_int_equal(pauses[1].requests, 0);
	snapshot_free(s);
}

/* A quarter of the time seen, and the whole: their sum is that of requests that all were seen. */
static void parts_of_different_shares_add_up(void **state)
{
	struct snapshot *quarter = sample(100), *whole = sample(400);

	(void)state;
	quarter->sampled_ns = quarter->duration_ns / 4;
	service_scale(&quarter->services[0], 4, 4);
	assert_int_equal(derive_requests_seen(quarter, &quarter->services[0]), 100);
	assert_int_equal(derive_requests_seen(whole, &whole->services[0]), 400);
	free(quarter->services[0].name);
	quarter->services[0].name = NULL;
	assert_int_equal(snapshot_merge(whole, quarter), 0);
	assert_int_equal(whole->services[0].requests.completed, 800);
	assert_int_equal(whole->sampled_ns, whole->duration_ns / 2 + whole->duration_ns / 8);
	snapshot_free(quarter);
	snapshot_free(whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_and_sums_grow_together),
		cmocka_unit_test(a_distribution_keeps_its_shape),
		cmocka_unit_test(an_interval_stays_as_wide),
		cmocka_unit_test(pauses_keep_their_means),
		cmocka_unit_test(parts_of_different_shares_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
