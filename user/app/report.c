/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "ioprof report FILE...": what recordings come to, as if it had been observed just now. */
#include <stdio.h>
#include <stdlib.h>

#include "app/calibration_file.h"
#include "app/cli.h"
#include "app/command.h"
#include "app/exit_status.h"
#include "app/output.h"
#include "app/what_if.h"
#include "app/recordings.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

enum { KEY_JSON = 0x100, KEY_TEXT, KEY_NO_TRACES }; /* below those of what_if.def */

static const struct argp_option options[] = {
	{"json", KEY_JSON, NULL, 0, "JSON, one document per line and host", 1},
	{"text", KEY_TEXT, NULL, 0, "Text for people (the default)", 1},
	{"no-traces", KEY_NO_TRACES, NULL, 0,
	 "Leave sampled requests out of the JSON, which makes it shorter", 1},
	{NULL, 0, NULL, 0, "What if (the advice at the end of the report):", 2},
#define OPTION(id, key, name, value, help) {name, key, value, 0, help, 2},
#include "app/what_if.def"
#undef OPTION
	{0},
};

static const char doc[] =
	"Reports what recordings come to: all intervals of a host summed up, services matched by name; one report per host. "
	"FILE is what 'ioprof record' or 'ioprof --json' wrote, on any machine; - is standard input."
	"\v"
	"Examples:\n"
	"  ioprof report monday.ioprof tuesday.ioprof\n"
	"  ssh web1 sudo ioprof -p 1234 -d 30 --json | ioprof report -\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage.\n"
	"More: man ioprof-report";

struct reporting {
	char **paths; /* as many as arguments at most */
	size_t n_paths;
	bool json;
	struct json_opts json_opts;
	struct what_if what_if;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct reporting *reporting = state->input;

	switch (key) {
	case KEY_JSON:
	case KEY_TEXT:
		reporting->json = key == KEY_JSON;
		return 0;
	case KEY_NO_TRACES:
		reporting->json_opts.no_traces = true;
		return 0;
	case ARGP_KEY_END:
		return what_if_sound(&reporting->what_if) ? 0 : CLI_TOLD;
	case ARGP_KEY_ARG:
		reporting->paths[reporting->n_paths++] = arg;
		return 0;
	default:
		return what_if_parse(key, arg, &reporting->what_if);
	}
}

/* Whose report follows. */
static void print_host(const struct gathered *host, bool first)
{
	_cleanup_free_ char *name = text_sanitize(host->sum->host ? host->sum->host : "?");

	(void)printf("%shost %s: %llu interval%s\n", first ? "" : "\n", name ? name : "?",
		     (unsigned long long)host->intervals, host->intervals == 1 ? "" : "s");
}

static int report(const struct gathering *gathering, const struct reporting *reporting)
{
	int r = 0;

	for (size_t i = 0; i < gathering->n_hosts && r == 0; i++) {
		const struct gathered *host = &gathering->hosts[i];
		struct json_opts json = reporting->json_opts;
		struct advice_opts what_if;
		const struct advice_opts *advice = NULL;

		if (what_if_opts(&reporting->what_if, host->sum->n_services, 0, &what_if))
			advice = &what_if;
		json.advice = advice;
		if (!reporting->json)
			print_host(host, i == 0);
		r = output_report(host->sum, reporting->json ? &json : NULL, advice);
	}
	return output_end(r, EXIT_STATUS_DONE);
}

static void reporting_done(struct reporting *reporting)
{
	what_if_free(&reporting->what_if);
}

int report_run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "ioprof report FILE... [OPTION...]",
		.doc = doc,
	};
	_cleanup_free_ char **paths = calloc((size_t)argc, sizeof(*paths));
	_cleanup_(gathering_done) struct gathering gathering = {0};
	_cleanup_(reporting_done) struct reporting reporting = {.paths = paths};
	struct calibration calibration;
	int status;

	if (!paths) {
		log_error("out of memory");
		return EXIT_STATUS_FAILED;
	}
	switch (cli_parse("ioprof report", &argp, argc, argv, &reporting)) {
	case CLI_PARSED:
		break;
	case CLI_ANSWERED:
		return output_end(0, EXIT_STATUS_DONE);
	case CLI_WRONG:
		return EXIT_STATUS_USAGE;
	}
	if (!reporting.n_paths) {
		log_error("no recording to report: use 'ioprof report FILE...'");
		return EXIT_STATUS_USAGE;
	}
	(void)calibration_file_use(&calibration, &reporting.what_if.opts);
	status = recordings_gather(paths, reporting.n_paths, &gathering);
	return status == EXIT_STATUS_DONE ? report(&gathering, &reporting) : status;
}
