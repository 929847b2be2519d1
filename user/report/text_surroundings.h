/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a service runs on and is made of, in the text report. */
#ifndef IOPROF_REPORT_TEXT_SURROUNDINGS_H
#define IOPROF_REPORT_TEXT_SURROUNDINGS_H

#include "model/snapshot.h"
#include "report/page.h"

/* A line, nothing where nothing is known. */
void text_surroundings(struct page *page, const struct service *service);

#endif
