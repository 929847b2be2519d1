/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulator against queueing theory.
 *
 * Why 2 % is a fair demand of a simulated mean: waits of successive requests are alike, so the mean
 * of n has the variance s2 / n with, for M/M/1, s2 = rho (2 + 5 rho - 4 rho^2 + rho^3) / (mu^2 (1 -
 * rho)^4) (Whitt, Planning queueing simulations, Management Science 35(11), 1989). At rho = 0.5, n
 * = 400,000 that is 0.43 % of the mean response time, at rho = 0.8, n = 2,000,000 0.63 %: 2 % is
 * more than three deviations in each case. The seeds are fixed, so a test that passes, passes
 * always.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advise/capacity.h"
#include "advise/closed_network.h"
#include "advise/des.h"
#include "advise/prng.h"

#define ASSERT_NEAR(a, b, relative) assert_true(fabs((a) / (b)-1) <= (relative))
#define N_TRACES 20000

static struct des_result run(const struct des_scenario *s)
{
	struct des_result result = {0};

	assert_int_equal(des_run(s, &result), 0);
	assert_true(result.whole);
	assert_true(result.completed == s->requests);
	return result;
}

/* Traces of one burst each, and the moments of their lengths. */
struct bursts {
	struct des_step steps[N_TRACES];
	struct des_trace traces[N_TRACES];
	double mean, square;
};

static void fill(struct bursts *b, uint64_t seed, double (*draw)(struct prng *))
{
	struct prng prng;

	prng_seed(&prng, seed);
	b->mean = b->square = 0;
	for (size_t i = 0; i < N_TRACES; i++) {
		double s = draw(&prng);

		b->steps[i] = (struct des_step){.kind = DES_CPU, .s = s};
		b->traces[i] = (struct des_trace){&b->steps[i], 1};
		b->mean += s / N_TRACES;
		b->square += s * s / N_TRACES;
	}
}

static double exponential(struct prng *prng)
{
	return prng_exponential(prng, .010);
}

static double heavy(struct prng *prng)
{
	return prng_lognormal(prng, .010, 2);
}

/* One in ten takes eleven times as long: cv 1.5. */
static double two_kinds(struct prng *prng)
{
	return prng_below(prng, 10) == 0 ? .055 : .005;
}

static double constant(struct prng *prng)
{
	(void)prng;
	return .010;
}

static struct des_scenario open_load(const struct bursts *b, struct des_server server,
				     uint32_t cores, double rho, uint64_t requests)
{
	return (struct des_scenario){
		.traces = b->traces,
		.n_traces = N_TRACES,
		.machine = {.cores = cores},
		.server = server,
		.load = {.rate_per_s = rho * cores / b->mean},
		.seed = 1,
		.warmup = requests / 20,
		.requests = requests,
	};
}

/* An event loop serves in order: M/G/1, whose mean is Pollaczek and Khinchine's. */
static void test_pollaczek_khinchine(void **state)
{
	static const struct {
		double (*draw)(struct prng *);
		double rho;
		uint64_t requests;
	} cases[] = {
		{constant, .5, 400000},	    {constant, .8, 1000000},  {exponential, .5, 400000},
		{exponential, .8, 2000000}, {two_kinds, .5, 1000000}, {two_kinds, .8, 4000000},
	};
	static struct bursts b;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct des_scenario s;
		struct des_result r;
		double wait;

		fill(&b, i, cases[i].draw);
		s = open_load(&b, des_server_loops(1), 1, cases[i].rho, cases[i].requests);
		r = run(&s);
		wait = s.load.rate_per_s * b.square / 2 / (1 - cases[i].rho);
		ASSERT_NEAR(r.mean_s, b.mean + wait, .02);
		ASSERT_NEAR(r.per_s, s.load.rate_per_s, .01);
		ASSERT_NEAR(r.utilisation, cases[i].rho, .01);
	}
}

