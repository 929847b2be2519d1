/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Standard output, where everything asked for goes: reports, help, the findings of doctor. */
#ifndef IOPROF_APP_OUTPUT_H
#define IOPROF_APP_OUTPUT_H

#include "report/report.h"

/* What the terminal behind it can show; what is no terminal gets 80 columns and no colours. */
struct report_opts output_describe_terminal(void);

/* Writes a report and sees to it that it arrives: as JSON, or json NULL as text with this
 * advice. Returns 0 or -errno. */
int output_report(const struct snapshot *s, const struct json_opts *json,
		  const struct advice_opts *advice);

/*
 * To call after the last write to standard output: sees to it that it arrived. Returns the exit
 * status: done as given, or EXIT_STATUS_FAILED, having said why. A reader that closed its end has
 * what it wants and is told nothing.
 */
int output_end(int error, int done);

#endif
