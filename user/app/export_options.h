/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of "ioprof export": those of observing, and where to export to. */
#ifndef IOPROF_APP_EXPORT_OPTIONS_H
#define IOPROF_APP_EXPORT_OPTIONS_H

#include <stdbool.h>

#include "app/listen.h"
#include "app/options.h"

/* Strings point into argv. */
struct export_options {
	struct options observe; /* .interval_ns is set */
	bool listen;
	struct listen_address address;
	const char *token_file; /* NULL: none; the same for the next ones */
	const char *textfile;
	const char *otlp_url;
	const char *jsonl; /* "-": standard output */
};

/* Only CLI_PARSED fills ret_options; export_options_free() them. */
enum cli_result export_options_parse(int argc, char **argv, struct export_options *ret_options);

void export_options_free(struct export_options *options);

#endif
