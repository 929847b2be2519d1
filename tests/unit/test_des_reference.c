/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulator against its Python prototype, des.py, on the same scenarios: every feature at least
 * once, within the prototype's own noise from seed to seed. The values below are what
 *
 *	PYTHONPATH=<folder of des.py> /usr/bin/python3 des_reference.py
 *
 * printed: per figure the mean of 6 runs and the deviation of one. A run here is about as long as
 * one there, so the difference has the deviation times sqrt(1 + 1/6); six runs know a deviation
 * only to about a third. 5 deviations plus 0.2 % are asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "advise/des.h"

#define TRACES 16 /* as in des_reference.py, as all that follows */
#define MAX_STEPS 32

struct profile {
	struct des_step steps[TRACES][MAX_STEPS];
	struct des_trace traces[TRACES];
};

static double spread(size_t i)
{
	return .25 + 1.5 * (double)(i % TRACES) / (TRACES - 1);
}

static struct des_step *add(struct profile *p, size_t i, enum des_step_kind kind, uint32_t index,
			    double s)
{
	struct des_step *step = &p->steps[i][p->traces[i].n_steps++];

	p->traces[i].steps = p->steps[i];
	*step = (struct des_step){kind, index, s};
	return step;
}

/* 3 ms of CPU in 6 bursts, 5 waits of 6 ms; the last one of this kind. */
static void fill_plain(struct profile *p, enum des_step_kind last)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < TRACES; i++) {
		add(p, i, DES_CPU, 0, 3e-3 / 6 * spread(i));
		for (size_t j = 0; j < 5; j++) {
			add(p, i, j == 4 ? last : DES_PEER, 0, 6e-3 * spread(7 * i + 5 * j));
			add(p, i, DES_CPU, 0, 3e-3 / 6 * spread(i + j));
		}
	}
}

/* Two calls of services on the same cores: 1 is pgbouncer, 2 PostgreSQL. */
static void fill_calls(struct profile *p)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < TRACES; i++) {
		add(p, i, DES_CPU, 0, 427e-6 / 2 * spread(i));
		add(p, i, DES_SERVICE, 1, 35e-6);
		add(p, i, DES_SERVICE, 2, 130e-6 * spread(i));
		add(p, i, DES_CPU, 0, 427e-6 / 2 * spread(TRACES - 1 - i));
	}
}

static void fill_forks(struct profile *p)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < TRACES; i++) {
		add(p, i, DES_CPU, 0, 1e-3);
		for (size_t j = 0; j < 4; j++) {
			add(p, i, j == 0 ? DES_FORK : DES_BRANCH, 0, 0);
			add(p, i, DES_CPU, 0, .2e-3);
			add(p, i, DES_PEER, 0, 6e-3 * spread(i + 3 * j));
			add(p, i, DES_CPU, 0, .2e-3);
		}
		add(p, i, DES_JOIN, 0, 0);
		add(p, i, DES_CPU, 0, 1e-3);
	}
}

struct reference {
	double mean, deviation;
};

/* Throughput, mean latency, p50, p99, utilisation. */
struct references {
	struct reference figures[5];
};

static void compare(struct des_scenario *s, const struct profile *p, uint64_t requests,
		    const struct references *expected)
{
	struct des_result r = {0};

	s->traces = p->traces;
	s->n_traces = TRACES;
	s->machine.switch_s = 2e-6;
	s->seed = 1;
	s->requests = requests;
	s->warmup = requests / 20;
	assert_int_equal(des_run(s, &r), 0);
	assert_true(r.whole);

	const double figures[] = {r.per_s, r.mean_s, r.p50_s, r.p99_s, r.utilisation};

	for (size_t i = 0; i < 5; i++) {
		const struct reference *e = &expected->figures[i];
		double allowed = 5 * e->deviation * sqrt(1 + 1. / 6) + .002 * e->mean;

		if (fabs(figures[i] - e->mean) > allowed)
			print_error("figure %zu: %g, expected %g within %g\n", i, figures[i],
				    e->mean, allowed);
		assert_true(fabs(figures[i] - e->mean) <= allowed);
	}
}

static const uint32_t unlimited[] = {0}, eight[] = {8};

static struct des_scenario closed(struct des_server server, uint32_t clients)
{
	return (struct des_scenario){
		.machine = {.cores = 2, .peers = unlimited, .n_peers = 1},
		.server = server,
		.load = {.clients = clients},
	};
}

