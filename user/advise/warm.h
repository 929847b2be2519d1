/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request's CPU under full load, from what it took under the load that was observed.
 */
#ifndef IOPROF_ADVISE_WARM_H
#define IOPROF_ADVISE_WARM_H

#include <stdbool.h>

#include "advise/kappa.h"
#include "advise/pause_fit.h"
#include "model/snapshot.h"

/* How a service's processes run and sleep. */
struct rhythm {
	double per_s;	      /* requests, of one process */
	double cpu_s;	      /* of a request, as measured */
	double waits, wait_s; /* in a request: so often, and so long each until it runs again */
	double found_asleep;  /* share of requests that found a worker without work, 0..1 */
	double idle_s;	      /* of workers without work, per request; NAN: not known */
	bool alone;	      /* no other thread runs its process's code meanwhile */
};

/* What sleeping added to a request's CPU. */
struct warm_up {
	double slept_s;	      /* before a request that found its worker asleep, on average */
	struct prior share;   /* of its CPU, each 0..1, by sleeping before; zeros: nothing known */
	struct prior waits_s; /* seconds of its CPU by sleeping within */
	struct prior calls_s; /* of these, what waits of WAIT_CALIBRATED_S would not have added */
	struct prior each_s;  /* added by a sleep of 1 ms */
	bool measured;	      /* in this service; else each_s is a prior */
};

/*
 * What a sleep of 1 ms adds, in seconds, by what is known of Python services; taken to hold for
 * php-fpm. Of others nothing is known: zeros.
 */
struct prior warm_cost(const struct service *service);

/* What this service has shown of it, `seen` of whose requests were observed. */
struct pause_fit warm_fit(const struct service *service, double seen);

/* By what was measured, which is known; by a prior, as of warm_cost(). */
struct warm_up warm_up_measured(const struct rhythm *rhythm, const struct pause_fit *fit);
struct warm_up warm_up_of(const struct rhythm *rhythm, const struct prior *each);

/* What a burst of burst_s after a sleep of from_s takes more, or less, after one of to_s, where one
 * of 1 ms adds each_s. */
double warm_change(double each_s, double burst_s, double from_s, double to_s);

/* CPU that was measured becomes CPU under full load: times this, by the estimate or by a draw. */
double warm_factor(const struct prior *share, struct prng *prng);

#endif
