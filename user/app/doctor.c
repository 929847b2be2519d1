/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "ioprof doctor": a line for each thing "ioprof -p" depends on, found by trying it. */
#include <stdio.h>

#include "app/cli.h"
#include "app/command.h"
#include "app/exit_status.h"
#include "app/output.h"
#include "base/log.h"
#include "probe/probe.h"

/* Columns of what is checked; longer words push their line out of step, nothing else. */
#define WHAT_COLUMNS 30

static const char doc[] =
	"Shows what this kernel and this user allow, by trying; for what fails the cause and the fix."
	"\v"
	"Exit status: 0 if 'ioprof -p PID' works here; else what it would end with: 3 not permitted, 4 the kernel lacks a feature, 1 something else.";

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	(void)state;
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	log_error("doctor takes no argument: leave out '%s'", arg);
	return CLI_TOLD;
}

/* A probe_check_fn. Of what is not needed a failure is worth a note only. */
static void print_check(void *ctx, bool ok, bool needed, const char *what, const char *found,
			const char *fix)
{
	const char *verdict = ok ? "ok" : needed ? "FAIL" : "note";

	(void)ctx;
	(void)printf("%-4s  %-*s  %s\n", verdict, WHAT_COLUMNS, what, found);
	if (fix)
		(void)printf("%-4s  %-*s  %s%s\n", "", WHAT_COLUMNS, "", needed ? "fix: " : "",
			     fix);
}

int doctor_run(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse_option, .args_doc = "ioprof doctor", .doc = doc};
	int status;

	switch (cli_parse("ioprof doctor", &argp, argc, argv, NULL)) {
	case CLI_PARSED:
		break;
	case CLI_ANSWERED:
		return output_end(0, EXIT_STATUS_DONE);
	case CLI_WRONG:
		return EXIT_STATUS_USAGE;
	}
	status = probe_check(print_check, NULL);
	(void)printf(status ? "'ioprof -p PID' does not work here: see FAIL above.\n"
			    : "'ioprof -p PID' works here.\n");
	return output_end(0, status);
}
