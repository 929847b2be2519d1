/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sampled requests out of the kernel's table into the snapshot. */
#ifndef IOPROF_PROBE_TRACES_H
#define IOPROF_PROBE_TRACES_H

#include <stdint.h>

#include "model/snapshot.h"
#include "probe/peers.h"

struct traces_source {
	int traces_fd, tails_fd, sampling_fd; /* the maps */
	const struct peers *peers;
	uint32_t budget;  /* requests of a service between two halvings of its limit */
	uint64_t *limits; /* per service, as they were at the last reading */
};

/* Every request of all services is sampled, until there are too many. 0 or -errno. */
int traces_begin(struct traces_source *source, uint32_t n_services);
void traces_end(struct traces_source *source);

/*
 * Moves what has been answered into the services of s, which began at start_ns (monotonic), as does
 * now_ns. A response may go on: those sent to within the last 20 ms stay for the next time. 0 or
 * -errno.
 */
int traces_read(struct traces_source *source, uint64_t start_ns, uint64_t now_ns,
		struct snapshot *s);

#endif
