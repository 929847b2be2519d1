/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"

/* No clock can fail: all exist on every Linux and the pointer is valid. */
static int64_t read_clock(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * (int64_t)CLOCK_NS_PER_S + now.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return (uint64_t)read_clock(CLOCK_MONOTONIC);
}

int64_t clock_unix_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t clock_thread_cpu_ns(void)
{
	return (uint64_t)read_clock(CLOCK_THREAD_CPUTIME_ID);
}

struct timespec clock_timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / CLOCK_NS_PER_S),
				 .tv_nsec = (long)(ns % CLOCK_NS_PER_S)};
}