static struct des_scenario open_at(struct des_server server, double rate_per_s)
{
	struct des_scenario s = closed(server, 0);

	s.load.rate_per_s = rate_per_s;
	return s;
}

static struct des_server loops(void)
{
	struct des_server server = des_server_loops(2);

	server.operation_s = 40e-6;
	server.request_s = 100e-6;
	return server;
}

static void test_workers(void **state)
{
	static const struct references expected = {{{151.142, 0.079},
						    {0.396982, 0.00021},
						    {0.396935, 0.00027},
						    {0.419449, 0.00092},
						    {0.227738, 0.00082}}};
	static struct profile p;
	struct des_scenario s = closed(des_server_workers(5), 60);

	(void)state;
	fill_plain(&p, DES_PEER);
	compare(&s, &p, 15123, &expected);
}

static void test_workers_open(void **state)
{
	static const struct references expected = {{{400.411, 3.1},
						    {0.0341851, 6.9e-05},
						    {0.0342719, 5.7e-05},
						    {0.0441559, 0.00036},
						    {0.603702, 0.0048}}};
	static struct profile p;
	struct des_scenario s = open_at(des_server_workers(22), 400);

	(void)state;
	fill_plain(&p, DES_PEER);
	compare(&s, &p, 24153, &expected);
}

static void test_limited_peer(void **state)
{
	static const struct references expected = {{{266.56, 0.15},
						    {0.225094, 0.00012},
						    {0.225073, 9.9e-05},
						    {0.2419, 0.00023},
						    {0.401982, 0.0011}}};
	static struct profile p;
	struct des_scenario s = closed(des_server_workers(20), 60);

	(void)state;
	fill_plain(&p, DES_PEER);
	s.machine.peers = eight;
	compare(&s, &p, 21338, &expected);
}

static void test_loops(void **state)
{
	static const struct references expected = {{{400.419, 3.1},
						    {0.0362605, 0.00011},
						    {0.0362777, 8e-05},
						    {0.0482593, 0.00086},
						    {0.662325, 0.0052}}};
	static struct profile p;
	struct des_scenario s = open_at(loops(), 400);

	(void)state;
	fill_plain(&p, DES_PEER);
	compare(&s, &p, 24153, &expected);
}

static void test_sticky_loops(void **state)
{
	static const struct references expected = {{{300.848, 2.4},
						    {0.0353326, 3.1e-05},
						    {0.0353413, 4.5e-05},
						    {0.046543, 0.00023},
						    {0.497641, 0.0043}}};
	static struct profile p;
	struct des_scenario s = open_at(loops(), 300);

	(void)state;
	fill_plain(&p, DES_PEER);
	s.server.placement = DES_STICKY_HASH;
	compare(&s, &p, 23909, &expected);
}

static void test_pool(void **state)
{
	static const struct references expected = {{{331.719, 0.78},
						    {0.301285, 0.00055},
						    {0.301914, 0.0017},
						    {0.568078, 0.0074},
						    {0.549287, 0.0016}}};
	static struct profile p;
	struct des_scenario s = closed(loops(), 100);

	(void)state;
	fill_plain(&p, DES_PEER);
	s.server.pool = 5;
	compare(&s, &p, 26482, &expected);
}

static void test_threads(void **state)
{
	static const struct references expected = {{{636.633, 0.89},
						    {0.157069, 0.00022},
						    {0.157071, 0.00024},
						    {0.173901, 0.00029},
						    {0.991846, 0.00016}}};
	static struct profile p;
	struct des_scenario s = closed(des_server_gil_threads(2, 16), 100);

	(void)state;
	fill_plain(&p, DES_PEER);
	s.server.operation_s = 15e-6;
	s.server.gil_splits = 2;
	s.server.gil_split_s = 3e-6;
	compare(&s, &p, 25472, &expected);
}

static void test_blocking(void **state)
{
	static const struct references expected = {{{149.954, 1.6},
						    {0.0521025, 0.00068},
						    {0.0493434, 0.0005},
						    {0.100949, 0.0046},
						    {0.245222, 0.0031}}};
	static struct profile p;
	struct des_scenario s = open_at(loops(), 150);

	(void)state;
	fill_plain(&p, DES_BLOCK);
	s.server.blocking = DES_BLOCK_STOPS;
	compare(&s, &p, 12188, &expected);
}

