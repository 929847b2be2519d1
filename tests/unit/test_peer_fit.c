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
	struct event event = {
		.at_s = w->now_s + prng_exponential(&w->prng, mean_s),
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

/* N operations of the model, seen from the client. */
static void observe(const struct peer_model *model, struct operation_sample *operations)
{
	struct world w = {.model = model};
	struct event event;

	prng_seed(&w.prng, 1);
	for (uint32_t i = 0; i < model->workers; i++)
		schedule(&w, THINK_ENDS, i);
	for (size_t n = 0; n < N && event_queue_take(&w.events, &event);) {
		w.now_s = event.at_s;
		if (event.kind == THINK_ENDS) {
			ask(&w, event.number);
			continue;
		}
		operations[n++] = (struct operation_sample){
			.in_flight = w.found[event.number],
			.latency_ns = (uint64_t)((w.now_s - w.since_s[event.number]) * 1e9),
		};
		answer(&w, event.number);
	}
	event_queue_done(&w.events);
}

static struct peer_fit fit(struct peer_model model)
{
	static struct operation_sample operations[N];
	const struct evidence_sample e = {
		.operations = operations, .n_operations = N, .n_peers = 1};
	struct peer_fit result = {0};

	observe(&model, operations);
	assert_int_equal(peer_fit(&e, 0, &result), 0);
	return result;
}

/* The three cases of model.md 2.4, 8 servers of 6 ms. Twelve workers see both sides of the knee. */
static void test_knee(void **state)
{
	struct peer_fit f = fit((struct peer_model){12, 8, .004, .006});

	(void)state;
	assert_int_equal(f.kind, PEER_FIT_KNEE);
	ASSERT_NEAR(f.servers, 8, .13);
	ASSERT_NEAR(f.service_s, .006, .05);
	ASSERT_NEAR(f.capacity_per_s, 8 / .006, .07);
	assert_true(peer_fit_extrapolation(&f, 1e6) == 1);
}

static void test_one_server(void **state)
{
	struct peer_fit f = fit((struct peer_model){6, 1, .010, .006});

	(void)state;
	assert_int_equal(f.kind, PEER_FIT_KNEE);
	ASSERT_NEAR(f.servers, 1, 1e-9);
	ASSERT_NEAR(f.service_s, .006, .05);
}

/* Four workers never reach it: no limit is claimed, only what was seen. */
static void test_flat(void **state)
{
	struct peer_fit f = fit((struct peer_model){4, 8, .004, .006});

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
	struct peer_fit f = fit((struct peer_model){30, 8, .002, .006});

	(void)state;
	assert_int_equal(f.kind, PEER_FIT_SATURATED);
	ASSERT_NEAR(f.capacity_per_s, 8 / .006, .05);
	assert_true(peer_fit_extrapolation(&f, 1e6) == 1);
}

/* Slower with more in flight, but neither flat nor in proportion: R = 5 ms + 1 ms n, n = 10..20. */
static void test_high_only(void **state)
{
	static struct operation_sample operations[1100];
	const struct evidence_sample e = {
		.operations = operations, .n_operations = 1100, .n_peers = 1};
	struct peer_fit f = {0};

	(void)state;
	for (uint32_t i = 0; i < 1100; i++) {
		uint32_t n = 10 + i % 11;

		operations[i] = (struct operation_sample){0, n, 5000000 + 1000000 * n};
	}
	assert_int_equal(peer_fit(&e, 0, &f), 0);
	assert_int_equal(f.kind, PEER_FIT_HIGH_ONLY);
	assert_true(isinf(f.capacity_per_s));
	assert_true(peer_fit_extrapolation(&f, 1e6) > 100);
}

/* A narrow range past the knee, where R rises by less than 1.3: no flat peer. */
static void test_narrow_range(void **state)
{
	static struct operation_sample operations[1000];
	const struct evidence_sample e = {
		.operations = operations, .n_operations = 1000, .n_peers = 1};
	struct peer_fit f = {0};

	(void)state;
	for (uint32_t range = 1; range <= 5; range++) {
		for (uint32_t i = 0; i < 1000; i++) {
			uint32_t n = 16 + i % range;

			operations[i] = (struct operation_sample){0, n, 6000000 / 8 * n};
		}
		assert_int_equal(peer_fit(&e, 0, &f), 0);
		assert_int_equal(f.kind, range < 5 ? PEER_FIT_HIGH_ONLY : PEER_FIT_SATURATED);
		assert_true(f.kind != PEER_FIT_SATURATED || fabs(f.capacity_per_s - 8 / .006) < 1);
	}
}

static void test_too_few(void **state)
{
	static struct operation_sample operations[99];
	const struct evidence_sample none = {.n_peers = 1};
	const struct evidence_sample few = {
		.operations = operations, .n_operations = 99, .n_peers = 1};
	struct peer_fit f = {0};

	(void)state;
	assert_int_equal(peer_fit(&none, 0, &f), 0);
	assert_int_equal(f.kind, PEER_FIT_UNKNOWN);
	assert_true(isnan(f.service_s) && isnan(f.mean_latency_s));
	assert_true(isinf(peer_fit_extrapolation(&f, 1)));
	for (size_t i = 0; i < 99; i++)
		operations[i] = (struct operation_sample){0, 1, 1000};
	assert_int_equal(peer_fit(&few, 0, &f), 0);
	assert_int_equal(f.kind, PEER_FIT_UNKNOWN);
	/* Of another peer. */
	assert_int_equal(peer_fit(&few, 1, &f), 0);
	assert_int_equal(f.kind, PEER_FIT_UNKNOWN);
	/* No time at all. */
	const struct operation_sample instant = {0, 1, 0};
	static struct operation_sample instants[200];
	const struct evidence_sample zero = {
		.operations = instants, .n_operations = 200, .n_peers = 1};

	for (size_t i = 0; i < 200; i++)
		instants[i] = instant;
	assert_int_equal(peer_fit(&zero, 0, &f), 0);
	assert_int_equal(f.kind, PEER_FIT_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_knee),	     cmocka_unit_test(test_one_server),
		cmocka_unit_test(test_flat),	     cmocka_unit_test(test_saturated),
		cmocka_unit_test(test_high_only),    cmocka_unit_test(test_too_few),
		cmocka_unit_test(test_narrow_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
