/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much to observe so that the probes stay within a share of the machine's processors. Plain
 * arithmetic on times that the caller gives.
 *
 * Everything is observed as long as what the probes may take adds up: what they do not take is kept
 * for later, up to `kept_ns` of observation's worth, since a short or modest burden is none. Once
 * that is used up, one part in so many of the time is observed, a power of two: as many as it
 * takes, and fewer again once half as many would leave a fifth to spare.
 */
#ifndef IOPROF_APP_BACKOFF_H
#define IOPROF_APP_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_MOST 1024 /* less than one part in so many is no observation */

struct backoff {
	double limit;		 /* CPU that the probes may take per time, both in ns */
	double balance_ns;	 /* CPU they may still take at once */
	double most_ns;		 /* of that */
	uint64_t at_ns, cost_ns; /* the last decision, and what they had taken until then */
	unsigned int one_in;	 /* 1: everything is observed */
};

void backoff_begin(struct backoff *b, double limit, uint64_t kept_ns, uint64_t now_ns,
		   uint64_t cost_ns);

/* Leaves the time until now out of account. */
void backoff_skip(struct backoff *b, uint64_t now_ns, uint64_t cost_ns);

/*
 * One part in how many to observe from now on, at which the probes have taken cost_ns in all. To be
 * asked after a second, or after some parts and the pauses between them. 0: even BACKOFF_MOST are
 * not enough.
 */
unsigned int backoff_decide(struct backoff *b, uint64_t now_ns, uint64_t cost_ns);

/* Whether half of what was kept is used up: time to do without what can be done without. */
bool backoff_is_strained(const struct backoff *b);

#endif
