/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options that ask the advisor "what if": read, checked, and told what is wrong with them. */
#ifndef IOPROF_APP_WHAT_IF_H
#define IOPROF_APP_WHAT_IF_H

#include <argp.h>
#include <stdbool.h>

#include "advise/advice.h"

struct what_if {
	struct advice_opts opts;	       /* .connections: see what_if_opts() */
	struct connection_budget *connections; /* its addresses are its own */
	size_t n_connections;
	bool asked;	/* by any of the options */
	bool no_advice; /* and none of it */
};

/* Takes an option in. Returns 0, CLI_TOLD having said what is wrong, ENOMEM, or ARGP_ERR_UNKNOWN:
 * it is none of these. */
error_t what_if_parse(int key, const char *value, struct what_if *what_if);

/* Whether the options go together; says so if not. */
bool what_if_sound(const struct what_if *what_if);

/* For so many services in one report, each of so much time (0: one report at the end), so that what
 * is simulated fits. False: no advice is wanted. Valid as long as what_if. */
bool what_if_opts(const struct what_if *what_if, size_t n_services, uint64_t interval_ns,
		  struct advice_opts *ret_opts);

void what_if_free(struct what_if *what_if);

#endif
