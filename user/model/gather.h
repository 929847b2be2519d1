/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many snapshots summed up, by host: what recordings of several hosts, days and services come to.
 *
 * Snapshots of one host are added (snapshot_add_by_name()); a service that is in some of them only
 * counts as idle in the rest. Where two cover the same time, as when two services of a host were
 * recorded each by itself, that time counts once. Hosts are never summed: figures such as the
 * number of workers are those of a machine.
 */
#ifndef IOPROF_MODEL_GATHER_H
#define IOPROF_MODEL_GATHER_H

#include "model/measure.h"
#include "model/snapshot.h"

/* More than that of all kinds together is no honest recording. */
#define GATHER_HOSTS_MOST 1024
#define GATHER_SERVICES_MOST 4096 /* of a host */
#define GATHER_PEERS_MOST 65536	  /* of a host */
#define GATHER_NOTES_MOST 1024	  /* of a host or a service */

struct gathered {
	struct snapshot *sum;
	struct spread *spreads; /* of each service of sum, between intervals */
	int64_t end_unix_ns;	/* the latest end of an interval */
	uint64_t intervals;
	/* intervals in which a service was observed that had been observed at that time already:
	 * its requests count twice */
	uint64_t repeated;
};

struct gathering {
	struct gathered *hosts; /* in the order they came */
	size_t n_hosts;
};

/*
 * Adds a snapshot, which is the gathering's from here on. They come in the order of their start.
 * Returns 0, -E2BIG beyond the limits above, -ENOMEM; after an error only gathering_done() is left.
 */
int gathering_add(struct gathering *gathering, struct snapshot *s);

/* For owning locals. */
void gathering_done(struct gathering *gathering);

#endif
