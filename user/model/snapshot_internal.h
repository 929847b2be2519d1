/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the making of snapshots, their merging and their totals share. */
#ifndef IOPROF_MODEL_SNAPSHOT_INTERNAL_H
#define IOPROF_MODEL_SNAPSHOT_INTERNAL_H

#include <stddef.h>

#include "model/snapshot.h"

/*
 * Room for one more element behind n of them. Arrays grow by doubling, and a power of two is where
 * one is full, so the count alone says when to grow. Returns the array, moved perhaps, or NULL with
 * the old one still valid.
 */
void *snapshot_grow(void *array, size_t n, size_t element_size);

/* Appends a copy. Returns 0, or -ENOMEM with nothing changed. */
int snapshot_add_string(char ***strings, size_t *n_strings, const char *string);

/* Frees what a service owns. */
void service_done(struct service *service);

/* Adds everything of a service that is a number, but for what is blocked and its surroundings. 0,
 * or -ENOMEM with dst half merged. */
int service_merge_figures(struct service *dst, const struct service *src);

void blocked_merge(struct blocked *dst, const struct blocked *src);

/* Adds the cost of the probes. 0 or -ENOMEM. */
int snapshot_merge_programs(struct snapshot *dst, const struct snapshot *src);

#endif
