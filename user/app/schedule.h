/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the observation is due for something: the next report of -i, the end by -d, the next
 * progress line. Plain arithmetic on monotonic times; ticks count from the start, so they do not
 * drift, and those missed are left out.
 */
#ifndef IOPROF_APP_SCHEDULE_H
#define IOPROF_APP_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct schedule {
	uint64_t start_ns;
	uint64_t duration_ns; /* 0: no end */
	uint64_t interval_ns; /* 0: no reports before the end */
	uint64_t progress_ns; /* between progress lines; 0: none */
};

enum due {
	DUE_NOTHING, /* only with due_ns 0: wait for what else may come */
	DUE_PROGRESS,
	DUE_REPORT,
	DUE_END,
};

/* The first thing due after now_ns, and when. Where two are due at once, the one that says more. */
enum due schedule_next(const struct schedule *schedule, uint64_t now_ns, uint64_t *ret_due_ns);

#endif
