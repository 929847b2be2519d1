/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything observed since the start, for monitoring: counters that only grow, under names that
 * are harmless, told apart, and bounded in number. Fed with the snapshot of each interval.
 *
 * A service is known by its name, made printable and cut; of several with the same name in one
 * snapshot the second is called "name (2)". Of its peers the first TOTAL_PEERS_MOST have a row of
 * their own, by time waited where several come at once; all others are counted under "other". A
 * peer without operations for TOTAL_KEPT_NS of observed time gives its row to one that has some.
 * Services absent for as long are forgotten. So no row ever shrinks: it grows, or it is gone.
 */
#ifndef IOPROF_MODEL_TOTAL_H
#define IOPROF_MODEL_TOTAL_H

#include "model/snapshot.h"

#define TOTAL_PEERS_MOST 20
#define TOTAL_PEER_OTHER "other"
#define TOTAL_NAME_COLUMNS 100 /* of names and addresses */
#define TOTAL_KEPT_NS (3600 * 1000000000ull)

struct total;

/* NULL when out of memory. */
struct total *total_new(void);

/* Takes NULL. */
void total_free(struct total *total);
void total_freep(struct total **total);

/* Adds the next interval. 0, or -ENOMEM: what was added by then stays added. */
int total_add(struct total *total, const struct snapshot *s);

/*
 * What the services of a snapshot are called in the sum: n_services strings, the caller's. 0, or
 * -ENOMEM with some of them made and the others NULL; names holds NULLs before.
 */
int total_name_services(const struct snapshot *s, char **names);

/*
 * The sum: a snapshot with every count and sum since the start. Peers are in no order, "other"
 * first; traces, lanes, notes and components are left out. Valid until the next total_add().
 */
const struct snapshot *total_snapshot(const struct total *total);

#endif
