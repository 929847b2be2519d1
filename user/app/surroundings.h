/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the observed services run on and are made of, for their snapshots: processors, quotas,
 * memory, components. docs/method.md says how each figure comes about.
 *
 * Cost: what quotas took is read at every call, a few small files. All else is read at most every
 * five seconds, of at most 64 processes per service and 256 in all, and stays until the next time.
 * The memory of interpreters is looked at when a service begins and again each time it has been
 * observed twice as long, of one process per program, with 0.1 s of CPU and 256 MB at a time for
 * all services together.
 */
#ifndef IOPROF_APP_SURROUNDINGS_H
#define IOPROF_APP_SURROUNDINGS_H

#include <stdbool.h>

#include "model/snapshot.h"

struct surroundings_reader;

/* no_modules: leaves the processes' memory alone. NULL when out of memory. */
struct surroundings_reader *surroundings_new(bool no_modules);
void surroundings_free(struct surroundings_reader *reader);

/*
 * To call when a service begins to be observed: quotas count from here on, and of a service that
 * ends before it is read again this is what is known. service: its place in snapshots. 0 or
 * -ENOMEM.
 */
int surroundings_begin(struct surroundings_reader *reader, size_t service, const pid_t *pids,
		       size_t n_pids);

/* Whether it has begun. */
bool surroundings_known(const struct surroundings_reader *reader, size_t service);

/* Fills in all but the backlog. 0 or -ENOMEM. */
int surroundings_fill(struct surroundings_reader *reader, struct snapshot *s);

#endif