/* The response time of M/M/1 is exponential: quantiles too. */
static void test_quantiles(void **state)
{
	static struct bursts b;
	struct des_scenario s;
	struct des_result r;
	double mean;

	(void)state;
	fill(&b, 3, exponential);
	s = open_load(&b, des_server_loops(1), 1, .5, 1000000);
	r = run(&s);
	mean = b.mean / (1 - .5);
	ASSERT_NEAR(r.p50_s, mean * log(2), .02);
	ASSERT_NEAR(r.p90_s, mean * log(10), .02);
	ASSERT_NEAR(r.p99_s, mean * log(100), .02);
}

static double erlang_c(double offered, uint32_t c)
{
	double term = 1, sum = 1;

	for (uint32_t k = 1; k < c; k++) {
		term *= offered / k;
		sum += term;
	}
	term *= offered / c / (1 - offered / c);
	return term / (sum + term);
}

static void test_mmc(void **state)
{
	static struct bursts b;

	(void)state;
	fill(&b, 4, exponential);
	for (uint32_t c = 2; c <= 8; c *= 2) {
		struct des_scenario s = open_load(&b, des_server_workers(c), c, .7, 1000000);
		double offered = .7 * c;
		double wait = erlang_c(offered, c) * b.mean / (c - offered);

		ASSERT_NEAR(run(&s).mean_s, b.mean + wait, .02);
	}
}

/* Many workers on one core with a short quantum share it: M/G/1-PS, whatever the distribution. */
static void test_processor_sharing(void **state)
{
	static struct bursts b;
	struct des_scenario s;

	(void)state;
	fill(&b, 5, heavy);
	s = open_load(&b, des_server_workers(500), 1, .5, 200000);
	s.machine.quantum_s = .0005;
	ASSERT_NEAR(run(&s).mean_s, b.mean / (1 - .5), .02);
}

/* Connections spread over loops at random: each is an M/M/1 of its share. */
static void test_sticky(void **state)
{
	static struct bursts b;
	struct des_scenario s;

	(void)state;
	fill(&b, 6, exponential);
	s = open_load(&b, des_server_loops(4), 4, .5, 1000000);
	s.server.placement = DES_STICKY_HASH;
	ASSERT_NEAR(run(&s).mean_s, b.mean / (1 - .5), .02);
}

/* Workers that compute, wait and queue at a peer: product form, hence exact by closed_network.h. */
static void test_closed_networks(void **state)
{
	static struct des_step steps[N_TRACES][4];
	static struct des_trace traces[N_TRACES];
	static const uint32_t peers[] = {0, 3}, workers[] = {1, 2, 4, 8, 16, 40};
	double cpu = 0, wait = 0, peer = 0;
	struct prng prng;

	(void)state;
	prng_seed(&prng, 7);
	for (size_t i = 0; i < N_TRACES; i++) {
		double a = prng_exponential(&prng, .002), c = prng_exponential(&prng, .002);
		double z = prng_exponential(&prng, .010), p = prng_exponential(&prng, .004);

		steps[i][0] = (struct des_step){DES_CPU, 0, a};
		steps[i][1] = (struct des_step){DES_PEER, 0, z};
		steps[i][2] = (struct des_step){DES_CPU, 0, c};
		steps[i][3] = (struct des_step){DES_PEER, 1, p};
		traces[i] = (struct des_trace){steps[i], 4};
		cpu += (a + c) / N_TRACES;
		wait += z / N_TRACES;
		peer += p / N_TRACES;
	}
	for (size_t i = 0; i < sizeof(workers) / sizeof(*workers); i++) {
		const struct station stations[] = {{cpu, 2, 0}, {wait, INFINITY, 0}, {peer, 3, 0}};
		const struct des_scenario s = {
			.traces = traces,
			.n_traces = N_TRACES,
			.machine = {.cores = 2, .peers = peers, .n_peers = 2},
			.server = des_server_workers(workers[i]),
			.load = {.clients = 100},
			.seed = i,
			.warmup = 5000,
			.requests = 100000,
		};
		double exact = NAN;

		assert_int_equal(closed_network_throughput(stations, 3, workers[i], &exact), 0);
		ASSERT_NEAR(run(&s).per_s, exact, .02);
	}
}

