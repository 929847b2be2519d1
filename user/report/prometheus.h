/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metrics as Prometheus reads them: its text format 0.0.4, or OpenMetrics 1.0.0. Names are
 * ioprof_<name>[_<unit>][_total]. Figures are exact: nanoseconds become seconds digit by digit.
 */
#ifndef IOPROF_REPORT_PROMETHEUS_H
#define IOPROF_REPORT_PROMETHEUS_H

#include <stdbool.h>
#include <stdio.h>

#include "report/metrics.h"

#define PROMETHEUS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define PROMETHEUS_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Returns 0, -ENOMEM or -EIO. */
int report_prometheus(FILE *out, const struct metrics_source *source, bool openmetrics);

#endif
