/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes the selectors select, now and later: each look finds those that have come and
 * lets them join their service. Processes that have joined stay, with all they start. ioprof itself
 * and what it started is never selected.
 */
#ifndef IOPROF_APP_SELECTION_H
#define IOPROF_APP_SELECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "app/selector.h"
#include "app/surroundings.h"
#include "probe/probe.h"

struct selection;

/* How many services of the probe the selectors take; of SELECTOR_ALL: max_services. */
unsigned int selection_services(const struct selectors *selectors, unsigned int max_services);

/* Adds a service for each selector. The other arguments stay the caller's and outlive it. 0 or
 * -errno. */
int selection_new(const struct selectors *selectors, struct probe *probe,
		  struct surroundings_reader *surroundings, struct selection **ret_selection);
void selection_free(struct selection *selection);

/* Looks. 0 or -errno. */
int selection_look(struct selection *selection);

/* The first selector that has not selected anything yet; NULL if each has. */
const struct selector *selection_missing(const struct selection *selection);

/* Whether any selector has selected something. */
bool selection_found(const struct selection *selection);

#endif
