/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who takes a new request: listen queues and the idle processes behind them. Which one is woken
 * matters: epoll wakes the one that went idle last, and an event loop accepts greedily, so a few
 * processes get most connections (model.md 3, Cal Paterson's p99).
 */
#include <string.h>

#include "advise/des_sim.h"

static size_t choose(struct sim *sim, const struct listener *l)
{
	if (l->placement == DES_FIFO)
		return 0;
	if (l->placement == DES_RANDOM)
		return prng_below(&sim->prng, l->n_idle);
	return l->n_idle - 1;
}

void listener_push(struct sim *sim, struct listener *l, struct request *request)
{
	request_queue_add(&l->queue, request);
	if (l->n_idle > 0)
		process_wake(sim, l->idle[choose(sim, l)]);
}

void process_stop_waiting(struct process *p)
{
	struct listener *l = p->listener;

	if (!p->waiting)
		return;
	p->waiting = false;
	for (size_t i = l->n_idle; i-- > 0;) {
		if (l->idle[i] != p)
			continue;
		memmove(&l->idle[i], &l->idle[i + 1],
			(l->n_idle - i - 1) * sizeof(struct process *));
		l->n_idle--;
		return;
	}
}

void process_go_idle(struct process *p)
{
	p->state = PROCESS_IDLE;
	if (p->waiting || p->in_flight >= p->server->max_in_flight)
		return;
	p->waiting = true;
	p->listener->idle[p->listener->n_idle++] = p;
}

/* epoll_wait(): first the completions, then new connections, a batch of them. */
void process_poll(struct sim *sim, struct process *p)
{
	struct request *r;

	while ((r = request_queue_take(&p->pending)))
		request_queue_add(&p->ready, r);
	for (uint32_t n = 0; n < p->server->accept_batch; n++) {
		/* A request that blocks at once stops the loop, which then accepts no more. */
		if (p->in_flight >= p->server->max_in_flight || p->state == PROCESS_BLOCKED)
			return;
		r = request_queue_take(&p->listener->queue);
		if (!r)
			return;
		p->in_flight++;
		if (p->ours && p->in_flight > sim->result.max_in_flight)
			sim->result.max_in_flight = p->in_flight;
		request_start(sim, r, p);
	}
}
