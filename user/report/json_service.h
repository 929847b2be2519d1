/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOPROF_REPORT_JSON_SERVICE_H
#define IOPROF_REPORT_JSON_SERVICE_H

#include <jansson.h>

#include "report/report.h"

/* An element of services[]: docs/json.md. The caller owns it; NULL when out of memory. */
json_t *json_service(const struct snapshot *s, const struct service *service,
		     const struct json_opts *opts);

#endif
