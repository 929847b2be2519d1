/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/schedule.h"

/* The first multiple of the period after now, counted from the start. */
static uint64_t next_tick(const struct schedule *schedule, uint64_t period_ns, uint64_t now_ns)
{
	return schedule->start_ns + ((now_ns - schedule->start_ns) / period_ns + 1) * period_ns;
}

enum due schedule_next(const struct schedule *schedule, uint64_t now_ns, uint64_t *ret_due_ns)
{
	enum due due = DUE_NOTHING;
	uint64_t due_ns = 0, tick_ns;

	if (schedule->progress_ns) {
		due_ns = next_tick(schedule, schedule->progress_ns, now_ns);
		due = DUE_PROGRESS;
	}
	if (schedule->interval_ns) {
		tick_ns = next_tick(schedule, schedule->interval_ns, now_ns);
		if (!due || tick_ns <= due_ns) {
			due_ns = tick_ns;
			due = DUE_REPORT;
		}
	}
	if (schedule->duration_ns) {
		tick_ns = schedule->start_ns + schedule->duration_ns;
		if (!due || tick_ns <= due_ns) {
			due_ns = tick_ns;
			due = DUE_END;
		}
	}
	*ret_due_ns = due_ns;
	return due;
}
