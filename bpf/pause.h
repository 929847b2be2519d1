/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pauses of a process between requests, binned: none (its thread did not sleep) in one bin; below
 * 2^17 ns (131 us) in the next; then one to the octave; the last takes all of 2^27 ns (134 ms) and
 * more. The kernel counts by these bins and user space reads them back, so both sides include this
 * file.
 */
#ifndef IOPROF_PAUSE_H
#define IOPROF_PAUSE_H

#include "bucket.h"

#define IOP_PAUSE_FIRST_BIT 17
#define IOP_PAUSE_LAST_BIT 27
#define IOP_PAUSE_BINS (IOP_PAUSE_LAST_BIT - IOP_PAUSE_FIRST_BIT + 3)

/* The bin of a pause; 0 ns: none. */
static inline __attribute__((always_inline)) unsigned int pause_bin(unsigned long long ns)
{
	if (!ns)
		return 0;
	if (ns >> IOP_PAUSE_LAST_BIT)
		return IOP_PAUSE_BINS - 1;
	if (!(ns >> IOP_PAUSE_FIRST_BIT))
		return 1;
	return bucket_log2(ns) - IOP_PAUSE_FIRST_BIT + 2;
}

/* The shortest pause of a bin, in ns. */
static inline __attribute__((always_inline)) unsigned long long pause_floor(unsigned int bin)
{
	return bin < 2 ? bin : 1ull << (IOP_PAUSE_FIRST_BIT + bin - 2);
}

#endif
