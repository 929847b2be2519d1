/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to observe, said by a property instead of PIDs: the options --comm, --port and their like.
 */
#ifndef IOPROF_APP_SELECTOR_H
#define IOPROF_APP_SELECTOR_H

#include <stddef.h>

#include "app/cli.h"

enum selector_kind {
	SELECTOR_COMM,
	SELECTOR_CGROUP,
	SELECTOR_UNIT,
	SELECTOR_CONTAINER,
	SELECTOR_PORT,
	SELECTOR_ALL,
	SELECTOR_KIND_COUNT
};

/* All it selects is one service; of SELECTOR_ALL, one per unit, container or process tree. */
struct selector {
	enum selector_kind kind;
	char *text;	   /* as given; empty of SELECTOR_ALL */
	unsigned int port; /* of SELECTOR_PORT */
};

struct selectors {
	struct selector *items; /* each once, in the order given, SELECTOR_ALL last */
	size_t n;
};

/* Takes a selector in. 0, CLI_TOLD, or ENOMEM. */
error_t selectors_add(struct selectors *selectors, enum selector_kind kind, const char *text);

void selectors_free(struct selectors *selectors);

/* The option a kind is asked for by: "comm". */
const char *selector_option(enum selector_kind kind);

#endif
