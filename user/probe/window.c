/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Observing part of the time. Between windows the programs are detached but for those that follow
 * who belongs to a service; what they remember of threads and connections is begun anew when the
 * next one opens (bpf/window.bpf.c).
 */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ioprof.skel.h>

#include "abi.h"
#include "base/clock.h"
#include "probe/counters.h"
#include "probe/internal.h"
#include "probe/iterate.h"

#define TOTALS (sizeof(struct iop_totals) / sizeof(uint64_t))

void probe_sample_traces(struct probe *probe, bool fewer)
{
	uint32_t budget = fewer ? (probe->trace_budget + 3) / 4 : probe->trace_budget;

	probe->traces.budget = budget;
	__atomic_store_n(&probe->skel->bss->trace_budget, budget, __ATOMIC_RELAXED);
}

/* Operations in flight are counted from none again. Nothing writes to the peers meanwhile. */
static int land_operations(const struct probe *probe)
{
	int fd = bpf_map__fd(probe->skel->maps.peers);
	uint32_t used = probe->skel->bss->peers_used, rows = probe->skel->rodata->peer_rows;
	struct iop_peer peer;

	for (uint32_t i = 0; i < used && i < rows; i++) {
		if (bpf_map_lookup_elem(fd, &i, &peer))
			return -errno;
		if (!peer.in_flight)
			continue;
		peer.in_flight = 0;
		if (bpf_map_update_elem(fd, &i, &peer, BPF_ANY))
			return -errno;
	}
	return 0;
}

int probe_window_open(struct probe *probe, uint64_t warm_ns, uint64_t sample_ns)
{
	uint64_t now;
	int r;

	r = land_operations(probe);
	if (!r)
		r = programs_attach(probe->skel);
	if (r < 0)
		return r;
	now = clock_monotonic_ns();
	probe->skel->bss->window_opened = now;
	probe->skel->bss->sample_from = now + warm_ns;
	probe->skel->bss->sample_to = sample_ns ? now + warm_ns + sample_ns : IOP_NO_END;
	__atomic_store_n(&probe->skel->bss->window_open, ++probe->windows, __ATOMIC_SEQ_CST);
	return iterate(probe->skel->progs.find_threads);
}

void probe_window_end_sample(struct probe *probe)
{
	uint64_t now = clock_monotonic_ns();

	if (now < probe->skel->bss->sample_to)
		__atomic_store_n(&probe->skel->bss->sample_to, now, __ATOMIC_SEQ_CST);
}

/* Requests of the sample that have not ended yet, and those given up before. */
static int count_open(const struct probe *probe, uint64_t *ret_n)
{
	uint64_t opened = 0, ended = 0;
	struct iop_totals totals;
	int r;

	for (uint32_t i = 0; i < probe->n_services; i++) {
		r = counters_sum(bpf_map__fd(probe->skel->maps.totals), i, TOTALS,
				 (uint64_t *)&totals);
		if (r < 0)
			return r;
		opened += totals.opened_by_loop + totals.opened_by_worker;
		ended += totals.completed + totals.aborted;
	}
	*ret_n = opened > ended ? opened - ended : 0;
	return 0;
}

int probe_window_ended(const struct probe *probe)
{
	uint64_t open;
	int r;

	if (clock_monotonic_ns() < probe->skel->bss->sample_to)
		return 0;
	r = count_open(probe, &open);
	return r < 0 ? r : open <= probe->given_up;
}

int probe_window_close(struct probe *probe)
{
	uint64_t open = 0;
	int r;

	probe_window_end_sample(probe);
	probe->skel->bss->window_closed = clock_monotonic_ns();
	__atomic_store_n(&probe->skel->bss->window_open, 0, __ATOMIC_SEQ_CST);
	r = programs_detach(probe->skel);
	if (!r)
		r = count_open(probe, &open);
	if (r < 0)
		return r;
	if (open > probe->given_up)
		probe_note_loss(probe, LOSS_CUT, open - probe->given_up);
	probe->given_up = open;
	return 0;
}

/* How much of one stretch of time lies in the other. */
static uint64_t overlap(uint64_t from, uint64_t to, uint64_t other_from, uint64_t other_to)
{
	if (from < other_from)
		from = other_from;
	if (to > other_to)
		to = other_to;
	return from < to ? to - from : 0;
}

uint64_t probe_sampled_ns(const struct probe *probe, uint64_t until_ns)
{
	return overlap(probe->interval_start_ns, until_ns, probe->skel->bss->sample_from,
		       probe->skel->bss->sample_to);
}

uint64_t probe_observed_ns(const struct probe *probe, uint64_t until_ns)
{
	uint64_t to = probe->skel->bss->window_open ? until_ns : probe->skel->bss->window_closed;

	return overlap(probe->interval_start_ns, until_ns, probe->skel->bss->window_opened, to);
}

int probe_cost_ns(const struct probe *probe, uint64_t *ret_ns)
{
	const struct bpf_object_skeleton *skeleton = probe->skel->skeleton;
	struct bpf_prog_info info;
	uint64_t sum = 0;
	uint32_t size;

	for (int i = 0; i < skeleton->prog_cnt; i++) {
		if (!bpf_program__autoload(*skeleton->progs[i].prog))
			continue;
		size = sizeof(info);
		memset(&info, 0, size);
		if (bpf_obj_get_info_by_fd(bpf_program__fd(*skeleton->progs[i].prog), &info, &size))
			return -errno;
		sum += info.run_time_ns;
	}
	*ret_ns = sum;
	return 0;
}
