/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one request makes the service do, as a plan of steps: bursts of CPU with downstream calls
 * between them, then the lock, the disk, the sleep, the child process; then the response. Every
 * serving model runs the same plan.
 */
#ifndef IOPROF_SERVICE_WORK_H
#define IOPROF_SERVICE_WORK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "net.h"
#include "truth.h"

#define WORK_STEPS 128
#define WORK_LINE_SIZE 64

/* A duration drawn evenly from lo..hi. */
struct span {
	uint64_t lo_ns, hi_ns;
};

struct work_peer {
	struct net_address address;
	const char *name;
	unsigned int calls;
	struct span delay;
};

enum step_kind {
	STEP_BURN,
	STEP_CALL,
	STEP_LOCK,
	STEP_DISK,
	STEP_SLEEP,
	STEP_CHILD,
	STEP_DIE,
};

struct step {
	enum step_kind kind;
	unsigned int peer; /* of a call */
};

struct work {
	/* The knobs. */
	struct span cpu;
	struct work_peer peers[TRUTH_PEERS];
	unsigned int n_peers;
	bool new_connection;	  /* for each call */
	bool peer_poll;		  /* wait for replies by poll + recv */
	unsigned int peer_sends;  /* send calls per call */
	unsigned int peer_pieces; /* pieces the reply comes in */
	bool lock;
	uint64_t lock_sleep_ns, lock_burn_ns; /* how long the lock is held */
	const char *disk_file;
	unsigned int disk_reads;
	size_t disk_bytes; /* per read */
	uint64_t sleep_ns;
	bool child;
	uint64_t child_ns; /* how long the child process sleeps */
	size_t response_bytes;
	unsigned int chunks; /* 0: Content-Length */
	uint64_t chunk_pause_ns;
	bool close;	       /* the connection after each response */
	uint64_t after_cpu_ns; /* after the response: an access log, a hook */
	unsigned int after_calls;
	bool client_poll;		   /* wait for requests by poll + recv */
	unsigned int inner_threads, parts; /* the plan is run so many times by a pool (inner.h) */
	uint64_t aside_ns; /* how often a thread beside that pool calls the first peer; 0: never */
	unsigned int die_at, exec_at; /* the n-th request of the service; 0: never */

	/* Made by work_prepare. */
	struct step steps[WORK_STEPS];
	unsigned int n_steps, n_burns;
	off_t disk_size;
	pthread_mutex_t *mutex; /* shared by all processes */
	struct truth *truth;
};

struct inner;

/* A thread that does the work, with what it keeps between requests. */
struct worker {
	const struct work *work;
	struct truth_slot *slot;
	int peer_fds[TRUTH_PEERS]; /* persistent connections, -1 when not open */
	int disk_fd;
	void *disk_buffer;
	uint64_t random;
	struct inner *inner; /* the pool that does the work instead; NULL: none */
};

/* Makes the plan and opens what all processes share. Returns 0 or -errno, having said why on
 * stderr. */
int work_prepare(struct work *work);

/* Returns 0 or -errno, having said why on stderr. */
int worker_init(struct worker *worker, const struct work *work);

/* The CPU one request is to take, drawn anew; every burst of the plan is an equal share of it. */
uint64_t work_draw_cpu(struct worker *worker);

/* One step, blocking. Returns 0 or -errno. */
int work_step(struct worker *worker, const struct step *step, uint64_t burn_ns,
	      struct truth_request *request);

/* All steps, blocking. Returns 0 or -errno. */
int work_run(struct worker *worker, struct truth_request *request);

/* The response, blocking; slow readers and pauses between chunks included. Returns 0 or -errno. */
int work_respond(struct worker *worker, int fd, bool close, struct truth_request *request);

/* What comes after the response and belongs to no request. Returns 0 or -errno. */
int work_after(struct worker *worker);

/* The request line for a call: its own delay in it. Returns its length. */
size_t work_call_line(struct worker *worker, unsigned int peer,
		      char ret_line[static WORK_LINE_SIZE]);

#endif
