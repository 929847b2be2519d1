/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time as the known-answer programs see it: the wall by the monotonic clock, CPU by the calling
 * thread's own account. */
#ifndef IOPROF_SERVICE_CLOCK_H
#define IOPROF_SERVICE_CLOCK_H

#include <errno.h>
#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_US 1000ull
#define CLOCK_NS_PER_S 1000000000ull

static inline uint64_t clock_read_ns(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * CLOCK_NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline uint64_t clock_wall_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

static inline uint64_t clock_cpu_ns(void)
{
	return clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}

static inline struct timespec clock_timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / CLOCK_NS_PER_S),
				 .tv_nsec = (long)(ns % CLOCK_NS_PER_S)};
}

/* Spends so much CPU of the calling thread, however long that takes. */
static inline void clock_burn(uint64_t ns)
{
	uint64_t end = clock_cpu_ns() + ns;

	while (ns && clock_cpu_ns() < end)
		for (volatile unsigned int i = 0; i < 200; i++)
			;
}

static inline void clock_sleep(uint64_t ns)
{
	struct timespec left = clock_timespec(ns);

	while (ns && nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

#endif
