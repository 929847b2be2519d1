/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two observations side by side, as text and as one JSON document on one line. Returns as of
 * report.h. advice: what was predicted, and whether it came to be; NULL: none of that.
 */
#ifndef IOPROF_REPORT_DIFF_H
#define IOPROF_REPORT_DIFF_H

#include "model/diff.h"
#include "report/report.h"

int report_diff_text(FILE *out, const struct diff *diff, const struct report_opts *opts);
int report_diff_json(FILE *out, const struct diff *diff, const struct advice_opts *advice);

#endif
