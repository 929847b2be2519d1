/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metrics as OpenTelemetry reads them: an ExportMetricsServiceRequest in the JSON mapping of
 * OTLP 1, cumulative. Each service is a resource of its own, with service.name and host.name; what
 * concerns ioprof itself is the resource "ioprof". Names are ioprof.<name>, units s and s2: what
 * collectors make of them for Prometheus are the names of prometheus.h.
 */
#ifndef IOPROF_REPORT_OTLP_H
#define IOPROF_REPORT_OTLP_H

#include <stdio.h>

#include "report/metrics.h"

/* One line without its end. Returns 0, -ENOMEM or -EIO. */
int report_otlp(FILE *out, const struct metrics_source *source);

/* Of a receiver's answer: how many data points it did not take. 0 for what is no such answer. */
uint64_t otlp_rejected(const char *answer, size_t size);

#endif
