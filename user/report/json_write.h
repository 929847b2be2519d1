/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes a JSON value with the fewest digits that still give back the same numbers: jansson would
 * write 0.1 as 0.10000000000000001, or lose bits.
 */
#ifndef IOPROF_REPORT_JSON_WRITE_H
#define IOPROF_REPORT_JSON_WRITE_H

#include <jansson.h>
#include <stdio.h>

/* The value on one line, keys in the order they were set, and a newline. Returns 0 or -errno. */
int json_write_line(FILE *out, json_t *value);

#endif