/* One trace, replayed again and again: results that can be worked out by hand. */
static struct des_scenario replay(const struct des_trace *trace, struct des_server server,
				  uint32_t clients)
{
	static const uint32_t unlimited[] = {0}, services[] = {1};

	return (struct des_scenario){
		.traces = trace,
		.n_traces = 1,
		.machine = {.cores = 1,
			    .peers = unlimited,
			    .n_peers = 1,
			    .services = services,
			    .n_services = 1},
		.server = server,
		.load = {.clients = clients},
		.warmup = 1000,
		.requests = 20000,
	};
}

/* nodebestpractices: 30 ms of CPU, 10 connections: 300 ms each. */
static void test_ten_connections(void **state)
{
	const struct des_step step = {DES_CPU, 0, .030};
	const struct des_trace trace = {&step, 1};
	struct des_scenario s = replay(&trace, des_server_loops(1), 10);

	(void)state;
	ASSERT_NEAR(run(&s).p50_s, .300, 1e-6);
}

static void test_costs(void **state)
{
	const struct des_step steps[] = {
		{DES_CPU, 0, .001}, {DES_PEER, 0, .010}, {DES_CPU, 0, .002}};
	const struct des_trace trace = {steps, 3};
	struct des_scenario s = replay(&trace, des_server_loops(1), 1);

	(void)state;
	ASSERT_NEAR(run(&s).mean_s, .013, 1e-4);
	s.server.cpu_factor = 2;
	s.server.request_s = .0001;
	s.server.operation_s = .0002;
	ASSERT_NEAR(run(&s).mean_s, .0163, 1e-4);
	/* Many at once: CPU is all there is. */
	s.load.clients = 100;
	ASSERT_NEAR(run(&s).per_s, 1 / .0063, .01);
	/* A context switch each time the process gets the core. */
	s.load.clients = 1;
	s.machine.switch_s = .001;
	ASSERT_NEAR(run(&s).mean_s, .0183, 1e-4);
}

/* What blocks: stops the loop, or goes to a pool of threads, or holds up only its worker. */
static void test_blocking(void **state)
{
	const struct des_step steps[] = {{DES_CPU, 0, .001}, {DES_BLOCK, 0, .009}};
	const struct des_trace trace = {steps, 2}, at_once = {&steps[1], 1};
	struct des_scenario s = replay(&trace, des_server_loops(1), 50);

	(void)state;
	s.server.blocking = DES_BLOCK_STOPS;
	ASSERT_NEAR(run(&s).per_s, 100, 1e-3);
	/* The very first step blocks, on several loops that share a core. */
	s.traces = &at_once;
	s.server.processes = 3;
	ASSERT_NEAR(run(&s).per_s, 3 / .009, 1e-3);
	s = replay(&trace, des_server_loops(1), 50);
	s.server.blocking = DES_BLOCK_OFFLOADED;
	s.server.offload_threads = 3;
	ASSERT_NEAR(run(&s).per_s, 3 / .009, 1e-3);
	s.server.offload_threads = 30;
	s.server.offload_s = .001;
	ASSERT_NEAR(run(&s).per_s, 1 / .002, 1e-3);
	s = replay(&trace, des_server_workers(5), 50);
	ASSERT_NEAR(run(&s).per_s, 500, 1e-3);
}

static void test_pools(void **state)
{
	const struct des_step steps[] = {{DES_CPU, 0, .0001}, {DES_PEER, 0, .010}};
	const struct des_trace trace = {steps, 2};
	struct des_scenario s = replay(&trace, des_server_loops(2), 100);

	(void)state;
	s.server.placement = DES_STICKY_EVEN;
	s.server.pool = 3;
	ASSERT_NEAR(run(&s).per_s, 600, 1e-3);
	s.server.pool_shared = true;
	ASSERT_NEAR(run(&s).per_s, 300, 1e-3);
}

/* A co-located service uses the same core; so does a proxy in front. */
static void test_services(void **state)
{
	const struct des_step steps[] = {{DES_CPU, 0, .001}, {DES_SERVICE, 0, .003}};
	const struct des_trace trace = {steps, 2};
	struct des_scenario s = replay(&trace, des_server_loops(1), 20);

	(void)state;
	ASSERT_NEAR(run(&s).per_s, 250, 1e-3);
	ASSERT_NEAR(run(&s).utilisation, 1, 1e-3);
	s.server.front_s = .001;
	ASSERT_NEAR(run(&s).per_s, 200, 1e-3);
}

