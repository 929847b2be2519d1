/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/total.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "model/snapshot_internal.h"

/* "other" and those with a row of their own. */
#define ROWS (1 + TOTAL_PEERS_MOST)

/* When a service, and each of its peers, was last seen: position by position beside the sum's. In
 * observed time. */
struct seen {
	uint64_t service_ns;
	uint64_t peer_ns[ROWS];
};

struct total {
	struct snapshot *sum;
	struct seen *seen; /* one per service of sum */
};

struct total *total_new(void)
{
	_cleanup_(total_freep) struct total *total = calloc(1, sizeof(*total));

	if (!total)
		return NULL;
	total->sum = snapshot_new(0);
	return total->sum ? TAKE(total) : NULL;
}

void total_free(struct total *total)
{
	if (!total)
		return;
	snapshot_free(total->sum);
	free(total->seen);
	free(total);
}

void total_freep(struct total **total)
{
	total_free(*total);
}

const struct snapshot *total_snapshot(const struct total *total)
{
	return total->sum;
}

/* Bytes as a name: the caller frees; NULL when out of memory. */
static char *printable(const char *bytes)
{
	_cleanup_free_ char *text = text_sanitize(bytes ? bytes : "");

	return text ? text_truncate(text, TOTAL_NAME_COLUMNS) : NULL;
}

/* Makes the names of a snapshot's services tell them apart. 0 or -ENOMEM. */
static int number_namesakes(char **names, size_t n)
{
	for (size_t i = n; i-- > 0;) {
		size_t before = 0;
		char *numbered;

		for (size_t k = 0; k < i; k++)
			before += strcmp(names[k], names[i]) == 0;
		if (before == 0)
			continue;
		if (asprintf(&numbered, "%s (%zu)", names[i], before + 1) < 0)
			return -ENOMEM;
		free(names[i]);
		names[i] = numbered;
	}
	return 0;
}

