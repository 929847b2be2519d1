/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sampled requests, lanes and what else of a service is kept in bounded number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "in_flight.h"
#include "model/snapshot.h"

static void add(struct traces *traces, uint32_t key, uint64_t ns, uint32_t peer)
{
	struct trace_segment segment = {.ns = ns, .part = PART_NETWORK, .peer = peer};
	struct trace trace = {.key = key, .segments = &segment, .n_segments = 1};

	assert_int_equal(traces_add(traces, &trace, 5, NULL), 0);
}

static void test_kept_by_key(void **state)
{
	struct traces traces = {.limit = TRACE_KEYS};

	(void)state;
	add(&traces, 30, 3, TRACE_NO_PEER);
	add(&traces, 10, 1, TRACE_NO_PEER);
	add(&traces, 20, 2, TRACE_NO_PEER);
	assert_int_equal(traces.n, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(traces.kept[i].key, 10 * (i + 1));
		assert_int_equal(traces.kept[i].segments[0].ns, i + 1);
		assert_int_equal(traces.kept[i].start_ns, 5);
	}
	traces_limit(&traces, 20);
	assert_int_equal(traces.n, 1);
	add(&traces, 20, 2, TRACE_NO_PEER);
	assert_int_equal(traces.n, 1);
	traces_limit(&traces, TRACE_KEYS);
	assert_int_equal(traces.limit, 20);
	traces_done(&traces);
}

/* However many come, those with the smallest keys stay, whatever the order. */
static void test_most(void **state)
{
	struct traces traces = {.limit = TRACE_KEYS};
	uint32_t n = 4 * TRACES_MOST + 1, key = 0;

	(void)state;
	for (uint32_t i = 0; i < n; i++) {
		key = (key + 611) % n; /* every number once: 611 has no divisor of n */
		add(&traces, key, key, TRACE_NO_PEER);
	}
	assert_int_equal(traces.n, TRACES_MOST);
	assert_int_equal(traces.limit, TRACES_MOST);
	for (uint32_t i = 0; i < TRACES_MOST; i++)
		assert_int_equal(traces.kept[i].key, i);
	traces_done(&traces);
}

/* A made-up service that asked both peers, the second for longer. */
static struct snapshot *sample(uint32_t first_key, const char *second)
{
	struct snapshot *s = snapshot_new(1);
	struct service *service = &s->services[0];

	assert_non_null(service_add_peer(service, "a"));
	assert_non_null(service_add_peer(service, second));
	dist_add(&service->peers[0].wait, 10);
	dist_add(&service->peers[1].wait, 20);
	service->peers[0].loads[2] = (struct peer_load){3, 30};
	add(&service->traces, first_key, 10, 0);
	add(&service->traces, first_key + 1, 20, 1);
	assert_int_equal(service_sort_peers(service), 0);
	return s;
}

static const char *asked(const struct service *service, size_t trace)
{
	return service->peers[service->traces.kept[trace].segments[0].peer].address;
}

static void test_peers_are_renumbered(void **state)
{
	struct snapshot *a = sample(100, "b"), *b = sample(7, "c");
	const struct service *sum = &a->services[0];

	(void)state;
	assert_string_equal(asked(sum, 0), "a");
	assert_string_equal(asked(sum, 1), "b");
	a->start_unix_ns = 1000;
	b->start_unix_ns = 1500;
	assert_int_equal(snapshot_merge(a, b), 0);
	sum = &a->services[0];
	assert_int_equal(sum->n_peers, 3);
	assert_int_equal(sum->traces.n, 4);
	assert_string_equal(asked(sum, 0), "a");
	assert_string_equal(asked(sum, 1), "c");
	assert_string_equal(asked(sum, 2), "a");
	assert_string_equal(asked(sum, 3), "b");
	assert_int_equal(sum->traces.kept[0].start_ns, 505);
	assert_int_equal(sum->traces.kept[2].start_ns, 5);
	for (size_t i = 0; i < sum->n_peers; i++) {
		if (strcmp(sum->peers[i].address, "a") != 0)
			continue;
		assert_int_equal(sum->peers[i].loads[2].operations, 6);
		assert_int_equal(sum->peers[i].loads[2].sum_ns, 60);
	}
	snapshot_free(a);
	snapshot_free(b);
}

