/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the service did, by its own account: the truth that ioprof's figures are compared with.
 *
 * A request starts when its first byte was read and ends when the last byte of its response was
 * handed to the kernel. CPU is the thread CPU clock over the stretches in which a thread worked on
 * the request. A wait is the wall time of a call that can block less the CPU the call took, so it
 * holds the run-queue delay after the wake-up, which the service cannot see: ioprof's wait <= truth
 * <= ioprof's wait + its run queue.
 *
 * The sums lie in memory shared by all processes of the service, one slot per thread and each slot
 * with one writer, so that no worker needs to handle a signal and the truth of a worker that died
 * survives it. A request belongs to the epoch in which it started; a reset begins a new epoch.
 */
#ifndef IOPROF_SERVICE_TRUTH_H
#define IOPROF_SERVICE_TRUTH_H

#include <stdatomic.h>
#include <stdint.h>

#define TRUTH_PEERS 4
#define TRUTH_SLOTS 20480

enum truth_wait {
	TRUTH_NETWORK,
	TRUTH_CLIENT,
	TRUTH_DISK,
	TRUTH_LOCK,
	TRUTH_SLEEP,
	TRUTH_CHILD,
	TRUTH_WAIT_COUNT
};

struct truth_sums {
	uint64_t requests, service_ns, cpu_ns;
	uint64_t wait_ns[TRUTH_WAIT_COUNT];
	uint64_t last_send_ns; /* within the last send of the response, not on the CPU */
	uint64_t operations[TRUTH_PEERS];
	uint64_t operation_ns[TRUTH_PEERS]; /* waited per peer; on an event loop: from send to reply
					     */
};

struct truth_slot {
	uint64_t epoch;
	struct truth_sums sums;
};

struct truth {
	atomic_uint_fast64_t epoch;
	atomic_uint n_slots;
	atomic_uint started;  /* requests started by all processes, since the service started */
	atomic_uint finished; /* the same, finished */
	struct truth_slot slots[TRUTH_SLOTS];
};

/* One request while it is open. */
struct truth_request {
	uint64_t epoch;
	uint64_t start_ns;
	uint64_t cpu_mark_ns;
	unsigned int number; /* of all requests since the service started, from 1 */
	struct truth_sums sums;
};

/* A wait while it lasts. */
struct truth_mark {
	uint64_t wall_ns, cpu_ns;
};

/*
 * Maps the area shared by the service's processes: of the given memory file, or of a new one if fd
 * is -1. Returns 0 and the memory file, which may be handed through exec, or -errno.
 */
int truth_open(int fd, struct truth **ret_truth, int *ret_fd);

/* A slot for the calling thread; NULL when they are used up. */
struct truth_slot *truth_slot(struct truth *truth);

void truth_begin(struct truth *truth, struct truth_request *request);

/* Another thread, or the same after it did something else, goes on with the request / leaves it. */
void truth_resume(struct truth_request *request);
void truth_pause(struct truth_request *request);

/* What a part of the request took, on a thread of its own. */
void truth_add(struct truth_request *request, const struct truth_request *part);

/* Ends a request the calling thread works on (resumed). */
void truth_end(struct truth *truth, struct truth_slot *slot, struct truth_request *request);

struct truth_mark truth_mark(void);

/* The wall time since mark less the thread's CPU. */
uint64_t truth_since(struct truth_mark mark);

/* Adds the wait since mark to the request and returns it. */
uint64_t truth_waited(struct truth_request *request, enum truth_wait wait, struct truth_mark mark);

/* Forgets all requests that started before now. */
void truth_reset(struct truth *truth);

/* Writes the sums as one JSON document, atomically. names: of the peers. Returns 0 or -errno. */
int truth_write(const struct truth *truth, const char *const *names, unsigned int n_names,
		const char *path);

#endif
