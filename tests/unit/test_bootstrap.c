/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Do the intervals hold what they promise? Many samples of a service whose B is known: the share of
 * 90 % intervals that contain it. 400 samples know that share to 1.5 % (one deviation).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>

#include "advise/bootstrap.h"
#include "sample_service.h"

#define ASSERT_NEAR(a, b, relative) assert_true(fabs((a) / (b)-1) <= (relative))
#define SAMPLES 400

static const struct bootstrap_opts one_figure = {.seed = 1, .replicates = 300, .n_figures = 1};

static struct interval ratio(const struct evidence_sample *e, const struct bootstrap_opts *opts)
{
	struct interval interval = {0};

	assert_int_equal(bootstrap_run(e, opts, bootstrap_ratio, NULL, &interval), 0);
	return interval;
}

struct coverage {
	double share, half_width;
};

static struct coverage cover(struct sample_model model, const struct bootstrap_opts *opts)
{
	double truth = model.operations * model.wait_s / model.cpu_s;
	struct coverage c = {0};

	for (uint64_t i = 0; i < SAMPLES; i++) {
		model.seed = i;
		struct evidence_sample e = sample_service(&model);
		struct interval interval = ratio(&e, opts);

		c.share += (interval.lo <= truth && truth <= interval.hi) / (double)SAMPLES;
		c.half_width += (interval.hi - interval.lo) / 2 / truth / SAMPLES;
		sample_free(&e);
	}
	return c;
}

static const struct sample_model service = {
	.cpu_s = .003,
	.wait_s = .020,
	.operations = 1,
	.cv_cpu = .5,
	.cv_wait = .8,
	.part = PART_NETWORK,
	.requests = 500,
	.duration_s = 40,
	.workers = 4,
	.cpus = 2,
};

/* Independent requests. The half width by the delta method: 1.645 sqrt((.5^2 / 2 + .8^2) / 500),
 * the CPU being the sum of two bursts. */
static void test_coverage(void **state)
{
	struct coverage c = cover(service, &one_figure);

	(void)state;
	assert_true(c.share > .84 && c.share < .95);
	ASSERT_NEAR(c.half_width, 1.645 * sqrt((.125 + .64) / 500), .1);
}

/* Seconds that are slow as a whole: blocks of a second notice, blocks of one request do not. */
static void test_coverage_of_alike_neighbours(void **state)
{
	const struct bootstrap_opts single = {
		.seed = 1, .replicates = 300, .n_figures = 1, .block_ns = 80000000};
	struct sample_model model = service;

	(void)state;
	model.cv_second = .5;
	assert_true(cover(model, &one_figure).share > .84);
	assert_true(cover(model, &single).share < .75);
}

static void test_estimate(void **state)
{
	struct evidence_sample e = sample_service(&service);
	struct request_sums sums = {0};
	double peer_s = 0;

	(void)state;
	for (size_t i = 0; i < e.n_traces; i++)
		evidence_add_trace(&e.traces[i], &sums, &peer_s);
	ASSERT_NEAR(ratio(&e, &one_figure).estimate, peer_s / sums.cpu_s, 1e-12);
	assert_true(sums.requests == 500 && sums.operations == 500);
	sample_free(&e);
}

static void test_same_seed_same_interval(void **state)
{
	struct evidence_sample e = sample_service(&service);
	struct bootstrap_opts opts = one_figure;
	struct interval a = ratio(&e, &opts), b = ratio(&e, &opts), c;

	(void)state;
	opts.seed = 2;
	c = ratio(&e, &opts);
	assert_true(a.lo == b.lo && a.hi == b.hi);
	assert_true(a.estimate == c.estimate && a.lo != c.lo);
	sample_free(&e);
}

static void test_block_length(void **state)
{
	(void)state;
	assert_true(bootstrap_block_ns(600000000000) == 1000000000);
	assert_true(bootstrap_block_ns(30000000000) == 1000000000);
	assert_true(bootstrap_block_ns(3000000000) == 100000000);
	assert_true(bootstrap_block_ns(3) == 1);
}

