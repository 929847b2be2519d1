/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests as the simulator replays them: latencies at a load so low that nothing queues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>

#include "advise/replay.h"

#define ASSERT_NEAR(a, b, relative) assert_true(fabs((a) / (b)-1) <= (relative))
#define MS 1000000ULL

static struct trace_segment segments[] = {
	{4 * MS, PART_CPU, TRACE_NO_PEER},	 {10 * MS, PART_NETWORK, 0},
	{5 * MS, PART_RUN_QUEUE, TRACE_NO_PEER}, {20 * MS, PART_CPU, TRACE_NO_PEER},
	{3 * MS, PART_SLEEP, TRACE_NO_PEER},	 {7 * MS, PART_LOCK, TRACE_NO_PEER},
	{6 * MS, PART_NETWORK, TRACE_NO_PEER},	 {9 * MS, PART_UNATTRIBUTED, TRACE_NO_PEER},
	{2 * MS, PART_DISK, TRACE_NO_PEER},	 {1 * MS, PART_CPU, TRACE_NO_PEER},
};

static const struct trace trace = {.segments = segments, .n_segments = 10};

static const struct evidence_sample service = {
	.duration_ns = 1000 * MS,
	.traces = &trace,
	.n_traces = 1,
	.n_peers = 1,
	.processes = 8,
	.threads = 1,
	.cpus = 2,
};

/* Half of what was measured at the peer was its queue. */
static const struct peer_fit half_service = {
	.kind = PEER_FIT_KNEE, .service_s = .005, .servers = 4, .mean_latency_s = .010};

static struct replay_opts calm(void)
{
	return (struct replay_opts){
		.rate_per_s = .1,
		.requests = 500,
		.fits = &half_service,
		.change = {.cpu_factor = 2},
	};
}

static struct replay_result compare(const struct evidence_sample *e, struct replay_opts opts)
{
	struct replay_result r = {0};

	assert_int_equal(replay_compare(e, &opts, &r), 0);
	assert_true(r.now.whole && r.async.whole && r.split.whole);
	return r;
}

/* CPU 25 ms, peer 5 of 10 ms, sleep 3, unknown peer 6, disk 2: 41 ms. Queues are left out. */
static void test_latency(void **state)
{
	struct replay_result r = compare(&service, calm());
	double loop_s = 2 * 17e-6, hop_s = 48e-6;

	(void)state;
	ASSERT_NEAR(r.now.p50_s, .041, 1e-3);
	/* Four waits end, each costs what two operations' cost is per operation. */
	ASSERT_NEAR(r.async.p50_s, .041 + .025 + 2 * loop_s + hop_s, 1e-3);
}

/* 2 of 5 ms at the peer are its own CPU on the same processors: at a low load nothing changes, nor
 * what the loop takes. 62 requests/s take 1.55 of the two processors, with all 5 ms 1.86. */
static void test_others_beside(void **state)
{
	struct evidence_sample e = service;
	struct replay_opts opts = calm();
	struct replay_result alone, beside;

	(void)state;
	e.other_s = .002;
	alone = compare(&service, opts);
	beside = compare(&e, opts);
	ASSERT_NEAR(beside.now.p50_s, alone.now.p50_s, 1e-3);
	ASSERT_NEAR(beside.async.p50_s, alone.async.p50_s, 1e-3);
	opts.rate_per_s = 62;
	opts.requests = 20000;
	opts.change.cpu_factor = 1;
	e.other_s = .005;
	alone = compare(&service, opts);
	beside = compare(&e, opts);
	assert_true(beside.now.p50_s > 1.05 * alone.now.p50_s);
	assert_true(beside.async.p99_s > 1.2 * alone.async.p99_s);
}

/* The burst of 20 ms leaves the loop, and is not behind others there any more. */
static void test_split(void **state)
{
	struct replay_opts opts = calm();
	struct replay_result r;

	(void)state;
	opts.change.cpu_factor = 1;
	opts.rate_per_s = 30;
	opts.requests = 10000;
	r = compare(&service, opts);
	assert_true(r.async.lag_p99_s > .010);
	assert_true(r.split.lag_p99_s < .5 * r.async.lag_p99_s);
	/* Not where no burst is that long. */
	opts.long_burst_s = .021;
	r = compare(&service, opts);
	assert_true(r.split.p99_s == r.async.p99_s);
}

/* Connections: one to the peer, 5 ms each; the loop must wait for it. */
static void test_pool(void **state)
{
	const struct trace_segment wait = {100 * MS, PART_NETWORK, 0};
	struct trace_segment both[] = {wait, {1 * MS, PART_CPU, TRACE_NO_PEER}};
	const struct trace waits = {.segments = both, .n_segments = 2};
	const struct peer_fit flat = {.kind = PEER_FIT_FLAT, .service_s = .1, .mean_latency_s = .1};
	const double one = 1;
	struct evidence_sample e = service;
	struct replay_opts opts = calm();
	struct replay_result r;

	(void)state;
	e.traces = &waits;
	e.cpus = 1;
	opts.fits = &flat;
	opts.rate_per_s = 8;
	opts.requests = 5000;
	r = compare(&e, opts);
	ASSERT_NEAR(r.async.p50_s, .102, .05);
	opts.pools = &one;
	assert_true(compare(&e, opts).async.p50_s > .2);
}

static void test_same_seed_same_result(void **state)
{
	struct replay_opts opts = calm();

	(void)state;
	opts.rate_per_s = 40;
	assert_true(compare(&service, opts).now.p99_s == compare(&service, opts).now.p99_s);
}

static void test_bad_input(void **state)
{
	struct trace_segment wait = {MS, PART_SLEEP, TRACE_NO_PEER};
	const struct trace no_cpu = {.segments = &wait, .n_segments = 1};
	const struct trace empty = {.segments = NULL};
	struct evidence_sample e = service;
	struct replay_opts opts = calm();
	struct replay_result r = {.now = {.per_s = 42}};

	(void)state;
	e.traces = &no_cpu;
	assert_int_equal(replay_compare(&e, &opts, &r), -EDOM);
	e.traces = &empty;
	assert_int_equal(replay_compare(&e, &opts, &r), -EDOM);
	e.n_traces = 0;
	assert_int_equal(replay_compare(&e, &opts, &r), -ENODATA);
	e = service;
	e.cpus = 0;
	assert_int_equal(replay_compare(&e, &opts, &r), -EINVAL);
	opts.rate_per_s = NAN;
	assert_int_equal(replay_compare(&service, &opts, &r), -EINVAL);
	assert_true(r.now.per_s == 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_latency),
		cmocka_unit_test(test_others_beside),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_same_seed_same_result),
		cmocka_unit_test(test_bad_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
