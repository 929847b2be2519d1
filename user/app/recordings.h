/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The recordings a command was given, read as one, in the order of time. */
#ifndef IOPROF_APP_RECORDINGS_H
#define IOPROF_APP_RECORDINGS_H

#include <stddef.h>

#include "model/gather.h"
#include "record/recording.h"

/* Calls take with each interval, which owns it from then on; what is not 0 ends the reading. */
typedef int (*recordings_take_fn)(void *ctx, struct snapshot *s);

/*
 * Reads files ("-" is standard input) to their ends, the interval that began first first; at any
 * time one interval of each is in memory. Says what is wrong with them. Returns EXIT_STATUS_DONE if
 * every file had an intact interval, another exit status if not, or what take returned.
 */
int recordings_read(char *const *paths, size_t n, recordings_take_fn take, void *ctx);

/* Says what was wrong with a file of which so many intervals were intact; EXIT_STATUS_FAILED for
 * none. */
int recordings_tell(const char *path, const struct recording_damage *damage, uint64_t intervals);

/* Reads all of it into an empty gathering, and says what counts twice. Returns an exit status,
 * having said why. */
int recordings_gather(char *const *paths, size_t n, struct gathering *gathering);

#endif