static void test_offloaded(void **state)
{
	static const struct references expected = {{{300.294, 2.5},
						    {0.0350614, 5.7e-05},
						    {0.0351567, 8.9e-05},
						    {0.045064, 0.00012},
						    {0.512064, 0.0043}}};
	static struct profile p;
	struct des_scenario s = open_at(loops(), 300);

	(void)state;
	fill_plain(&p, DES_BLOCK);
	s.server.blocking = DES_BLOCK_OFFLOADED;
	s.server.offload_threads = 4;
	s.server.offload_s = 100e-6;
	compare(&s, &p, 24162, &expected);
}

static void test_quota(void **state)
{
	static const struct references expected = {{{250.562, 2},
						    {0.0354384, 0.00031},
						    {0.0349037, 0.00013},
						    {0.0600986, 0.0047},
						    {0.41484, 0.0033}}};
	static struct profile p;
	struct des_scenario s = open_at(loops(), 250);

	(void)state;
	fill_plain(&p, DES_PEER);
	s.machine.quota_s = .1;
	compare(&s, &p, 20148, &expected);
}

/* Cal Paterson 2020: nginx (0), pgbouncer and PostgreSQL on the same four cores. */
static struct des_scenario paterson(struct des_server server)
{
	static const uint32_t services[] = {4, 1, 64};
	struct des_scenario s = closed(server, 100);

	s.machine = (struct des_machine){.cores = 4, .services = services, .n_services = 3};
	s.load.think_s = 3e-4;
	s.server.front_s = 1e-4;
	return s;
}

static void test_paterson_sync(void **state)
{
	static const struct references expected = {{{5735, 3.4},
						    {0.0171362, 1.2e-05},
						    {0.0169464, 1e-05},
						    {0.0185332, 1.8e-05},
						    {0.999996, 1.6e-05}}};
	static struct profile p;
	struct des_scenario s = paterson(des_server_workers(16));

	(void)state;
	fill_calls(&p);
	compare(&s, &p, 28678, &expected);
}

static void test_paterson_loops(void **state)
{
	static const struct references expected = {{{4941.9, 4.8},
						    {0.0199388, 1.6e-05},
						    {0.0194161, 0.00021},
						    {0.0390073, 0.00031},
						    {0.999974, 2.6e-05}}};
	static struct profile p;
	struct des_scenario s = paterson(des_server_loops(5));

	(void)state;
	fill_calls(&p);
	s.server.request_s = 116e-6;
	s.server.pool = 10;
	compare(&s, &p, 24712, &expected);
}

static void test_fan_out(void **state)
{
	static const struct references expected = {{{300.267, 2.6},
						    {0.0136016, 3.4e-05},
						    {0.0132022, 1.5e-05},
						    {0.0216599, 0.00056},
						    {0.571278, 0.0049}}};
	static struct profile p;
	struct des_scenario s = open_at(des_server_loops(2), 300);

	(void)state;
	fill_forks(&p);
	s.server.operation_s = 40e-6;
	s.server.fan_out = true;
	compare(&s, &p, 24157, &expected);
}

static void test_no_fan_out(void **state)
{
	static const struct references expected = {{{200.453, 1.5},
						    {0.0280314, 1.7e-05},
						    {0.0277851, 2.1e-05},
						    {0.0358249, 5.7e-05},
						    {0.361825, 0.0028}}};
	static struct profile p;
	struct des_scenario s = open_at(des_server_workers(12), 200);

	(void)state;
	fill_forks(&p);
	compare(&s, &p, 20126, &expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_workers),	      cmocka_unit_test(test_workers_open),
		cmocka_unit_test(test_limited_peer),  cmocka_unit_test(test_loops),
		cmocka_unit_test(test_sticky_loops),  cmocka_unit_test(test_pool),
		cmocka_unit_test(test_threads),	      cmocka_unit_test(test_blocking),
		cmocka_unit_test(test_offloaded),     cmocka_unit_test(test_quota),
		cmocka_unit_test(test_paterson_sync), cmocka_unit_test(test_paterson_loops),
		cmocka_unit_test(test_fan_out),	      cmocka_unit_test(test_no_fan_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
