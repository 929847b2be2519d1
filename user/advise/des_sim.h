/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulator's insides, shared by the des_*.c files: des_cpu.c (who runs), des_request.c (what a
 * request does next), des_listen.c (who takes it), des_queue.c (where it waits), des_check.c (what
 * makes no sense), des.c (load and results).
 */
#ifndef IOPROF_ADVISE_DES_SIM_H
#define IOPROF_ADVISE_DES_SIM_H

#include "advise/des.h"
#include "advise/event_queue.h"
#include "advise/prng.h"
#include "model/hist.h"

enum event_kind {
	EVENT_SLICE,   /* process: its time slice ends */
	EVENT_STATION, /* request: served at its station */
	EVENT_RESUME,  /* request: its plain wait is over */
	EVENT_UNBLOCK, /* request: the wait that stopped its process is over */
	EVENT_ARRIVAL, /* number: of the client, or OPEN_CLIENT */
	EVENT_REFILL   /* the quota */
};

#define OPEN_CLIENT UINT32_MAX

enum request_role {
	ROLE_ROOT,
	ROLE_CHAIN,   /* one chain of its parent's fork */
	ROLE_SERVICE, /* its parent's call of a co-located service */
	ROLE_FRONT    /* the proxy's work before its parent is handed on */
};

/* A request is in at most one queue at a time, and has at most one burst of CPU to do. */
struct request {
	struct request *next, *parent;
	struct process *process;
	struct station *station;
	const struct des_step *steps;
	size_t n_steps, step;
	struct des_step own; /* the only step of ROLE_SERVICE and ROLE_FRONT */
	enum request_role role;
	uint32_t client, chains_left, splits_left;
	double arrival_s, responded_s; /* responded_s 0: with its last step */
	double extra_s;		       /* CPU to add to the next burst */
	double left_s, part_s;	       /* of the burst; of each split of it */
	double posted_s;	       /* when the burst became ready */
	struct listener *target;       /* ROLE_ROOT: where it is handed in */
};

struct request_queue {
	struct request *head, *tail;
};

/* Parallel servers with one queue: a peer, a thread pool. */
struct station {
	uint32_t servers, busy; /* servers 0: no limit */
	struct request_queue waiting;
};

/* Connections: operations begin only with one. */
struct pool {
	bool limited;
	uint32_t free;
	struct request_queue waiting;
};

struct listener {
	struct request_queue queue;
	struct process **idle; /* room for all that share it; went idle first to last */
	size_t n_idle;
	enum des_placement placement;
};

enum process_state { PROCESS_IDLE, PROCESS_RUNNABLE, PROCESS_RUNNING, PROCESS_BLOCKED };

struct process {
	const struct des_server *server; /* how it works; a service's is plain_worker */
	bool ours;			 /* not a service's: under the quota, its lag is recorded */
	struct listener *listener;
	struct pool *pool;
	struct station offload;
	struct request_queue ready;   /* bursts that may run, in order */
	struct request_queue pending; /* completions it has not polled yet */
	struct request *current;
	struct process *next; /* in the run queue, or among the throttled */
	enum process_state state;
	bool waiting; /* is among the listener's idle ones */
	uint32_t in_flight;
	double used_s, local_used_s; /* of the system's and of the local quantum */
	double slice_s, slice_extra_s;
};

struct process_queue {
	struct process *head, *tail;
};

struct sim {
	const struct des_scenario *scenario;
	struct event_queue events;
	struct prng prng;
	double now_s;
	int error; /* the first one; stops the run */

	uint32_t free_cores;
	double quantum_s, period_s, budget_s, busy_s;
	struct process_queue run_queue, throttled_queue;

	struct process *processes; /* the server's first, then the services' */
	struct listener *listeners;
	struct process **idle_slots;
	struct pool *pools;
	struct station *peers;
	uint32_t *assigned; /* the process of each client, when sticky */
	size_t n_server_listeners;

	struct request *spare;
	struct request_slab *slabs;
	uint64_t in_system;

	uint64_t finished; /* responses, warm-up included */
	double measured_from_s, busy_before_s;
	double *latencies; /* room for scenario->requests */
	struct dist lag;
	struct des_result result;
};

/* des.c. sim_finish(): a response is out. */
void sim_schedule(struct sim *sim, double delay_s, enum event_kind kind, void *subject,
		  uint32_t number);
bool sim_measures(const struct sim *sim);
void sim_finish(struct sim *sim, const struct request *request);

/* des_check.c */
bool des_scenario_valid(const struct des_scenario *s);

/* des_queue.c. request_new(): NULL when out of memory, which sim->error then says. */
struct request *request_new(struct sim *sim, enum request_role role, struct request *parent);
void request_queue_add(struct request_queue *queue, struct request *request);
void request_queue_add_first(struct request_queue *queue, struct request *request);
struct request *request_queue_take(struct request_queue *queue);
void request_release(struct sim *sim, struct request *request);
void requests_free(struct sim *sim);

/* des_request.c */
void request_start(struct sim *sim, struct request *request, struct process *process);
void request_advance(struct sim *sim, struct request *request, struct request_queue *to);
void request_resume(struct sim *sim, struct request *request, double extra_s);
void request_burst_done(struct sim *sim, struct request *request);
void station_served(struct sim *sim, struct request *request);

/* des_listen.c */
void listener_push(struct sim *sim, struct listener *listener, struct request *request);
void process_poll(struct sim *sim, struct process *process);
void process_go_idle(struct process *process);
void process_stop_waiting(struct process *process);

/* des_cpu.c */
void process_wake(struct sim *sim, struct process *process);
void process_block(struct sim *sim, struct process *process, struct request *request, double s);
void process_unblock(struct sim *sim, struct request *request);
void process_slice_ends(struct sim *sim, struct process *process);
void sim_refill(struct sim *sim);

#endif
