/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Closed networks against closed forms, against states counted one by one, against their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>

#include "advise/closed_network.h"

#define ASSERT_NEAR(a, b, relative) assert_true(fabs((a) / (b)-1) <= (relative))
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static double throughput(const struct station *stations, size_t n, uint32_t customers)
{
	double per_s = NAN;

	assert_int_equal(closed_network_throughput(stations, n, customers, &per_s), 0);
	return per_s;
}

/*
 * Machine repairman, M/M/c//N: N machines run for z on average, c repairmen take s each. With k
 * broken, p(k) = p(0) N!/(N-k)! (s/z)^k / prod min(j, c); repairs per second = (N - E[k]) / z.
 */
static double repairman(uint32_t n, uint32_t c, double s, double z)
{
	double p = 1, total = 1, broken = 0;

	for (uint32_t k = 1; k <= n; k++) {
		p *= (n - k + 1) * (s / z) / (k < c ? k : c);
		total += p;
		broken += k * p;
	}
	return (n - broken / total) / z;
}

static void test_machine_repairman(void **state)
{
	static const uint32_t machines[] = {1, 2, 4, 8, 16, 40, 100};

	(void)state;
	for (uint32_t c = 1; c <= 8; c++) {
		for (size_t i = 0; i < COUNT(machines); i++) {
			const struct station stations[] = {{.004, c, 0}, {.010, INFINITY, 0}};

			ASSERT_NEAR(throughput(stations, 2, machines[i]),
				    repairman(machines[i], c, .004, .010), 1e-9);
		}
	}
}

/*
 * The open queue is the limit of many customers that think long: its response time, with the wait
 * in M/M/c by Erlang's C, is N/X - Z.
 */
static void test_erlang_c_in_the_limit(void **state)
{
	const double s = .002, lambda = 1600, offered = lambda * s;
	const uint32_t c = 4, n = 10000;
	double term = 1, sum = 1, erlang, exact;

	(void)state;
	for (uint32_t k = 1; k < c; k++) {
		term *= offered / k;
		sum += term;
	}
	term *= offered / c;
	erlang = term / (1 - offered / c) / (sum + term / (1 - offered / c));
	exact = s + erlang * s / (c - offered);
	/* Think as long as gives this rate: n / (z + r) = lambda. */
	const double z = n / lambda - exact;
	const struct station stations[] = {{s, c, 0}, {z, INFINITY, 0}};

	/* A finite population differs from the endless one by about 1/n. */
	ASSERT_NEAR(n / throughput(stations, 2, n) - z, exact, .01);
}

/* Sum over all states of three stations with n customers: the definition of the product form. */
static double count_states(const struct station s[3], int n)
{
	double g[2] = {0, 0};

	for (int total = n - 1; total <= n; total++) {
		for (int i = 0; i <= total; i++) {
			for (int j = 0; i + j <= total; j++) {
				const int at[3] = {i, j, total - i - j};
				double weight = 1;

				for (int m = 0; m < 3; m++) {
					for (int k = 1; k <= at[m]; k++)
						weight *= s[m].demand_s / fmin(k, s[m].servers);
				}
				g[total - n + 1] += weight;
			}
		}
	}
	return g[0] / g[1];
}

static void test_three_stations(void **state)
{
	const struct station stations[] = {{3, 2, 0}, {7, INFINITY, 0}, {6, 3, 0}};
	const struct station half[] = {{3, 1.5, 0}, {7, INFINITY, 0}, {6, 3, 0}};

	(void)state;
	for (int n = 1; n <= 30; n++) {
		ASSERT_NEAR(throughput(stations, 3, (uint32_t)n), count_states(stations, n), 1e-9);
		ASSERT_NEAR(throughput(half, 3, (uint32_t)n), count_states(half, n), 1e-9);
	}
}

/* Thousands of workers and several peers: still what the slowest station lets through, at once. */
static void test_many_workers(void **state)
{
	const struct station stations[] = {
		{.003, 2, 0}, {.030, INFINITY, 0}, {.012, 4, 0}, {.020, 16, 0}, {.050, 100, 0}};

	(void)state;
	ASSERT_NEAR(throughput(stations, 5, 5000), 4 / .012, 1e-9);
}

/* The order of stations, and stations without demand, change nothing. */
static void test_order(void **state)
{
	const struct station a[] = {{3, 2, 0}, {7, INFINITY, 0}, {6, 3, 0}};
	const struct station b[] = {{6, 3, 0}, {0, 1, 0}, {3, 2, 0}, {7, INFINITY, 0}};

	(void)state;
	ASSERT_NEAR(throughput(a, 3, 12), throughput(b, 4, 12), 1e-12);
}

/* Bounds hold and more workers never do worse, up to so many: the throughput of these. */
static double rises_within_bounds(const struct station *stations, size_t n_stations, uint32_t most)
{
	double before = 0;

	for (uint32_t n = 1; n <= most; n++) {
		double x = throughput(stations, n_stations, n);

		assert_true(x <= closed_network_bound(stations, n_stations, n) * (1 + 1e-12));
		assert_true(x >= before * (1 - 1e-12));
		before = x;
	}
	return before;
}

