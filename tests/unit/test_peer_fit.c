/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fits of peers whose truth is known: k exponential servers, in order, used by W workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "advise/event_queue.h"
#include "advise/peer_fit.h"
#include "advise/prng.h"

#define N 40000
#define MAX_WORKERS 64

#define ASSERT_NEAR(a, b, relative) assert_true(fabs((a) / (b)-1) <= (relative))

struct peer_model {
	uint32_t workers, servers;
	double think_s, service_s;
	bool regular; /* service always takes the same */
};

struct world {
	const struct peer_model *model;
	struct event_queue events;
	struct prng prng;
	double now_s, since_s[MAX_WORKERS];
	uint32_t in_flight, found[MAX_WORKERS], waiting[MAX_WORKERS], n_waiting;
};

enum { THINK_ENDS, SERVICE_ENDS };

static void schedule(struct world *w, int kind, uint32_t worker)
{
	double mean_s = kind == THINK_ENDS ? w->model->think_s : w->model->service_s;
	bool regular = kind == SERVICE_ENDS && w->model->regular;
	struct event event = {
		.at_s = w->now_s + (regular ? mean_s : prng_exponential(&w->prng, mean_s)),
		.kind = kind,
		.number = worker,
	};

	assert_int_equal(event_queue_add(&w->events, event), 0);
}

static void ask(struct world *w, uint32_t worker)
{
	w->found[worker] = ++w->in_flight;
	w->since_s[worker] = w->now_s;
	if (w->in_flight <= w->model->servers)
		schedule(w, SERVICE_ENDS, worker);
	else
		w->waiting[w->n_waiting++] = worker;
}

static void answer(struct world *w, uint32_t worker)
{
	w->in_flight--;
	schedule(w, THINK_ENDS, worker);
	if (w->n_waiting == 0)
		return;
	schedule(w, SERVICE_ENDS, w->waiting[0]);
	w->n_waiting--;
	for (uint32_t i = 0; i < w->n_waiting; i++)
		w->waiting[i] = w->waiting[i + 1];
}

static void load_add(struct peer_load *loads, uint32_t in_flight, uint64_t latency_ns)
{
	struct peer_load *load = &loads[in_flight_bin(in_flight)];

	load->operations++;
	load->sum_ns += latency_ns;
}

/* N operations of the model, seen from the client. The standard deviation of their latencies. */
static double observe(const struct peer_model *model, struct peer_load *loads)
{
	struct world w = {.model = model};
	double sum_s = 0, squares = 0;
	struct event event;

	prng_seed(&w.prng, 1);
	for (uint32_t i = 0; i < model->workers; i++)
		schedule(&w, THINK_ENDS, i);
	for (size_t n = 0; n < N && event_queue_take(&w.events, &event);) {
		double latency_s;

		w.now_s = event.at_s;
		if (event.kind == THINK_ENDS) {
			ask(&w, event.number);
			continue;
		}
		latency_s = w.now_s - w.since_s[event.number];
		load_add(loads, w.found[event.number], (uint64_t)(latency_s * 1e9));
		sum_s += latency_s;
		squares += latency_s * latency_s;
		n++;
		answer(&w, event.number);
	}
	event_queue_done(&w.events);
	return sqrt(squares / N - sum_s * sum_s / N / N);
}

static struct peer_fit fit(struct peer_model model)
{
	struct peer_load loads[IOP_IN_FLIGHT_BINS] = {{0}};

	double deviation_s = observe(&model, loads);

	return peer_fit(loads, model.workers, deviation_s);
}

/* The three cases of model.md 2.4, 8 servers of 6 ms. Twelve workers see both sides of the knee. */
static void test_knee(void **state)
{
	struct peer_fit f = fit((struct peer_model){12, 8, .004, .006, false});

	(void)state;
	assert_int_equal(f.kind, PEER_FIT_KNEE);
	ASSERT_NEAR(f.servers, 8, .13);
	ASSERT_NEAR(f.service_s, .006, .05);
	ASSERT_NEAR(f.capacity_per_s, 8 / .006, .07);
	assert_true(peer_fit_extrapolation(&f, 1e6) == 1);
}

/* As measured: a downstream that does four calls of 8 ms each at a time, eight workers in front of
 * it at 30 % and at 60 % load; there R hardly rises with five in flight. */
