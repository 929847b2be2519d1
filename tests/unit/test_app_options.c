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
			       "--socket-set=fexit --no-task-storage --no-module-scan --pid=13",
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
	assert_true(o.no_module_scan);
}

static void what_if_arrives(void **state)
{
	_cleanup_(options_free) struct options o = {0};
	struct advice_opts a;

	(void)state;
	assert_int_equal(parse("-p 11 --target=uvloop --workers=7 --threads 3 --cpu-factor=0.5 "
			       "--memory-budget=1.5G --max-connections=unix:/a=b=20 "
			       "--max-connections=10.0.0.1:5432=1 --slo-p99=.25 --seed=9",
			       &o),
			 CLI_PARSED);
	assert_true(what_if_opts(&o.what_if, 1, 0, &a));
	assert_int_equal(a.target, TARGET_UVLOOP);
	assert_int_equal(a.workers, 7);
	assert_int_equal(a.threads, 3);
	assert_true(a.cpu_factor == .5);
	assert_true(a.memory_budget_bytes == 1.5 * 1024 * 1024 * 1024);
	assert_int_equal(a.n_connections, 2);
	assert_string_equal(a.connections[0].address, "unix:/a=b");
	assert_int_equal(a.connections[0].connections, 20);
	assert_string_equal(a.connections[1].address, "10.0.0.1:5432");
	assert_true(a.slo_p99_s == .25);
	assert_int_equal(a.seed, 9);
	/* A report a second leaves a fifth of the time, two services half of that each. */
	assert_int_equal(a.simulated, 40000);
	assert_true(what_if_opts(&o.what_if, 2, 1000000000, &a));
	assert_int_equal(a.simulated, 4000);
}

static void no_advice(void **state)
{
	_cleanup_(options_free) struct options o = {0};
	struct advice_opts a;

	(void)state;
	assert_int_equal(parse("-p 11 --no-advice", &o), CLI_PARSED);
	assert_false(what_if_opts(&o.what_if, 1, 0, &a));
}

static void absurd_what_ifs_are_refused(void **state)
{
	static const char *const lines[] = {
		"-p 11 --target=rust",
		"-p 11 --workers=0",
		"-p 11 --workers=-1",
		"-p 11 --workers=1e3",
		"-p 11 --workers=10001",
		"-p 11 --threads=x",
		"-p 11 --workers=5000 --threads=5000",
		"-p 11 --cpu-factor=0",
		"-p 11 --cpu-factor=nan",
		"-p 11 --cpu-factor=0x1",
		"-p 11 --cpu-factor=-1",
		"-p 11 --cpu-factor=1e9",
		"-p 11 --memory-budget=0",
		"-p 11 --memory-budget=1",
		"-p 11 --memory-budget=1Q",
		"-p 11 --memory-budget=1GB",
		"-p 11 --memory-budget=99999999T",
		"-p 11 --memory-budget=inf",
		"-p 11 --max-connections=20",
		"-p 11 --max-connections==20",
		"-p 11 --max-connections=a:1=0",
		"-p 11 --max-connections=a:1=x",
		"-p 11 --max-connections=a:1=2 --max-connections=a:1=3",
		"-p 11 --slo-p99=0",
		"-p 11 --slo-p99=-1",
		"-p 11 --seed=-1",
		"-p 11 --seed=1.5",
		"-p 11 --no-advice --seed=1",
		"-p 11 --target=threads --threads=1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_wrong(lines[i]);
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
		cmocka_unit_test(what_if_arrives),
		cmocka_unit_test(no_advice),
		cmocka_unit_test(absurd_what_ifs_are_refused),
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
