/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot: everything observed over one interval. Immutable once made, and additive: the
 * snapshot of two intervals is the sum of theirs. Every output is a function of a const struct
 * snapshot *.
 *
 * Units: nanoseconds unless the name says otherwise. Ownership: a snapshot owns everything it
 * points to. What is measured lies here; what follows from it by a formula (means, ratios, closure)
 * lies in derive.h.
 */
#ifndef IOPROF_MODEL_SNAPSHOT_H
#define IOPROF_MODEL_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "in_flight.h"
#include "model/hist.h"
#include "model/trace.h"
#include "pause.h"

/* clang-format off */
enum part {
#define PART(id, name, label) id,
#include "model/part.def"
#undef PART
	PART_COUNT
};
#define PART_WAIT_COUNT (PART_OTHER + 1) /* the first parts are the wait classes */

enum loss {
#define LOSS(id, name, label) id,
#include "model/loss.def"
#undef LOSS
	LOSS_COUNT
};

enum concurrency {
#define CONCURRENCY(id, name, label) id,
#include "model/concurrency.def"
#undef CONCURRENCY
	CONCURRENCY_COUNT
};
/* clang-format on */

/* The names in the .def files; a value out of range gives "?". */
const char *part_name(enum part part);
const char *part_label(enum part part);
const char *loss_name(enum loss loss);
const char *loss_label(enum loss loss);
const char *concurrency_name(enum concurrency concurrency);
const char *concurrency_label(enum concurrency concurrency);

/*
 * What is needed beside the sums for the interval of a ratio of sums, per request i with x = CPU
 * and y = overlappable wait, both in seconds: sums of x^2, y^2 and x*y. Additive.
 */
struct ratio_moments {
	double xx, yy, xy;
};

/* Operations that began with so many of this service's in flight at the peer, and what they took:
 * last byte sent to first byte of the answer. */
struct peer_load {
	uint64_t operations, sum_ns;
};

/* Requests that began so long after their process had last begun or answered one: how long that
 * was, their CPU with that of their threads since these had answered the last one, and the sum of
 * its squares in s^2. */
struct pause {
	uint64_t requests, sum_ns, cpu_ns;
	double cpu_squares;
};

/* Whose code a service in Python was seen running: code_name(). */
enum code {
	CODE_APPLICATION, /* and packages of which nothing is known */
	CODE_SERVER,
	CODE_FRAMEWORK,
	CODE_CLIENT, /* for HTTP, with what it is made of */
	CODE_UNKNOWN,
	CODE_COUNT
};

/* "application", "server", "framework", "client", "unknown"; "?" out of range. */
const char *code_name(enum code code);

/* Waits other than for readiness that stopped an event loop, and with it all its requests. */
struct blocked {
	uint64_t count, sum_ns, max_ns;
};

/* Where the kernel's table of peers is full, the operations with all others are counted here. */
#define PEER_OTHER "other peers"

/* One remote end of the service's client-role connections. */
struct peer {
	/* "127.0.0.1:5432", "[::1]:6379", "unix:/run/x.sock", "other peers"; may hold any bytes */
	char *address;
	uint64_t operations;	     /* request/response turns, within requests */
	uint64_t operations_outside; /* turns outside any request (background work) */
	uint64_t connections; /* of operations, those that were the first of a connection opened */
	/* one entry per operation within requests: time waited for it, 0 if it never blocked */
	struct dist wait;
	struct peer_load loads[IOP_IN_FLIGHT_BINS]; /* by in_flight_bin(), this one included */
	struct blocked blocked; /* event loops that waited for it in a blocking call */
};

/* What the kernel saw of how the service runs its requests; concurrency.h draws the conclusion. */
struct evidence {
	uint64_t opened_by_loop;   /* requests first read by a thread proven to be an event loop */
	uint64_t opened_by_worker; /* requests first read by any other thread */
	uint64_t handed_off;	   /* requests on which a second thread was seen working */
	uint64_t pool_ns; /* CPU and waits, within requests, of threads that were handed them */
	uint64_t own_ns;  /* CPU and waits, within requests, of threads that read them */
	/* that read at least one request since attach */
	uint32_t processes_serving, threads_serving;
	uint32_t loops; /* threads proven to be event loops */
	bool listens;	/* holds a listening socket */
};

