/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A snapshot's making and end. How two become one: merge.c. */
#include "model/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/snapshot_internal.h"

static void free_strings(char **strings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

void service_done(struct service *service)
{
	free(service->name);
	free(service->pids);
	dist_done(&service->latency);
	dist_done(&service->queue_wait);
	dist_done(&service->service_time);
	for (unsigned int i = 0; i < PART_COUNT; i++)
		dist_done(&service->parts[i]);
	for (size_t i = 0; i < service->n_peers; i++) {
		free(service->peers[i].address);
		dist_done(&service->peers[i].wait);
	}
	free(service->peers);
	free_strings(service->surroundings.components, service->surroundings.n_components);
	free(service->blocking_file);
	traces_done(&service->traces);
	free(service->lanes);
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
	for (size_t i = 0; i < n_services; i++)
		s->services[i].traces.limit = TRACE_KEYS;
	return TAKE(s);
}

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_services; i++)
		service_done(&s->services[i]);
	free(s->services);
	for (size_t i = 0; i < s->n_programs; i++)
		free(s->programs[i].name);
	free(s->programs);
	free(s->host);
	free_strings(s->notes, s->n_notes);
	free(s);
}

void snapshot_freep(struct snapshot **s)
{
	snapshot_free(*s);
}

void *snapshot_grow(void *array, size_t n, size_t element_size)
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
	peers = snapshot_grow(service->peers, service->n_peers, sizeof(*peers));
	if (!peers)
		return NULL;
	service->peers = peers;
	peer = &peers[service->n_peers++];
	*peer = (struct peer){.address = TAKE(copy)};
	return peer;
}

int snapshot_add_string(char ***strings, size_t *n_strings, const char *string)
{
	_cleanup_free_ char *copy = strdup(string);
	char **grown;

	if (!copy)
		return -ENOMEM;
	grown = snapshot_grow(*strings, *n_strings, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*strings = grown;
	grown[(*n_strings)++] = TAKE(copy);
	return 0;
}

int service_add_note(struct service *service, const char *note)
{
	return snapshot_add_string(&service->notes, &service->n_notes, note);
}

int snapshot_add_note(struct snapshot *s, const char *note)
{
	return snapshot_add_string(&s->notes, &s->n_notes, note);
}

int service_add_component(struct service *service, const char *name)
{
	struct surroundings *on = &service->surroundings;
	size_t at = 0;
	char *added;
	int r;

	while (at < on->n_components && strcmp(on->components[at], name) < 0)
		at++;
	if (at < on->n_components && strcmp(on->components[at], name) == 0)
		return 0;
	r = snapshot_add_string(&on->components, &on->n_components, name);
	if (r < 0)
		return r;
	added = on->components[on->n_components - 1];
	memmove(&on->components[at + 1], &on->components[at],
		(on->n_components - 1 - at) * sizeof(*on->components));
	on->components[at] = added;
	return 0;
}

/* A peer and where it was before sorting. */
struct placed {
	const struct peer *peer;
	uint32_t was;
};

static int compare_placed(const void *left, const void *right)
{
	const struct peer *a = ((const struct placed *)left)->peer;
	const struct peer *b = ((const struct placed *)right)->peer;

	if (a->wait.sum_ns != b->wait.sum_ns)
		return a->wait.sum_ns < b->wait.sum_ns ? 1 : -1;
	return strcmp(a->address, b->address);
}

static void renumber_peers(struct traces *traces, const uint32_t *now)
{
	for (size_t i = 0; i < traces->n; i++) {
		for (size_t k = 0; k < traces->kept[i].n_segments; k++) {
			uint32_t *peer = &traces->kept[i].segments[k].peer;

			if (*peer != TRACE_NO_PEER)
				*peer = now[*peer];
		}
	}
}

int service_sort_peers(struct service *service)
{
	size_t n = service->n_peers, room = 1;
	_cleanup_free_ struct placed *placed = NULL;
	_cleanup_free_ struct peer *sorted = NULL;
	_cleanup_free_ uint32_t *now = NULL;

	while (room < n) /* as much as snapshot_grow() has given */
		room *= 2;
	placed = calloc(room, sizeof(*placed));
	sorted = calloc(room, sizeof(*sorted));
	now = calloc(room, sizeof(*now));
	if (!placed || !sorted || !now)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		placed[i] = (struct placed){&service->peers[i], (uint32_t)i};
	qsort(placed, n, sizeof(*placed), compare_placed);
	for (size_t i = 0; i < n; i++) {
		sorted[i] = *placed[i].peer;
		now[placed[i].was] = (uint32_t)i;
	}
	free(service->peers);
	service->peers = TAKE(sorted);
	renumber_peers(&service->traces, now);
	return 0;
}
