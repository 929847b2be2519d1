/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a request does next: its steps, the connections it needs for them, the stations it queues
 * at. Bursts of CPU are only queued here; des_cpu.c runs them.
 */
#include <math.h>

#include "advise/des_sim.h"

/* What taking up a request again costs at least: each wait that ends is an event for its process.
 */
#define RESUME_S 1e-7

static void post_burst(struct sim *sim, struct request *r, double s, struct request_queue *to)
{
	const struct des_server *server = r->process->server;
	bool splits = server->gil_splits > 0 && !isinf(server->local_quantum_s);

	r->splits_left = splits ? server->gil_splits : 0;
	r->part_s = s / (r->splits_left + 1);
	r->left_s = r->part_s;
	r->posted_s = sim->now_s;
	request_queue_add(to, r);
}

void request_burst_done(struct sim *sim, struct request *r)
{
	struct process *p = r->process;

	if (r->splits_left == 0) {
		request_advance(sim, r, &p->ready);
		return;
	}
	r->splits_left--;
	r->left_s = r->part_s + p->server->gil_split_s;
	r->posted_s = sim->now_s;
	request_queue_add(&p->ready, r);
}

static void station_submit(struct sim *sim, struct station *station, struct request *r)
{
	r->station = station;
	if (station->servers > 0 && station->busy >= station->servers) {
		request_queue_add(&station->waiting, r);
		return;
	}
	station->busy++;
	sim_schedule(sim, r->steps[r->step - 1].s, EVENT_STATION, r, 0);
}

/* The wait of the step before r->step begins: it has its connection, if it needs one. */
static void begin_operation(struct sim *sim, struct request *r)
{
	const struct des_step *step = &r->steps[r->step - 1];
	struct request *call;

	if (step->kind == DES_PEER) {
		station_submit(sim, &sim->peers[step->index], r);
		return;
	}
	call = request_new(sim, ROLE_SERVICE, r);
	if (!call)
		return;
	call->own = (struct des_step){.kind = DES_CPU, .s = step->s};
	listener_push(sim, &sim->listeners[sim->n_server_listeners + step->index], call);
}

static void operation(struct sim *sim, struct request *r)
{
	struct pool *pool = r->process->pool;

	if (pool->limited && pool->free == 0) {
		request_queue_add(&pool->waiting, r);
		return;
	}
	pool->free -= pool->limited;
	begin_operation(sim, r);
}

static void operation_done(struct sim *sim, struct request *r)
{
	struct pool *pool = r->process->pool;
	struct request *next = request_queue_take(&pool->waiting);

	if (next)
		begin_operation(sim, next);
	else
		pool->free += pool->limited;
	request_resume(sim, r, 0);
}

void station_served(struct sim *sim, struct request *r)
{
	struct station *station = r->station;
	struct request *next;

	station->busy--;
	next = request_queue_take(&station->waiting);
	if (next)
		station_submit(sim, station, next);
	if (station == &r->process->offload)
		request_resume(sim, r, r->process->server->offload_s);
	else
		operation_done(sim, r);
}

static void block(struct sim *sim, struct request *r, double s)
{
	struct process *p = r->process;

	switch (p->server->blocking) {
	case DES_BLOCK_WAITS:
		sim_schedule(sim, s, EVENT_RESUME, r, 0);
		return;
	case DES_BLOCK_STOPS:
		process_block(sim, p, r, s);
		return;
	case DES_BLOCK_OFFLOADED:
		station_submit(sim, &p->offload, r);
		return;
	}
}

static bool ends_chain(const struct des_step *step)
{
	return step->kind == DES_BRANCH || step->kind == DES_JOIN;
}

/* Starts the chains behind the fork at r->step - 1; r goes on behind the join when all are done. */
static void fork_chains(struct sim *sim, struct request *r, struct request_queue *to)
{
	size_t first = r->step, join = first;

	r->chains_left = 1;
	while (r->steps[join].kind != DES_JOIN)
		r->chains_left += r->steps[join++].kind == DES_BRANCH;
	r->step = join + 1;
	for (size_t i = first; i <= join; i++) {
		struct request *chain;

		if (!ends_chain(&r->steps[i]))
			continue;
		chain = request_new(sim, ROLE_CHAIN, r);
		if (!chain)
			return;
		chain->process = r->process;
		chain->steps = &r->steps[first];
		chain->n_steps = i - first;
		chain->step = 0;
		first = i + 1;
		request_advance(sim, chain, to);
	}
}

static void done(struct sim *sim, struct request *r)
{
	struct request *parent = r->parent;

	if (r->role != ROLE_CHAIN)
		r->process->in_flight--;
	switch (r->role) {
	case ROLE_ROOT:
		sim_finish(sim, r);
		break;
	case ROLE_CHAIN:
		if (--parent->chains_left == 0)
			request_resume(sim, parent, 0);
		break;
	case ROLE_SERVICE:
		operation_done(sim, parent);
		break;
	case ROLE_FRONT:
		listener_push(sim, parent->target, parent);
		break;
	}
	request_release(sim, r);
}

static bool marker(const struct request *r, const struct des_step *step)
{
	return ends_chain(step) || (step->kind == DES_FORK && !r->process->server->fan_out);
}

/* Does steps up to and with the next one that takes time; a burst goes into `to`. */
void request_advance(struct sim *sim, struct request *r, struct request_queue *to)
{
	const struct des_step *step;
	double extra_s = r->extra_s;

	while (r->step < r->n_steps && marker(r, &r->steps[r->step]))
		r->step++;
	step = r->step < r->n_steps ? &r->steps[r->step] : NULL;
	if (step && step->kind == DES_CPU) {
		r->step++;
		r->extra_s = 0;
		post_burst(sim, r, step->s * r->process->server->cpu_factor + extra_s, to);
		return;
	}
	if (extra_s > 0) {
		r->extra_s = 0;
		post_burst(sim, r, extra_s, to);
		return;
	}
	if (!step) {
		done(sim, r);
		return;
	}
	r->step++;
	if (step->kind == DES_RESPONSE) {
		r->responded_s = sim->now_s;
		request_advance(sim, r, to);
		return;
	}
	if (step->kind == DES_FORK)
		fork_chains(sim, r, to);
	else if (step->kind == DES_BLOCK)
		block(sim, r, step->s);
	else
		operation(sim, r);
}

void request_start(struct sim *sim, struct request *r, struct process *p)
{
	r->process = p;
	r->extra_s = p->server->request_s;
	request_advance(sim, r, &p->ready);
}

/* A wait is over: the process has a completion to poll. */
void request_resume(struct sim *sim, struct request *r, double extra_s)
{
	struct process *p = r->process;

	r->extra_s += p->server->operation_s + extra_s + RESUME_S;
	/* With something to add there always is a burst first. */
	request_advance(sim, r, &p->pending);
	if (p->state == PROCESS_IDLE)
		process_wake(sim, p);
}
