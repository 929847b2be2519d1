/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/history.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/derive.h"

struct history *history_new(size_t n_services)
{
	struct history *history = calloc(1, sizeof(*history));

	if (!history)
		return NULL;
	history->services = calloc(n_services ? n_services : 1, sizeof(*history->services));
	if (!history->services) {
		free(history);
		return NULL;
	}
	history->n_services = n_services;
	return history;
}

void history_free(struct history *history)
{
	if (!history)
		return;
	for (size_t i = 0; i < history->n_services; i++)
		free(history->services[i].lanes);
	free(history->services);
	free(history);
}

void history_freep(struct history **history)
{
	history_free(*history);
}

static double quantile(const struct dist *d, double q)
{
	return d->count ? dist_quantile_s(d, q) : NAN;
}

static struct history_point point_of(const struct snapshot *s, const struct service *service)
{
	struct blocking blocking;

	derive_blocking(service, &blocking);
	return (struct history_point){
		.rate_per_s = derive_rate_per_s(s, service),
		.p50_s = quantile(&service->latency, 0.5),
		.p99_s = quantile(&service->latency, 0.99),
		.ratio = blocking.ratio,
		.busy_workers = service->workers.count * derive_busy_fraction(service),
	};
}

/* Rounded so that something never becomes nothing. */
static uint8_t share(uint64_t ns, uint64_t all_ns)
{
	double x = all_ns ? (double)ns / (double)all_ns * 255 : 0;

	return ns && x < 1 ? 1 : (uint8_t)lround(x);
}

static struct history_share share_of(const struct lane *lane)
{
	uint64_t all = lane->cpu_ns + lane->run_queue_ns + lane->wait_ns + lane->idle_ns;

	return (struct history_share){
		.cpu = share(lane->cpu_ns, all),
		.run_queue = share(lane->run_queue_ns, all),
		.wait = share(lane->wait_ns, all),
		.idle = share(lane->idle_ns, all),
	};
}

static struct history_lane *find_lane(struct history_service *service, const struct lane *lane)
{
	for (size_t i = 0; i < service->n_lanes; i++) {
		struct history_lane *known = &service->lanes[i];

		if (known->tid == lane->tid && known->start_time == lane->start_time)
			return known;
	}
	return NULL;
}

static bool is_observed(const struct history_share *s)
{
	return s->cpu || s->run_queue || s->wait || s->idle;
}

/* For how many points up to now a thread has not been observed. */
static size_t gone_for(const struct history_lane *lane)
{
	size_t n = 0;

	while (n < HISTORY_MOST && !is_observed(&lane->shares[HISTORY_MOST - 1 - n]))
		n++;
	return n;
}

/* Forgets the thread that was not observed for longest, if there is one. */
static void forget_lane(struct history_service *service)
{
	size_t oldest = 0, longest = 1; /* in this point its turn may only come yet */

	for (size_t i = 0; i < service->n_lanes; i++) {
		size_t gone = gone_for(&service->lanes[i]);

		if (gone > longest) {
			longest = gone;
			oldest = i;
		}
	}
	if (longest == 1)
		return;
	service->n_lanes--;
	memmove(service->lanes + oldest, service->lanes + oldest + 1,
		(service->n_lanes - oldest) * sizeof(*service->lanes));
}

static struct history_lane *new_lane(struct history_service *service, const struct lane *lane)
{
	struct history_lane *lanes;

	if (service->n_lanes == HISTORY_LANES_MOST)
		forget_lane(service);
	if (service->n_lanes == HISTORY_LANES_MOST)
		return NULL;
	lanes = reallocarray(service->lanes, service->n_lanes + 1, sizeof(*lanes));
	if (!lanes)
		return NULL;
	service->lanes = lanes;
	lanes[service->n_lanes] = (struct history_lane){
		.pid = lane->pid, .tid = lane->tid, .start_time = lane->start_time};
	return &lanes[service->n_lanes++];
}

/* Makes room for one point at the end; threads of which nothing is left are forgotten. */
static void shift(struct history_service *service)
{
	size_t kept = 0;

	memmove(service->points, service->points + 1,
		sizeof(service->points) - sizeof(*service->points));
	for (size_t i = 0; i < service->n_lanes; i++) {
		struct history_lane *lane = &service->lanes[i];
		bool seen = false;

		memmove(lane->shares, lane->shares + 1,
			sizeof(lane->shares) - sizeof(*lane->shares));
		lane->shares[HISTORY_MOST - 1] = (struct history_share){0};
		for (size_t k = 0; k < HISTORY_MOST && !seen; k++)
			seen = is_observed(&lane->shares[k]);
		if (!seen)
			continue;
		if (kept != i)
			service->lanes[kept] = *lane;
		kept++;
	}
	service->n_lanes = kept;
}

static int add_lanes(struct history_service *history, const struct service *service)
{
	int r = 0;

	for (size_t i = 0; i < service->n_lanes; i++) {
		const struct lane *lane = &service->lanes[i];
		struct history_lane *known = find_lane(history, lane);

		if (!known)
			known = new_lane(history, lane);
		if (!known) {
			r = -ENOMEM;
			continue;
		}
		memcpy(known->name, lane->name, sizeof(known->name));
		known->shares[HISTORY_MOST - 1] = share_of(lane);
	}
	return r;
}

/* Room for services that have come; nothing is known of them before. */
static int grow(struct history *history, size_t n)
{
	struct history_service *services;

	if (n <= history->n_services)
		return 0;
	services = reallocarray(history->services, n, sizeof(*services));
	if (!services)
		return -ENOMEM;
	history->services = services;
	for (; history->n_services < n; history->n_services++) {
		struct history_service *new = &services[history->n_services];

		*new = (struct history_service){0};
		for (size_t i = 0; i < HISTORY_MOST; i++)
			new->points[i] = (struct history_point){NAN, NAN, NAN, NAN, NAN};
	}
	return 0;
}

int history_add(struct history *history, const struct snapshot *s)
{
	int result = 0;

	if (s->n_services < history->n_services)
		return -EINVAL;
	if (grow(history, s->n_services) < 0)
		return -ENOMEM;
	memmove(history->duration_s, history->duration_s + 1,
		sizeof(history->duration_s) - sizeof(*history->duration_s));
	history->duration_s[HISTORY_MOST - 1] = (double)s->duration_ns / 1e9;
	for (size_t i = 0; i < s->n_services; i++) {
		int r;

		shift(&history->services[i]);
		history->services[i].points[HISTORY_MOST - 1] = point_of(s, &s->services[i]);
		r = add_lanes(&history->services[i], &s->services[i]);
		result = result ? result : r;
	}
	if (history->n < HISTORY_MOST)
		history->n++;
	return result;
}
