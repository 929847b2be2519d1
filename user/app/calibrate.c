/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "ioprof calibrate": what runtimes, servers and client libraries cost on this machine. */
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/measurer.h"
#include "app/calibration_file.h"
#include "app/cli.h"
#include "app/command.h"
#include "app/exit_status.h"
#include "app/output.h"
#include "app/output_file.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "target/target.h"

#define DEFAULT_PYTHON "/usr/bin/python3"
#define US 1e6

enum { KEY_QUICK = 0x100, KEY_SHOW, KEY_PYTHON };

static const struct argp_option options[] = {
	{"quick", KEY_QUICK, NULL, 0,
	 "Within 5 seconds: gunicorn with requests and uvicorn with aiohttp only, less exactly", 0},
	{"python", KEY_PYTHON, "FILE", 0,
	 "The interpreter of the services, of a virtual environment perhaps (default " DEFAULT_PYTHON
	 ")",
	 0},
	{"show", KEY_SHOW, NULL, 0, "Show what was measured last, and measure nothing", 0},
	{0},
};

static const char doc[] =
	"Measures what runtimes, servers, frameworks and client libraries cost in CPU time on this machine, in about 20 seconds, for the advice of 'ioprof -p PID'. Without it, sourced default costs are used."
	"\v"
	"Runs without privileges, as the user who calls it (under sudo, who called that; for root itself, nobody), and loads two processors. Run it while the machine is idle.";

struct calibrate_opts {
	bool quick, show;
	const char *python;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct calibrate_opts *opts = state->input;

	switch (key) {
	case KEY_QUICK:
		opts->quick = true;
		return 0;
	case KEY_SHOW:
		opts->show = true;
		return 0;
	case KEY_PYTHON:
		opts->python = arg;
		return 0;
	case ARGP_KEY_ARG:
		log_error("calibrate takes no argument: leave out '%s'", arg);
		return CLI_TOLD;
	case ARGP_KEY_END:
		if (!opts->show || (!opts->quick && !opts->python))
			return 0;
		log_error("--show measures nothing: leave out --quick and --python");
		return CLI_TOLD;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Times in words of the user's own time zone. */
static void print_when(int64_t unix_s)
{
	time_t when = unix_s;
	struct tm tm;
	char text[64];

	if (localtime_r(&when, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M %Z", &tm))
		(void)printf(", %s", text);
}

static void print_sanitized(const char *foreign)
{
	_cleanup_free_ char *text = text_sanitize(foreign);

	(void)printf("%s", text ? text : "?");
}

static void print_calibration(const struct calibration *c)
{
	(void)printf("Measured on ");
	print_sanitized(c->processor);
	print_when(c->unix_s);
	(void)printf("\nFound");
	for (size_t i = 0; i < c->n_components; i++) {
		(void)printf("%s ", i ? "," : "");
		print_sanitized(c->components[i].name);
		(void)printf(" ");
		print_sanitized(c->components[i].version);
	}
	(void)printf("\n\n%-44s %10s %12s\n", "CPU time, in microseconds", "estimate",
		     "90 % interval");
	for (enum cost cost = 0; cost < COST_COUNT; cost++) {
		const struct prior *p = &c->costs[cost];

		if (c->measured[cost])
			(void)printf("%-44s %10.1f   %.1f to %.1f\n", cost_name(cost),
				     p->estimate * US, p->lo * US, p->hi * US);
	}
	(void)printf(
		"\nPer operation, above that of a blocking socket; per request of a server and a framework; per call of a client library.\n");
}

static int show(const char *path)
{
	struct calibration c;
	const char *why = NULL;
	int r = calibration_file_read(path, &c, &why);

	if (r == -ENOENT) {
		log_error("there is no calibration at %s: run 'ioprof calibrate'", path);
		return EXIT_STATUS_FAILED;
	}
	if (r < 0) {
		log_error("%s cannot be used: %s; run 'ioprof calibrate'", path, why);
		return EXIT_STATUS_FAILED;
	}
	print_calibration(&c);
	return output_end(0, EXIT_STATUS_DONE);
}

struct taking {
	struct calibration calibration;
	bool progress, refused;
};

static void take(void *ctx, const char *line, size_t len)
{
	struct taking *taking = ctx;

	if (calibration_take(&taking->calibration, line, len) < 0)
		taking->refused = true;
	if (taking->progress)
		log_progress("calibrate: %zu costs measured",
			     calibration_count(&taking->calibration));
}

static int tell_end(enum measurer_end end, const char *python)
{
	switch (end) {
	case MEASURER_DONE:
		return EXIT_STATUS_DONE;
	case MEASURER_NO_PYTHON:
		log_error("cannot run %s: install python3, or name one by --python", python);
		return EXIT_STATUS_FAILED;
	case MEASURER_TOO_LONG:
		log_error("measuring takes too long: try again while the machine is idle");
		return EXIT_STATUS_FAILED;
	case MEASURER_NO_FOLDER:
		log_error("cannot make a folder in /tmp: make room there");
		return EXIT_STATUS_FAILED;
	case MEASURER_FAILED:
	default:
		log_error("measuring failed: try 'ioprof calibrate --quick', or another --python");
		return EXIT_STATUS_FAILED;
	}
}

static int measure(const struct calibrate_opts *opts, struct calibration *ret_calibration)
{
	_cleanup_free_ char *processor = NULL;
	struct taking taking = {.progress = isatty(STDERR_FILENO)};
	const struct measurer_opts run = {
		.python = opts->python ? opts->python : DEFAULT_PYTHON,
		.quick = opts->quick,
		.take = take,
		.ctx = &taking,
	};
	enum measurer_end end = MEASURER_FAILED;
	int status, r = target_processor(&processor);

	if (r == 0) {
		calibration_init(&taking.calibration, processor, time(NULL));
		r = measurer_run(&run, &end);
	}
	if (taking.progress)
		log_progress_end();
	if (r < 0) {
		log_error("cannot measure: %s", strerror(-r));
		return EXIT_STATUS_FAILED;
	}
	status = tell_end(end, run.python);
	if (status)
		return status;
	if (taking.refused || calibration_count(&taking.calibration) == 0) {
		log_error("what was measured cannot be: try again while the machine is idle");
		return EXIT_STATUS_FAILED;
	}
	*ret_calibration = taking.calibration;
	return EXIT_STATUS_DONE;
}

static int store(const char *path, const struct calibration *c)
{
	int r = calibration_file_write(path, c);

	if (r < 0) {
		log_error("cannot write %s: %s", path, output_file_explain(r));
		return EXIT_STATUS_FAILED;
	}
	print_calibration(c);
	(void)printf("\nSaved in %s; the advice of 'ioprof -p PID' uses it from now on.\n", path);
	return output_end(0, EXIT_STATUS_DONE);
}

int calibrate_run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "ioprof calibrate [--quick] [--python FILE] | --show",
		.doc = doc,
	};
	_cleanup_free_ char *path = NULL;
	struct calibrate_opts opts = {0};
	struct calibration calibration;
	int status;

	switch (cli_parse("ioprof calibrate", &argp, argc, argv, &opts)) {
	case CLI_PARSED:
		break;
	case CLI_ANSWERED:
		return output_end(0, EXIT_STATUS_DONE);
	case CLI_WRONG:
		return EXIT_STATUS_USAGE;
	}
	if (calibration_file_path(&path) < 0) {
		log_error("there is no place for the calibration: set XDG_CONFIG_HOME");
		return EXIT_STATUS_FAILED;
	}
	if (opts.show)
		return show(path);
	status = measure(&opts, &calibration);
	return status ? status : store(path, &calibration);
}
