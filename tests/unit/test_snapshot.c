/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots: built, merged, freed. Ownership is checked by the sanitizers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/snapshot.h"

#define OWNED _cleanup_(snapshot_freep)

static char *copy_of(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	return copy;
}

/* Fills everything that adds with numbers made from seed, so that what is forgotten in a merge
 * shows. */
static struct snapshot *make(unsigned int seed, const char *const *peers)
{
	struct snapshot *s = snapshot_new(1);
	struct service *service = &s->services[0];
	uint64_t *counters = (uint64_t *)&service->requests;

	s->start_unix_ns = seed * 1000;
	s->duration_ns = seed;
	s->cost_known = true;
	for (unsigned int i = 0; i < LOSS_COUNT; i++)
		s->losses[i] = seed * (i + 1);
	s->programs = calloc(1, sizeof(*s->programs));
	s->programs[0] =
		(struct program_cost){.name = strdup("p"), .runs = seed, .run_ns = seed * 3};
	s->n_programs = 1;
	service->name = copy_of(seed == 1 ? "first" : "last");
	service->pids = calloc(seed, sizeof(pid_t));
	service->pids[0] = (pid_t)seed;
	service->n_pids = seed;
	for (size_t i = 0; i < sizeof(service->requests) / sizeof(*counters); i++)
		counters[i] = seed * (i + 10);
	dist_add(&service->latency, seed * 100);
	dist_add(&service->queue_wait, seed * 200);
	dist_add(&service->service_time, seed * 300);
	for (unsigned int i = 0; i < PART_COUNT; i++)
		dist_add(&service->parts[i], seed * 1000 * (i + 1));
	service->overlapped_io_ns = seed * 5;
	for (unsigned int i = 0; i < IOP_PAUSE_BINS; i++)
		service->pauses[i] = (struct pause){seed * (i + 1), seed * (i + 2), seed * (i + 3),
						    seed * (i + 4)};
	service->moments = (struct ratio_moments){seed, seed * 2, seed * 4};
	service->cpu_ns = seed * 6;
	service->cpu_observed_ns = seed * 7;
	service->peer_cpu_ns = seed * 3;
	service->workers = (struct workers){seed, seed + 1, seed * 8, seed * 9};
	service->evidence = (struct evidence){seed,	seed * 2, seed * 3, seed * 4, seed * 5,
					      seed * 6, seed * 7, seed * 8, seed == 1};
	for (; *peers; peers++) {
		struct peer *peer = service_add_peer(service, *peers);

		assert_non_null(peer);
		assert_int_equal(peer->operations, 0);
		peer->operations = seed;
		peer->operations_outside = seed * 2;
		peer->connections = seed * 3;
		dist_add(&peer->wait, seed * 10);
	}
	assert_int_equal(service_add_note(service, seed == 1 ? "one" : "other"), 0);
	assert_int_equal(service_add_note(service, "both"), 0);
	assert_int_equal(snapshot_add_note(s, "kernel"), 0);
	return s;
}

static void assert_same_dist(const struct dist *a, const struct dist *b)
{
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->sum_ns, b->sum_ns);
	assert_int_equal(a->max_ns, b->max_ns);
	for (unsigned int i = 0; i < IOP_BUCKET_COUNT; i++)
		assert_int_equal(dist_bucket(a, i), dist_bucket(b, i));
}

