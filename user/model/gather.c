/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Two clocks measure an interval, which go apart by so much of it: not an overlap. */
#define JITTER 0.01

void gathering_done(struct gathering *gathering)
{
	for (size_t i = 0; i < gathering->n_hosts; i++) {
		snapshot_free(gathering->hosts[i].sum);
		free(gathering->hosts[i].spreads);
	}
	free(gathering->hosts);
	*gathering = (struct gathering){0};
}

static bool same_host(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct gathered *find_host(const struct gathering *gathering, const struct snapshot *s)
{
	for (size_t i = 0; i < gathering->n_hosts; i++) {
		if (same_host(gathering->hosts[i].sum->host, s->host))
			return &gathering->hosts[i];
	}
	return NULL;
}

static int64_t end_of(const struct snapshot *s)
{
	return s->start_unix_ns + (int64_t)s->duration_ns;
}

/* What of the snapshot's time is covered already. */
static uint64_t overlap_ns(const struct gathered *host, const struct snapshot *s)
{
	int64_t before = host->end_unix_ns - s->start_unix_ns;

	if (before <= 0 || (double)before < JITTER * (double)s->duration_ns)
		return 0;
	return (uint64_t)before < s->duration_ns ? (uint64_t)before : s->duration_ns;
}

static bool shares_service(const struct snapshot *a, const struct snapshot *b)
{
	for (size_t i = 0; i < a->n_services; i++) {
		for (size_t k = 0; k < b->n_services; k++) {
			if (strcmp(a->services[i].name, b->services[k].name) == 0)
				return true;
		}
	}
	return false;
}

static bool within_limits(const struct snapshot *s)
{
	size_t peers = 0;

	for (size_t i = 0; i < s->n_services; i++) {
		peers += s->services[i].n_peers;
		if (s->services[i].n_notes > GATHER_NOTES_MOST ||
		    s->services[i].surroundings.n_components > GATHER_NOTES_MOST)
			return false;
	}
	return s->n_services <= GATHER_SERVICES_MOST && peers <= GATHER_PEERS_MOST &&
	       s->n_notes <= GATHER_NOTES_MOST && s->n_programs <= GATHER_NOTES_MOST;
}

/* n_before: services there were before this interval. */
static int add_spreads(struct gathered *host, size_t n_before, const struct snapshot *s)
{
	size_t n = host->sum->n_services;
	struct spread *spreads = reallocarray(host->spreads, n ? n : 1, sizeof(*spreads));

	if (!spreads)
		return -ENOMEM;
	host->spreads = spreads;
	for (size_t i = n_before; i < n; i++)
		spreads[i] = (struct spread){0};
	for (size_t i = 0; i < s->n_services; i++)
		spread_add(&spreads[snapshot_find_by_name(host->sum, s, i)], s, &s->services[i]);
	return 0;
}

static int add_host(struct gathering *gathering, struct snapshot *s)
{
	struct gathered *hosts;

	if (gathering->n_hosts == GATHER_HOSTS_MOST)
		return -E2BIG;
	hosts = reallocarray(gathering->hosts, gathering->n_hosts + 1, sizeof(*hosts));
	if (!hosts)
		return -ENOMEM;
	gathering->hosts = hosts;
	hosts[gathering->n_hosts++] = (struct gathered){
		.sum = s,
		.end_unix_ns = end_of(s),
		.intervals = 1,
	};
	return add_spreads(&hosts[gathering->n_hosts - 1], 0, s);
}

int gathering_add(struct gathering *gathering, struct snapshot *s)
{
	_cleanup_(snapshot_freep) struct snapshot *owned = s;
	struct gathered *host = find_host(gathering, s);
	size_t n_before, n_hosts = gathering->n_hosts;
	uint64_t overlap;
	int r;

	if (!host) {
		r = add_host(gathering, s);
		if (gathering->n_hosts > n_hosts)
			(void)TAKE(owned);
		return r;
	}
	n_before = host->sum->n_services;
	overlap = overlap_ns(host, s);
	if (overlap && shares_service(host->sum, s))
		host->repeated++;
	r = snapshot_add_by_name(host->sum, s, s->duration_ns - overlap);
	if (r == 0)
		r = add_spreads(host, n_before, s);
	if (r < 0)
		return r;
	if (end_of(s) > host->end_unix_ns)
		host->end_unix_ns = end_of(s);
	host->intervals++;
	return within_limits(host->sum) ? 0 : -E2BIG;
}
