/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers in flight, binned: one bin each up to 16, then four to the octave up to 4095; the last
 * bin takes all above too. The kernel counts by these bins and user space reads them back, so both
 * sides include this file.
 */
#ifndef IOPROF_IN_FLIGHT_H
#define IOPROF_IN_FLIGHT_H

#include "bucket.h"

#define IOP_IN_FLIGHT_EXACT 16
#define IOP_IN_FLIGHT_BINS 48 /* 16 + 4 for each octave from 2^4 to 2^12 */

/* The bin of n > 0. */
static inline __attribute__((always_inline)) unsigned int in_flight_bin(unsigned int n)
{
	unsigned int octave;

	if (n <= IOP_IN_FLIGHT_EXACT)
		return n ? n - 1 : 0;
	if (n > 4095)
		return IOP_IN_FLIGHT_BINS - 1;
	octave = bucket_log2(n);
	return IOP_IN_FLIGHT_EXACT + (octave - 4) * 4 + ((n >> (octave - 2)) & 3);
}

/* The least n of a bin. */
static inline __attribute__((always_inline)) unsigned int in_flight_floor(unsigned int bin)
{
	unsigned int octave;

	if (bin < IOP_IN_FLIGHT_EXACT)
		return bin + 1;
	if (bin == IOP_IN_FLIGHT_EXACT) /* 16 has a bin of its own */
		return 17;
	octave = (bin - IOP_IN_FLIGHT_EXACT) / 4 + 4;
	return (4 + (bin & 3)) << (octave - 2);
}

#endif
