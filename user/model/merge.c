/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two snapshots become one. The sum is built as a third and swapped in at the end, so a failure
 * half way leaves no trace.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/snapshot.h"
#include "model/snapshot_internal.h"

/* Adds the notes that are not there yet: an interval that lacks the same as the last one says so
 * once. */
static int merge_notes(char ***dst, size_t *n_dst, char *const *src, size_t n_src)
{
	for (size_t i = 0; i < n_src; i++) {
		size_t at = 0;
		int r;

		while (at < *n_dst && strcmp((*dst)[at], src[i]) != 0)
			at++;
		if (at < *n_dst)
			continue;
		r = snapshot_add_string(dst, n_dst, src[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int snapshot_merge_programs(struct snapshot *dst, const struct snapshot *src)
{
	for (size_t i = 0; i < src->n_programs; i++) {
		const struct program_cost *cost = &src->programs[i];
		size_t at = 0;

		while (at < dst->n_programs && strcmp(dst->programs[at].name, cost->name) != 0)
			at++;
		if (at == dst->n_programs) {
			struct program_cost *grown =
				snapshot_grow(dst->programs, at, sizeof(*grown));

			if (!grown)
				return -ENOMEM;
			dst->programs = grown;
			grown[at] = (struct program_cost){.name = strdup(cost->name)};
			if (!grown[at].name)
				return -ENOMEM;
			dst->n_programs++;
		}
		dst->programs[at].runs += cost->runs;
		dst->programs[at].run_ns += cost->run_ns;
	}
	return 0;
}

void blocked_merge(struct blocked *dst, const struct blocked *src)
{
	dst->count += src->count;
	dst->sum_ns += src->sum_ns;
	if (src->max_ns > dst->max_ns)
		dst->max_ns = src->max_ns;
}

/* ret_at: where src's peers are among dst's. */
static int merge_peers(struct service *dst, const struct service *src, uint32_t *ret_at)
{
	for (size_t i = 0; i < src->n_peers; i++) {
		const struct peer *from = &src->peers[i];
		size_t at = 0;

		while (at < dst->n_peers && strcmp(dst->peers[at].address, from->address) != 0)
			at++;
		if (at == dst->n_peers && !service_add_peer(dst, from->address))
			return -ENOMEM;
		dst->peers[at].operations += from->operations;
		dst->peers[at].operations_outside += from->operations_outside;
		dst->peers[at].connections += from->connections;
		if (dist_merge(&dst->peers[at].wait, &from->wait) < 0)
			return -ENOMEM;
		blocked_merge(&dst->peers[at].blocked, &from->blocked);
		for (unsigned int b = 0; b < IOP_IN_FLIGHT_BINS; b++) {
			dst->peers[at].loads[b].operations += from->loads[b].operations;
			dst->peers[at].loads[b].sum_ns += from->loads[b].sum_ns;
		}
		ret_at[i] = (uint32_t)at;
	}
	return 0;
}

static void merge_pauses(struct pause *dst, const struct pause *src)
{
	for (unsigned int i = 0; i < IOP_PAUSE_BINS; i++) {
		dst[i].requests += src[i].requests;
		dst[i].sum_ns += src[i].sum_ns;
		dst[i].cpu_ns += src[i].cpu_ns;
		dst[i].cpu_squares += src[i].cpu_squares;
	}
}

static int merge_traces(struct traces *dst, const struct traces *src, int64_t shift_ns,
			const uint32_t *peers)
{
	int r = 0;

	traces_limit(dst, src->limit);
	for (size_t i = 0; i < src->n && r == 0; i++)
		r = traces_add(dst, &src->kept[i], shift_ns, peers);
	return r;
}

/* Peers first, because traces name them; then both by the new order. */
static int merge_peers_and_traces(struct service *dst, const struct service *src, int64_t shift_ns)
{
	_cleanup_free_ uint32_t *at = calloc(src->n_peers + 1, sizeof(*at));
	int r;

	if (!at)
		return -ENOMEM;
	r = merge_peers(dst, src, at);
	if (r < 0)
		return r;
	r = merge_traces(&dst->traces, &src->traces, shift_ns, at);
	return r < 0 ? r : service_sort_peers(dst);
}

static uint64_t lane_busy_ns(const struct lane *lane)
{
	return lane->cpu_ns + lane->run_queue_ns + lane->wait_ns;
}

static int compare_lanes(const void *left, const void *right)
{
	const struct lane *a = left, *b = right;
	uint64_t busy_a = lane_busy_ns(a), busy_b = lane_busy_ns(b);

	if (busy_a != busy_b)
		return busy_a < busy_b ? 1 : -1;
	return a->tid - b->tid;
}

void service_sort_lanes(struct service *service)
{
	if (service->n_lanes)
		qsort(service->lanes, service->n_lanes, sizeof(*service->lanes), compare_lanes);
	if (service->n_lanes <= LANES_MOST)
		return;
	service->lanes_left_out += service->n_lanes - LANES_MOST;
	service->n_lanes = LANES_MOST;
}

static int merge_lanes(struct service *dst, const struct service *src)
{
	size_t had = dst->n_lanes;
	struct lane *lanes = reallocarray(dst->lanes, had + src->n_lanes + 1, sizeof(*dst->lanes));

	if (!lanes)
		return -ENOMEM;
	dst->lanes = lanes;
	for (size_t i = 0; i < src->n_lanes; i++) {
		const struct lane *from = &src->lanes[i];
		size_t at = 0;

		while (at < had &&
		       (lanes[at].tid != from->tid || lanes[at].start_time != from->start_time))
			at++;
		if (at == had) {
			lanes[dst->n_lanes++] = *from;
			continue;
		}
		lanes[at].cpu_ns += from->cpu_ns;
		lanes[at].run_queue_ns += from->run_queue_ns;
		lanes[at].wait_ns += from->wait_ns;
		lanes[at].idle_ns += from->idle_ns;
		lanes[at].loop |= from->loop;
		lanes[at].serving |= from->serving;
	}
	/* Which threads were left out in both is not known: the larger number is a lower bound. */
	if (src->lanes_left_out > dst->lanes_left_out)
		dst->lanes_left_out = src->lanes_left_out;
	service_sort_lanes(dst);
	return 0;
}

/* Counts add, what describes the end of the interval is src's, what src does not know stays. */
static int merge_surroundings(struct service *dst, const struct service *src)
{
	struct surroundings *to = &dst->surroundings, was = *to;
	const struct surroundings *from = &src->surroundings;
	int r = 0;

	*to = *from;
	to->components = was.components;
	to->n_components = was.n_components;
	to->quota_periods += was.quota_periods;
	to->quota_throttled += was.quota_throttled;
	to->throttled_ns += was.throttled_ns;
	to->other_cpu_ns += was.other_cpu_ns;
	to->cpus = from->cpus > 0 ? from->cpus : was.cpus;
	to->host_cpus = from->host_cpus > 0 ? from->host_cpus : was.host_cpus;
	to->process_bytes = from->process_bytes ? from->process_bytes : was.process_bytes;
	to->shared_bytes = from->shared_bytes ? from->shared_bytes : was.shared_bytes;
	to->thread_bytes = from->thread_bytes ? from->thread_bytes : was.thread_bytes;
	to->backlog = from->backlog > was.backlog ? from->backlog : was.backlog;
	to->interpreter_lock |= was.interpreter_lock;
	if (!to->environment_variables)
		to->environment_variables = was.environment_variables;
	if (to->modules_seen == MODULES_NONE)
		to->modules_seen = was.modules_seen;
	for (size_t i = 0; i < from->n_components && r == 0; i++)
		r = service_add_component(dst, from->components[i]);
	return r;
}

static int merge_blocking(struct service *dst, const struct service *src)
{
	if (src->blocking_file && (!dst->blocking_file || src->blocked[PART_DISK].max_ns >
								  dst->blocked[PART_DISK].max_ns)) {
		char *file = strdup(src->blocking_file);

		if (!file)
			return -ENOMEM;
		free(dst->blocking_file);
		dst->blocking_file = file;
	}
	for (unsigned int i = 0; i < PART_WAIT_COUNT; i++)
		blocked_merge(&dst->blocked[i], &src->blocked[i]);
	return 0;
}

static void merge_requests(struct requests *dst, const struct requests *src)
{
	dst->completed += src->completed;
	dst->arrival_unknown += src->arrival_unknown;
	dst->at_attach += src->at_attach;
	dst->aborted += src->aborted;
	dst->operations += src->operations;
	dst->waits += src->waits;
	dst->parallel_ns += src->parallel_ns;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* What was once proven stays proven: the counts since attach only grow. */
static void merge_evidence(struct evidence *dst, const struct evidence *src)
{
	dst->opened_by_loop += src->opened_by_loop;
	dst->opened_by_worker += src->opened_by_worker;
	dst->handed_off += src->handed_off;
	dst->pool_ns += src->pool_ns;
	dst->own_ns += src->own_ns;
	dst->processes_serving = larger(dst->processes_serving, src->processes_serving);
	dst->threads_serving = larger(dst->threads_serving, src->threads_serving);
	dst->loops = larger(dst->loops, src->loops);
	dst->listens |= src->listens;
}

static int merge_dists(struct service *dst, const struct service *src)
{
	int r;

	r = dist_merge(&dst->latency, &src->latency);
	if (r == 0)
		r = dist_merge(&dst->queue_wait, &src->queue_wait);
	if (r == 0)
		r = dist_merge(&dst->service_time, &src->service_time);
	for (int i = 0; i < PART_COUNT && r == 0; i++)
		r = dist_merge(&dst->parts[i], &src->parts[i]);
	return r;
}

int service_merge_figures(struct service *dst, const struct service *src)
{
	merge_requests(&dst->requests, &src->requests);
	dst->overlapped_io_ns += src->overlapped_io_ns;
	merge_pauses(dst->pauses, src->pauses);
	for (int i = 0; i < CODE_COUNT; i++)
		dst->cpu_samples[i] += src->cpu_samples[i];
	dst->moments.xx += src->moments.xx;
	dst->moments.yy += src->moments.yy;
	dst->moments.xy += src->moments.xy;
	dst->cpu_ns += src->cpu_ns;
	dst->cpu_observed_ns += src->cpu_observed_ns;
	dst->peer_cpu_ns += src->peer_cpu_ns;
	/* An interval without requests knows no workers of a service that starts a thread for each.
	 */
	if (src->workers.count) {
		dst->workers.count = src->workers.count;
		dst->workers.processes = src->workers.processes;
	}
	dst->workers.busy_ns += src->workers.busy_ns;
	dst->workers.wall_ns += src->workers.wall_ns;
	merge_evidence(&dst->evidence, &src->evidence);
	return merge_dists(dst, src);
}

/* Makes dst's name and pids those of src. */
static int copy_identity(struct service *dst, const struct service *src)
{
	_cleanup_free_ char *name = src->name ? strdup(src->name) : NULL;
	_cleanup_free_ pid_t *pids = calloc(src->n_pids ? src->n_pids : 1, sizeof(*pids));

	if (!pids || (src->name && !name))
		return -ENOMEM;
	if (src->n_pids)
		memcpy(pids, src->pids, src->n_pids * sizeof(*pids));
	free(dst->name);
	free(dst->pids);
	dst->name = TAKE(name);
	dst->pids = TAKE(pids);
	dst->n_pids = src->n_pids;
	return 0;
}

/* Makes dst's host that of src, if that is known. */
static int copy_host(struct snapshot *dst, const struct snapshot *src)
{
	char *host;

	if (!src->host)
		return 0;
	host = strdup(src->host);
	if (!host)
		return -ENOMEM;
	free(dst->host);
	dst->host = host;
	return 0;
}

static int service_merge(struct service *dst, const struct service *src, int64_t shift_ns)
{
	int r;

	r = service_merge_figures(dst, src);
	if (r < 0)
		return r;
	r = copy_identity(dst, src);
	if (r < 0)
		return r;
	r = merge_peers_and_traces(dst, src, shift_ns);
	if (r < 0)
		return r;
	r = merge_lanes(dst, src);
	if (r < 0)
		return r;
	r = merge_surroundings(dst, src);
	if (r < 0)
		return r;
	r = merge_blocking(dst, src);
	if (r < 0)
		return r;
	return merge_notes(&dst->notes, &dst->n_notes, src->notes, src->n_notes);
}

/* Adds what is not of a service to a snapshot that may be left half merged. */
static int accumulate_rest(struct snapshot *dst, const struct snapshot *src)
{
	int r;

	for (int i = 0; i < LOSS_COUNT; i++)
		dst->losses[i] += src->losses[i];
	r = copy_host(dst, src);
	if (r < 0)
		return r;
	r = snapshot_merge_programs(dst, src);
	if (r < 0)
		return r;
	return merge_notes(&dst->notes, &dst->n_notes, src->notes, src->n_notes);
}

/* Adds src to a snapshot that may be left half merged. */
static int accumulate(struct snapshot *dst, const struct snapshot *src)
{
	int64_t shift_ns = src->start_unix_ns - dst->start_unix_ns;
	int r;

	dst->duration_ns += src->duration_ns;
	dst->sampled_ns += src->sampled_ns;
	r = accumulate_rest(dst, src);
	for (size_t i = 0; r >= 0 && i < src->n_services; i++)
		r = service_merge(&dst->services[i], &src->services[i], shift_ns);
	return r;
}

int snapshot_merge(struct snapshot *dst, const struct snapshot *src)
{
	_cleanup_(snapshot_freep) struct snapshot *sum = NULL;
	struct snapshot old = *dst;
	int r;

	if (dst->n_services > src->n_services)
		return -EINVAL;
	sum = snapshot_new(src->n_services);
	if (!sum)
		return -ENOMEM;
	sum->start_unix_ns = dst->start_unix_ns;
	sum->cost_known = dst->cost_known && src->cost_known;
	r = accumulate(sum, dst);
	if (r < 0)
		return r;
	r = accumulate(sum, src);
	if (r < 0)
		return r;
	*dst = *sum;
	*sum = old;
	return 0;
}

/* How many of the services before this one have its name. */
static size_t namesakes_before(const struct snapshot *s, size_t service)
{
	size_t n = 0;

	for (size_t i = 0; i < service; i++)
		n += strcmp(s->services[i].name, s->services[service].name) == 0;
	return n;
}

size_t snapshot_find_by_name(const struct snapshot *dst, const struct snapshot *src, size_t service)
{
	size_t before = namesakes_before(src, service), at;

	for (at = 0; at < dst->n_services; at++) {
		if (strcmp(dst->services[at].name, src->services[service].name) == 0 &&
		    before-- == 0)
			break;
	}
	return at;
}

int snapshot_add_by_name(struct snapshot *dst, const struct snapshot *src, uint64_t duration_ns)
{
	int64_t shift_ns = src->start_unix_ns - dst->start_unix_ns;
	int r;

	dst->duration_ns += duration_ns;
	if (src->duration_ns)
		dst->sampled_ns += (uint64_t)((double)duration_ns * (double)src->sampled_ns /
					      (double)src->duration_ns);
	dst->cost_known &= src->cost_known;
	r = accumulate_rest(dst, src);
	for (size_t i = 0; r >= 0 && i < src->n_services; i++) {
		size_t at = snapshot_find_by_name(dst, src, i);

		if (at == dst->n_services) {
			struct service *grown = reallocarray(dst->services, at + 1, sizeof(*grown));

			if (!grown)
				return -ENOMEM;
			dst->services = grown;
			grown[at] = (struct service){.traces.limit = TRACE_KEYS};
			dst->n_services++;
		}
		r = service_merge(&dst->services[at], &src->services[i], shift_ns);
	}
	return r;
}