static void free_names(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

int total_name_services(const struct snapshot *s, char **names)
{
	for (size_t i = 0; i < s->n_services; i++) {
		names[i] = printable(s->services[i].name);
		if (!names[i])
			return -ENOMEM;
	}
	return number_namesakes(names, s->n_services);
}

static int add_service(struct total *total, char *label)
{
	struct snapshot *sum = total->sum;
	size_t n = sum->n_services;
	struct service *services = reallocarray(sum->services, n + 1, sizeof(*services));
	struct seen *seen;

	if (!services)
		return -ENOMEM;
	sum->services = services;
	seen = reallocarray(total->seen, n + 1, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	total->seen = seen;
	memset(&seen[n], 0, sizeof(seen[n]));
	memset(&services[n], 0, sizeof(services[n]));
	if (!service_add_peer(&services[n], TOTAL_PEER_OTHER))
		return -ENOMEM;
	services[n].name = label;
	sum->n_services++;
	return 0;
}

/* Position of the service with this label, added if there is none; or -ENOMEM. */
static int find_service(struct total *total, const char *label)
{
	const struct snapshot *sum = total->sum;
	char *copy;
	int r;

	for (size_t i = 0; i < sum->n_services; i++) {
		if (strcmp(sum->services[i].name, label) == 0)
			return (int)i;
	}
	copy = strdup(label);
	if (!copy)
		return -ENOMEM;
	r = add_service(total, copy);
	if (r < 0) {
		free(copy);
		return r;
	}
	return (int)sum->n_services - 1;
}

/* A row whose peer has not been heard of for so long that another may have it; 0 if there is none.
 */
static size_t stale_row(const struct service *service, const struct seen *seen, uint64_t now_ns)
{
	for (size_t i = 1; i < service->n_peers; i++) {
		if (now_ns - seen->peer_ns[i] >= TOTAL_KEPT_NS)
			return i;
	}
	return 0;
}

/* The row a peer is counted in: 0 is "other". -ENOMEM. */
static int peer_row(struct service *service, const struct seen *seen, const char *address,
		    uint64_t now_ns)
{
	size_t row;

	for (size_t i = 1; i < service->n_peers; i++) {
		if (strcmp(service->peers[i].address, address) == 0)
			return (int)i;
	}
	/* Where the kernel's own table was full. */
	if (strcmp(address, PEER_OTHER) == 0)
		return 0;
	if (service->n_peers < ROWS)
		return service_add_peer(service, address) ? (int)service->n_peers - 1 : -ENOMEM;
	row = stale_row(service, seen, now_ns);
	if (row) {
		char *copy = strdup(address);

		if (!copy)
			return -ENOMEM;
		free(service->peers[row].address);
		dist_done(&service->peers[row].wait);
		service->peers[row] = (struct peer){.address = copy};
	}
	return (int)row;
}

static int add_peer(struct service *service, struct seen *seen, const struct peer *peer,
		    uint64_t now_ns)
{
	_cleanup_free_ char *address = printable(peer->address);
	struct peer *to;
	int row;

	if (!address)
		return -ENOMEM;
	row = peer_row(service, seen, address, now_ns);
	if (row < 0)
		return row;
	to = &service->peers[row];
	to->operations += peer->operations;
	to->operations_outside += peer->operations_outside;
	to->connections += peer->connections;
	blocked_merge(&to->blocked, &peer->blocked);
	if (peer->operations || peer->operations_outside)
		seen->peer_ns[row] = now_ns;
	return dist_merge(&to->wait, &peer->wait);
}

/* What describes the end of the interval is the interval's; losses of the quota add. */
static void add_surroundings(struct surroundings *to, const struct surroundings *from)
{
	const struct surroundings was = *to;

	*to = *from;
	to->quota_periods += was.quota_periods;
	to->quota_throttled += was.quota_throttled;
	to->throttled_ns += was.throttled_ns;
	to->other_cpu_ns += was.other_cpu_ns;
	to->components = NULL;
	to->n_components = 0;
}

/* Makes to's processes those of from. */
static int copy_processes(struct service *to, const struct service *from)
{
	pid_t *pids = calloc(from->n_pids + 1, sizeof(*pids));

	if (!pids)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_pids; i++)
		pids[i] = from->pids[i];
	free(to->pids);
	to->pids = pids;
	to->n_pids = from->n_pids;
	return 0;
}

static int add_to_service(struct total *total, size_t at, const struct service *from)
{
	struct service *to = &total->sum->services[at];
	struct seen *seen = &total->seen[at];
	uint64_t now_ns = total->sum->duration_ns;
	int r;

	seen->service_ns = now_ns;
	r = service_merge_figures(to, from);
	for (unsigned int i = 0; i < PART_WAIT_COUNT; i++)
		blocked_merge(&to->blocked[i], &from->blocked[i]);
	add_surroundings(&to->surroundings, &from->surroundings);
	if (r == 0)
		r = copy_processes(to, from);
	for (size_t i = 0; i < from->n_peers && r == 0; i++)
		r = add_peer(to, seen, &from->peers[i], now_ns);
	return r;
}

static void forget_service(struct total *total, size_t at)
{
	struct snapshot *sum = total->sum;
	size_t behind = sum->n_services - 1 - at;

	service_done(&sum->services[at]);
	memmove(&sum->services[at], &sum->services[at + 1], behind * sizeof(*sum->services));
	memmove(&total->seen[at], &total->seen[at + 1], behind * sizeof(*total->seen));
	sum->n_services--;
}

static void forget_services(struct total *total)
{
	for (size_t i = total->sum->n_services; i-- > 0;) {
		if (total->sum->duration_ns - total->seen[i].service_ns >= TOTAL_KEPT_NS)
			forget_service(total, i);
	}
}

static int add_host(struct snapshot *sum, const struct snapshot *s)
{
	if (sum->host || !s->host)
		return 0;
	sum->host = printable(s->host);
	return sum->host ? 0 : -ENOMEM;
}

static int add_services(struct total *total, const struct snapshot *s)
{
	char **names = calloc(s->n_services + 1, sizeof(*names));
	int r;

	if (!names)
		return -ENOMEM;
	r = total_name_services(s, names);
	for (size_t i = 0; i < s->n_services && r == 0; i++) {
		int at = find_service(total, names[i]);

		r = at < 0 ? at : add_to_service(total, (size_t)at, &s->services[i]);
	}
	free_names(names, s->n_services);
	forget_services(total);
	return r;
}

int total_add(struct total *total, const struct snapshot *s)
{
	struct snapshot *sum = total->sum;
	int r;

	if (!sum->start_unix_ns)
		sum->start_unix_ns = s->start_unix_ns;
	sum->duration_ns += s->duration_ns;
	sum->sampled_ns += s->sampled_ns;
	sum->cost_known |= s->cost_known;
	for (int i = 0; i < LOSS_COUNT; i++)
		sum->losses[i] += s->losses[i];
	r = add_host(sum, s);
	if (r == 0)
		r = snapshot_merge_programs(sum, s);
	return r < 0 ? r : add_services(total, s);
}
