/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/scale.h"

#include <math.h>

static void scale(uint64_t *n, double factor)
{
	*n = (uint64_t)llround((double)*n * factor);
}

static void scale_dist(struct dist *dist, double factor)
{
	uint64_t below = 0, done = 0, upto, *octave;

	for (unsigned int i = 0; i < IOP_BUCKET_COUNT; i++) {
		octave = dist->octaves[i / IOP_BUCKET_SUB];
		if (!octave)
			continue;
		below += octave[i % IOP_BUCKET_SUB];
		upto = (uint64_t)llround((double)below * factor);
		octave[i % IOP_BUCKET_SUB] = upto - done;
		done = upto;
	}
	dist->count = done;
	scale(&dist->sum_ns, factor);
}

static void scale_blocked(struct blocked *blocked, double factor)
{
	scale(&blocked->count, factor);
	scale(&blocked->sum_ns, factor);
}

static void scale_peer(struct peer *peer, double factor)
{
	scale(&peer->operations, factor);
	scale(&peer->operations_outside, factor);
	scale(&peer->connections, factor);
	scale_dist(&peer->wait, factor);
	for (unsigned int b = 0; b < IOP_IN_FLIGHT_BINS; b++) {
		scale(&peer->loads[b].operations, factor);
		scale(&peer->loads[b].sum_ns, factor);
	}
	scale_blocked(&peer->blocked, factor);
}

static void scale_pauses(struct pause *pauses, double factor)
{
	for (unsigned int i = 0; i < IOP_PAUSE_BINS; i++) {
		scale(&pauses[i].requests, factor);
		scale(&pauses[i].sum_ns, factor);
		scale(&pauses[i].cpu_ns, factor);
		pauses[i].cpu_squares *= factor;
	}
}

static void scale_requests(struct requests *requests, double factor)
{
	scale(&requests->completed, factor);
	scale(&requests->arrival_unknown, factor);
	scale(&requests->aborted, factor);
	scale(&requests->operations, factor);
	scale(&requests->waits, factor);
	scale(&requests->parallel_ns, factor);
}

static void scale_evidence(struct evidence *evidence, double factor)
{
	scale(&evidence->opened_by_loop, factor);
	scale(&evidence->opened_by_worker, factor);
	scale(&evidence->handed_off, factor);
	scale(&evidence->pool_ns, factor);
	scale(&evidence->own_ns, factor);
}

static void scale_threads(struct service *service, double factor)
{
	scale(&service->cpu_observed_ns, factor);
	scale(&service->workers.busy_ns, factor);
	scale(&service->workers.wall_ns, factor);
	for (size_t i = 0; i < service->n_lanes; i++) {
		scale(&service->lanes[i].run_queue_ns, factor);
		scale(&service->lanes[i].wait_ns, factor);
		scale(&service->lanes[i].idle_ns, factor);
	}
}

void service_scale(struct service *service, double requests, double threads)
{
	scale_requests(&service->requests, requests);
	scale_dist(&service->latency, requests);
	scale_dist(&service->queue_wait, requests);
	scale_dist(&service->service_time, requests);
	for (int i = 0; i < PART_COUNT; i++)
		scale_dist(&service->parts[i], requests);
	scale(&service->overlapped_io_ns, requests);
	scale(&service->peer_cpu_ns, requests);
	scale_pauses(service->pauses, requests);
	service->moments.xx *= requests * requests;
	service->moments.yy *= requests * requests;
	service->moments.xy *= requests * requests;
	for (size_t i = 0; i < service->n_peers; i++)
		scale_peer(&service->peers[i], requests);
	for (unsigned int i = 0; i < PART_WAIT_COUNT; i++)
		scale_blocked(&service->blocked[i], requests);
	scale_evidence(&service->evidence, requests);
	scale_threads(service, threads);
}
