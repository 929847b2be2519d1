/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many requests per second a service can serve at most: with the workers it has, with the best
 * number of workers, as an event loop. model.md 2.1. Seconds and requests per second throughout.
 *
 * Undefined figures (no demand at all) are NAN or an error, never infinite.
 */
#ifndef IOPROF_ADVISE_CAPACITY_H
#define IOPROF_ADVISE_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a request needs of one peer. */
struct peer_demand {
	double service_s;  /* per request, all operations together, queueing at the peer removed */
	double servers;	   /* how many it serves at once; INFINITY: no limit seen */
	double pool;	   /* connections to it that a process may hold; INFINITY: no limit */
	double regularity; /* of its service: closed_network.h */
};

/*
 * What cpu_s depends on: a worker that waits finds its caches the colder the longer others have run
 * meanwhile (warm.h). With P processes that are always busy on C processors, that is P / C - 1
 * times as long as it runs itself. All zero: it does not depend.
 */
struct crowding {
	double waits;  /* of a request */
	double wait_s; /* each, if its processor were free then */
	double off_s;  /* each, until it ran again, where cpu_s was measured */
	double cold_s; /* CPU that a millisecond off a processor adds; may be negative */
};

/* What a request needs, on average; each >= 0. */
struct demand {
	double cpu_s;	  /* T_cpu */
	double wait_s;	  /* overlappable waits without a queue: timers, children */
	double offload_s; /* T_off: waits an event loop must hand to threads: files */
	double fault_s;	  /* T_fault: waits that stop the whole thread: page faults */
	double serial_s;  /* T_hold: under a lock that all requests share */
	double other_s;	  /* CPU others take for it on the same processors: a database beside it */
	struct crowding crowding;
	const struct peer_demand *peers;
	size_t n_peers;
};

/* Who serves the requests, one each at a time. */
struct worker_plan {
	uint32_t processes; /* > 0 */
	uint32_t threads;   /* in each, > 0 */
	/* threads of a process share an interpreter lock: a process uses one processor at most */
	bool interpreter_lock;
};

/* Sum over peers, and the blocking ratio B = waits / CPU with all waits an event loop may hide. */
double demand_wait_s(const struct demand *d);
double demand_ratio(const struct demand *d);

/*
 * On how many processors workers run side by side. A quota of half a processor makes no burst
 * slower: it runs at full speed until the quota of its period is used up.
 */
double capacity_lanes(double cpus, const struct worker_plan *plan);

/* CPU of a request with these workers, all of them always busy: cpu_s, and what crowding adds. */
double capacity_cpu_s(const struct demand *d, double cpus, const struct worker_plan *plan);

/*
 * With these workers on cpus processors (C_eff, need not be whole): the closed network of
 * closed_network.h on their lanes, not more than cpus / (capacity_cpu_s() + other_s), and not more
 * than the shared lock lets through. Returns 0 or an error of closed_network_throughput(), -EINVAL
 * for a plan without workers or no processors.
 */
int capacity_sync(const struct demand *d, double cpus, const struct worker_plan *plan,
		  double *ret_per_s);

/* What the number of workers is limited by. */
enum tune_limit {
	TUNE_UNLIMITED, /* more workers would not help */
	TUNE_MEMORY,
	TUNE_CONNECTIONS,
	TUNE_WORKERS,
	TUNE_LIMIT_COUNT
};

/* Connections that a peer has left for this service. */
struct connection_limit {
	uint32_t available;
	double per_worker; /* > 0 */
};

struct tune_opts {
	bool threads; /* add threads to one process per processor; else processes */
	bool interpreter_lock;
	/* 0: no limit or not known. Of one more process, of one more thread: USS growth */
	double memory_bytes, process_bytes, thread_bytes;
	uint32_t max_workers; /* 0: no limit */
	const struct connection_limit *connections;
	size_t n_connections;
	struct worker_plan fixed; /* processes > 0: not the best plan but this one */
};

struct tuned {
	double per_s;
	struct worker_plan plan;
	uint32_t wanted; /* W* without the limits */
	uint32_t most; /* what the limits allow, CLOSED_NETWORK_MAX_CUSTOMERS when there are none */
	enum tune_limit limit;
	double memory_bytes; /* of the plan; 0 when the sizes are not known */
};

#define TUNE_LEAST .01 /* workers that serve no more than that more are no reason to change */

/*
 * The best worker count: W* = 1.2 C_eff (1 + B), 20 % above where the processors could be busy all
 * the time, because waits vary; less where a limit says so. The workers of now stay when they do no
 * worse and keep the limits, so tuned is never worse than now. A fixed plan is taken as it is,
 * better or worse, inside the limits or not. Errors as of capacity_sync(), -EDOM
 * without CPU time, -ENOSPC when the limits leave no worker at all.
 */
int capacity_tuned(const struct demand *d, double cpus, const struct worker_plan *now,
		   const struct tune_opts *opts, struct tuned *ret_tuned);

/* What the event loop's capacity is limited by. */
enum async_limit {
	ASYNC_CPU,
	ASYNC_PEER,    /* the peer's servers */
	ASYNC_POOL,    /* connections to the peer */
	ASYNC_OFFLOAD, /* the thread pool for what blocks */
	ASYNC_SERIAL,  /* the shared lock */
	ASYNC_LIMIT_COUNT
};

struct async_plan {
	uint32_t processes;	  /* event loops, > 0 */
	double cpu_s;		  /* T'_cpu, per request: kappa.h */
	uint32_t offload_threads; /* per process */
};

struct async_capacity {
	double per_s;
	enum async_limit limit;
	size_t peer; /* which, when the limit is one */
};

/* The smallest of the bounds. -EINVAL for demands or plans that make no sense, -EDOM: no bound. */
int capacity_async(const struct demand *d, double cpus, const struct async_plan *plan,
		   struct async_capacity *ret_capacity);

/*
 * The utilisation bound: async gains at most 1 / (u kappa) over workers that all are busy and then
 * use the share u, 0..1, of the processors; kappa* = 1 / u is where nothing is left. Needs no
 * knowledge of waits. NAN unless u is in (0, 1] and kappa > 0.
 */
double capacity_gain_bound(double utilisation, double kappa);
double capacity_break_even(double utilisation);

#endif