/* The threads that can take a request: workers. */
struct workers {
	uint32_t count;	    /* at the end of the interval */
	uint32_t processes; /* that these belong to */
	uint64_t busy_ns;   /* thread time not spent waiting for work */
	uint64_t wall_ns;   /* the same in all: over the workers, the time each was observed */
};

/* One thread's time in the interval; the sum of the four is how long it was observed. */
struct lane {
	pid_t pid, tid;
	uint64_t start_time; /* of the thread: with tid its identity */
	char name[16];	     /* any bytes, terminated */
	bool loop, serving;  /* proven to be an event loop; has read a request */
	uint64_t cpu_ns, run_queue_ns, wait_ns, idle_ns;
};

/* Of a service in one snapshot, at most so many: the busiest. */
#define LANES_MOST 256

/* How much of its interpreters' memory was looked at for the packages they have loaded, which are
 * among the components then. */
enum modules_seen {
	MODULES_NONE,
	MODULES_PART, /* what was not found may be there all the same */
	MODULES_ALL,
	MODULES_SEEN_COUNT
};

/* "none", "part", "all"; "?" out of range. */
const char *modules_seen_name(enum modules_seen seen);

/* What the service runs on, as the system says at the end of the interval; 0 or NULL: not known. */
struct surroundings {
	double cpus;	  /* processors it can use at most: affinity, cpuset, quota (C_eff) */
	double host_cpus; /* processors the machine has on line */
	/* of its control groups' quota, within the interval: periods, those cut short, time lost */
	uint64_t quota_periods, quota_throttled, throttled_ns;
	uint64_t other_cpu_ns;	/* what others ran on the processors it may run on; 0: not known */
	uint64_t process_bytes; /* unique to one worker process (USS), mean */
	uint64_t shared_bytes;	/* of all its processes together (PSS), what is not unique */
	uint64_t thread_bytes;	/* by which a process grew per thread more */
	uint64_t memory_limit_bytes;	 /* of its control group */
	uint64_t memory_available_bytes; /* left for it: to that limit, or on the machine */
	uint32_t backlog; /* most connections seen waiting to be accepted, as one was taken up */
	bool interpreter_lock; /* threads of a process run one at a time (CPython, Ruby) */
	/* what it is made of: interpreter, server, framework, client libraries, by the names of
	 * docs/method.md; sorted, each once */
	char **components;
	size_t n_components;
	enum modules_seen modules_seen;
	uint32_t environment_variables; /* of its processes as they began: the most of any */
};

struct requests {
	uint64_t completed;	  /* response handed to the kernel within the interval */
	uint64_t arrival_unknown; /* of these, arrived before attach; not in latency, queue_wait */
	/* responses to requests that were already being worked on at attach; not in completed */
	uint64_t at_attach;
	uint64_t aborted;    /* given up: the connection or the worker ended before a response */
	uint64_t operations; /* turns with peers, within completed requests */
	uint64_t waits;	     /* how often a completed request blocked */
	/* time of completed requests counted more than once: threads worked on one side by side */
	uint64_t parallel_ns;
};

