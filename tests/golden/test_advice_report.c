/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports that end with advice, one per verdict, byte for byte: advice-NAME.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "golden_file.h"
#include "report/report.h"
#include "sample_snapshot.h"

#define SIMULATED 2000

#define CPU(c, s, cv) .cpus = (c), .cpu_s = (s), .cv_cpu = (cv)
#define IO(n, s, cv) .operations = (n), .wait_s = (s), .cv_wait = (cv), .part = PART_NETWORK
#define RUN .requests = 3000, .duration_s = 50

static const struct advice_case {
	const char *name;
	struct sample_model model;
	struct advice_opts opts;
	bool loop, uvicorn, gunicorn;
} cases[] = {
	/* Too few workers, and room for more. */
	{.name = "tune",
	 .model = {CPU(2, .020, .3), IO(10, .006, .5), .workers = 5, .most_in_flight = 20, RUN}},
	/* The same, without room and with a known cost. */
	{.name = "migrate",
	 .model = {CPU(2, .020, .3), IO(10, .006, .5), .workers = 5, .most_in_flight = 20, RUN},
	 .opts = {.cpu_factor = 1.1, .memory_budget_bytes = 310e6, .slo_p99_s = .1}},
	/* Flask, gunicorn, requests: kappa far from 1, and none of it for waiting less. */
	{.name = "stack",
	 .model = {CPU(2, .0035, .3), IO(3, .0004, .5), .workers = 6, .most_in_flight = 20, RUN},
	 .gunicorn = true},
	{.name = "cpu-bound",
	 .model = {CPU(2, .005, .3), IO(1, .0002, .5), .workers = 4, RUN},
	 .opts = {.cpu_factor = 1.02}},
	/* A blocking client in an event loop. */
	{.name = "loop",
	 .model = {CPU(2, .004, .3), IO(3, .005, .5), .workers = 1, RUN},
	 .loop = true},
	/* An event loop without one, and what another loop would bring. */
	{.name = "uvloop",
	 .model = {CPU(2, .004, .3), IO(3, .005, .5), .workers = 1, RUN},
	 .opts = {.target = TARGET_UVLOOP},
	 .uvicorn = true},
	{.name = "loop-factor",
	 .model = {CPU(2, .004, .3), IO(3, .005, .5), .workers = 1, RUN},
	 .opts = {.cpu_factor = .8},
	 .uvicorn = true},
	{.name = "little",
	 .model = {CPU(2, .004, .3), IO(3, .005, .5), .workers = 4, .requests = 40,
		   .duration_s = 2}},
};

static void make_loop(struct service *service)
{
	service->evidence.opened_by_loop = service->requests.completed;
	service->evidence.opened_by_worker = 0;
	service->evidence.loops = 1;
}

static void make_blocking(struct service *service)
{
	service->blocked[PART_NETWORK] = (struct blocked){9000, 45000000000, 31000000};
	service->peers[0].blocked = service->blocked[PART_NETWORK];
	service->blocked[PART_DISK] = (struct blocked){12, 80000000, 31000000};
	service->blocking_file = strdup("sessions.\x1b[2Jdb");
	assert_non_null(service->blocking_file);
}

static char *report(const struct advice_case *c, unsigned int columns)
{
	_cleanup_(snapshot_freep) struct snapshot *s = sample_snapshot(&c->model);
	struct advice_opts advice = c->opts;
	const struct report_opts opts = {.columns = columns, .advice = &advice};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	advice.simulated = SIMULATED;
	if (c->loop || c->uvicorn)
		make_loop(&s->services[0]);
	if (c->loop)
		make_blocking(&s->services[0]);
	if (c->uvicorn) {
		assert_int_equal(service_add_component(&s->services[0], "aiohttp"), 0);
		assert_int_equal(service_add_component(&s->services[0], "uvicorn"), 0);
	}
	if (c->gunicorn) {
		assert_int_equal(service_add_component(&s->services[0], "charset-normalizer"), 0);
		assert_int_equal(service_add_component(&s->services[0], "flask"), 0);
		assert_int_equal(service_add_component(&s->services[0], "gunicorn"), 0);
		s->services[0].surroundings.interpreter_lock = true;
	}
	assert_non_null(out);
	assert_int_equal(report_text(out, s, &opts), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void expect_width(const char *text, size_t columns)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = NULL;

	assert_non_null(copy);
	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (text_width(line) > columns)
			fail_msg("wider than %zu columns: %s", columns, line);
		assert_int_not_equal(line[strlen(line) - 1], ' ');
	}
}

static void test_reports(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *text = report(&cases[i], 80);
		_cleanup_free_ char *narrow = report(&cases[i], 60);

		_cleanup_free_ char *name = NULL;

		assert_true(asprintf(&name, "advice-%s", cases[i].name) > 0);
		golden_file_expect(name, ".txt", text);
		expect_width(text, 80);
		expect_width(narrow, 60);
		assert_null(strstr(text, "nan"));
		for (const char *c = text; *c; c++)
			assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
