/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who runs: cores handed round robin to runnable processes, a quantum each; within a process, its
 * requests' bursts in order, with a local quantum where threads share an interpreter lock; and a
 * quota over all of the server's processes.
 */
#include <errno.h>
#include <math.h>

#include "advise/des_sim.h"

#define TINY_S 1e-12 /* what sums of slices may be off */
#define LONGEST_LAG_S 1e6

static void queue_process(struct process_queue *queue, struct process *p)
{
	p->next = NULL;
	if (queue->tail)
		queue->tail->next = p;
	else
		queue->head = p;
	queue->tail = p;
}

static struct process *take_process(struct process_queue *queue)
{
	struct process *p = queue->head;

	if (!p)
		return NULL;
	queue->head = p->next;
	if (!queue->head)
		queue->tail = NULL;
	return p;
}

static bool out_of_quota(const struct sim *sim, const struct process *p)
{
	return p->ours && sim->scenario->machine.quota_s > 0 && sim->budget_s <= 0;
}

static void throttle(struct sim *sim, struct process *p)
{
	p->state = PROCESS_RUNNABLE;
	queue_process(&sim->throttled_queue, p);
	sim->result.throttled += sim_measures(sim);
}

static void start_slice(struct sim *sim, struct process *p, double extra_s);

static void dispatch(struct sim *sim)
{
	while (sim->free_cores > 0) {
		struct process *p = take_process(&sim->run_queue);

		if (!p)
			return;
		if (out_of_quota(sim, p)) {
			throttle(sim, p);
			continue;
		}
		sim->free_cores--;
		p->state = PROCESS_RUNNING;
		p->used_s = 0;
		start_slice(sim, p, sim->scenario->machine.switch_s);
	}
}

void process_wake(struct sim *sim, struct process *p)
{
	process_stop_waiting(p);
	p->state = PROCESS_RUNNABLE;
	queue_process(&sim->run_queue, p);
	dispatch(sim);
}

static void leave_core(struct sim *sim)
{
	sim->free_cores++;
	dispatch(sim);
}

/* Nothing to do. What came in while it looked wakes it at once. */
static void rest(struct sim *sim, struct process *p)
{
	sim->free_cores++;
	process_go_idle(p);
	if (p->pending.head || (p->waiting && p->listener->queue.head))
		process_wake(sim, p);
	else
		dispatch(sim);
}

static void record_lag(struct sim *sim, const struct process *p)
{
	double lag_s = fmin(sim->now_s - p->current->posted_s, LONGEST_LAG_S);

	if (p->ours && sim_measures(sim) && dist_add(&sim->lag, (uint64_t)(lag_s * 1e9)) < 0)
		sim->error = -ENOMEM;
}

/* Takes up the next burst. False when the process has left its core. */
static bool pick_burst(struct sim *sim, struct process *p)
{
	if (!p->ready.head)
		process_poll(sim, p);
	if (p->state == PROCESS_BLOCKED) {
		leave_core(sim);
		return false;
	}
	if (!p->ready.head) {
		rest(sim, p);
		return false;
	}
	p->current = request_queue_take(&p->ready);
	record_lag(sim, p);
	p->local_used_s = 0;
	return true;
}

/* The process has a core: until its burst or a quantum ends, after extra_s of overhead. */
static void start_slice(struct sim *sim, struct process *p, double extra_s)
{
	double s;

	if (!p->current && !pick_burst(sim, p))
		return;
	s = fmin(p->current->left_s, sim->quantum_s - p->used_s);
	s = fmin(s, p->server->local_quantum_s - p->local_used_s);
	p->slice_s = fmax(s, 0);
	p->slice_extra_s = extra_s;
	sim_schedule(sim, p->slice_s + extra_s, EVENT_SLICE, p, 0);
}

/*
 * The local quantum is over: the interpreter lock goes to the next of its threads, if any. One that
 * has just accepted a connection is among them.
 */
static double hand_over(struct sim *sim, struct process *p)
{
	process_poll(sim, p);
	if (!p->ready.head) {
		p->local_used_s = 0;
		return 0;
	}
	request_queue_add(&p->ready, p->current);
	p->current = NULL;
	return p->server->hand_over_s;
}

static void account(struct sim *sim, struct process *p)
{
	double all = p->slice_s + p->slice_extra_s;

	p->current->left_s -= p->slice_s;
	p->local_used_s += p->slice_s;
	p->used_s += all;
	sim->busy_s += all;
	if (p->ours)
		sim->budget_s -= all;
}

/* The operating system's quantum is over: others first, if there are any. */
static bool preempted(struct sim *sim, struct process *p)
{
	if (p->used_s < sim->quantum_s - TINY_S)
		return false;
	if (!sim->run_queue.head) {
		p->used_s = 0;
		return false;
	}
	p->state = PROCESS_RUNNABLE;
	queue_process(&sim->run_queue, p);
	leave_core(sim);
	return true;
}

void process_slice_ends(struct sim *sim, struct process *p)
{
	struct request *current = p->current;
	double extra_s = 0;

	account(sim, p);
	if (current->left_s <= TINY_S) {
		p->current = NULL;
		request_burst_done(sim, current);
		if (p->state == PROCESS_BLOCKED) {
			leave_core(sim);
			return;
		}
	} else if (p->local_used_s >= p->server->local_quantum_s - TINY_S) {
		extra_s = hand_over(sim, p);
	}
	if (out_of_quota(sim, p)) {
		throttle(sim, p);
		leave_core(sim);
		return;
	}
	if (!preempted(sim, p))
		start_slice(sim, p, extra_s);
}

void process_block(struct sim *sim, struct process *p, struct request *request, double s)
{
	p->state = PROCESS_BLOCKED;
	sim_schedule(sim, s, EVENT_UNBLOCK, request, 0);
}

void process_unblock(struct sim *sim, struct request *request)
{
	struct process *p = request->process;
	struct request_queue next = {0};
	struct request *r;

	request->extra_s += TINY_S;
	request_advance(sim, request, &next);
	r = request_queue_take(&next);
	if (r)
		request_queue_add_first(&p->ready, r);
	p->state = PROCESS_RUNNABLE;
	queue_process(&sim->run_queue, p);
	dispatch(sim);
}

void sim_refill(struct sim *sim)
{
	double quota_s = sim->scenario->machine.quota_s;
	struct process *p;

	sim->budget_s = fmin(sim->budget_s + quota_s, quota_s);
	sim_schedule(sim, sim->period_s, EVENT_REFILL, NULL, 0);
	while ((p = take_process(&sim->throttled_queue)))
		queue_process(&sim->run_queue, p);
	dispatch(sim);
}
