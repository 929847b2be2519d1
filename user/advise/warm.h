/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request's CPU under full load, from what it took under the load that was observed.
 */
#ifndef IOPROF_ADVISE_WARM_H
#define IOPROF_ADVISE_WARM_H

#include <stdbool.h>

#include "advise/kappa.h"
#include "model/snapshot.h"

/* How a service's processes run and sleep. */
struct rhythm {
	double per_s;	      /* requests, of one process */
	double cpu_s;	      /* of a request, as measured */
	double waits, wait_s; /* in a request: so often, and so long each, on average */
	double found_asleep;  /* share of requests that found a worker without work, 0..1 */
	double idle_s;	      /* of workers without work, per request; NAN: not known */
	bool alone;	      /* no other thread runs its process's code meanwhile */
};

/* What sleeping added to a request's CPU. */
struct warm_up {
	double slept_s;	      /* before a request that found its worker asleep, on average */
	struct prior share;   /* of its CPU, each 0..1, by sleeping before; zeros: nothing known */
	struct prior waits_s; /* seconds of its CPU by sleeping within */
	struct prior calls_s; /* of these, what waits of WARM_CALL_S each would not have added */
};

/* Calibrated costs of calls are of calls that wait so long. */
#define WARM_CALL_S 1e-3

/*
 * What waking up after 1 ms costs this service, in seconds: as measured of Python services, and
 * taken to hold for php-fpm, whose gains were further off without. Of others nothing was measured:
 * nothing is taken out.
 */
struct prior warm_cost(const struct service *service, const struct prior *calibrated);

/* each: as of warm_cost(). */
struct warm_up warm_up_of(const struct rhythm *rhythm, const struct prior *each);

/* CPU that was measured becomes CPU under full load: times this, by the estimate or by a draw. */
double warm_factor(const struct prior *share, struct prng *prng);

#endif
