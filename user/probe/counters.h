/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's counters as they grow, and what they grew by.
 *
 * A counter only grows, but for corrections: a response that goes on after it was counted moves
 * histogram entries, so that an interval may have to take back what an earlier one reported. No
 * interval reports less than nothing; what it would have to take back it leaves to the next one, so
 * that the sum over intervals is right.
 */
#ifndef IOPROF_PROBE_COUNTERS_H
#define IOPROF_PROBE_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"

/* What a wrapping counter grew by since last, which becomes now; 0 with last unchanged if it fell.
 */
uint64_t counters_take(uint64_t *last, uint64_t now);

/* The same of a sum that may truly fall. */
int64_t counters_take_signed(uint64_t *last, uint64_t now);
uint32_t counters_take32(uint32_t *last, uint32_t now);

/*
 * Sums of a per-CPU map's value over all CPUs, as an array of 64-bit counters. fd: the map, n:
 * counters per value, ret_sums: room for n. Returns 0 or -errno.
 */
int counters_sum(int fd, uint32_t key, size_t n, uint64_t *ret_sums);

/* The same of a distribution over the copies of map hists: at key, and so many times step behind
 * it. */
int counters_sum_hist(int fd, uint32_t key, uint32_t step, unsigned int copies,
		      uint32_t ret_buckets[static IOP_BUCKET_COUNT]);

/* The largest of each counter over all CPUs; the value is cleared. */
int counters_take_max(int fd, uint32_t key, size_t n, uint64_t *ret_max);

#endif
