/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOPROF_REPORT_JSON_ADVICE_H
#define IOPROF_REPORT_JSON_ADVICE_H

#include <jansson.h>

#include "advise/advice.h"

/* The member "advice" of a service: docs/json.md. The caller owns it; NULL when out of memory. */
json_t *json_advice(const struct advice *advice);

#endif