struct service {
	char *name; /* of the first process; any bytes */
	pid_t *pids;
	size_t n_pids; /* processes alive at the end of the interval, the observed one first */
	struct requests requests;
	struct dist latency;	  /* arrival to end, of requests whose arrival is known */
	struct dist queue_wait;	  /* arrival to start, of the same */
	struct dist service_time; /* start to end, of all completed requests */
	/* one entry per completed request each: how much of it was this */
	struct dist parts[PART_COUNT];
	/* of the overlapped time: how much an operation with a peer was outstanding */
	uint64_t overlapped_io_ns;
	struct ratio_moments moments;
	/* CPU of all threads, inside requests or not, by the scheduler's own account */
	uint64_t cpu_ns;
	/* the same as seen by the probes; the two must agree within 1 % */
	uint64_t cpu_observed_ns;
	/* what threads of peers on this machine, that may run on no other processors than it, ran
	 * for its operations: those that these woke, not those that they may have handed it to */
	uint64_t peer_cpu_ns;
	struct workers workers;
	struct evidence evidence;
	struct surroundings surroundings;
	struct pause pauses[IOP_PAUSE_BINS];	 /* by pause_bin(); not of event loops */
	uint64_t cpu_samples[CODE_COUNT];	 /* ticks of a clock while it ran; not scaled */
	struct blocked blocked[PART_WAIT_COUNT]; /* by class */
	char *blocking_file; /* name of the file of the longest disk wait among these, or NULL */
	struct peer *peers;
	size_t n_peers; /* by time waited, longest first */
	struct traces traces;
	struct lane *lanes; /* busiest first */
	size_t n_lanes;
	uint64_t lanes_left_out; /* threads observed that are not among them */
	char **notes; /* what could not be told apart for this service and why; one sentence each */
	size_t n_notes;
};

/* One BPF program's cost over the interval, by the kernel's own statistics. */
struct program_cost {
	char *name;
	uint64_t runs, run_ns;
};

struct snapshot {
	char *host;	       /* the machine's name, any bytes; NULL: not known */
	int64_t start_unix_ns; /* wall clock at the start of the interval */
	uint64_t duration_ns;  /* by the monotonic clock */
	/* of that, how long requests were taken in; if less, all that is counted is an estimate
	 * from these (scale.h) */
	uint64_t sampled_ns;
	uint64_t losses[LOSS_COUNT];
	bool cost_known; /* the kernel's statistics could be had */
	struct program_cost *programs;
	size_t n_programs;
	char **notes; /* what this kernel cannot show; one sentence each */
	size_t n_notes;
	struct service *services;
	size_t n_services;
};

/* An empty snapshot with n services, all zero. NULL when out of memory. */
struct snapshot *snapshot_new(size_t n_services);

/* Takes NULL and half-built snapshots. */
void snapshot_free(struct snapshot *s);

/* For owning locals: __attribute__((cleanup(snapshot_freep))). */
void snapshot_freep(struct snapshot **s);

/*
 * Appends a peer, or a copied note, to a service or the snapshot. The peer's address is copied and
 * the rest is zero. Returns the new peer, or 0, or NULL / -ENOMEM with nothing changed. These
 * arrays grow only here; the next call may move them.
 */
struct peer *service_add_peer(struct service *service, const char *address);
int service_add_note(struct service *service, const char *note);
int service_add_component(struct service *service, const char *name);
int snapshot_add_note(struct snapshot *s, const char *note);

/* Puts peers in order, and renumbers them in the traces. 0 or -ENOMEM. */
int service_sort_peers(struct service *service);

/* Puts lanes in order and leaves out all but the busiest LANES_MOST. */
void service_sort_lanes(struct service *service);

/*
 * Adds src to dst: the interval from dst's start to src's end, services matched by position (src's
 * further ones are new), peers by address. Counts, sums and histograms add; maxima take the larger;
 * what describes the end of the interval (names, pids, worker counts) is src's; what src does not
 * know stays. Returns 0, -EINVAL if src has fewer services, -ENOMEM; on error dst is unchanged.
 * Pointers to what dst held are no longer valid.
 */
int snapshot_merge(struct snapshot *dst, const struct snapshot *src);

/*
 * The same for snapshots of which it is not known that they are of the same services: matched by
 * name, the second of a name with the second of that name; those that dst does not have are added.
 * Every service has a name. duration_ns: by how much src makes the time longer that dst is of.
 * Returns 0, or -ENOMEM with dst half merged: fit to be freed, nothing else.
 */
int snapshot_add_by_name(struct snapshot *dst, const struct snapshot *src, uint64_t duration_ns);

/* The service of dst that so goes with one of src; dst->n_services if there is none. */
size_t snapshot_find_by_name(const struct snapshot *dst, const struct snapshot *src,
			     size_t service);

#endif
