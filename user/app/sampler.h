/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the probes within --max-overhead: decides when the probe's windows open and close.
 *
 * Sampled, a window is opened once in each period, at a random place in it, so that nothing
 * periodic in the service is hit or missed each time. How long it takes in requests depends on
 * neither their number nor their length; nor does, but over many periods, how long the period is.
 * So every request has the same chance to be seen.
 */
#ifndef IOPROF_APP_SAMPLER_H
#define IOPROF_APP_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "advise/prng.h"
#include "app/backoff.h"
#include "model/snapshot.h"
#include "probe/probe.h"

enum sampler_state {
	SAMPLER_OFF,	   /* no limit */
	SAMPLER_WHOLE,	   /* a window without end is open */
	SAMPLER_TAKING,	   /* one with an end is */
	SAMPLER_FINISHING, /* its requests end */
	SAMPLER_PAUSING,   /* none is open */
};

struct sampler {
	struct probe *probe;
	struct backoff backoff;
	struct prng prng;
	enum sampler_state state;
	uint64_t due_ns;      /* when to call sampler_run() next, monotonic; 0: not */
	uint64_t opened_ns;   /* the window */
	uint64_t sample_ns;   /* how long it takes in requests */
	unsigned int periods; /* begun since the last decision */
	uint64_t poll_ns, patience_ns;
	uint64_t queue_wait_ns; /* the longest of late */
};

/* limit: share of all the machine's processors; kept_ns: see backoff.h. 0 or -errno. */
int sampler_begin(struct sampler *sampler, struct probe *probe, double limit, uint64_t kept_ns);

/*
 * Does what is due. Returns 1 when a window has closed: now is the time to read the probe; 0;
 * -EBUSY when no sample is small enough; -errno.
 */
int sampler_run(struct sampler *sampler);

/* Whether the probe is to be read when a window has closed, and at the end, only. */
bool sampler_samples(const struct sampler *sampler);

/* Tells of a snapshot that has been read. */
void sampler_take(struct sampler *sampler, const struct snapshot *s);

#endif
