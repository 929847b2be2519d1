/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes a JSON value with the fewest digits that still give back the same numbers: jansson would
 * write 0.1 as 0.10000000000000001, or lose bits.
 */
#ifndef IOPROF_REPORT_JSON_WRITE_H
#define IOPROF_REPORT_JSON_WRITE_H

#include <jansson.h>
#include <stdio.h>

/* The value without line breaks, keys in the order they were set. Returns 0, -ENOMEM or -EIO; why
 * writing failed errno knows. */
int json_write(FILE *out, json_t *value);

/* An object's members without the braces. Keys are ours: nothing in them needs escaping. */
int json_write_members(FILE *out, json_t *object);

#endif
