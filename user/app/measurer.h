/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the measuring script (calibrate/measure.py) with no privileges: as the invoking user, or as
 * nobody where that one is root; in a folder of its own that is gone afterwards; bounded in time,
 * memory and size of files. Nothing of it outlives the call, nor this process.
 */
#ifndef IOPROF_APP_MEASURER_H
#define IOPROF_APP_MEASURER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct measurer_opts {
	const char *python; /* the interpreter's path */
	bool quick;
	/* for each line the script says, without its end */
	void (*take)(void *ctx, const char *line, size_t len);
	void *ctx;
};

enum measurer_end {
	MEASURER_DONE,
	MEASURER_NO_PYTHON, /* the interpreter cannot be run */
	MEASURER_FAILED,    /* it ended in an error */
	MEASURER_TOO_LONG,  /* and was ended */
	MEASURER_NO_FOLDER, /* nowhere to work in */
};

/* The user the script runs as. */
uid_t measurer_uid(void);

/* Returns 0 and how it ended, or -errno. */
int measurer_run(const struct measurer_opts *opts, enum measurer_end *ret_end);

#endif