static void assert_same_service(const struct service *a, const struct service *b)
{
	assert_string_equal(a->name, b->name);
	assert_int_equal(a->n_pids, b->n_pids);
	assert_memory_equal(a->pids, b->pids, a->n_pids * sizeof(pid_t));
	assert_memory_equal(&a->requests, &b->requests, sizeof(a->requests));
	assert_same_dist(&a->latency, &b->latency);
	assert_same_dist(&a->queue_wait, &b->queue_wait);
	assert_same_dist(&a->service_time, &b->service_time);
	for (int i = 0; i < PART_COUNT; i++)
		assert_same_dist(&a->parts[i], &b->parts[i]);
	assert_int_equal(a->overlapped_io_ns, b->overlapped_io_ns);
	assert_memory_equal(a->pauses, b->pauses, sizeof(a->pauses));
	assert_memory_equal(&a->moments, &b->moments, sizeof(a->moments));
	assert_int_equal(a->cpu_ns, b->cpu_ns);
	assert_int_equal(a->cpu_observed_ns, b->cpu_observed_ns);
	assert_int_equal(a->peer_cpu_ns, b->peer_cpu_ns);
	assert_memory_equal(&a->workers, &b->workers, sizeof(a->workers));
	assert_memory_equal(&a->evidence, &b->evidence, offsetof(struct evidence, listens));
	assert_int_equal(a->evidence.listens, b->evidence.listens);
	assert_int_equal(a->n_peers, b->n_peers);
	for (size_t i = 0; i < a->n_peers; i++) {
		assert_string_equal(a->peers[i].address, b->peers[i].address);
		assert_int_equal(a->peers[i].operations, b->peers[i].operations);
		assert_int_equal(a->peers[i].operations_outside, b->peers[i].operations_outside);
		assert_int_equal(a->peers[i].connections, b->peers[i].connections);
		assert_same_dist(&a->peers[i].wait, &b->peers[i].wait);
	}
	assert_int_equal(a->n_notes, b->n_notes);
	for (size_t i = 0; i < a->n_notes; i++)
		assert_string_equal(a->notes[i], b->notes[i]);
}

static void assert_same(const struct snapshot *a, const struct snapshot *b)
{
	assert_int_equal(a->start_unix_ns, b->start_unix_ns);
	assert_int_equal(a->duration_ns, b->duration_ns);
	assert_memory_equal(a->losses, b->losses, sizeof(a->losses));
	assert_int_equal(a->cost_known, b->cost_known);
	assert_int_equal(a->n_programs, b->n_programs);
	for (size_t i = 0; i < a->n_programs; i++) {
		assert_string_equal(a->programs[i].name, b->programs[i].name);
		assert_int_equal(a->programs[i].runs, b->programs[i].runs);
		assert_int_equal(a->programs[i].run_ns, b->programs[i].run_ns);
	}
	assert_int_equal(a->n_notes, b->n_notes);
	assert_int_equal(a->n_services, b->n_services);
	for (size_t i = 0; i < a->n_services; i++)
		assert_same_service(&a->services[i], &b->services[i]);
}

static const char *const db[] = {"db", NULL};
static const char *const db_and_cache[] = {"cache", "db", NULL};
static const char *const other[] = {"other peers", "cache", NULL};

static void test_new_and_free(void **state)
{
	OWNED struct snapshot *none = NULL;
	OWNED struct snapshot *empty = snapshot_new(0);
	OWNED struct snapshot *two = snapshot_new(2);

	(void)state;
	snapshot_free(none);
	assert_int_equal(empty->n_services, 0);
	assert_int_equal(two->n_services, 2);
	assert_null(two->services[1].name);
}

/* Arrays that grow keep what they hold. */
static void test_growth(void **state)
{
	OWNED struct snapshot *s = snapshot_new(1);
	struct service *service = &s->services[0];
	char text[16];

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof(text), "%u", i);
		service_add_peer(service, text)->operations = i;
		assert_int_equal(service_add_note(service, text), 0);
	}
	assert_int_equal(service->n_peers, 100);
	for (unsigned int i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof(text), "%u", i);
		assert_string_equal(service->peers[i].address, text);
		assert_int_equal(service->peers[i].operations, i);
		assert_string_equal(service->notes[i], text);
	}
}

