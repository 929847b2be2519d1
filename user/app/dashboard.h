/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dashboard: what is observed, or was recorded, on the terminal, until the user leaves.
 * Sampling goes on in the kernel whatever the terminal does; this process reads it in time, shown
 * or not.
 */
#ifndef IOPROF_APP_DASHBOARD_H
#define IOPROF_APP_DASHBOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "app/observation.h"
#include "app/what_if.h"
#include "model/snapshot.h"

/* Snapshots one by one. */
struct dashboard_recording {
	void *ctx;
	/* 1 and the next snapshot, which the caller owns; 0 at the end; -errno */
	int (*next)(void *ctx, struct snapshot **ret_snapshot);
	/* goes so many snapshots on, or back if below zero, as far as there are: 0 or -errno */
	int (*seek)(void *ctx, long by);
};

struct dashboard_opts {
	struct observation *observation; /* live; or NULL and: */
	const struct dashboard_recording *recording;
	uint64_t interval_ns; /* 0: a second */
	const struct what_if *what_if;
};

/* Whether the terminal is there for it: standard input and output are one. */
bool dashboard_possible(void);

/*
 * Runs until the user, or a signal, ends it; restores the terminal. What was observed in all is
 * observation->unreported then, to be reported. Returns 0, or -errno and in ret_cause what failed.
 */
int dashboard_run(const struct dashboard_opts *opts, const char **ret_cause);

#endif