static void test_all_take_the_same(void **state)
{
	static const struct {
		uint64_t operations;
		double mean_s;
	} seen[][8] = {{{282, .00822},
			{431, .00824},
			{271, .00823},
			{155, .00827},
			{104, .00876},
			{39, .01005},
			{10, .01135},
			{3, .0097}},
		       {{70, .00814},
			{207, .00814},
			{249, .00814},
			{246, .00814},
			{219, .00833},
			{145, .00882},
			{106, .00964},
			{43, .01095}},
		       /* by now in flight ends as the answer arrives, not as it is read */
		       {{400, .00811},
			{470, .00811},
			{291, .00808},
			{147, .0081},
			{58, .00906},
			{14, .0103},
			{2, .01197}},
		       /* few of them saw six, hardly any seven: together they tell */
		       {{250, .00825},
			{395, .00823},
			{245, .00822},
			{153, .00821},
			{105, .00872},
			{35, .00975},
			{12, .01168}}};

	(void)state;
	for (size_t i = 0; i < sizeof(seen) / sizeof(*seen); i++) {
		struct peer_load loads[IOP_IN_FLIGHT_BINS] = {{0}};
		struct peer_fit f;

		for (uint32_t n = 1; n <= 8; n++)
			loads[in_flight_bin(n)] =
				(struct peer_load){seen[i][n - 1].operations,
						   (uint64_t)((double)seen[i][n - 1].operations *
							      seen[i][n - 1].mean_s * 1e9)};
		f = peer_fit(loads, 8, .0005);
		assert_int_equal(f.kind, PEER_FIT_KNEE);
		assert_int_equal(f.servers, 4);
		ASSERT_NEAR(f.capacity_per_s, 500, .05);
		assert_true(f.regularity > .95);
	}
}

/* How much service varies is seen through the queue before it. */
static void test_regularity(void **state)
{
	(void)state;
	for (uint32_t workers = 12; workers <= 16; workers += 2) {
		const struct peer_model random = {workers, 8, .010, .006, false};
		struct peer_model regular = random;

		regular.regular = true;
		assert_int_equal(fit(random).kind, PEER_FIT_KNEE);
		assert_int_equal(fit(regular).kind, PEER_FIT_KNEE);
		assert_true(fit(random).regularity < .1);
		assert_true(fit(regular).regularity > .9);
	}
	/* Of a peer whose limit is not known nothing is said. */
	assert_true(fit((struct peer_model){4, 8, .004, .006, true}).regularity == 0);
}

static void test_one_server(void **state)
{
	struct peer_fit f = fit((struct peer_model){6, 1, .010, .006, false});

	(void)state;
	assert_int_equal(f.kind, PEER_FIT_KNEE);
	ASSERT_NEAR(f.servers, 1, 1e-9);
	ASSERT_NEAR(f.service_s, .006, .05);
}

/* Sixteen workers that find more than eight there once in a hundred times see it begin. */
static void test_knee_hardly_reached(void **state)
{
	struct peer_fit f = fit((struct peer_model){16, 8, .018, .006, false});

	(void)state;
	assert_int_equal(f.kind, PEER_FIT_KNEE);
	ASSERT_NEAR(f.servers, 8, .13);
	ASSERT_NEAR(f.service_s, .006, .05);
}

/* Four workers never reach it: no limit is claimed, only what was seen. */
static void test_flat(void **state)
{
	struct peer_fit f = fit((struct peer_model){4, 8, .004, .006, false});

	(void)state;
	assert_int_equal(f.kind, PEER_FIT_FLAT);
	ASSERT_NEAR(f.service_s, .006, .03);
	assert_true(isinf(f.capacity_per_s));
	assert_int_equal(f.most_in_flight, 4);
	ASSERT_NEAR(f.demonstrated_per_s, 4 / .006, .05);
	assert_true(peer_fit_extrapolation(&f, 500) == 1);
	ASSERT_NEAR(peer_fit_extrapolation(&f, 2 * f.demonstrated_per_s), 2, 1e-9);
}

/* Thirty workers are always past it: the capacity is known, S and k are not and not claimed. */
static void test_saturated(void **state)
{
	struct peer_fit f = fit((struct peer_model){30, 8, .002, .006, false});

	(void)state;
	assert_int_equal(f.kind, PEER_FIT_SATURATED);
	ASSERT_NEAR(f.capacity_per_s, 8 / .006, .05);
	assert_true(peer_fit_extrapolation(&f, 1e6) == 1);
}

