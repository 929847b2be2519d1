/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/blocking.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "probe/counters.h"

/* The maximum of an epoch; 0 if nothing happened in it. */
static uint64_t peak_of(const struct iop_peak *peak, uint32_t epoch)
{
	return peak->epoch[epoch & 1] == epoch ? peak->value[epoch & 1] : 0;
}

void blocking_take(struct iop_blocked *last, const struct iop_blocked *now, uint32_t epoch,
		   struct blocked *to)
{
	uint64_t longest = peak_of(&now->longest, epoch);

	to->count += counters_take((uint64_t *)&last->count, now->count);
	to->sum_ns += counters_take((uint64_t *)&last->ns, now->ns);
	if (to->count && longest > to->max_ns)
		to->max_ns = longest;
}

int blocking_read(int blocked_fd, int backlogs_fd, uint32_t index, uint32_t epoch,
		  struct iop_blocked *past, struct service *service)
{
	struct iop_blocked_class row;
	struct iop_peak backlog;

	for (uint32_t class = 0; class < IOP_WAITS; class ++) {
		uint32_t key = index * IOP_WAITS + class;

		if (bpf_map_lookup_elem(blocked_fd, &key, &row))
			return -errno;
		blocking_take(&past[class], &row.blocked, epoch, &service->blocked[class]);
		if (class != IOP_DISK || !service->blocked[class].count || !row.file[0])
			continue;
		service->blocking_file = strndup(row.file, sizeof(row.file));
		if (!service->blocking_file)
			return -ENOMEM;
	}
	if (bpf_map_lookup_elem(backlogs_fd, &index, &backlog))
		return -errno;
	service->surroundings.backlog = (uint32_t)peak_of(&backlog, epoch);
	return 0;
}
