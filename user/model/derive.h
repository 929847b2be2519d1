/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What follows from a snapshot by a formula. Each formula and its source: docs/method.md.
 * All functions are pure and total: where a figure is undefined (no requests, no CPU) they return
 * NAN, which outputs show as "-" and null.
 */
#ifndef IOPROF_MODEL_DERIVE_H
#define IOPROF_MODEL_DERIVE_H

#include "model/snapshot.h"

struct blocking {
	/* B = overlappable wait / CPU, sums over completed requests: model.md 1.2, "strict" */
	double ratio;
	double ratio_loose; /* the same with disk waits */
	double fraction;    /* B / (1 + B), Subramaniam's blocking coefficient */
	/* 95 % interval of ratio, by the delta method for a ratio of sums; lo >= 0 */
	double lo, hi;
};

/*
 * Overlappable: network, sleep and child waits, and of the overlapped time what an operation was
 * outstanding.
 */
void derive_blocking(const struct service *service, struct blocking *ret_blocking);

/*
 * Share of the requests' service time accounted for: (all parts but unattributed - counted twice) /
 * service time.
 */
double derive_closure(const struct service *service);

/* The same over all services of the snapshot. */
double derive_snapshot_closure(const struct snapshot *s);

/*
 * The share of the requests' waits, locks left out, that makes them longer: less than 1 where
 * several threads work on one side by side, run queues being as much beside each other as waits.
 */
double derive_apart(const struct service *service);

/* Of the completed requests, how many were measured: all, or the sample that they are estimated
 * from. */
uint64_t derive_requests_seen(const struct snapshot *s, const struct service *service);

/* Requests per second; requests in flight on average (Little: rate x mean latency). */
double derive_rate_per_s(const struct snapshot *s, const struct service *service);
double derive_in_flight(const struct snapshot *s, const struct service *service);

/* Share of the workers' time that was not spent waiting for work, 0..1. */
double derive_busy_fraction(const struct service *service);

/* Whether the threads that read requests leave most of the work, and the waiting, to others. */
bool derive_handed_over(const struct service *service);

/* Which concurrency model the evidence proves. concurrency.c says by which rules. */
enum concurrency derive_concurrency(const struct service *service);

/* CPU seconds all probes took in the interval, NAN if the kernel keeps no statistics. */
double derive_probe_cpu_s(const struct snapshot *s);

#endif
