/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of "ioprof -p PID" (options.def), read and checked as far as that is possible without
 * looking around. */
#ifndef IOPROF_APP_OPTIONS_H
#define IOPROF_APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/cli.h"
#include "app/selector.h"
#include "app/what_if.h"
#include "probe/probe.h"

struct options {
	pid_t *pids; /* each once, in the order given */
	size_t n_pids;
	struct selectors selectors;
	bool wait;	      /* for the selectors to select something */
	uint64_t duration_ns; /* 0: until told to end */
	uint64_t interval_ns; /* 0: one report at the end */
	bool json, text;      /* asked for; neither: the dashboard, where there is a terminal */
	bool no_traces;	      /* in the JSON */
	unsigned int max_peers, max_processes; /* 0: the probe's default */
	unsigned int max_services;	       /* of SELECTOR_ALL; 0: default */
	enum probe_socket_set socket_set;
	bool no_task_storage;
	bool no_module_scan;
	double max_overhead; /* share of all the machine's processors; 0: no limit */
	struct what_if what_if;
};

/* A command that takes most of these options, and some of its own. */
struct options_command {
	const char *name;		/* "ioprof export" */
	const char *usage, *doc;	/* as argp's args_doc, which is the whole usage, and doc */
	const struct argp_option *more; /* its own, ended by an empty one; keys as in options.def */
	/* Takes one of its own in: 0, CLI_TOLD, or an error number. */
	error_t (*parse)(int key, const char *value, void *input);
	void *input;	       /* for parse */
	unsigned int left_out; /* 1 << number of each group of options.def it does not take */
};

/* options_parse() for such a command. */
enum cli_result options_parse_command(const struct options_command *command, int argc, char **argv,
				      struct options *ret_options);

/* Only CLI_PARSED fills ret_options; options_free() them. */
enum cli_result options_parse(int argc, char **argv, struct options *ret_options);

void options_free(struct options *options);

#endif