/* Slower with more in flight, but neither flat nor in proportion: R = 5 ms + 1 ms n, n = 10..20. */
static void test_high_only(void **state)
{
	struct peer_load loads[IOP_IN_FLIGHT_BINS] = {{0}};
	struct peer_fit f;

	(void)state;
	for (uint32_t i = 0; i < 1100; i++)
		load_add(loads, 10 + i % 11, 5000000 + 1000000 * (10 + i % 11));
	f = peer_fit(loads, 20, INFINITY);
	assert_int_equal(f.kind, PEER_FIT_HIGH_ONLY);
	assert_true(isinf(f.capacity_per_s));
	assert_true(peer_fit_extrapolation(&f, 1e6) > 100);
}

/* A narrow range past the knee, where R rises by less than 1.3: no flat peer. */
static void test_narrow_range(void **state)
{
	(void)state;
	for (uint32_t range = 1; range <= 5; range++) {
		struct peer_load loads[IOP_IN_FLIGHT_BINS] = {{0}};
		struct peer_fit f;

		for (uint32_t i = 0; i < 1000; i++)
			load_add(loads, 12 + i % range, 6000000 / 8 * (12 + i % range));
		f = peer_fit(loads, 0, INFINITY);
		assert_int_equal(f.kind, range < 4 ? PEER_FIT_HIGH_ONLY : PEER_FIT_SATURATED);
		assert_true(f.kind != PEER_FIT_SATURATED || fabs(f.capacity_per_s - 8 / .006) < 1);
	}
}

/* One bin of few operations that happened to be slow is no knee. */
static void test_chance(void **state)
{
	struct peer_load loads[IOP_IN_FLIGHT_BINS] = {
		{10000, 10000 * 1000000ull}, {5000, 5000 * 1000000ull}, {40, 40 * 1900000ull}};

	(void)state;
	assert_int_equal(peer_fit(loads, 3, INFINITY).kind, PEER_FIT_FLAT);
	loads[2] = (struct peer_load){4000, 4000 * 1900000ull};
	assert_int_equal(peer_fit(loads, 3, INFINITY).kind, PEER_FIT_KNEE);
}

/* Two bins that are slower, by what so few operations of one that deviates so much may be. */
static void test_rise_by_chance(void **state)
{
	struct peer_load loads[IOP_IN_FLIGHT_BINS] = {{10000, 10000 * 1000000ull},
						      {5000, 5000 * 1000000ull},
						      {100, 100 * 1150000ull},
						      {40, 40 * 1300000ull}};

	(void)state;
	assert_int_equal(peer_fit(loads, 4, .001).kind, PEER_FIT_FLAT);
	assert_int_equal(peer_fit(loads, 4, .0004).kind, PEER_FIT_KNEE);
	loads[3].sum_ns = 40 * 1100000ull; /* and no further */
	assert_int_equal(peer_fit(loads, 4, .0004).kind, PEER_FIT_FLAT);
}

/* All wait for one stall of a tenth of a second: few find so many there, and take so long. */
static void test_stall(void **state)
{
	struct peer_load loads[IOP_IN_FLIGHT_BINS] = {
		{10000, 10000 * 1000000ull}, {5000, 5000 * 1000000ull}, {40, 40 * 1000000ull}};
	double deviation_s = .1 * sqrt(6. / 15046);

	(void)state;
	loads[3] = (struct peer_load){6, 6 * 100000000ull};
	assert_int_equal(peer_fit(loads, 4, deviation_s).kind, PEER_FIT_FLAT);
}

static void test_too_few(void **state)
{
	struct peer_load loads[IOP_IN_FLIGHT_BINS] = {{0}};
	struct peer_fit f;

	(void)state;
	f = peer_fit(loads, 0, INFINITY);
	assert_int_equal(f.kind, PEER_FIT_UNKNOWN);
	assert_true(isnan(f.service_s) && isnan(f.mean_latency_s));
	assert_true(isinf(peer_fit_extrapolation(&f, 1)));
	loads[0] = (struct peer_load){99, 99000};
	assert_int_equal(peer_fit(loads, 0, INFINITY).kind, PEER_FIT_UNKNOWN);
	/* No time at all. */
	loads[0] = (struct peer_load){200, 0};
	assert_int_equal(peer_fit(loads, 0, INFINITY).kind, PEER_FIT_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_knee),
		cmocka_unit_test(test_one_server),
		cmocka_unit_test(test_all_take_the_same),
		cmocka_unit_test(test_regularity),
		cmocka_unit_test(test_knee_hardly_reached),
		cmocka_unit_test(test_rise_by_chance),
		cmocka_unit_test(test_flat),
		cmocka_unit_test(test_saturated),
		cmocka_unit_test(test_high_only),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_too_few),
		cmocka_unit_test(test_narrow_range),
		cmocka_unit_test(test_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
