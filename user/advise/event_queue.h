/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What will happen in the simulator, soonest first; in the order it was added when at one time. */
#ifndef IOPROF_ADVISE_EVENT_QUEUE_H
#define IOPROF_ADVISE_EVENT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event {
	double at_s;
	uint64_t order; /* set by event_queue_add() */
	int kind;	/* what happens and to whom: the user's */
	uint32_t number;
	void *subject; /* borrowed */
};

struct event_queue {
	struct event *events; /* a binary heap */
	size_t n, capacity;
	uint64_t next_order;
};

/* 0 or -ENOMEM. */
int event_queue_add(struct event_queue *queue, struct event event);

/* Takes out the next one; false when there is none. */
bool event_queue_take(struct event_queue *queue, struct event *ret_event);

/* Frees what the queue holds, not the queue itself. */
void event_queue_done(struct event_queue *queue);

#endif
