/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a peer can do, as far as its client can see: model.md 2.4; peer_fit.c says how. */
#ifndef IOPROF_ADVISE_PEER_FIT_H
#define IOPROF_ADVISE_PEER_FIT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/snapshot.h"

enum peer_fit_kind {
	PEER_FIT_UNKNOWN,   /* too few operations */
	PEER_FIT_FLAT,	    /* never seen slower: no limit known, only what was demonstrated */
	PEER_FIT_KNEE,	    /* seen both below and above its limit: k servers, S seconds each */
	PEER_FIT_SATURATED, /* always above its limit: k / S is known, S is not */
	PEER_FIT_HIGH_ONLY, /* no fast end seen, nor the same rate throughout: measure off-peak */
	PEER_FIT_KIND_COUNT
};

struct peer_fit {
	enum peer_fit_kind kind;
	/* S; the least latency seen, so an upper bound of S, unless FLAT or KNEE; NAN if unknown */
	double service_s;
	double servers;	       /* k, at least this many unless KNEE; INFINITY never; 0 unknown */
	double capacity_per_s; /* k / S; INFINITY when no limit was seen */
	double demonstrated_per_s; /* the highest rate seen, by Little: n / R(n); 0 unknown */
	uint32_t most_in_flight;   /* where it was seen */
	bool minor;	       /* too little of a request to matter: set by who knows the request */
	double mean_latency_s; /* over all operations; NAN without any */
	double regularity;     /* of its service, as in closed_network.h; 0 unless KNEE */
};

/*
 * Fits operations by the number in flight as they began. most_in_flight: there can never have been
 * more, one per worker; 0: not known. deviation_s: the standard deviation of all their latencies;
 * INFINITY: not known.
 */
struct peer_fit peer_fit(const struct peer_load loads[IOP_IN_FLIGHT_BINS], uint32_t most_in_flight,
			 double deviation_s);

/*
 * How far beyond what was demonstrated a rate is: 1 when it was seen or the limit is known, else
 * rate / demonstrated; INFINITY when nothing is known.
 */
double peer_fit_extrapolation(const struct peer_fit *fit, double per_s);

#endif
