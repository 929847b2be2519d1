/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How does the service run its requests?
 *
 * Event loop: most requests were read by threads proven to be event loops. The kernel side proves
 * it by what only an event loop does: it reads a request while another it has read is unanswered,
 * and answers that one later; it waits for a peer in epoll instead of on the peer's socket; it
 * leaves an operation that would have blocked for something else.
 *
 * With a pool behind it: other threads do most of the work, or most requests are handed to them and
 * they do a tenth of it. A runtime's helpers (garbage collection, compilation) do less of it, and
 * for fewer requests.
 *
 * A thread that waits for those it gave parts of its request to has not handed it over: it is with
 * its requests most of their time, and no pool of workers stands behind it.
 *
 * Threads, prefork: neither; the process decides. Several workers in one process are threads, one
 * each is prefork.
 */
#include "model/derive.h"

#define POOL_SHARE 0.1

bool derive_handed_over(const struct service *service)
{
	const struct evidence *e = &service->evidence;

	return e->pool_ns > e->own_ns && e->own_ns <= service->service_time.sum_ns / 2;
}

static bool pooled(const struct service *service)
{
	const struct evidence *e = &service->evidence;
	double worked = (double)e->pool_ns + (double)e->own_ns;

	if (derive_handed_over(service))
		return true;
	return (double)e->handed_off > 0.5 * (double)service->requests.completed &&
	       (double)e->pool_ns > POOL_SHARE * worked;
}

/* One thread reads all of a process's requests and others answer them: a loop, though none of its
 * waits proved it. */
static bool single_reader(const struct service *service)
{
	const struct evidence *e = &service->evidence;

	return e->threads_serving == e->processes_serving && derive_handed_over(service);
}

enum concurrency derive_concurrency(const struct service *service)
{
	const struct evidence *e = &service->evidence;
	const struct workers *workers = &service->workers;

	if (!service->requests.completed)
		return e->listens || e->opened_by_worker || e->opened_by_loop ? CONCURRENCY_UNKNOWN
									      : CONCURRENCY_BATCH;
	if (e->opened_by_loop > e->opened_by_worker)
		return pooled(service) ? CONCURRENCY_EVENT_LOOP_THREADS : CONCURRENCY_EVENT_LOOP;
	if (pooled(service) && single_reader(service))
		return CONCURRENCY_EVENT_LOOP_THREADS;
	if (!workers->count)
		return CONCURRENCY_UNKNOWN;
	return workers->count > workers->processes ? CONCURRENCY_THREADS : CONCURRENCY_PREFORK;
}
