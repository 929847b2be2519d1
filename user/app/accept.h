/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a client says it reads: the Accept header of HTTP. */
#ifndef IOPROF_APP_ACCEPT_H
#define IOPROF_APP_ACCEPT_H

#include <stdbool.h>

/*
 * Whether a client would rather have OpenMetrics 1.0.0 than Prometheus' text: it names it, in a
 * version we write, with a quality above that of the text. NULL, and what is no such header, says
 * no.
 */
bool accept_prefers_openmetrics(const char *accept);

#endif
