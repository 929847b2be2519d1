/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOPROF_REPORT_ABSENCE_H
#define IOPROF_REPORT_ABSENCE_H

#include "model/snapshot.h"

/* Why a service completed no requests, as far as the evidence tells, and what to do about it. */
const char *report_absence(const struct service *service);

#endif
