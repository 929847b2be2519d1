/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests: where they wait, and where their memory comes from. */
#include <errno.h>
#include <stdlib.h>

#include "advise/des_sim.h"

#define SLAB_REQUESTS 256

struct request_slab {
	struct request_slab *next;
	struct request requests[SLAB_REQUESTS];
};

void request_queue_add(struct request_queue *queue, struct request *r)
{
	r->next = NULL;
	if (queue->tail)
		queue->tail->next = r;
	else
		queue->head = r;
	queue->tail = r;
}

void request_queue_add_first(struct request_queue *queue, struct request *r)
{
	r->next = queue->head;
	queue->head = r;
	if (!queue->tail)
		queue->tail = r;
}

struct request *request_queue_take(struct request_queue *queue)
{
	struct request *r = queue->head;

	if (!r)
		return NULL;
	queue->head = r->next;
	if (!queue->head)
		queue->tail = NULL;
	return r;
}

static int add_slab(struct sim *sim)
{
	struct request_slab *slab = calloc(1, sizeof(*slab));

	if (!slab)
		return -ENOMEM;
	slab->next = sim->slabs;
	sim->slabs = slab;
	for (size_t i = 0; i < SLAB_REQUESTS; i++) {
		slab->requests[i].next = sim->spare;
		sim->spare = &slab->requests[i];
	}
	return 0;
}

struct request *request_new(struct sim *sim, enum request_role role, struct request *parent)
{
	struct request *r;

	if (!sim->spare && add_slab(sim) < 0) {
		sim->error = -ENOMEM;
		return NULL;
	}
	r = sim->spare;
	sim->spare = r->next;
	*r = (struct request){.role = role, .parent = parent, .arrival_s = sim->now_s};
	r->steps = &r->own;
	r->n_steps = 1;
	sim->in_system++;
	return r;
}

void request_release(struct sim *sim, struct request *r)
{
	r->next = sim->spare;
	sim->spare = r;
	sim->in_system--;
}

void requests_free(struct sim *sim)
{
	struct request_slab *slab;

	while ((slab = sim->slabs)) {
		sim->slabs = slab->next;
		free(slab);
	}
}
