/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The throughput of a closed queueing network: a fixed number of customers (workers, each with one
 * request at a time) that go round between stations (processors, peers, plain waits). Exact for
 * product-form networks, those without regular stations: what mean value analysis gives. model.md
 * 2.1.
 */
#ifndef IOPROF_ADVISE_CLOSED_NETWORK_H
#define IOPROF_ADVISE_CLOSED_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#define CLOSED_NETWORK_MAX_CUSTOMERS 10000

struct station {
	double demand_s; /* service time per request, all visits together, queueing not included */
	/* how many it serves at once; need not be whole (a quota of 1.5 processors); INFINITY: a
	 * delay without queue */
	double servers;
	/* 1 - the squared coefficient of variation of one visit's service, of stations that queue
	 * in order: 0 as random as exponential, 1 always the same */
	double regularity;
};

/*
 * Requests per second with this many customers and no pause between requests. Cost: customers for
 * two stations; for each further one the square of the customers that saturate those before it.
 * Returns 0, -EINVAL (a demand that is negative or not finite, servers not > 0, regularity
 * outside 0..1), -EDOM (no station with any demand: the throughput has no limit), -ERANGE (more
 * than CLOSED_NETWORK_MAX_CUSTOMERS), -ENOMEM.
 */
int closed_network_throughput(const struct station *stations, size_t n_stations, uint32_t customers,
			      double *ret_per_s);

/*
 * The bound that no network of these stations exceeds: the smaller of customers / sum of demands
 * and of servers / demand of each station. INFINITY when there is no demand.
 */
double closed_network_bound(const struct station *stations, size_t n_stations, uint32_t customers);

#endif
