/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `ioprof calibrate` measured on a machine: costs in the place of the sourced defaults of
 * kappa.def, and where they are from. As JSON, written and read back.
 */
#ifndef IOPROF_REPORT_CALIBRATION_H
#define IOPROF_REPORT_CALIBRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "advise/kappa.h"

#define CALIBRATION_TEXT 96
#define CALIBRATION_COMPONENTS 32
/* A longer file is none of ours. */
#define CALIBRATION_MOST_BYTES 65536

struct calibration {
	char processor[CALIBRATION_TEXT]; /* costs hold on this kind of processor only */
	int64_t unix_s;			  /* when */
	struct prior costs[COST_COUNT];	  /* seconds; the default where it was not measured */
	bool measured[COST_COUNT];
	struct calibration_component {
		char name[CALIBRATION_TEXT], version[CALIBRATION_TEXT];
	} components[CALIBRATION_COMPONENTS]; /* what was found */
	size_t n_components;
};

/* Nothing measured: defaults. */
void calibration_init(struct calibration *c, const char *processor, int64_t unix_s);

/* How many costs are measured. */
size_t calibration_count(const struct calibration *c);

/*
 * Takes a line of what the measuring script says (user/app/calibrate/measure.py). Returns 0, or
 * -EBADMSG for what it cannot have said: then the calibration is as it was.
 */
int calibration_take(struct calibration *c, const char *line, size_t len);

/* One document, a line. Returns 0 or -errno. */
int calibration_write(FILE *out, const struct calibration *c);

/*
 * Reads a document back. Strict: what calibration_write() cannot have written is refused. Returns
 * 0, -ENOMEM, or -EBADMSG and in ret_why (static) what is wrong.
 */
int calibration_read(const char *text, size_t len, struct calibration *ret_calibration,
		     const char **ret_why);

#endif
