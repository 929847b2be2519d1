/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Discrete-event simulation of a service: what-if replay of sampled requests. model.md 2.5; des.c
 * says how. One abstraction covers every server model, a process with three properties:
 *
 *	sync worker		1 request at a time
 *	threads with a GIL	T requests, a local quantum of 5 ms
 *	threads without		T times a sync worker
 *	event loop		any number, no quantum, accepts up to 100 connections at once
 *
 * Processes share the cores with an operating-system quantum: a worker can be preempted, an event
 * loop too as a whole, but one callback never by another. Everything in seconds. Pure: the same
 * scenario gives the same result.
 */
#ifndef IOPROF_ADVISE_DES_H
#define IOPROF_ADVISE_DES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum des_step_kind {
	DES_CPU,     /* on the process that has the request */
	DES_PEER,    /* at peer `index`: s is its service time, queueing there is simulated */
	DES_BLOCK,   /* a wait an event loop cannot overlap: file, lock, driver without async API */
	DES_SERVICE, /* CPU of co-located service `index` on the same cores */
	DES_RESPONSE, /* the response is out: what follows occupies, but is not latency; not in
			 chains */
	/* FORK chain BRANCH chain ... JOIN: chains that fan-out may do side by side; no nesting */
	DES_FORK,
	DES_BRANCH,
	DES_JOIN
};

struct des_step {
	enum des_step_kind kind;
	uint32_t index;
	double s;
};

struct des_trace {
	const struct des_step *steps;
	size_t n_steps;
};

/* Which process gets a new connection. */
enum des_placement {
	DES_LIFO, /* one listen queue; wakes the process that went idle last, as epoll does */
	DES_FIFO,
	DES_RANDOM,
	DES_STICKY_HASH, /* a queue per process, chosen per connection at random: SO_REUSEPORT */
	DES_STICKY_EVEN	 /* the same, connections dealt out one by one */
};

enum des_blocking {
	DES_BLOCK_WAITS,    /* holds up its own request only: workers, threads */
	DES_BLOCK_STOPS,    /* stops the process: a blocking call in an event loop */
	DES_BLOCK_OFFLOADED /* goes to the process's pool of offload_threads */
};

struct des_server {
	uint32_t processes;
	uint32_t max_in_flight; /* per process */
	uint32_t accept_batch;	/* connections taken at once */
	double local_quantum_s; /* after which another of its requests has a turn; or INFINITY */
	double hand_over_s;	/* what such a turn costs */
	enum des_placement placement;
	uint32_t pool;	   /* operations at once, per process; 0: no limit */
	bool pool_shared;  /* one pool for all processes */
	bool fan_out;	   /* chains run side by side; else one after another */
	double cpu_factor; /* on all CPU of the traces */
	double request_s;  /* CPU added to each request, and to each wait that ends */
	double operation_s;
	enum des_blocking blocking;
	uint32_t offload_threads;
	double offload_s;    /* CPU added per step offloaded */
	uint32_t gil_splits; /* how often a burst gives the lock away, and what that costs */
	double gil_split_s;
	uint32_t front_service; /* a proxy: this service's CPU before each request... */
	double front_s;		/* ... 0: none */
};

struct des_server des_server_workers(uint32_t processes);
struct des_server des_server_gil_threads(uint32_t processes, uint32_t threads);
struct des_server des_server_loops(uint32_t processes);

struct des_machine {
	uint32_t cores;
	double quantum_s;	  /* of the operating system; 0: 3 ms */
	double switch_s;	  /* a context switch; 2 us is usual */
	double quota_s;		  /* CPU seconds per period for the server (cpu.max); 0: no quota */
	double period_s;	  /* 0: 100 ms */
	const uint32_t *peers;	  /* how many each serves at once; 0: no limit */
	const uint32_t *services; /* how many processes each has, > 0 */
	size_t n_peers, n_services;
};

/* clients > 0: closed, each sends again think_s after its answer. Else open: Poisson arrivals. */
struct des_load {
	uint32_t clients;
	double think_s;
	double rate_per_s;
};

struct des_scenario {
	const struct des_trace *traces; /* each request replays one, drawn at random */
	size_t n_traces;
	struct des_machine machine;
	struct des_server server;
	struct des_load load;
	uint64_t seed;
	/* responses not looked at, and after them looked at. At least 40000 for a p99: model.md 2.5
	 */
	uint64_t warmup, requests;
};

struct des_result {
	uint64_t completed; /* responses looked at */
	/*
	 * false: given up, with more than DES_MAX_IN_SYSTEM in the system (the load is beyond the
	 * capacity) or after DES_MAX_EVENTS; the figures are of what had completed.
	 */
	bool whole;
	double per_s;
	double mean_s, p50_s, p90_s, p99_s; /* latency, from the arrival at the listen queue on */
	double utilisation;		    /* of the cores, services included */
	double lag_p99_s;	/* how long what is ready waits for its process; within 1/16 */
	uint32_t max_in_flight; /* the most that one process had */
	uint64_t throttled;	/* how often the quota stopped a process */
};

#define DES_MAX_IN_SYSTEM (1U << 20)
#define DES_MAX_EVENTS (1ULL << 28)

/*
 * Returns 0; -EINVAL for a scenario that makes no sense (a step or parameter that is negative or
 * not finite, an index out of range, a fork without join, no work at all); -ENODATA when nothing
 * was completed; -ENOMEM. Time: some 0.1 us per step of each request.
 */
int des_run(const struct des_scenario *scenario, struct des_result *ret_result);

#endif
