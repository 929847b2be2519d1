/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The observed threads as the kernel reports them, and which of them are workers.
 *
 * A worker is a thread that can take a request. One that has read a request is one. Its idle
 * siblings count too, or a pool that is larger than its load would look smaller than it is:
 *  - processes that read requests: their siblings (same parent, same name) none of whose threads
 * has read one yet stand for one worker each, as a prefork master's idle children do;
 *  - threads that read requests: in the same process, threads of the same name other than the
 * process's first. Where requests are handed from the thread that reads them to a pool, the pool's
 * threads are the workers.
 */
#ifndef IOPROF_PROBE_THREADS_H
#define IOPROF_PROBE_THREADS_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "model/snapshot.h"

struct threads;

/* NULL when out of memory. */
struct threads *threads_new(void);
void threads_free(struct threads *threads);

/* Takes over what the iterator reported: n records, which the table owns from now on. */
void threads_update(struct threads *threads, struct iop_thread_record *records, size_t n);

/* CPU of a service's live threads since they were first seen. */
void threads_cpu(const struct threads *threads, uint32_t service, uint64_t *ret_ns,
		 uint64_t *ret_observed_ns);

/* The service's live processes in ascending order, first leading if it is among them. 0 or -ENOMEM.
 */
int threads_processes(const struct threads *threads, uint32_t service, pid_t first,
		      pid_t **ret_pids, size_t *ret_n);

/* What is known of the workers that ended: the most there ever were at once, live ones included;
 * how many ended, as threads and as processes of their own; and their time. */
struct ended_workers {
	uint32_t most;
	uint64_t n, n_processes;
	uint64_t wall_ns, idle_ns;
};

/*
 * Workers and what they did since the update before the last; what of the evidence is known per
 * thread. ended: since the update before the last, its times from each thread's beginning. pooled:
 * requests are handed over to a pool.
 */
void threads_workers(const struct threads *threads, uint32_t service,
		     const struct ended_workers *ended, bool pooled, struct workers *ret_workers,
		     struct evidence *evidence);

/* The service's live threads as lanes, with what they did since the update before the last. 0 or
 * -ENOMEM. */
int threads_lanes(const struct threads *threads, uint32_t service, struct service *to);

#endif
