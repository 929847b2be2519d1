/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "app/options.h"
#include "base/cleanup.h"

#define WORDS_MAX 16

/* Parses a command line written as one string with spaces. */
static enum cli_result parse(const char *line, struct options *ret_options)
{
	char copy[256];
	char *argv[WORDS_MAX + 1] = {0};
	char *rest = copy;
	int argc = 0;

	(void)snprintf(copy, sizeof(copy), "ioprof %s", line);
	while (argc < WORDS_MAX && (argv[argc] = strsep(&rest, " ")))
		argc++;
	return options_parse(argc, argv, ret_options);
}

/* Wrong, and said so in exactly one line: "ioprof: cause: fix". */
static void assert_wrong(const char *line)
{
	struct options options = {.n_pids = 77};
	_cleanup_fclose_ FILE *said = tmpfile();
	int errors = dup(STDERR_FILENO);
	char message[512], second[8];

	assert_non_null(said);
	assert_true(dup2(fileno(said), STDERR_FILENO) >= 0);
	assert_int_equal(parse(line, &options), CLI_WRONG);
	assert_true(dup2(errors, STDERR_FILENO) >= 0);
	(void)close(errors);
	assert_int_equal(options.n_pids, 77);
	rewind(said);
	assert_non_null(fgets(message, sizeof(message), said));
	assert_null(fgets(second, sizeof(second), said));
	assert_int_equal(strncmp(message, "ioprof: ", 8), 0);
	assert_non_null(strstr(message + 8, ": "));
}

static void every_option_arrives(void **state)
{
	_cleanup_(options_free) struct options o = {0};

	(void)state;
	assert_int_equal(parse("-p 11,12 -d 2.5 -i 0.5 --json --max-peers=3 --max-processes 4 "
			       "--socket-set=fexit --no-task-storage --pid=13",
			       &o),
			 CLI_PARSED);
	assert_int_equal(o.n_pids, 3);
	assert_int_equal(o.pids[0], 11);
	assert_int_equal(o.pids[1], 12);
	assert_int_equal(o.pids[2], 13);
	assert_int_equal(o.duration_ns, 2500000000);
	assert_int_equal(o.interval_ns, 500000000);
	assert_true(o.json);
	assert_int_equal(o.max_peers, 3);
	assert_int_equal(o.max_processes, 4);
	assert_int_equal(o.socket_set, PROBE_SOCKET_FEXIT);
	assert_true(o.no_task_storage);
}

static void defaults_are_zero(void **state)
{
	_cleanup_(options_free) struct options o = {0};

	(void)state;
	assert_int_equal(parse("-p 11", &o), CLI_PARSED);
	assert_int_equal(o.n_pids, 1);
	assert_int_equal(o.duration_ns, 0);
	assert_int_equal(o.interval_ns, 0);
	assert_false(o.json);
	assert_int_equal(o.max_peers, 0);
	assert_int_equal(o.socket_set, PROBE_SOCKET_AUTO);
}

static void each_process_counts_once(void **state)
{
	_cleanup_(options_free) struct options o = {0};

	(void)state;
	assert_int_equal(parse("-p 11,12,11 -p 12 -p 011", &o), CLI_PARSED);
	assert_int_equal(o.n_pids, 2);
}

static void selectors_are_told_apart(void **state)
{
	_cleanup_(options_free) struct options o = {0};

	(void)state;
	assert_int_equal(parse("-a --comm=x --port=80 --port=080 --unit=u --container=abcd "
			       "--cgroup=/g --comm=x --comm=y --wait --max-services=9",
			       &o),
			 CLI_PARSED);
	assert_int_equal(o.n_pids, 0);
	assert_int_equal(o.selectors.n, 7);
	assert_int_equal(o.selectors.items[1].kind, SELECTOR_PORT);
	assert_int_equal(o.selectors.items[1].port, 80);
	assert_string_equal(o.selectors.items[4].text, "/g");
	/* What is left by the others. */
	assert_int_equal(o.selectors.items[6].kind, SELECTOR_ALL);
	assert_true(o.wait);
	assert_int_equal(o.max_services, 9);
}

static void the_last_format_wins(void **state)
{
	_cleanup_(options_free) struct options o = {0};

	(void)state;
	assert_int_equal(parse("-p 1 --json --text", &o), CLI_PARSED);
	assert_false(o.json);
}

static void seconds_are_exact(void **state)
{
	_cleanup_(options_free) struct options o = {0};

	(void)state;
	/* Equal is not longer. */
	assert_int_equal(parse("-p 1 -d 0.3 -i .3", &o), CLI_PARSED);
	assert_int_equal(o.duration_ns, 300000000);
	assert_int_equal(o.interval_ns, 300000000);
}

static void wrong_lines_are_told_once(void **state)
{
	static const char *const lines[] = {
		"",
		"--wait",
		"-p 1 --wait",
		"--port 0",
		"--port 65536",
		"--port http",
		"--cgroup a/b",
		"--container abc",
		"-a --max-services 0",
		"-d 1",
		"-p",
		"-p abc",
		"-p -1",
		"-p 0",
		"-p 1,",
		"-p ,1",
		"-p 1,,2",
		"-p 1 2",
		"-p 1 -d -1",
		"-p 1 -d nan",
		"-p 1 -d inf",
		"-p 1 -d 1e9",
		"-p 1 -d 0",
		"-p 1 -i 0",
		"-p 1 -d 0x1",
		"-p 1 -d .",
		"-p 1 -d 1s",
		"-p 1 -d 99999999999",
		"-p 1 -d 1 -i 1.1",
		"-p 1 --max-peers=0",
		"-p 1 --max-peers=-1",
		"-p 1 --max-peers=x",
		"-p 1 --max-processes=99999999999999999999",
		"-p 1 --socket-set=magic",
		"--foo -p 1",
		"-x -p 1",
		"-p 1 --json=yes",
		"-p 1 --duration",
		"doctr",
		"-p 1 doctor",
		"-p 4194305",
		"-p 1 -d 1,5",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_wrong(lines[i]);
}

/* The build fails here where two options have the same key: one would do what the other says. */
static void test_keys_are_unique(void **state)
{
	(void)state;
	/* clang-format off */
	switch (0) {
#define GROUP(number, title)
#define OPTION(id, key, name, value, help) case (key):
#include "app/options.def"
#include "app/export_options.def"
#undef OPTION
#undef GROUP
	default:
		break;
	}
	/* clang-format on */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_are_unique),
		cmocka_unit_test(every_option_arrives),
		cmocka_unit_test(defaults_are_zero),
		cmocka_unit_test(each_process_counts_once),
		cmocka_unit_test(selectors_are_told_apart),
		cmocka_unit_test(the_last_format_wins),
		cmocka_unit_test(seconds_are_exact),
		cmocka_unit_test(wrong_lines_are_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
