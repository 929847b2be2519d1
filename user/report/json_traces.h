/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOPROF_REPORT_JSON_TRACES_H
#define IOPROF_REPORT_JSON_TRACES_H

#include <jansson.h>

#include "model/trace.h"

/* services[].traces of docs/json.md; NULL gives those of a sample that holds nothing. The caller
 * owns it; NULL when out of memory. */
json_t *json_traces(const struct traces *traces);

#endif