static void test_fan_out(void **state)
{
	const struct des_step steps[] = {
		{DES_CPU, 0, .001}, {DES_FORK, 0, 0},	 {DES_PEER, 0, .010}, {DES_CPU, 0, .001},
		{DES_BRANCH, 0, 0}, {DES_PEER, 0, .030}, {DES_JOIN, 0, 0},    {DES_CPU, 0, .002}};
	const struct des_step empty[] = {
		{DES_FORK, 0, 0}, {DES_BRANCH, 0, 0}, {DES_JOIN, 0, 0}, {DES_CPU, 0, .002}};
	const struct des_trace trace = {steps, 8}, nothing = {empty, 4};
	struct des_scenario s = replay(&trace, des_server_loops(1), 1);

	(void)state;
	ASSERT_NEAR(run(&s).mean_s, .044, 1e-4);
	s.server.fan_out = true;
	ASSERT_NEAR(run(&s).mean_s, .033, 1e-4);
	s.traces = &nothing;
	ASSERT_NEAR(run(&s).mean_s, .002, 1e-3);
}

/* Threads under one lock: a long burst gives way after 5 ms; two processes use two cores. */
static void test_interpreter_lock(void **state)
{
	const struct des_step steps[] = {
		{DES_CPU, 0, .0005}, {DES_PEER, 0, .010}, {DES_CPU, 0, .0005}};
	const struct des_trace trace = {steps, 3};
	struct des_scenario s = replay(&trace, des_server_gil_threads(1, 20), 50);
	const struct des_step long_step = {DES_CPU, 0, .100}, short_step = {DES_CPU, 0, .001};
	const struct des_trace mix[] = {
		{&long_step, 1}, {&short_step, 1}, {&short_step, 1}, {&short_step, 1}};

	(void)state;
	s.machine.cores = 2;
	ASSERT_NEAR(run(&s).per_s, 1000, 1e-3);
	s.server.processes = 2;
	s.server.placement = DES_STICKY_EVEN;
	ASSERT_NEAR(run(&s).per_s, 2000, 1e-3);
	s.server.gil_splits = 3;
	s.server.gil_split_s = .0001;
	ASSERT_NEAR(run(&s).per_s, 2 / .0016, 1e-3);

	/* The short ones need not wait for a whole long one, on an event loop they must. */
	s = replay(mix, des_server_gil_threads(1, 100), 0);
	s.n_traces = 4;
	s.load = (struct des_load){.rate_per_s = 12};
	/* Sharing: mean burst / (1 - 12 * mean burst). In order: Pollaczek and Khinchine's 47 ms.
	 */
	ASSERT_NEAR(run(&s).mean_s, .02575 / (1 - 12 * .02575), .05);
	s.server = des_server_loops(1);
	ASSERT_NEAR(run(&s).mean_s, .0475, .05);
}

/* Half of two cores: half the throughput, and stopped again and again. */
static void test_quota(void **state)
{
	const struct des_step step = {DES_CPU, 0, .001};
	const struct des_trace trace = {&step, 1};
	struct des_scenario s = replay(&trace, des_server_workers(4), 8);
	struct des_result r;

	(void)state;
	s.machine.cores = 2;
	s.requests = 50000;
	r = run(&s);
	ASSERT_NEAR(r.per_s, 2000, 1e-3);
	assert_true(r.throttled == 0);
	s.machine.quota_s = .050;
	r = run(&s);
	ASSERT_NEAR(r.per_s, 500, .01);
	assert_true(r.throttled > 0);
}

/*
 * Workers that wait between their bursts lose little more to a quota than what it takes in all:
 * most where they would use just as much as it allows, 7 % with bursts as uneven as these.
 */
