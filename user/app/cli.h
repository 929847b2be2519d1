/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines: argp, with --help and --version for every command, and errors that are one line
 * with cause and fix.
 */
#ifndef IOPROF_APP_CLI_H
#define IOPROF_APP_CLI_H

#include <argp.h>

/* What parsers return for an error they have already told the user about. */
#define CLI_TOLD ECANCELED

enum cli_result {
	CLI_PARSED,   /* go on */
	CLI_ANSWERED, /* --help or --version: it is printed, nothing else to do */
	CLI_WRONG,    /* and the user knows why */
};

/*
 * Parses with argp, whose parser gets input in state->input. name is the command as the user types
 * it, "ioprof doctor"; argp's args_doc is the whole usage line.
 */
enum cli_result cli_parse(const char *name, const struct argp *argp, int argc, char **argv,
			  void *input);

#endif
