/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A service's workers at a glance: what do its threads do with their time, and what are they short
 * of? By these rules, the first that holds:
 *
 *   unknown         no request was completed, or no thread was seen
 *   oversubscribed  of the threads' time, waiting for a processor is more than running, and at
 *                   least POOL_NOTABLE of what they are not idle
 *   starved,        the workers are busy at least POOL_TAKEN of their time, and requests queue at
 *   saturated,      least POOL_QUEUE of their service time: starved if the threads wait more than
 *   full            they run, otherwise saturated; full if requests queue less
 *   idle            the workers are busy less than POOL_LOW of their time
 *   balanced        none of these
 *
 * The threads are those that read requests; all of them where a pool behind an event loop answers.
 */
#ifndef IOPROF_MODEL_POOL_H
#define IOPROF_MODEL_POOL_H

#include "model/snapshot.h"

#define POOL_NOTABLE 0.05
#define POOL_TAKEN 0.9
#define POOL_QUEUE 0.1
#define POOL_LOW 0.3

/* clang-format off */
enum pool_state {
#define POOL(id, name, label) id,
#include "model/pool.def"
#undef POOL
	POOL_STATE_COUNT
};
/* clang-format on */

/* Shares of the threads' time, 0..1; NAN where there is none. */
struct pool {
	enum pool_state state;
	double cpu, wait, run_queue, idle;
};

void derive_pool(const struct service *service, struct pool *ret_pool);

/* The names in pool.def; "?" out of range. */
const char *pool_state_name(enum pool_state state);
const char *pool_state_label(enum pool_state state);

#endif
