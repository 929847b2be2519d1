/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOPROF_REPORT_TEXT_ADVICE_H
#define IOPROF_REPORT_TEXT_ADVICE_H

#include "advise/advice.h"
#include "report/page.h"

/* The recommendation for a service and what it rests on; name NULL: there is only one. */
void text_advice(struct page *page, const char *name, const struct advice *advice);

#endif
