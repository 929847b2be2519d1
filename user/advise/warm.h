/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request's CPU under full load, from what it took under the load that was observed.
 */
#ifndef IOPROF_ADVISE_WARM_H
#define IOPROF_ADVISE_WARM_H

#include "advise/kappa.h"
#include "model/snapshot.h"

/* What waking up on idle processors added to a request's CPU. */
struct warm_up {
	double wakes;	    /* so often per request */
	struct prior share; /* of its CPU, each 0..1; zeros: nothing, or not known */
};

/*
 * What one such wake-up costs this service, in seconds: as measured of Python services, and found
 * to hold for php-fpm. Of others nothing was measured: nothing is taken out.
 */
struct prior warm_cost(const struct service *service, const struct prior *calibrated);

/*
 * cpu_s: of a request, measured. utilisation: of the processors the service may use, by itself.
 * busy: of its workers' time, or NAN. each: as of warm_cost().
 */
struct warm_up warm_up_of(const struct service *service, double cpu_s, double utilisation,
			  double busy, const struct prior *each);

/* CPU that was measured becomes CPU under full load: times this, by the estimate or by a draw. */
double warm_factor(const struct prior *share, struct prng *prng);

#endif