static void test_workers_under_quota(void **state)
{
	static struct des_step steps[N_TRACES][2];
	static struct des_trace traces[N_TRACES];
	static const uint32_t peers[] = {0}, workers[] = {1, 2, 3, 6};
	struct demand demand = {0};
	struct prng prng;

	(void)state;
	prng_seed(&prng, 11);
	for (size_t i = 0; i < N_TRACES; i++) {
		double cpu = prng_exponential(&prng, .0035), wait = prng_exponential(&prng, .010);

		steps[i][0] = (struct des_step){DES_CPU, 0, cpu};
		steps[i][1] = (struct des_step){DES_PEER, 0, wait};
		traces[i] = (struct des_trace){steps[i], 2};
		demand.cpu_s += cpu / N_TRACES;
		demand.wait_s += wait / N_TRACES;
	}
	for (size_t i = 0; i < sizeof(workers) / sizeof(*workers); i++) {
		const struct worker_plan plan = {workers[i], 1, false};
		const struct des_scenario s = {
			.traces = traces,
			.n_traces = N_TRACES,
			.machine = {.cores = 1, .peers = peers, .n_peers = 1, .quota_s = .050},
			.server = des_server_workers(workers[i]),
			.load = {.clients = 100},
			.seed = i,
			.warmup = 5000,
			.requests = 100000,
		};
		double per_s = NAN;

		assert_int_equal(capacity_sync(&demand, .5, &plan, &per_s), 0);
		ASSERT_NEAR(run(&s).per_s, per_s, .08);
	}
}

/* One greedy loop takes the whole queue, a careful one only what it can serve. */
static void test_greedy_accept(void **state)
{
	const struct des_step step = {DES_CPU, 0, .001};
	const struct des_trace trace = {&step, 1};
	struct des_scenario s = replay(&trace, des_server_loops(1), 60);

	(void)state;
	/* All but the one that has just been answered. */
	assert_int_equal(run(&s).max_in_flight, 59);
	s.server.accept_batch = 1;
	assert_true(run(&s).max_in_flight < 60);
	s.server.max_in_flight = 7;
	s.server.accept_batch = 100;
	assert_int_equal(run(&s).max_in_flight, 7);
}

/* Who is alone never waits for the loop; behind a burst of 30 ms one waits up to that. */
static void test_lag(void **state)
{
	const struct des_step steps[] = {
		{DES_CPU, 0, .001}, {DES_PEER, 0, .010}, {DES_CPU, 0, .030}};
	const struct des_trace trace = {steps, 3};
	struct des_scenario s = replay(&trace, des_server_loops(1), 1);

	(void)state;
	assert_true(run(&s).lag_p99_s < 1e-5);
	s.load.clients = 2;
	assert_true(run(&s).lag_p99_s > .010);
	assert_true(run(&s).lag_p99_s < .033);
}

static void test_placements(void **state)
{
	const struct des_step step = {DES_CPU, 0, .001};
	const struct des_trace trace = {&step, 1};

	(void)state;
	for (int p = DES_LIFO; p <= DES_STICKY_EVEN; p++) {
		struct des_scenario s = replay(&trace, des_server_loops(3), 9);

		s.server.placement = (enum des_placement)p;
		s.machine.cores = 3;
		/* Nobody is idle for long while there is work; only chance placement is uneven. */
		assert_true(run(&s).per_s <= 3030);
		assert_true(run(&s).per_s > (p == DES_STICKY_HASH ? 1000 : 2900));
	}
}

static void test_same_seed_same_result(void **state)
{
	static struct bursts b;
	struct des_scenario s;
	struct des_result first, again, other;

	(void)state;
	fill(&b, 8, heavy);
	s = open_load(&b, des_server_loops(2), 2, .7, 20000);
	first = run(&s);
	again = run(&s);
	s.seed = 2;
	other = run(&s);
	assert_true(first.mean_s == again.mean_s && first.p99_s == again.p99_s);
	assert_true(first.mean_s != other.mean_s);
}

