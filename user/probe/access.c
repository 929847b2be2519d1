/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ioprof.skel.h>

#include "probe/counters.h"
#include "probe/internal.h"
#include "probe/iterate.h"

int probe_access(const struct probe *probe)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	uint64_t lost;
	int r;

	r = iterate(probe->skel->progs.report_threads);
	if (r < 0)
		return r;
	r = counters_sum(bpf_map__fd(probe->skel->maps.losses), 0, 1, &lost);
	if (r < 0)
		return r;
	if (bpf_obj_get_info_by_fd(bpf_program__fd(probe->skel->progs.report_threads), &info,
				   &size))
		return -errno;
	return 0;
}

bool probe_cost_known(const struct probe *probe)
{
	return probe->stats_fd >= 0;
}
