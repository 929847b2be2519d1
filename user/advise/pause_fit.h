/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a request costs in CPU when its process did not pause before it, and what a pause adds, from
 * the requests that were observed after pauses of all lengths. pause_fit.c has the model.
 */
#ifndef IOPROF_ADVISE_PAUSE_FIT_H
#define IOPROF_ADVISE_PAUSE_FIT_H

#include <stdbool.h>

#include "advise/kappa.h"
#include "model/snapshot.h"

struct pause_fit {
	bool known;	     /* else nothing below is */
	double mean_s;	     /* CPU of a request as observed, on average */
	double pause_s;	     /* mean of the pauses before requests that had one; 0: none had */
	struct prior full_s; /* CPU of a request whose process never pauses */
	struct prior each_s; /* added by a pause of 1 ms, above what waking up takes */
};

/* What is believed of a service before it is observed: means and their standard deviations. */
struct pause_prior {
	double each_s, each_deviation_s; /* added by a pause of 1 ms */
	double wake_s, wake_deviation_s; /* added by any pause */
};

/*
 * pauses: IOP_PAUSE_BINS of them, of which the share `seen`, 0..1, was observed (the rest is scaled
 * up from these). Too few requests, or figures that cannot be: not known.
 */
struct pause_fit pause_fit(const struct pause *pauses, double seen,
			   const struct pause_prior *prior);

#endif
