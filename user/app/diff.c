/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "ioprof diff BEFORE AFTER": what changed, and whether it is more than chance. */
#include <stdio.h>
#include <string.h>

#include "app/calibration_file.h"
#include "app/cli.h"
#include "app/command.h"
#include "app/exit_status.h"
#include "app/output.h"
#include "app/recordings.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "report/diff.h"

enum { KEY_JSON = 0x100, KEY_TEXT };

static const struct argp_option options[] = {
	{"json", KEY_JSON, NULL, 0, "One JSON document", 1},
	{"text", KEY_TEXT, NULL, 0, "Text for people (the default)", 1},
	{0},
};

static const char doc[] =
	"Compares two recordings: every figure before and after, the difference with its 99 % interval, and whether that is more than chance. "
	"Services are matched by name and host; one service in each file is compared whatever it is called."
	"\v"
	"Example:\n"
	"  ioprof diff gunicorn.ioprof uvicorn.ioprof\n"
	"\n"
	"Exit status: 0 done, whatever the difference; 1 failed, 2 wrong usage.\n"
	"More: man ioprof-diff";

struct comparing {
	char *paths[2];
	size_t n_paths;
	bool json;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct comparing *comparing = state->input;

	switch (key) {
	case KEY_JSON:
	case KEY_TEXT:
		comparing->json = key == KEY_JSON;
		return 0;
	case ARGP_KEY_ARG:
		if (comparing->n_paths == 2) {
			log_error("diff takes two recordings: leave out '%s'", arg);
			return CLI_TOLD;
		}
		comparing->paths[comparing->n_paths++] = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int compare(const struct comparing *comparing)
{
	_cleanup_(gathering_done) struct gathering before = {0}, after = {0};
	_cleanup_(diff_done) struct diff diff = {0};
	struct report_opts terminal = output_describe_terminal();
	struct calibration calibration;
	struct advice_opts advice = {0};
	int status, r;

	status = recordings_gather(&comparing->paths[0], 1, &before);
	if (status == EXIT_STATUS_DONE)
		status = recordings_gather(&comparing->paths[1], 1, &after);
	if (status != EXIT_STATUS_DONE)
		return status;
	r = diff_match(&before, &after, &diff);
	if (r == 0 && !diff.n_pairs) {
		log_error(
			"the recordings have no service in common: record the same service, or one alone in each");
		status = EXIT_STATUS_FAILED;
	}
	(void)calibration_file_use(&calibration, &advice);
	terminal.advice = &advice;
	if (r == 0)
		r = comparing->json ? report_diff_json(stdout, &diff, &advice)
				    : report_diff_text(stdout, &diff, &terminal);
	return output_end(r, status);
}

int diff_run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "ioprof diff BEFORE AFTER [OPTION...]",
		.doc = doc,
	};
	struct comparing comparing = {0};

	switch (cli_parse("ioprof diff", &argp, argc, argv, &comparing)) {
	case CLI_PARSED:
		break;
	case CLI_ANSWERED:
		return output_end(0, EXIT_STATUS_DONE);
	case CLI_WRONG:
		return EXIT_STATUS_USAGE;
	}
	if (comparing.n_paths != 2) {
		log_error("two recordings are compared: use 'ioprof diff BEFORE AFTER'");
		return EXIT_STATUS_USAGE;
	}
	return compare(&comparing);
}