/* Both ends of the curve are reached. */
static void test_bounds(void **state)
{
	const struct station stations[] = {{.003, 2, 0}, {.030, INFINITY, 0}, {.009, 8, 0}};

	(void)state;
	ASSERT_NEAR(rises_within_bounds(stations, 3, 400), 2 / .003, 1e-3);
	ASSERT_NEAR(throughput(stations, 3, 1), 1 / .042, 1e-12);
}

/* Where the mean value recursion loses its digits: far beyond saturation, many servers. */
static void test_far_beyond_saturation(void **state)
{
	const struct station stations[] = {{.001, 64, 0}, {.1, INFINITY, 0}, {.002, 1000, 0}};

	(void)state;
	ASSERT_NEAR(throughput(stations, 3, 9000), 64000, 1e-6);
	ASSERT_NEAR(throughput(stations, 2, CLOSED_NETWORK_MAX_CUSTOMERS), 64000, 1e-6);
}

/* The case of t_sanity.py: 2 processors, 4 ms, a wait of 10 ms; values of des.py's mva(). */
static void test_reference(void **state)
{
	static const struct {
		uint32_t workers;
		double per_s;
	} cases[] = {
		/* /usr/bin/python3 -c 'from des import *; print([mva(w, [(.004, 2)], .01)
		 * for w in (2, 4, 8, 16, 40)])' */
		{2, 142.85714285714286},  {4, 276.1639474731397},   {8, 452.8163390078388},
		{16, 499.94840154889823}, {40, 500.00000000000017},
	};
	const struct station stations[] = {{.004, 2, 0}, {.010, INFINITY, 0}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		ASSERT_NEAR(throughput(stations, 2, cases[i].workers), cases[i].per_s, 1e-6);
}

/* Two customers between an exponential station and one that always takes the same: M/D/1/2 loses
 * what arrives as the second; a round is D and, if nobody came meanwhile, one arrival more. */
static void test_always_the_same(void **state)
{
	const double s = .005;

	(void)state;
	for (int step = 0; step < 9; step++) {
		const double arrival_s = .002 * pow(1.3, step);
		const struct station regular[] = {{arrival_s, 1, 0}, {s, 1, 1}};
		const struct station half[] = {{arrival_s, 1, 0}, {s, 1, .5}};
		const struct station random[] = {{arrival_s, 1, 0}, {s, 1, 0}};
		double truth = 1 / (s + exp(-s / arrival_s) * arrival_s);
		double x = throughput(regular, 2, 2), r = throughput(random, 2, 2);

		ASSERT_NEAR(x, truth, .08);
		assert_true(fabs(x - truth) < fabs(r - truth));
		ASSERT_NEAR(throughput(half, 2, 2), (x + r) / 2, 1e-12);
	}
}

/* Never more than a station takes when it is full; with one customer nothing ever queues. */
static void test_regular_stations_keep_bounds(void **state)
{
	const struct station regular[] = {
		{.003, 2, 0}, {.030, INFINITY, 0}, {.016, 4, 1}, {.004, 3, .7}};

	(void)state;
	ASSERT_NEAR(rises_within_bounds(regular, 4, 200), 250, 1e-6);
	ASSERT_NEAR(throughput(regular, 4, 1), 1 / .053, 1e-12);
}

static void test_bad_input(void **state)
{
	static const struct station bad[] = {{-1, 1, 0},  {NAN, 1, 0}, {INFINITY, 1, 0},
					     {1, 0, 0},	  {1, NAN, 0}, {1, 1, -.1},
					     {1, 1, 1.1}, {1, 1, NAN}};
	const struct station nothing[] = {{0, 1, 0}, {0, INFINITY, 0}}, one[] = {{1, 1, 0}};
	double per_s = 42;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(closed_network_throughput(&bad[i], 1, 3, &per_s), -EINVAL);
	assert_int_equal(closed_network_throughput(nothing, 2, 3, &per_s), -EDOM);
	assert_int_equal(closed_network_throughput(NULL, 0, 3, &per_s), -EDOM);
	assert_int_equal(
		closed_network_throughput(one, 1, CLOSED_NETWORK_MAX_CUSTOMERS + 1, &per_s),
		-ERANGE);
	assert_true(per_s == 42);
	assert_true(throughput(one, 1, 0) == 0);
	assert_true(isinf(closed_network_bound(nothing, 2, 3)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machine_repairman),
		cmocka_unit_test(test_erlang_c_in_the_limit),
		cmocka_unit_test(test_three_stations),
		cmocka_unit_test(test_many_workers),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_far_beyond_saturation),
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_always_the_same),
		cmocka_unit_test(test_regular_stations_keep_bounds),
		cmocka_unit_test(test_bad_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
