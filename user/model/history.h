/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last minutes: of each snapshot of a row, what is worth seeing over time. Sampled by whoever
 * collects the snapshots, so a screen that is not drawn misses nothing. Memory is bounded.
 */
#ifndef IOPROF_MODEL_HISTORY_H
#define IOPROF_MODEL_HISTORY_H

#include "model/snapshot.h"

#define HISTORY_MOST 300       /* points kept */
#define HISTORY_LANES_MOST 512 /* threads kept of a service, gone ones included */

/* A service in one snapshot; NAN where it is undefined. */
struct history_point {
	double rate_per_s, p50_s, p99_s, ratio;
	double busy_workers; /* on average in the interval */
};

/* A thread in one snapshot, in 1/255 of the time it was observed; all zero: it was not. */
struct history_share {
	uint8_t cpu, run_queue, wait, idle;
};

struct history_lane {
	pid_t pid, tid;
	uint64_t start_time;
	char name[16]; /* any bytes, terminated; the last seen */
	struct history_share shares[HISTORY_MOST];
};

struct history_service {
	struct history_point points[HISTORY_MOST];
	struct history_lane *lanes; /* in the order in which they were first seen */
	size_t n_lanes;
};

/* Of all arrays of HISTORY_MOST the last n hold something, the newest last. */
struct history {
	size_t n;
	double duration_s[HISTORY_MOST]; /* of the snapshots */
	struct history_service *services;
	size_t n_services;
};

/* NULL when out of memory. */
struct history *history_new(size_t n_services);

/* Takes NULL. */
void history_free(struct history *history);
void history_freep(struct history **history);

/*
 * Adds a snapshot of the same services, and others behind them that have come. Where there are too
 * many threads, the one gone for longest makes room. 0; -EINVAL if services are missing; -ENOMEM:
 * threads, or all of the snapshot, are left out.
 */
int history_add(struct history *history, const struct snapshot *s);

#endif
