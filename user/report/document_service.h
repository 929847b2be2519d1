/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOPROF_REPORT_DOCUMENT_SERVICE_H
#define IOPROF_REPORT_DOCUMENT_SERVICE_H

#include "model/snapshot.h"
#include "report/json_cursor.h"

/*
 * Reads an element of services[] into an empty service. peers_left: how many peers it may have,
 * which is lowered by as many as it has. Failures are the cursor's; what was read is the service's.
 */
void document_read_service(const struct json_cursor *from, struct service *service,
			   size_t *peers_left);

/* Reads a distribution. */
void document_read_dist(const struct json_cursor *object, const char *name, struct dist *dist);

/* Copies a member of an object that is a string; a string or null. NULL is null, or a failure. */
char *document_read_string(const struct json_cursor *object, const char *name);
char *document_read_string_or_null(const struct json_cursor *object, const char *name);

/* Calls add with each string of a list. */
void document_read_strings(const struct json_cursor *object, const char *name,
			   int (*add)(void *ctx, const char *string), void *ctx);

/* Reads services[].traces; the service has its peers already. */
void document_read_traces(const struct json_cursor *service_from, struct service *service);

#endif
