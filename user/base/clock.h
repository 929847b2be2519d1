/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clocks, in nanoseconds. */
#ifndef IOPROF_BASE_CLOCK_H
#define IOPROF_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_S 1000000000ull

/* Since an arbitrary point, never stepping back: the clock of bpf_ktime_get_ns(). */
uint64_t clock_monotonic_ns(void);

/* Since 1970. */
int64_t clock_unix_ns(void);

/* CPU time of the calling thread so far. */
uint64_t clock_thread_cpu_ns(void);

/* A duration for the timer calls. */
struct timespec clock_timespec(uint64_t ns);

#endif
