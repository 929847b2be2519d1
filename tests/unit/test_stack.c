/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which parts of a stack are swapped for what, by what was recognised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advise/stack.h"

#define US 1e-6
#define CALLS 4
#define ASSERT_NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static struct prior costs[COST_COUNT];

static void measure(enum cost cost, double us)
{
	costs[cost] = (struct prior){us * US, .9 * us * US, 1.1 * us * US};
}

static int measure_all(void **state)
{
	(void)state;
	/* Of servers and clients nothing but what follows. */
	for (int i = 0; i < COST_GUNICORN; i++)
		costs[i] = cost_default((enum cost)i);
	measure(COST_REQUESTS, 430);
	measure(COST_HTTPX, 540);
	measure(COST_URLLIB3, 210);
	measure(COST_HTTP_CLIENT_PY, 90);
	measure(COST_AIOHTTP, 170);
	measure(COST_GUNICORN, 90);
	measure(COST_UVICORN, 30);
	measure(COST_FLASK, 100);
	measure(COST_STARLETTE, 10);
	return 0;
}

/* A service in Python of 100 requests, with four calls of a peer each; components by spaces. */
static struct stack recognise(const char *components, enum modules_seen seen,
			      const struct prior *calibrated, struct kappa *ret_kappa)
{
	char *names = strdup(components), *rest = NULL, *list[16];
	struct peer peer = {.address = (char *)"10.0.0.7:8080", .operations = 100 * CALLS};
	struct service service = {
		.requests.completed = 100,
		.peers = &peer,
		.n_peers = 1,
		.surroundings = {.components = list, .modules_seen = seen, .cpus = 1},
	};
	struct stack stack;

	assert_non_null(names);
	for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
		list[service.surroundings.n_components++] = name;
	stack = stack_recognise(&service, TARGET_AUTO, calibrated);
	stack.change.cpu_s = 4000 * US;
	stack.change.operations = CALLS;
	assert_int_equal(kappa_estimate(&stack.change, 1, ret_kappa), 0);
	free(names);
	return stack;
}

/* What known parts cost more than those in their place, in us per request, as calibrated. */
static double swapped_us(const struct stack *stack)
{
	double us = 0;

	for (size_t i = 0; i < stack->change.n_swaps; i++) {
		const struct swap *swap = &stack->change.swaps[i];
		double from = costs[swap->from].estimate;

		if (swap->unsure)
			from = (from + costs[swap->instead].estimate) / 2;
		us += swap->times * (from - costs[swap->to].estimate) / US;
	}
	return us;
}

#define GUNICORN_FLASK "cpython flask gunicorn markupsafe "
#define SERVER_US 150

static void the_highest_layer_of_a_client_counts(void **state)
{
	struct stack stack;
	struct kappa k;

	(void)state;
	stack = recognise(GUNICORN_FLASK "http.client requests urllib3", MODULES_ALL, costs, &k);
	assert_string_equal(stack.client, "requests");
	ASSERT_NEAR(swapped_us(&stack), SERVER_US + CALLS * (430 - 170));
	assert_false(k.guessed);
	stack = recognise(GUNICORN_FLASK "http.client httpx", MODULES_ALL, costs, &k);
	ASSERT_NEAR(swapped_us(&stack), SERVER_US + CALLS * (540 - 170));
	stack = recognise(GUNICORN_FLASK "http.client urllib3", MODULES_ALL, costs, &k);
	ASSERT_NEAR(swapped_us(&stack), SERVER_US + CALLS * (210 - 170));
	stack = recognise(GUNICORN_FLASK "http.client", MODULES_ALL, costs, &k);
	ASSERT_NEAR(swapped_us(&stack), SERVER_US + CALLS * (90 - 170));
	assert_false(k.guessed);
}

static void of_two_clients_either_may_call(void **state)
{
	struct kappa both, requests, httpx;
	struct stack stack = recognise(GUNICORN_FLASK "http.client httpx requests urllib3",
				       MODULES_ALL, costs, &both);

	(void)state;
	assert_string_equal(stack.client, "requests or httpx");
	(void)recognise(GUNICORN_FLASK "requests", MODULES_ALL, costs, &requests);
	(void)recognise(GUNICORN_FLASK "httpx", MODULES_ALL, costs, &httpx);
	ASSERT_NEAR(swapped_us(&stack), SERVER_US + CALLS * ((430 + 540) / 2. - 170));
	assert_true(both.lo < httpx.estimate && both.hi > requests.estimate);
}

/* What was not found may be loaded all the same. */
static void after_a_part_only_what_was_found_counts(void **state)
{
	struct kappa k;

	(void)state;
	assert_null(
		recognise(GUNICORN_FLASK "http.client urllib3", MODULES_PART, costs, &k).client);
	assert_true(k.guessed);
	assert_string_equal(
		recognise(GUNICORN_FLASK "http.client requests", MODULES_PART, costs, &k).client,
		"requests");
	assert_false(k.guessed);
}

