/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Merging builds the sum as a third snapshot and swaps it in at the end, so a failure half way
 * leaves no trace.
 */
#include "model/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static void free_strings(char **strings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

static void service_done(struct service *service)
{
	free(service->name);
	free(service->pids);
	for (size_t i = 0; i < service->n_peers; i++)
		free(service->peers[i].address);
	free(service->peers);
	free_strings(service->notes, service->n_notes);
}

struct snapshot *snapshot_new(size_t n_services)
{
	_cleanup_(snapshot_freep) struct snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->services = calloc(n_services ? n_services : 1, sizeof(*s->services));
	if (!s->services)
		return NULL;
	s->n_services = n_services;
	return TAKE(s);
}

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_services; i++)
		service_done(&s->services[i]);
	free(s->services);
	free(s->programs);
	free_strings(s->notes, s->n_notes);
	free(s);
}

void snapshot_freep(struct snapshot **s)
{
	snapshot_free(*s);
}

/*
 * Room for one more element behind n of them. Arrays grow by doubling, and a power of two is where
 * one is full, so the count alone says when to grow. Returns the array, moved perhaps, or NULL with
 * the old one still valid.
 */
static void *array_grow(void *array, size_t n, size_t element_size)
{
	if (n & (n - 1))
		return array;
	return reallocarray(array, n ? 2 * n : 1, element_size);
}

struct peer *service_add_peer(struct service *service, const char *address)
{
	_cleanup_free_ char *copy = strdup(address);
	struct peer *peers, *peer;

	if (!copy)
		return NULL;
	peers = array_grow(service->peers, service->n_peers, sizeof(*peers));
	if (!peers)
		return NULL;
	service->peers = peers;
	peer = &peers[service->n_peers++];
	*peer = (struct peer){.address = TAKE(copy)};
	return peer;
}

static int add_note(char ***notes, size_t *n_notes, const char *note)
{
	_cleanup_free_ char *copy = strdup(note);
	char **grown;

	if (!copy)
		return -ENOMEM;
	grown = array_grow(*notes, *n_notes, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*notes = grown;
	grown[(*n_notes)++] = TAKE(copy);
	return 0;
}

int service_add_note(struct service *service, const char *note)
{
	return add_note(&service->notes, &service->n_notes, note);
}

int snapshot_add_note(struct snapshot *s, const char *note)
{
	return add_note(&s->notes, &s->n_notes, note);
}

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
		r = add_note(dst, n_dst, src[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int merge_programs(struct snapshot *dst, const struct snapshot *src)
{
	for (size_t i = 0; i < src->n_programs; i++) {
		const struct program_cost *cost = &src->programs[i];
		size_t at = 0;

		while (at < dst->n_programs && strcmp(dst->programs[at].name, cost->name) != 0)
			at++;
		if (at == dst->n_programs) {
			struct program_cost *grown = array_grow(dst->programs, at, sizeof(*grown));

			if (!grown)
				return -ENOMEM;
			dst->programs = grown;
			grown[dst->n_programs++] = (struct program_cost){.name = cost->name};
		}
		dst->programs[at].runs += cost->runs;
		dst->programs[at].run_ns += cost->run_ns;
	}
	return 0;
}

static int compare_peers(const void *left, const void *right)
{
	const struct peer *a = left, *b = right;

	if (a->wait.sum_ns != b->wait.sum_ns)
		return a->wait.sum_ns < b->wait.sum_ns ? 1 : -1;
	return strcmp(a->address, b->address);
}

static int merge_peers(struct service *dst, const struct service *src)
{
	for (size_t i = 0; i < src->n_peers; i++) {
		const struct peer *from = &src->peers[i];
		struct peer *to = NULL;

		for (size_t j = 0; j < dst->n_peers && !to; j++) {
			if (strcmp(dst->peers[j].address, from->address) == 0)
				to = &dst->peers[j];
		}
		if (!to)
			to = service_add_peer(dst, from->address);
		if (!to)
			return -ENOMEM;
		to->operations += from->operations;
		to->operations_outside += from->operations_outside;
		dist_merge(&to->wait, &from->wait);
	}
	if (dst->n_peers)
		qsort(dst->peers, dst->n_peers, sizeof(*dst->peers), compare_peers);
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

/* Everything of a service that is a number. */
static void merge_figures(struct service *dst, const struct service *src)
{
	merge_requests(&dst->requests, &src->requests);
	dist_merge(&dst->latency, &src->latency);
	dist_merge(&dst->queue_wait, &src->queue_wait);
	dist_merge(&dst->service_time, &src->service_time);
	for (int i = 0; i < PART_COUNT; i++)
		dist_merge(&dst->parts[i], &src->parts[i]);
	dst->overlapped_io_ns += src->overlapped_io_ns;
	dst->moments.xx += src->moments.xx;
	dst->moments.yy += src->moments.yy;
	dst->moments.xy += src->moments.xy;
	dst->cpu_ns += src->cpu_ns;
	dst->cpu_observed_ns += src->cpu_observed_ns;
	dst->workers.count = src->workers.count;
	dst->workers.processes = src->workers.processes;
	dst->workers.busy_ns += src->workers.busy_ns;
	dst->workers.wall_ns += src->workers.wall_ns;
	merge_evidence(&dst->evidence, &src->evidence);
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

static int service_merge(struct service *dst, const struct service *src)
{
	int r;

	merge_figures(dst, src);
	r = copy_identity(dst, src);
	if (r < 0)
		return r;
	r = merge_peers(dst, src);
	if (r < 0)
		return r;
	return merge_notes(&dst->notes, &dst->n_notes, src->notes, src->n_notes);
}

/* Adds src to a snapshot that may be left half merged. */
static int accumulate(struct snapshot *dst, const struct snapshot *src)
{
	int r;

	dst->duration_ns += src->duration_ns;
	for (int i = 0; i < LOSS_COUNT; i++)
		dst->losses[i] += src->losses[i];
	r = merge_programs(dst, src);
	if (r < 0)
		return r;
	r = merge_notes(&dst->notes, &dst->n_notes, src->notes, src->n_notes);
	for (size_t i = 0; r >= 0 && i < src->n_services; i++)
		r = service_merge(&dst->services[i], &src->services[i]);
	return r;
}

int snapshot_merge(struct snapshot *dst, const struct snapshot *src)
{
	_cleanup_(snapshot_freep) struct snapshot *sum = NULL;
	struct snapshot old = *dst;
	int r;

	if (dst->n_services != src->n_services)
		return -EINVAL;
	sum = snapshot_new(dst->n_services);
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