/* Each part of a request goes where model.md 1.1 says. */
static void test_sums(void **state)
{
	struct trace_segment segments[] = {
		{1000000000, PART_CPU, TRACE_NO_PEER},
		{2000000000, PART_NETWORK, 1},
		{3000000000, PART_NETWORK, TRACE_NO_PEER},
		{4000000000, PART_DISK, TRACE_NO_PEER},
		{5000000000, PART_LOCK, TRACE_NO_PEER},
		{6000000000, PART_SLEEP, TRACE_NO_PEER},
		{7000000000, PART_CHILD, TRACE_NO_PEER},
		{8000000000, PART_RUN_QUEUE, TRACE_NO_PEER},
		{9000000000, PART_UNATTRIBUTED, TRACE_NO_PEER},
		{1000000000, PART_CPU, TRACE_NO_PEER},
	};
	const struct trace trace = {.segments = segments, .n_segments = 10};
	struct request_sums sums = {0};
	double peer_s[2] = {0};

	(void)state;
	evidence_add_trace(&trace, &sums, peer_s);
	assert_true(sums.cpu_s == 2 && peer_s[0] == 0 && peer_s[1] == 2);
	assert_true(sums.wait_s == 16 && sums.offload_s == 4 && sums.lock_s == 5);
	assert_true(sums.operations == 2 && sums.offloads == 1 && sums.truncated == 0 &&
		    sums.requests == 1);
}

/* No CPU: no ratio, no interval. One request: an interval that says nothing more than it. */
static void test_degenerate(void **state)
{
	struct trace_segment wait = {1000, PART_SLEEP, TRACE_NO_PEER};
	struct trace_segment both[] = {wait, {500, PART_CPU, TRACE_NO_PEER}};
	const struct trace no_cpu = {.segments = &wait, .n_segments = 1};
	const struct trace one = {.segments = both, .n_segments = 2};
	struct evidence_sample e = {
		.duration_ns = 1000, .processes = 1, .threads = 1, .cpus = 1, .n_traces = 1};
	struct interval interval = {1, 2, 3};

	(void)state;
	e.traces = &no_cpu;
	interval = ratio(&e, &one_figure);
	assert_true(isnan(interval.estimate) && isnan(interval.lo) && isnan(interval.hi));
	/* In most resamples of 30 blocks the one request is there; in a third it is not. */
	e.traces = &one;
	interval = ratio(&e, &one_figure);
	assert_true(interval.estimate == 2);
	assert_true(isnan(interval.lo) && isnan(interval.hi));
}

static void assert_refused(const struct evidence_sample *e, int error)
{
	struct interval interval = {1, 2, 3};

	assert_int_equal(bootstrap_run(e, &one_figure, bootstrap_ratio, NULL, &interval), error);
	assert_true(interval.estimate == 1 && interval.lo == 2 && interval.hi == 3);
}

static void test_bad_input(void **state)
{
	struct trace_segment bad_part = {1, PART_COUNT, TRACE_NO_PEER};
	struct trace_segment bad_peer = {1, PART_NETWORK, 3};
	const struct trace traces[] = {{.segments = &bad_part, .n_segments = 1},
				       {.segments = &bad_peer, .n_segments = 1}};
	const struct evidence_sample fine = {
		.duration_ns = 1000, .processes = 1, .threads = 1, .cpus = 1, .n_peers = 3};
	struct evidence_sample e = fine;

	(void)state;
	assert_refused(&fine, -ENODATA);
	e.traces = &traces[0];
	e.n_traces = 1;
	assert_refused(&e, -EINVAL);
	e.traces = &traces[1];
	assert_refused(&e, -EINVAL);
	e = fine;
	e.processes = 0;
	assert_refused(&e, -EINVAL);
	e = fine;
	e.cpus = NAN;
	assert_refused(&e, -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_coverage_of_alike_neighbours),
		cmocka_unit_test(test_estimate),
		cmocka_unit_test(test_same_seed_same_interval),
		cmocka_unit_test(test_block_length),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_degenerate),
		cmocka_unit_test(test_bad_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
