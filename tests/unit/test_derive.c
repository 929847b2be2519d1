/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What follows from a snapshot, against the same computed the long way from single requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/derive.h"

#define N 800

struct sample {
	uint64_t cpu, network, sleep, child, disk, lock, overlapped, overlapped_io;
};

static uint64_t next_random(uint64_t *state, uint64_t limit)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (*state >> 33) % limit;
}

static void make_samples(struct sample *samples, uint64_t seed)
{
	for (size_t i = 0; i < N; i++) {
		struct sample *x = &samples[i];

		x->cpu = 100000 + next_random(&seed, 900000);
		x->network = x->cpu * 3 + next_random(&seed, 4000000);
		x->sleep = next_random(&seed, 50000);
		x->child = next_random(&seed, 10000);
		x->disk = next_random(&seed, 400000);
		x->lock = next_random(&seed, 300000);
		x->overlapped = next_random(&seed, 700000);
		x->overlapped_io = x->overlapped / 2;
	}
}

static double overlappable_s(const struct sample *x)
{
	return (double)(x->network + x->sleep + x->child + x->overlapped_io) / 1e9;
}

static void record(struct service *service, const struct sample *x)
{
	double cpu = (double)x->cpu / 1e9, wait = overlappable_s(x);
	uint64_t values[PART_COUNT] = {[PART_CPU] = x->cpu,
				       [PART_NETWORK] = x->network,
				       [PART_SLEEP] = x->sleep,
				       [PART_CHILD] = x->child,
				       [PART_DISK] = x->disk,
				       [PART_LOCK] = x->lock,
				       [PART_OVERLAPPED] = x->overlapped};
	uint64_t total = 0;

	for (int i = 0; i < PART_COUNT; i++) {
		dist_add(&service->parts[i], values[i]);
		total += values[i];
	}
	dist_add(&service->service_time, total);
	service->overlapped_io_ns += x->overlapped_io;
	service->moments.xx += cpu * cpu;
	service->moments.yy += wait * wait;
	service->moments.xy += cpu * wait;
	service->requests.completed++;
}

static void assert_close(double a, double b, double tolerance)
{
	if (!(fabs(a - b) <= tolerance * fabs(b)))
		fail_msg("%.17g is not %.17g", a, b);
}

static void test_blocking(void **state)
{
	static struct sample samples[N];
	static struct service service;
	double x = 0, y = 0, disk = 0, squares = 0, ratio, half;
	struct blocking b;

	(void)state;
	make_samples(samples, 3);
	for (size_t i = 0; i < N; i++) {
		record(&service, &samples[i]);
		x += (double)samples[i].cpu / 1e9;
		y += overlappable_s(&samples[i]);
		disk += (double)samples[i].disk / 1e9;
	}
	ratio = y / x;
	for (size_t i = 0; i < N; i++) {
		double e = overlappable_s(&samples[i]) - ratio * (double)samples[i].cpu / 1e9;

		squares += e * e;
	}
	half = 1.959964 * sqrt((double)N / (N - 1) * squares) / x;
	derive_blocking(&service, &b);
	assert_close(b.ratio, ratio, 1e-12);
	assert_close(b.ratio_loose, (y + disk) / x, 1e-12);
	assert_close(b.fraction, y / (x + y), 1e-12);
	assert_close(b.lo, ratio - half, 1e-6);
	assert_close(b.hi, ratio + half, 1e-6);
}

/* Out of many samples of one population, about 95 % of the intervals hold its ratio. */
static void test_coverage(void **state)
{
	static struct sample samples[N];
	uint64_t seed = 1;
	unsigned int held = 0;
	double x = 0, y = 0;

	(void)state;
	for (int pass = 0; pass < 2; pass++) {
		seed = 1;
		for (unsigned int k = 0; k < 400; k++) {
			struct snapshot *s = snapshot_new(1);
			struct blocking b;

			assert_non_null(s);
			seed += 7919;
			make_samples(samples, seed);
			for (size_t i = 0; i < N; i++) {
				record(&s->services[0], &samples[i]);
				if (pass == 0) {
					x += (double)samples[i].cpu / 1e9;
					y += overlappable_s(&samples[i]);
				}
			}
			derive_blocking(&s->services[0], &b);
			held += pass == 1 && b.lo <= y / x && y / x <= b.hi;
			snapshot_free(s);
		}
	}
	/* 380 expected, deviation 4.4. */
	assert_in_range(held, 380 - 18, 380 + 18);
}

