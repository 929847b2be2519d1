/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Advice for an export that goes on: what is exported is the advice on a window of intervals,
 * found anew every ADVISING_INTERVALS of them, and for the first time after ADVISING_FIRST. So it
 * costs little, and follows what the service does now.
 */
#ifndef IOPROF_APP_ADVISING_H
#define IOPROF_APP_ADVISING_H

#include "report/metrics.h"

#define ADVISING_FIRST 3
#define ADVISING_INTERVALS 30
/* Services with requests beyond these get none. */
#define ADVISING_SERVICES_MOST 32

struct advising {
	struct snapshot *window;
	unsigned int intervals; /* in it */
	struct service_advice advice[ADVISING_SERVICES_MOST];
	size_t n_advice;
	bool advised; /* at least once */
};

/* Frees what it owns. */
void advising_end(struct advising *advising);

/* Adds an interval, and finds the advice if it is due: by opts, but for how much is simulated. 0 or
 * -ENOMEM. */
int advising_add(struct advising *advising, const struct snapshot *s,
		 const struct advice_opts *opts);

#endif
