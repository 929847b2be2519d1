/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Totals: rows only grow or go, and there are never too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/total.h"

#define OWNED _cleanup_(snapshot_freep)
#define OWNED_TOTAL _cleanup_(total_freep)
#define INTERVAL_NS 10000000000ull

static char *copy_of(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	return copy;
}

/* An interval with these services, each with one request. */
static struct snapshot *make(const char *const *names, size_t n)
{
	struct snapshot *s = snapshot_new(n);

	s->start_unix_ns = 1000;
	s->duration_ns = s->sampled_ns = INTERVAL_NS;
	for (size_t i = 0; i < n; i++) {
		s->services[i].name = copy_of(names[i]);
		s->services[i].requests.completed = 1;
		dist_add(&s->services[i].latency, 1000);
	}
	return s;
}

static struct snapshot *make_one(void)
{
	return make((const char *const[]){"web"}, 1);
}

static void add_operations(struct snapshot *s, const char *address, uint64_t operations)
{
	service_add_peer(&s->services[0], address)->operations = operations;
}

/* Operations in the row of that address; -1 if there is none. */
static int64_t operations_of(const struct total *total, const char *address)
{
	const struct service *service = &total_snapshot(total)->services[0];

	for (size_t i = 0; i < service->n_peers; i++) {
		if (strcmp(service->peers[i].address, address) == 0)
			return (int64_t)service->peers[i].operations;
	}
	return -1;
}

static void test_sums(void **state)
{
	OWNED_TOTAL struct total *total = total_new();
	OWNED struct snapshot *s = make_one();
	const struct snapshot *sum;

	(void)state;
	s->host = copy_of("host");
	s->losses[LOSS_BUSY] = 3;
	s->services[0].blocked[PART_DISK].count = 2;
	s->services[0].surroundings.throttled_ns = 5;
	s->services[0].surroundings.other_cpu_ns = 7;
	for (int i = 0; i < 3; i++)
		assert_int_equal(total_add(total, s), 0);
	sum = total_snapshot(total);
	assert_string_equal(sum->host, "host");
	assert_int_equal(sum->start_unix_ns, 1000);
	assert_int_equal(sum->duration_ns, 3 * INTERVAL_NS);
	assert_int_equal(sum->losses[LOSS_BUSY], 9);
	assert_int_equal(sum->n_services, 1);
	assert_int_equal(sum->services[0].requests.completed, 3);
	assert_int_equal(sum->services[0].latency.count, 3);
	assert_int_equal(sum->services[0].blocked[PART_DISK].count, 6);
	assert_int_equal(sum->services[0].surroundings.throttled_ns, 15);
	assert_int_equal(sum->services[0].surroundings.other_cpu_ns, 21);
}

/* Names are told apart, harmless and short; the same one in the next interval is the same service.
 */
static void test_names(void **state)
{
	char endless[1000];
	const char *const names[] = {"web", "evil\033[2J", "web", endless, "web"};
	OWNED_TOTAL struct total *total = total_new();
	OWNED struct snapshot *s = NULL;
	const struct service *services;

	(void)state;
	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	s = make(names, 5);
	assert_int_equal(total_add(total, s), 0);
	assert_int_equal(total_add(total, s), 0);
	assert_int_equal(total_snapshot(total)->n_services, 5);
	services = total_snapshot(total)->services;
	assert_string_equal(services[0].name, "web");
	assert_string_equal(services[1].name, "evil\\x1b[2J");
	assert_string_equal(services[2].name, "web (2)");
	assert_true(strlen(services[3].name) <= TOTAL_NAME_COLUMNS + 2);
	assert_string_equal(services[4].name, "web (3)");
	for (int i = 0; i < 5; i++)
		assert_int_equal(services[i].requests.completed, 2);
}

/* Rows for the first ones, "other" for the rest, what the kernel could not tell apart included. */
static void test_peers_are_bounded(void **state)
{
	OWNED_TOTAL struct total *total = total_new();
	OWNED struct snapshot *s = make_one();
	char address[32];

	(void)state;
	add_operations(s, PEER_OTHER, 1000);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(address, sizeof(address), "10.0.0.%d:80", i);
		add_operations(s, address, (uint64_t)i + 1);
	}
	assert_int_equal(total_add(total, s), 0);
	assert_int_equal(total_add(total, s), 0);
	assert_int_equal(total_snapshot(total)->services[0].n_peers, 1 + TOTAL_PEERS_MOST);
	assert_int_equal(operations_of(total, "10.0.0.0:80"), 2);
	assert_int_equal(operations_of(total, "10.0.0.19:80"), 40);
	assert_int_equal(operations_of(total, "10.0.0.20:80"), -1);
	/* 1000 and 21 to 100 */
	assert_int_equal(operations_of(total, TOTAL_PEER_OTHER), 2 * (1000 + 80 * 121 / 2));
}

/* Rows of peers not heard of for an hour go to others, and only then. */
static void test_stale_rows_are_given_away(void **state)
{
	OWNED_TOTAL struct total *total = total_new();
	OWNED struct snapshot *first = make_one();
	OWNED struct snapshot *later = make_one();
	char address[32];

	(void)state;
	for (int i = 0; i < TOTAL_PEERS_MOST; i++) {
		(void)snprintf(address, sizeof(address), "10.0.0.%d:80", i);
		add_operations(first, address, 1);
		if (i > 0)
			add_operations(later, address, 1);
	}
	add_operations(later, "new:80", 1);
	assert_int_equal(total_add(total, first), 0);
	for (uint64_t ns = 2 * INTERVAL_NS; ns <= TOTAL_KEPT_NS; ns += INTERVAL_NS)
		assert_int_equal(total_add(total, later), 0);
	assert_int_equal(operations_of(total, "new:80"), -1);
	assert_int_equal(operations_of(total, "10.0.0.0:80"), 1);
	assert_int_equal(operations_of(total, TOTAL_PEER_OTHER), 359);
	assert_int_equal(total_add(total, later), 0);
	assert_int_equal(operations_of(total, "new:80"), 1);
	assert_int_equal(operations_of(total, "10.0.0.0:80"), -1);
	assert_int_equal(operations_of(total, "10.0.0.1:80"), 361);
	assert_int_equal(operations_of(total, TOTAL_PEER_OTHER), 359);
}

static void test_absent_services_are_forgotten(void **state)
{
	const char *const names[] = {"goes", "stays"};
	OWNED_TOTAL struct total *total = total_new();
	OWNED struct snapshot *both = make(names, 2);
	OWNED struct snapshot *one = make(names + 1, 1);

	(void)state;
	assert_int_equal(total_add(total, both), 0);
	for (uint64_t ns = 2 * INTERVAL_NS; ns <= TOTAL_KEPT_NS; ns += INTERVAL_NS)
		assert_int_equal(total_add(total, one), 0);
	assert_int_equal(total_snapshot(total)->n_services, 2);
	assert_int_equal(total_add(total, one), 0);
	assert_int_equal(total_snapshot(total)->n_services, 1);
	assert_string_equal(total_snapshot(total)->services[0].name, "stays");
	assert_int_equal(total_snapshot(total)->services[0].requests.completed, 361);
	assert_int_equal(total_add(total, both), 0);
	assert_int_equal(total_snapshot(total)->services[1].requests.completed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_peers_are_bounded),
		cmocka_unit_test(test_stale_rows_are_given_away),
		cmocka_unit_test(test_absent_services_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