/* Where every request is the same the interval is the ratio. */
static void test_constant(void **state)
{
	static struct service service;
	struct blocking b;

	(void)state;
	for (int i = 0; i < 1000; i++)
		record(&service, &(struct sample){.cpu = 333333, .network = 777777});
	derive_blocking(&service, &b);
	assert_close(b.lo, b.ratio, 1e-6);
	assert_close(b.hi, b.ratio, 1e-6);
}

/* A few wild requests: the lower bound stops at zero. */
static void test_clamped(void **state)
{
	static struct service service;
	struct blocking b;

	(void)state;
	record(&service, &(struct sample){.cpu = 1000000});
	record(&service, &(struct sample){.cpu = 1000, .network = 90000000});
	derive_blocking(&service, &b);
	assert_true(b.lo == 0);
	assert_true(b.hi > b.ratio);
}

static void test_undefined(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = snapshot_new(1);
	struct service *service = &s->services[0];
	struct blocking b;

	(void)state;
	derive_blocking(service, &b);
	assert_true(isnan(b.ratio) && isnan(b.ratio_loose) && isnan(b.fraction));
	assert_true(isnan(b.lo) && isnan(b.hi));
	assert_true(isnan(derive_closure(service)));
	assert_true(isnan(derive_snapshot_closure(s)));
	assert_true(isnan(derive_rate_per_s(s, service)));
	assert_true(isnan(derive_in_flight(s, service)));
	assert_true(isnan(derive_busy_fraction(service)));
	assert_true(isnan(derive_probe_cpu_s(s)));

	/* One request: a ratio, but no telling how far off it may be. */
	record(service, &(struct sample){.cpu = 1000, .network = 3000});
	derive_blocking(service, &b);
	assert_close(b.ratio, 3, 1e-12);
	assert_true(isnan(b.lo) && isnan(b.hi));
}

static void test_closure(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = snapshot_new(2);
	struct service *a = &s->services[0], *b = &s->services[1];

	(void)state;
	record(a, &(struct sample){.cpu = 600, .network = 300});
	dist_add(&a->parts[PART_UNATTRIBUTED], 100);
	a->service_time.sum_ns += 100;
	assert_close(derive_closure(a), 0.9, 1e-12);

	/* Two threads worked side by side for 500: the parts say 1500, the clock 1000. */
	record(b, &(struct sample){.cpu = 1500});
	b->service_time.sum_ns = 1000;
	b->requests.parallel_ns = 500;
	assert_close(derive_closure(b), 1, 1e-12);
	assert_close(derive_snapshot_closure(s), 0.95, 1e-12);
}

static void test_rates(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = snapshot_new(1);
	struct service *service = &s->services[0];

	(void)state;
	s->duration_ns = 2000000000;
	assert_true(derive_rate_per_s(s, service) == 0);
	service->requests.completed = 100;
	for (int i = 0; i < 80; i++)
		dist_add(&service->latency, 40000000);
	assert_close(derive_rate_per_s(s, service), 50, 1e-12);
	/* 20 of them arrived unseen, and were there all the same. */
	assert_close(derive_in_flight(s, service), 2, 1e-12);
	service->workers = (struct workers){.wall_ns = 1000, .busy_ns = 250};
	assert_close(derive_busy_fraction(service), 0.25, 1e-12);
	service->workers.busy_ns = 1003;
	assert_true(derive_busy_fraction(service) == 1);
}

static void test_probe_cost(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = snapshot_new(0);

	(void)state;
	s->cost_known = true;
	assert_true(derive_probe_cpu_s(s) == 0);
	s->programs = calloc(2, sizeof(*s->programs));
	assert_non_null(s->programs);
	s->n_programs = 2;
	s->programs[0] = (struct program_cost){.name = strdup("a"), .runs = 1, .run_ns = 250000000};
	s->programs[1] = (struct program_cost){.name = strdup("b"), .runs = 2, .run_ns = 500000000};
	assert_close(derive_probe_cpu_s(s), 0.75, 1e-12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocking),  cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_constant),  cmocka_unit_test(test_clamped),
		cmocka_unit_test(test_undefined), cmocka_unit_test(test_closure),
		cmocka_unit_test(test_rates),	  cmocka_unit_test(test_probe_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
