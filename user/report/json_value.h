/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What documents are made of, as JSON values. Each function returns a new value that the caller
 * owns, or NULL when out of memory; jansson's own functions take such a NULL and fail in turn.
 */
#ifndef IOPROF_REPORT_JSON_VALUE_H
#define IOPROF_REPORT_JSON_VALUE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "model/hist.h"

/* For owning locals: _cleanup_(json_value_freep). */
void json_value_freep(json_t **value);

json_t *json_value_integer(uint64_t n);

/* null for NAN and infinity, which JSON does not know. */
json_t *json_value_real(double x);

/* x / n, null for n 0. */
json_t *json_value_per(double x, uint64_t n);

/* A number of seconds. */
json_t *json_value_seconds(uint64_t ns);

/* n, null for 0: not known. */
json_t *json_value_known(uint64_t n);

/* Any bytes; those that are not UTF-8 become U+FFFD. NULL gives "". */
json_t *json_value_string(const char *bytes);

/* The same, but NULL gives null. */
json_t *json_value_string_or_null(const char *bytes);
json_t *json_value_strings(char *const *bytes, size_t n);

/* An object as docs/json.md describes under "Distributions". */
json_t *json_value_dist(const struct dist *d);

#endif