/* More than can ever be served: gives up, and says so. */
static void test_overload(void **state)
{
	const struct des_step step = {DES_CPU, 0, 1};
	const struct des_trace trace = {&step, 1};
	struct des_scenario s = replay(&trace, des_server_workers(1), 0);
	struct des_result r = {0};

	(void)state;
	s.load.rate_per_s = 1e5;
	s.warmup = 0;
	assert_int_equal(des_run(&s, &r), 0);
	assert_false(r.whole);
	assert_true(r.completed > 0 && r.completed < 20);
	s.warmup = 1000;
	assert_int_equal(des_run(&s, &r), -ENODATA);
}

static void assert_refused(struct des_scenario s)
{
	struct des_result r = {.per_s = 42};

	assert_int_equal(des_run(&s, &r), -EINVAL);
	assert_true(r.per_s == 42);
}

static void test_bad_traces(void **state)
{
	static const struct des_step bad[][3] = {
		{{DES_CPU, 0, -1}},
		{{DES_CPU, 0, NAN}},
		{{DES_CPU, 0, INFINITY}},
		{{DES_CPU, 0, 0}},
		{{DES_PEER, 1, .1}},
		{{DES_SERVICE, 1, .1}},
		{{DES_CPU, 0, 1}, {DES_FORK, 0, 0}},
		{{DES_CPU, 0, 1}, {DES_JOIN, 0, 0}},
		{{DES_CPU, 0, 1}, {DES_BRANCH, 0, 0}},
		{{DES_FORK, 0, 0}, {DES_FORK, 0, 0}, {DES_JOIN, 0, 0}},
		{{DES_JOIN + 1, 0, 1}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const struct des_trace trace = {bad[i], 3};

		assert_refused(replay(&trace, des_server_loops(1), 1));
	}
	const struct des_trace empty = {NULL, 0};
	struct des_scenario s = replay(&empty, des_server_loops(1), 1);

	assert_refused(s);
	s.n_traces = 0;
	assert_refused(s);
}

static void test_bad_parameters(void **state)
{
	const struct des_step step = {DES_CPU, 0, .001};
	const struct des_trace trace = {&step, 1};
	const struct des_scenario fine = replay(&trace, des_server_loops(1), 1);
	struct des_scenario s;

	(void)state;
#define REFUSED(change)            \
	do {                       \
		s = fine;          \
		change;            \
		assert_refused(s); \
	} while (0)
	REFUSED(s.requests = 0);
	REFUSED(s.machine.cores = 0);
	REFUSED(s.machine.switch_s = -1);
	REFUSED(s.machine.quota_s = NAN);
	REFUSED(s.server.processes = 0);
	REFUSED(s.server.processes = UINT32_MAX);
	REFUSED(s.server.max_in_flight = 0);
	REFUSED(s.server.accept_batch = 0);
	REFUSED(s.server.local_quantum_s = 0);
	REFUSED(s.server.cpu_factor = -1);
	REFUSED(s.server.request_s = NAN);
	REFUSED(s.server.blocking = DES_BLOCK_OFFLOADED);
	REFUSED((s.server.blocking = DES_BLOCK_STOPS, s.server.local_quantum_s = 1));
	REFUSED((s.server.front_s = 1, s.server.front_service = 1));
	REFUSED(s.load.clients = UINT32_MAX);
	REFUSED(s.load.think_s = -1);
	REFUSED((s.load.clients = 0, s.load.rate_per_s = 0));
	REFUSED((s.load.clients = 0, s.load.rate_per_s = INFINITY));
#undef REFUSED
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pollaczek_khinchine),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_mmc),
		cmocka_unit_test(test_processor_sharing),
		cmocka_unit_test(test_sticky),
		cmocka_unit_test(test_closed_networks),
		cmocka_unit_test(test_ten_connections),
		cmocka_unit_test(test_costs),
		cmocka_unit_test(test_blocking),
		cmocka_unit_test(test_pools),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_fan_out),
		cmocka_unit_test(test_interpreter_lock),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_workers_under_quota),
		cmocka_unit_test(test_greedy_accept),
		cmocka_unit_test(test_lag),
		cmocka_unit_test(test_placements),
		cmocka_unit_test(test_same_seed_same_result),
		cmocka_unit_test(test_overload),
		cmocka_unit_test(test_bad_traces),
		cmocka_unit_test(test_bad_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
