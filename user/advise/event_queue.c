/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "advise/event_queue.h"

#include <errno.h>
#include <stdlib.h>

static bool before(const struct event *a, const struct event *b)
{
	if (a->at_s != b->at_s)
		return a->at_s < b->at_s;
	return a->order < b->order;
}

static int reserve(struct event_queue *queue)
{
	size_t capacity = queue->capacity ? 2 * queue->capacity : 256;
	struct event *events;

	if (queue->n < queue->capacity)
		return 0;
	events = reallocarray(queue->events, capacity, sizeof(*events));
	if (!events)
		return -ENOMEM;
	queue->events = events;
	queue->capacity = capacity;
	return 0;
}

int event_queue_add(struct event_queue *queue, struct event event)
{
	size_t i = queue->n;
	int r = reserve(queue);
	if (r < 0)
		return r;

	event.order = queue->next_order++;
	queue->n++;
	while (i > 0 && before(&event, &queue->events[(i - 1) / 2])) {
		queue->events[i] = queue->events[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	queue->events[i] = event;
	return 0;
}

bool event_queue_take(struct event_queue *queue, struct event *ret_event)
{
	struct event last;
	size_t i = 0, child;

	if (queue->n == 0)
		return false;
	*ret_event = queue->events[0];
	last = queue->events[--queue->n];
	while ((child = 2 * i + 1) < queue->n) {
		if (child + 1 < queue->n &&
		    before(&queue->events[child + 1], &queue->events[child]))
			child++;
		if (!before(&queue->events[child], &last))
			break;
		queue->events[i] = queue->events[child];
		i = child;
	}
	queue->events[i] = last;
	return true;
}

void event_queue_done(struct event_queue *queue)
{
	free(queue->events);
	*queue = (struct event_queue){0};
}
