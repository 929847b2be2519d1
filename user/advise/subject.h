/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A service of a snapshot as the advisor's functions take it: the evidence with the exact sums
 * beside the sample, what its peers can do, the limits of more workers, its stack; and what had to
 * be taken for granted on the way. subject.c has the formulas.
 */
#ifndef IOPROF_ADVISE_SUBJECT_H
#define IOPROF_ADVISE_SUBJECT_H

#include "advise/advice.h"
#include "advise/evidence.h"
#include "advise/gain.h"
#include "advise/peer_fit.h"
#include "advise/sentences.h"
#include "advise/stack.h"
#include "advise/warm.h"

struct subject {
	const struct service *service;
	const struct advice_opts *opts;
	double duration_s, rate_per_s; /* of the interval; of requests completed in it */
	double seen;	     /* of the requests counted, the share that was observed, 0..1 */
	enum reason missing; /* what it lacks to be judged, or REASON_UNDEFINED: nothing */
	double busy;	     /* of its workers' time, 0..1; NAN: not known */
	bool loops;	     /* an event loop, alone or before a pool */
	struct evidence_sample evidence; /* its CPU is that under full load */
	struct warm_up warm;
	struct crowding crowding; /* but for cold_s */
	struct peer_fit *fits;	  /* one per peer */
	struct stack stack;
	struct gain_opts gain; /* points into this struct's own arrays */
	double *exact_peer_s, *pools;
	struct connection_limit *connections;
	struct sentences assumptions, what_if;
};

/*
 * Looks at services[service]; on success subject_done() it. It borrows the snapshot and the
 * options. Returns 0, -EINVAL (no such service, options out of range), -ENOMEM.
 */
int subject_of(const struct snapshot *s, size_t service, const struct advice_opts *opts,
	       struct subject *ret_subject);
void subject_done(struct subject *subject);

/* beside.c: what peers on this machine take of the service's processors. subject_of() calls it. */
void subject_beside(struct subject *subject);

/* How many event loops serve; one per serving process where that is not known. */
double subject_loops(const struct subject *s);

/* Mean over all requests, in seconds: all that an event loop could wait for meanwhile. */
double subject_wait_s(const struct subject *subject);

/* Several threads work on a request at once, for more than a tenth of its waits. */
bool subject_side_by_side(const struct subject *subject);

#endif