static void what_nobody_measures_stays_unknown(void **state)
{
	struct kappa k;

	(void)state;
	assert_null(recognise(GUNICORN_FLASK "pycurl requests", MODULES_ALL, costs, &k).client);
	assert_true(k.guessed);
	costs[COST_HTTPX] = (struct prior){0};
	assert_null(recognise(GUNICORN_FLASK "httpx", MODULES_ALL, costs, &k).client);
	assert_true(k.guessed);
	assert_null(recognise(GUNICORN_FLASK "httpx requests", MODULES_ALL, costs, &k).client);
	assert_true(k.guessed);
	measure(COST_HTTPX, 540);
}

/* They are another machine's, so they leave more open. */
static void without_calibration_there_are_defaults(void **state)
{
	struct prior here[COST_COUNT];
	struct kappa k, calibrated;
	struct stack stack = recognise(GUNICORN_FLASK "requests", MODULES_ALL, NULL, &k);
	char *source = stack_source(&stack, &k);

	(void)state;
	for (int i = 0; i < COST_COUNT; i++)
		here[i] = cost_default((enum cost)i);
	assert_non_null(source);
	assert_non_null(strstr(source, "default costs"));
	assert_string_equal(stack.client, "requests");
	assert_false(k.guessed);
	(void)recognise(GUNICORN_FLASK "requests", MODULES_ALL, here, &calibrated);
	assert_true(k.hi / k.lo > calibrated.hi / calibrated.lo);
	free(source);
}

/* Where nobody looked at memory, what comes with a package stands for it; else it does not. */
static void guesses_give_way_to_knowledge(void **state)
{
	struct kappa k;
	struct stack stack = recognise("charset-normalizer cpython gunicorn markupsafe",
				       MODULES_NONE, costs, &k);

	(void)state;
	assert_string_equal(stack.client, "requests");
	ASSERT_NEAR(swapped_us(&stack), SERVER_US + CALLS * (430 - 170));
	assert_null(
		recognise("charset-normalizer cpython gunicorn markupsafe", MODULES_ALL, costs, &k)
			.client);
	assert_null(recognise("cpython gunicorn markupsafe", MODULES_ALL, costs, &k).server);
	assert_true(k.guessed);
}

static void an_asynchronous_server_stays(void **state)
{
	struct kappa k;
	struct stack stack = recognise("cpython fastapi http.client markupsafe requests starlette "
				       "uvicorn",
				       MODULES_ALL, costs, &k);

	(void)state;
	assert_null(stack.server);
	assert_false(k.guessed);
	ASSERT_NEAR(swapped_us(&stack), CALLS * (430 - 170));
}

/* requests goes through the environment at each call; what comes instead does not. */
static void a_large_environment_costs_requests(void **state)
{
	struct peer peer = {.address = (char *)"10.0.0.7:8080", .operations = 100 * CALLS};
	char *components[] = {(char *)"cpython", (char *)"requests", (char *)"httpx"};
	struct service service = {
		.requests.completed = 100,
		.peers = &peer,
		.n_peers = 1,
		.surroundings = {.components = components,
				 .n_components = 2,
				 .modules_seen = MODULES_ALL,
				 .environment_variables = 50},
	};
	struct stack stack;

	(void)state;
	stack = stack_recognise(&service, TARGET_AUTO, costs);
	assert_int_equal(stack.change.n_swaps, 1); /* not calibrated: it is not guessed */
	measure(COST_REQUESTS_VARIABLE, 2);
	stack = stack_recognise(&service, TARGET_AUTO, costs);
	assert_int_equal(stack.change.n_swaps, 2);
	assert_true(stack.change.swaps[0].alone);
	assert_int_equal(stack.change.swaps[1].from, COST_REQUESTS_VARIABLE);
	assert_int_equal(stack.change.swaps[1].to, COST_COUNT);
	assert_false(stack.change.swaps[1].waits);
	ASSERT_NEAR(stack.change.swaps[1].times, CALLS * 50);
	service.surroundings.environment_variables = 0;
	assert_int_equal(stack_recognise(&service, TARGET_AUTO, costs).change.n_swaps, 1);
	service.surroundings.environment_variables = 50;
	service.surroundings.n_components = 3; /* the other may call */
	assert_int_equal(stack_recognise(&service, TARGET_AUTO, costs).change.n_swaps, 1);
}

/* Where the other loop was measured its costs are taken, of both that go there and that are on
 * asyncio. */
