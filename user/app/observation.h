/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An observation of live services, whatever becomes of what it sees: the probe, and the events that
 * go with it. A command waits on the watch, reads when it needs figures, and takes them out of
 * unreported.
 */
#ifndef IOPROF_APP_OBSERVATION_H
#define IOPROF_APP_OBSERVATION_H

#include "app/options.h"
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
	uint64_t completed;  /* requests of all services since the start */
	double max_overhead; /* share of all the machine's processors; 0: no limit */
	bool too_costly;     /* the probes have taken more: the observation is to end */
};

/* How often to read in order to notice. */
#define OBSERVATION_COST_NS CLOCK_NS_PER_S

/* An observation that owns nothing yet. */
#define OBSERVATION_NONE ((struct observation){.watch = WATCH_NONE})

/* Checks the targets, attaches and gives up the privileges that this took. Returns
 * EXIT_STATUS_DONE, or another exit status, having said why. */
int observation_start(struct observation *o, const struct options *options);

/* Waits for the next event on the watch, and meanwhile lets those join that the selectors select. 0
 * or -errno. */
int observation_wait(struct observation *o, enum watch_event *ret_event);

/* Adds what the probe saw since the last time to unreported. Says so when it becomes too costly. 0
 * or -errno. */
int observation_read(struct observation *o);

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
