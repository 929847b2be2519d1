/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "queue.h"

#include <errno.h>

void queue_init(struct queue *queue)
{
	(void)pthread_mutex_init(&queue->mutex, NULL);
	(void)pthread_cond_init(&queue->filled, NULL);
	queue->head = 0;
	queue->n = 0;
}

int queue_push(struct queue *queue, void *item)
{
	int r = -ENOSPC;

	(void)pthread_mutex_lock(&queue->mutex);
	if (queue->n < QUEUE_SIZE) {
		queue->items[(queue->head + queue->n++) % QUEUE_SIZE] = item;
		r = 0;
	}
	(void)pthread_mutex_unlock(&queue->mutex);
	(void)pthread_cond_signal(&queue->filled);
	return r;
}

static void *take_first(struct queue *queue)
{
	void *item = queue->items[queue->head];

	queue->head = (queue->head + 1) % QUEUE_SIZE;
	queue->n--;
	return item;
}

void *queue_pop(struct queue *queue)
{
	void *item;

	(void)pthread_mutex_lock(&queue->mutex);
	while (!queue->n)
		(void)pthread_cond_wait(&queue->filled, &queue->mutex);
	item = take_first(queue);
	(void)pthread_mutex_unlock(&queue->mutex);
	return item;
}

void *queue_poll(struct queue *queue)
{
	void *item;

	(void)pthread_mutex_lock(&queue->mutex);
	item = queue->n ? take_first(queue) : NULL;
	(void)pthread_mutex_unlock(&queue->mutex);
	return item;
}