static void test_merge(void **state)
{
	OWNED struct snapshot *a = make(1, db), *b = make(2, db_and_cache);
	const struct service *service;

	(void)state;
	assert_int_equal(snapshot_merge(a, b), 0);
	service = &a->services[0];
	assert_int_equal(a->start_unix_ns, 1000);
	assert_int_equal(a->duration_ns, 3);
	assert_int_equal(a->losses[1], 6);
	assert_int_equal(a->programs[0].runs, 3);
	assert_int_equal(a->programs[0].run_ns, 9);
	assert_string_equal(service->name, "last");
	assert_int_equal(service->n_pids, 2);
	assert_int_equal(service->requests.completed, 30);
	assert_int_equal(service->requests.parallel_ns, 48);
	assert_int_equal(service->latency.count, 2);
	assert_int_equal(service->latency.max_ns, 200);
	assert_int_equal(service->pauses[0].requests, 3);
	assert_int_equal(service->pauses[1].sum_ns, 9);
	assert_int_equal(service->pauses[2].cpu_ns, 15);
	assert_true(service->pauses[IOP_PAUSE_BINS - 1].cpu_squares == 3 * (IOP_PAUSE_BINS + 3));
	assert_true(service->moments.xy == 12);
	assert_int_equal(service->workers.count, 2);
	assert_int_equal(service->workers.wall_ns, 27);
	assert_int_equal(service->evidence.own_ns, 15);
	assert_int_equal(service->evidence.loops, 16);
	assert_true(service->evidence.listens);
	assert_int_equal(service->n_peers, 2);
	assert_string_equal(service->peers[0].address, "db");
	assert_int_equal(service->peers[0].operations, 3);
	assert_int_equal(service->peers[0].wait.sum_ns, 30);
	assert_int_equal(service->peers[1].operations_outside, 4);
	assert_int_equal(service->n_notes, 3);
	assert_int_equal(a->n_notes, 1);
}

/* (a + b) + c == a + (b + c). */
static void test_associative(void **state)
{
	OWNED struct snapshot *left = make(1, db), *left_b = make(2, db_and_cache),
			      *c = make(5, other);
	OWNED struct snapshot *right = make(1, db), *right_b = make(2, db_and_cache);

	(void)state;
	assert_int_equal(snapshot_merge(left, left_b), 0);
	assert_int_equal(snapshot_merge(left, c), 0);
	assert_int_equal(snapshot_merge(right_b, c), 0);
	assert_int_equal(snapshot_merge(right, right_b), 0);
	assert_same(left, right);
}

/* One that saw all requests equals the sum of two that saw half each. */
static void test_additive(void **state)
{
	OWNED struct snapshot *all = snapshot_new(1), *first = snapshot_new(1);
	OWNED struct snapshot *second = snapshot_new(1);
	struct snapshot *half[] = {first, second};
	struct service *whole = &all->services[0];

	(void)state;
	whole->name = copy_of("s");
	whole->pids = calloc(1, sizeof(pid_t));
	for (int i = 0; i < 2; i++) {
		half[i]->services[0].name = copy_of("s");
		half[i]->duration_ns = 50;
	}
	all->duration_ns = 100;
	for (uint64_t i = 0; i < 1000; i++) {
		struct service *part = &half[i >= 500]->services[0];

		dist_add(&whole->latency, i * i);
		dist_add(&part->latency, i * i);
		dist_add(&whole->parts[i % PART_COUNT], i);
		dist_add(&part->parts[i % PART_COUNT], i);
		whole->requests.completed++;
		part->requests.completed++;
		whole->moments.xx += (double)i;
		part->moments.xx += (double)i;
	}
	assert_int_equal(snapshot_merge(first, second), 0);
	assert_same(first, all);
}

/* Merging with nothing observed changes nothing but what describes the end. */
static void test_neutral(void **state)
{
	OWNED struct snapshot *a = make(1, db), *expected = make(1, db), *nothing = snapshot_new(1);

	(void)state;
	nothing->cost_known = true;
	nothing->services[0].name = copy_of("first");
	nothing->services[0].pids = calloc(1, sizeof(pid_t));
	nothing->services[0].pids[0] = 1;
	nothing->services[0].n_pids = 1;
	nothing->services[0].workers = (struct workers){.count = 1, .processes = 2};
	assert_int_equal(snapshot_merge(a, nothing), 0);
	assert_same(a, expected);
}

static void test_services_that_came_later(void **state)
{
	OWNED struct snapshot *a = make(1, db), *two = snapshot_new(2), *one = snapshot_new(1);

	(void)state;
	two->services[1].requests.completed = 7;
	assert_int_equal(snapshot_merge(a, two), 0);
	assert_int_equal(a->n_services, 2);
	assert_int_equal(a->services[1].requests.completed, 7);
	/* Services never become fewer. */
	assert_int_equal(snapshot_merge(a, one), -EINVAL);
	assert_int_equal(a->n_services, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_and_free),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_associative),
		cmocka_unit_test(test_additive),
		cmocka_unit_test(test_neutral),
		cmocka_unit_test(test_services_that_came_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
