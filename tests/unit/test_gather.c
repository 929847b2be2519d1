/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots of several hosts, services and times summed up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/gather.h"

#define S INT64_C(1000000000)

static char *copy_of(const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	assert_true(!text || copy);
	return copy;
}

/* An interval of services with these names, one request each, begun at and as long as given. */
static struct snapshot *make(const char *host, int64_t start_s, uint64_t duration_s,
			     const char *const *names)
{
	size_t n = 0;
	struct snapshot *s;

	while (names[n])
		n++;
	s = snapshot_new(n);
	assert_non_null(s);
	s->host = copy_of(host);
	s->start_unix_ns = start_s * S;
	s->duration_ns = duration_s * (uint64_t)S;
	for (size_t i = 0; i < n; i++) {
		s->services[i].name = copy_of(names[i]);
		s->services[i].requests.completed = 1 + i;
		dist_add(&s->services[i].latency, 1000);
	}
	return s;
}

static const char *const a[] = {"a", NULL};
static const char *const b[] = {"b", NULL};
static const char *const b_and_a[] = {"b", "a", NULL};
static const char *const a_twice[] = {"a", "a", NULL};

static void add(struct gathering *gathering, struct snapshot *s)
{
	assert_int_equal(gathering_add(gathering, s), 0);
}

#define GATHERING _cleanup_(gathering_done) struct gathering

static void test_one_after_another(void **state)
{
	GATHERING g = {0};

	(void)state;
	add(&g, make("x", 0, 10, a));
	add(&g, make("x", 10, 10, a));
	add(&g, make("x", 100, 10, a)); /* what lies between was not observed */
	assert_int_equal(g.n_hosts, 1);
	assert_int_equal(g.hosts[0].intervals, 3);
	assert_int_equal(g.hosts[0].repeated, 0);
	assert_int_equal(g.hosts[0].end_unix_ns, 110 * S);
	assert_int_equal(g.hosts[0].sum->duration_ns, 30 * S);
	assert_int_equal(g.hosts[0].sum->services[0].requests.completed, 3);
	assert_int_equal(g.hosts[0].sum->services[0].latency.count, 3);
}

/* By name, wherever they stand; what is new is added. */
static void test_services_by_name(void **state)
{
	GATHERING g = {0};
	const struct snapshot *sum;

	(void)state;
	add(&g, make("x", 0, 10, a));
	add(&g, make("x", 10, 10, b_and_a));
	add(&g, make("x", 20, 10, b));
	add(&g, make("x", 30, 10, a_twice));
	sum = g.hosts[0].sum;
	assert_int_equal(sum->n_services, 3);
	assert_string_equal(sum->services[0].name, "a");
	assert_int_equal(sum->services[0].requests.completed, 1 + 2 + 1);
	assert_string_equal(sum->services[1].name, "b");
	assert_int_equal(sum->services[1].requests.completed, 1 + 1);
	assert_string_equal(sum->services[2].name, "a");
	assert_int_equal(sum->services[2].requests.completed, 2);
	assert_true(sum->services[2].traces.limit == TRACE_KEYS);
}

static void test_hosts(void **state)
{
	GATHERING g = {0};

	(void)state;
	add(&g, make("x", 0, 10, a));
	add(&g, make("y", 0, 10, a));
	add(&g, make(NULL, 5, 10, a));
	add(&g, make("y", 10, 10, a));
	add(&g, make(NULL, 15, 10, a));
	assert_int_equal(g.n_hosts, 3);
	assert_string_equal(g.hosts[0].sum->host, "x");
	assert_int_equal(g.hosts[1].sum->services[0].requests.completed, 2);
	assert_null(g.hosts[2].sum->host);
	assert_int_equal(g.hosts[2].intervals, 2);
}

/* Two recordings side by side: time passes once. */
static void test_overlap(void **state)
{
	GATHERING g = {0};

	(void)state;
	add(&g, make("x", 0, 10, a));
	add(&g, make("x", 4, 10, b));
	add(&g, make("x", 5, 2, b));
	assert_int_equal(g.hosts[0].sum->duration_ns, 14 * S);
	assert_int_equal(g.hosts[0].repeated, 1);
	add(&g, make("x", 13, 10, a));
	assert_int_equal(g.hosts[0].repeated, 2);
	assert_int_equal(g.hosts[0].sum->duration_ns, 23 * S);
}

/* The monotonic clock and the other one never agree to the nanosecond. */
static void test_jitter(void **state)
{
	GATHERING g = {0};
	struct snapshot *s = make("x", 10, 10, a);

	(void)state;
	add(&g, make("x", 0, 10, a));
	s->start_unix_ns -= S / 100;
	add(&g, s);
	assert_int_equal(g.hosts[0].repeated, 0);
	assert_int_equal(g.hosts[0].sum->duration_ns, 20 * S);
}

static void test_limits(void **state)
{
	char name[16];
	GATHERING g = {0};
	int r = 0;

	(void)state;
	for (unsigned int i = 0; i <= GATHER_HOSTS_MOST; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		r = gathering_add(&g, make(name, 0, 1, (const char *const[]){NULL}));
		assert_int_equal(r, i < GATHER_HOSTS_MOST ? 0 : -E2BIG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_after_another),
		cmocka_unit_test(test_services_by_name),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
