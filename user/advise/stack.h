/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service's stack, as far as it was recognised: what of it a change would swap for what.
 * stack.c says by which rules.
 */
#ifndef IOPROF_ADVISE_STACK_H
#define IOPROF_ADVISE_STACK_H

#include "advise/kappa.h"
#include "model/snapshot.h"

struct stack {
	enum target target; /* never TARGET_AUTO */
	struct stack_change change;
	const char *client, *other_client; /* what is swapped for what, or NULL: static */
	const char *server, *other_server;
};

/*
 * What a change to target (TARGET_AUTO: what suits the runtime) would do to this service's stack.
 * calibrated: COST_COUNT costs measured here, or NULL.
 */
struct stack stack_recognise(const struct service *service, enum target target,
			     const struct prior *calibrated);

/*
 * What a request of a service on asyncio would take less on uvloop, in seconds of CPU: uvicorn and
 * the clients found, as calibrated, each as often as it is called. All 0: not known, or it runs on
 * uvloop already.
 */
struct prior stack_uvloop_saves(const struct service *service, const struct prior *calibrated);

/* Is this component of the service known? */
bool stack_has(const struct service *service, const char *component);

/* Where the figures of kappa come from, in a sentence. The caller frees; NULL when out of memory.
 */
char *stack_source(const struct stack *stack, const struct kappa *kappa);

#endif
