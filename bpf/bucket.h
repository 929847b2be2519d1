/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index of a duration in a log-linear histogram. Compiled into the BPF programs, which count,
 * and into user space, which reads: one definition, so that the two cannot disagree.
 *
 * Durations below 16 ns have a bucket each. Above, every power of two is cut into 16 equal buckets,
 * so a bucket is never wider than 1/16 of its lower bound and its middle is at most 3.2 % from any
 * value in it. The last bucket also takes everything beyond its range (2^40 ns, about 18 minutes).
 */
#ifndef IOPROF_BUCKET_H
#define IOPROF_BUCKET_H

#define IOP_BUCKET_BITS 4
#define IOP_BUCKET_SUB (1u << IOP_BUCKET_BITS)
#define IOP_BUCKET_TOP_BIT 39
#define IOP_BUCKET_COUNT ((IOP_BUCKET_TOP_BIT - IOP_BUCKET_BITS + 2) * IOP_BUCKET_SUB)

/* The position of the highest set bit of v, v > 0. By halving: BPF has no count-leading-zeros. */
static inline __attribute__((always_inline)) unsigned int bucket_log2(unsigned long long v)
{
	unsigned int r = 0;

	/* The analyzer takes v for narrower than it is. */
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
	if (v >> 32) {
		v >>= 32;
		r += 32;
	}
	if (v >> 16) {
		v >>= 16;
		r += 16;
	}
	if (v >> 8) {
		v >>= 8;
		r += 8;
	}
	if (v >> 4) {
		v >>= 4;
		r += 4;
	}
	if (v >> 2) {
		v >>= 2;
		r += 2;
	}
	return r + (v > 1);
}

/* The bucket of a duration in nanoseconds, 0 .. IOP_BUCKET_COUNT - 1. */
static inline __attribute__((always_inline)) unsigned int bucket_index(unsigned long long ns)
{
	unsigned int top;

	if (ns < IOP_BUCKET_SUB)
		return (unsigned int)ns;
	top = bucket_log2(ns);
	if (top > IOP_BUCKET_TOP_BIT)
		return IOP_BUCKET_COUNT - 1;
	return (top - IOP_BUCKET_BITS + 1) * IOP_BUCKET_SUB +
	       (unsigned int)((ns >> (top - IOP_BUCKET_BITS)) & (IOP_BUCKET_SUB - 1));
}

/* The smallest duration in bucket i, in ns; for i == IOP_BUCKET_COUNT the end of the range. */
static inline __attribute__((always_inline)) unsigned long long bucket_floor(unsigned int i)
{
	unsigned int top;

	if (i < IOP_BUCKET_SUB)
		return i;
	top = i / IOP_BUCKET_SUB + IOP_BUCKET_BITS - 1;
	return (1ull << top) +
	       ((unsigned long long)(i % IOP_BUCKET_SUB) << (top - IOP_BUCKET_BITS));
}

#endif
