/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording read back, snapshot by snapshot: what "ioprof record" wrote, or the lines that
 * "ioprof --json" printed, compressed or not.
 *
 * The file may hold anything. Of a damaged one the intact intervals are read, and what was left out
 * is counted. At any time at most one document is in memory (report/document.h says how large it
 * may be).
 */
#ifndef IOPROF_RECORD_RECORDING_H
#define IOPROF_RECORD_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "model/snapshot.h"

struct recording;

/* What could not be read so far. */
struct recording_damage {
	uint64_t parts;	 /* lines that are no sound document, pieces that cannot be uncompressed */
	char first[256]; /* why the first of them could not be; may hold foreign text */
	bool cut_off;	 /* the file ends within an interval */
	bool too_large;	 /* it was not read on behind a line that no ioprof wrote */
};

/* Reads from fd, which stays the caller's; from its start, where it has one. 0 or -ENOMEM. */
int recording_open(int fd, struct recording **ret_recording);
void recording_close(struct recording *recording);
void recording_closep(struct recording **recording);

/* The next intact interval: returns 1 and a snapshot the caller owns, 0 at the end, -ENOMEM, or
 * -errno of reading. */
int recording_next(struct recording *recording, struct snapshot **ret_snapshot);

/* Passes by an interval without looking into it, sound or not. 1, 0 at the end, -ENOMEM or -errno.
 */
int recording_skip(struct recording *recording);

const struct recording_damage *recording_damage(const struct recording *recording);

#endif
