/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An observation of live services, whatever becomes of what it sees: the probe, and the events that
 * go with it. A command waits on the watch, reads when it needs figures, and takes them out of
 * unreported.
 */
#ifndef IOPROF_APP_OBSERVATION_H
#define IOPROF_APP_OBSERVATION_H

#include "app/options.h"
#include "app/sampler.h"
#include "app/selection.h"
#include "app/surroundings.h"
#include "app/watch.h"
#include "base/clock.h"
#include "probe/probe.h"

struct observation {
	char *name;	    /* of the first service, short and harmless; NULL if it has none */
	struct watch watch; /* also of the end of the services' processes */
	struct probe *probe;
	struct surroundings_reader *surroundings;
	struct selection *selection; /* NULL: PIDs only */
	/* read from the probe and not yet taken by the command; NULL if nothing */
	struct snapshot *unreported;
	uint64_t completed; /* requests of all services since the start */
	struct sampler sampler;
	double max_overhead; /* share of all the machine's processors */
	bool too_costly;     /* the probes take more however little they observe: it is to end */
};

/* An observation that owns nothing yet. */
#define OBSERVATION_NONE ((struct observation){.watch = WATCH_NONE})

/* Checks the targets, attaches and gives up the privileges that this took. Returns
 * EXIT_STATUS_DONE, or another exit status, having said why. */
int observation_start(struct observation *o, const struct options *options);

/* Waits for the next event on the watch; meanwhile lets those join that the selectors select, and
 * keeps the probes within --max-overhead. 0 or -errno. */
int observation_wait(struct observation *o, enum watch_event *ret_event);

/* Adds what the probe saw since the last time to unreported, which stays NULL while a sample is
 * being taken that is the first. 0 or -errno. */
int observation_read(struct observation *o);

/* The same at the end: a sample that is being taken ends, too. */
int observation_read_last(struct observation *o);

/* Whether there is something left to report at the end: always, if nothing has been reported. */
bool observation_has_rest(const struct observation *o, bool reported);

/*
 * To call at WATCH_PROCESS_ENDED. Of a program that moved to the background the processes it left
 * are waited for from then on; where selectors may find more, it never ends by itself. Returns 1 if
 * there is still something to observe, 0 if not, -errno.
 */
int observation_process_ended(struct observation *o);

/* Detaches; from here on the next SIGINT or SIGTERM ends this process at once. What is unreported
 * stays. */
void observation_stop(struct observation *o);

/* For owning locals: stops and frees. */
void observation_end(struct observation *o);

#endif