/* The smaller limit holds for both. */
static void test_limits_merge(void **state)
{
	struct snapshot *a = sample(100, "b"), *b = sample(7, "b");

	(void)state;
	traces_limit(&b->services[0].traces, 50);
	assert_int_equal(snapshot_merge(a, b), 0);
	assert_int_equal(a->services[0].traces.n, 2);
	assert_int_equal(a->services[0].traces.limit, 50);
	snapshot_free(a);
	snapshot_free(b);
}

static void add_lane(struct service *service, pid_t tid, uint64_t cpu_ns)
{
	service->lanes = reallocarray(service->lanes, service->n_lanes + 1, sizeof(struct lane));
	assert_non_null(service->lanes);
	service->lanes[service->n_lanes++] = (struct lane){.tid = tid, .cpu_ns = cpu_ns};
}

static void test_lanes_merge(void **state)
{
	struct snapshot *a = snapshot_new(1), *b = snapshot_new(1);
	const struct service *sum;

	(void)state;
	add_lane(&a->services[0], 1, 5);
	add_lane(&b->services[0], 2, 7);
	add_lane(&b->services[0], 1, 4);
	assert_int_equal(snapshot_merge(a, b), 0);
	sum = &a->services[0];
	assert_int_equal(sum->n_lanes, 2);
	assert_int_equal(sum->lanes[0].tid, 1);
	assert_int_equal(sum->lanes[0].cpu_ns, 9);
	assert_int_equal(sum->lanes[1].cpu_ns, 7);
	for (pid_t i = 0; i < LANES_MOST + 10; i++)
		add_lane(&b->services[0], 1000 + i, 100);
	service_sort_lanes(&b->services[0]);
	assert_int_equal(b->services[0].n_lanes, LANES_MOST);
	assert_int_equal(b->services[0].lanes_left_out, 12);
	snapshot_free(a);
	snapshot_free(b);
}

static void test_components(void **state)
{
	struct snapshot *s = snapshot_new(1);
	struct service *service = &s->services[0];

	(void)state;
	assert_int_equal(service_add_component(service, "gunicorn"), 0);
	assert_int_equal(service_add_component(service, "flask"), 0);
	assert_int_equal(service_add_component(service, "psycopg2"), 0);
	assert_int_equal(service_add_component(service, "flask"), 0);
	assert_int_equal(service->surroundings.n_components, 3);
	assert_string_equal(service->surroundings.components[0], "flask");
	assert_string_equal(service->surroundings.components[1], "gunicorn");
	assert_string_equal(service->surroundings.components[2], "psycopg2");
	snapshot_free(s);
}

/* Every number lies in its bin, and no bin is empty. */
static void test_in_flight_bins(void **state)
{
	(void)state;
	for (unsigned int n = 1; n < 4096; n++) {
		unsigned int bin = in_flight_bin(n);

		assert_true(bin < IOP_IN_FLIGHT_BINS);
		assert_true(in_flight_floor(bin) <= n);
		assert_true(bin == IOP_IN_FLIGHT_BINS - 1 || n < in_flight_floor(bin + 1));
	}
	for (unsigned int bin = 0; bin < IOP_IN_FLIGHT_BINS; bin++)
		assert_int_equal(in_flight_bin(in_flight_floor(bin)), bin);
	assert_int_equal(in_flight_bin(1u << 31), IOP_IN_FLIGHT_BINS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_by_key),	     cmocka_unit_test(test_most),
		cmocka_unit_test(test_peers_are_renumbered), cmocka_unit_test(test_limits_merge),
		cmocka_unit_test(test_lanes_merge),	     cmocka_unit_test(test_components),
		cmocka_unit_test(test_in_flight_bins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
