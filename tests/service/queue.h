/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A queue between threads, by mutex and condition: the hand-off that most thread pools are made of.
 */
#ifndef IOPROF_SERVICE_QUEUE_H
#define IOPROF_SERVICE_QUEUE_H

#include <pthread.h>

#define QUEUE_SIZE 8192

struct queue {
	pthread_mutex_t mutex;
	pthread_cond_t filled;
	unsigned int head, n;
	void *items[QUEUE_SIZE];
};

void queue_init(struct queue *queue);

/* Returns 0, or -ENOSPC when full. */
int queue_push(struct queue *queue, void *item);

/* Waits for an item. */
void *queue_pop(struct queue *queue);

/* An item if there is one, otherwise NULL. */
void *queue_poll(struct queue *queue);

#endif
