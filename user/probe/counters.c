/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"

uint64_t counters_take(uint64_t *last, uint64_t now)
{
	int64_t grown = (int64_t)(now - *last);

	if (grown <= 0)
		return 0;
	*last = now;
	return (uint64_t)grown;
}

int64_t counters_take_signed(uint64_t *last, uint64_t now)
{
	int64_t grown = (int64_t)(now - *last);

	*last = now;
	return grown;
}

uint32_t counters_take32(uint32_t *last, uint32_t now)
{
	int32_t grown = (int32_t)(now - *last);

	if (grown <= 0)
		return 0;
	*last = now;
	return (uint32_t)grown;
}

/* A per-CPU value of size bytes (a multiple of 8) on every CPU, one after the other. The caller
 * frees. */
static int read_all(int fd, uint32_t key, size_t size, unsigned char **ret_values, size_t *ret_n)
{
	_cleanup_free_ unsigned char *values = NULL;
	int cpus;

	cpus = libbpf_num_possible_cpus();
	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus, size);
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &key, values))
		return -errno;
	*ret_values = TAKE(values);
	*ret_n = (size_t)cpus;
	return 0;
}

int counters_sum(int fd, uint32_t key, size_t n, uint64_t *ret_sums)
{
	_cleanup_free_ unsigned char *values = NULL;
	const uint64_t *value;
	size_t cpus = 0;
	int r;

	r = read_all(fd, key, n * sizeof(*ret_sums), &values, &cpus);
	if (r < 0)
		return r;
	memset(ret_sums, 0, n * sizeof(*ret_sums));
	value = (const uint64_t *)(const void *)values;
	for (size_t cpu = 0; cpu < cpus; cpu++, value += n)
		for (size_t i = 0; i < n; i++)
			ret_sums[i] += value[i];
	return 0;
}

int counters_sum_hist(int fd, uint32_t key, uint32_t step, unsigned int copies,
		      uint32_t ret_buckets[static IOP_BUCKET_COUNT])
{
	struct iop_hist hist;

	memset(ret_buckets, 0, sizeof(hist.buckets));
	for (unsigned int copy = 0; copy < copies; copy++, key += step) {
		if (bpf_map_lookup_elem(fd, &key, &hist))
			return -errno;
		for (unsigned int i = 0; i < IOP_BUCKET_COUNT; i++)
			ret_buckets[i] += hist.buckets[i];
	}
	return 0;
}

int counters_take_max(int fd, uint32_t key, size_t n, uint64_t *ret_max)
{
	_cleanup_free_ unsigned char *values = NULL;
	const uint64_t *value;
	size_t cpus = 0;
	int r;

	r = read_all(fd, key, n * sizeof(*ret_max), &values, &cpus);
	if (r < 0 || !values)
		return r;
	memset(ret_max, 0, n * sizeof(*ret_max));
	value = (const uint64_t *)(const void *)values;
	for (size_t cpu = 0; cpu < cpus; cpu++, value += n)
		for (size_t i = 0; i < n; i++)
			if (value[i] > ret_max[i])
				ret_max[i] = value[i];
	memset(values, 0, cpus * n * sizeof(*ret_max));
	return bpf_map_update_elem(fd, &key, values, BPF_ANY) ? -errno : 0;
}