static void uvloop_costs_what_it_was_measured_to(void **state)
{
	struct peer peer = {.address = (char *)"10.0.0.7:8080", .operations = 100 * CALLS};
	char *sync[] = {(char *)"cpython", (char *)"requests"};
	char *loop[] = {(char *)"cpython", (char *)"uvicorn", (char *)"aiohttp", (char *)"uvloop"};
	struct service service = {
		.requests.completed = 100,
		.peers = &peer,
		.n_peers = 1,
		.surroundings = {.components = sync,
				 .n_components = 2,
				 .modules_seen = MODULES_ALL},
	};
	struct prior saved;

	(void)state;
	assert_int_equal(stack_recognise(&service, TARGET_UVLOOP, costs).change.swaps[0].to,
			 COST_AIOHTTP);
	service.surroundings.components = loop;
	service.surroundings.n_components = 3;
	assert_true(stack_uvloop_saves(&service, costs).estimate == 0);
	assert_true(stack_uvloop_saves(&service, NULL).estimate > 0);
	measure(COST_UVICORN, 40);
	measure(COST_UVICORN_UVLOOP, 28);
	measure(COST_AIOHTTP_UVLOOP, 130);
	saved = stack_uvloop_saves(&service, costs);
	ASSERT_NEAR(saved.estimate, (40 - 28 + CALLS * (170 - 130)) * US);
	assert_true(saved.lo < saved.estimate && saved.estimate < saved.hi);
	service.surroundings.n_components = 4; /* it runs there already */
	assert_true(stack_uvloop_saves(&service, costs).estimate == 0);
	service.surroundings.components = sync;
	service.surroundings.n_components = 2;
	assert_int_equal(stack_recognise(&service, TARGET_UVLOOP, costs).change.swaps[0].to,
			 COST_AIOHTTP_UVLOOP);
	assert_int_equal(stack_recognise(&service, TARGET_ASYNCIO, costs).change.swaps[0].to,
			 COST_AIOHTTP);
}

/* Whether the target speaks the service's language: of one that nobody looked at nothing is said.
 */
static void another_language_is_a_guess(void **state)
{
	static const struct {
		const char *component;
		enum target target;
		bool another;
	} rows[] = {
		{"cpython", TARGET_UVLOOP, false}, {"cpython", TARGET_NODE, true},
		{"cpython", TARGET_GO, true},	   {"php-fpm", TARGET_SWOOLE, false},
		{"php-fpm", TARGET_NODE, true},	   {"php-fpm", TARGET_ASYNCIO, true},
		{"node", TARGET_NODE, false},	   {"java", TARGET_THREADS, false},
		{"java", TARGET_GO, true},	   {"openssl", TARGET_GO, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *component = (char *)rows[i].component;
		struct service service = {
			.surroundings = {.components = &component, .n_components = 1}};

		assert_int_equal(
			stack_recognise(&service, rows[i].target, NULL).change.another_language,
			rows[i].another);
	}
	assert_false(
		stack_recognise(&(struct service){0}, TARGET_NODE, NULL).change.another_language);
}

/* php-fpm's server and curl's calls are known there and on Node, where both were measured. */
static void php_goes_to_node(void **state)
{
	char *components[] = {(char *)"php-fpm", (char *)"php-curl"};
	struct peer peer = {.address = (char *)"10.0.0.7:8080", .operations = 100 * CALLS};
	struct service service = {
		.requests = {.completed = 100, .operations = 100 * CALLS},
		.peers = &peer,
		.n_peers = 1,
		.surroundings = {.components = components, .n_components = 2},
	};
	struct stack_change change;

	(void)state;
	assert_int_equal(stack_recognise(&service, TARGET_NODE, costs).change.n_swaps, 0);
	measure(COST_PHP_FPM, 40);
	measure(COST_NODE_SERVER, 10);
	measure(COST_PHP_CURL, 30);
	measure(COST_NODE_CLIENT, 35);
	change = stack_recognise(&service, TARGET_NODE, costs).change;
	assert_int_equal(change.n_swaps, 2);
	assert_int_equal(change.swaps[0].to, COST_NODE_SERVER);
	assert_int_equal(change.swaps[1].from, COST_PHP_CURL);
	ASSERT_NEAR(change.swaps[1].times, CALLS);
	assert_true(change.server_known && change.another_language);
	measure(COST_PHP_FPM_WAITING, 70);
	measure(COST_NODE_WAITING, 10);
	change = stack_recognise(&service, TARGET_NODE, costs).change;
	assert_int_equal(change.n_swaps, 3);
	assert_int_equal(change.swaps[1].from, COST_PHP_FPM_WAITING);
	assert_true(change.swaps[1].waits && !change.swaps[0].waits);
	assert_int_equal(stack_recognise(&service, TARGET_SWOOLE, costs).change.n_swaps, 0);
	/* Calls by what nobody measured. */
	service.surroundings.n_components = 1;
	assert_int_equal(stack_recognise(&service, TARGET_NODE, costs).change.n_swaps, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_language_is_a_guess),
		cmocka_unit_test(the_highest_layer_of_a_client_counts),
		cmocka_unit_test(of_two_clients_either_may_call),
		cmocka_unit_test(after_a_part_only_what_was_found_counts),
		cmocka_unit_test(what_nobody_measures_stays_unknown),
		cmocka_unit_test(without_calibration_there_are_defaults),
		cmocka_unit_test(guesses_give_way_to_knowledge),
		cmocka_unit_test(an_asynchronous_server_stays),
		cmocka_unit_test(a_large_environment_costs_requests),
		cmocka_unit_test(uvloop_costs_what_it_was_measured_to),
		cmocka_unit_test(php_goes_to_node),
	};

	return cmocka_run_group_tests(tests, measure_all, NULL);
}
