/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inner.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"

#define PARTS_MAX 64

/* A request whose parts are handed out: on its thread's stack. */
struct batch {
	unsigned int left; /* parts that are not done yet */
	int error;
	pthread_cond_t done;
};

struct part {
	struct batch *batch;
	struct truth_request request;
	struct part *next;
};

struct inner {
	const struct work *work;
	pthread_mutex_t mutex;
	pthread_cond_t filled;
	struct part *first, **last;
};

static void put(struct inner *inner, struct part *part)
{
	bool was_empty = !inner->first;

	part->next = NULL;
	*inner->last = part;
	inner->last = &part->next;
	if (was_empty)
		(void)pthread_cond_signal(&inner->filled);
}

static struct part *take(struct inner *inner)
{
	struct part *part;

	while (!inner->first)
		(void)pthread_cond_wait(&inner->filled, &inner->mutex);
	part = inner->first;
	inner->first = part->next;
	if (!inner->first)
		inner->last = &inner->first;
	else
		(void)pthread_cond_signal(&inner->filled);
	return part;
}

static void *work_on_parts(void *arg)
{
	struct inner *inner = arg;
	struct worker worker;

	if (worker_init(&worker, inner->work) < 0)
		return NULL;
	for (;;) {
		struct part *part;
		int r;

		(void)pthread_mutex_lock(&inner->mutex);
		part = take(inner);
		(void)pthread_mutex_unlock(&inner->mutex);
		truth_resume(&part->request);
		r = work_run(&worker, &part->request);
		truth_pause(&part->request);
		(void)pthread_mutex_lock(&inner->mutex);
		if (r < 0)
			part->batch->error = r;
		if (!--part->batch->left)
			(void)pthread_cond_signal(&part->batch->done);
		(void)pthread_mutex_unlock(&inner->mutex);
	}
}

/* Works for nobody's request, and takes the lock that the parts take, as what counts or logs does.
 */
static void *work_aside(void *arg)
{
	struct inner *inner = arg;
	struct work aside = *inner->work;
	struct worker worker;

	aside.after_calls = 1;
	if (worker_init(&worker, &aside) < 0)
		return NULL;
	for (;;) {
		clock_sleep(aside.aside_ns);
		(void)pthread_mutex_lock(aside.mutex);
		clock_burn(aside.lock_burn_ns);
		(void)pthread_mutex_unlock(aside.mutex);
		if (work_after(&worker) < 0)
			return NULL;
	}
}

static int start(void *(*fn)(void *), struct inner *inner)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, fn, inner);

	if (!r)
		(void)pthread_detach(thread);
	return -r;
}

int inner_start(const struct work *work, struct inner **ret_inner)
{
	struct inner *inner = calloc(1, sizeof(*inner));
	int r = 0;

	if (!inner)
		return -ENOMEM;
	inner->work = work;
	inner->last = &inner->first;
	(void)pthread_mutex_init(&inner->mutex, NULL);
	(void)pthread_cond_init(&inner->filled, NULL);
	*ret_inner = inner; /* lives as long as the threads, and with them the process */
	for (unsigned int i = 0; i < work->inner_threads && !r; i++)
		r = start(work_on_parts, inner);
	return r || !work->aside_ns ? r : start(work_aside, inner);
}

int inner_run(struct inner *inner, struct truth_request *request)
{
	struct batch batch = {.left = inner->work->parts};
	struct part parts[PARTS_MAX] = {0};

	if (batch.left > PARTS_MAX)
		return -E2BIG;
	(void)pthread_cond_init(&batch.done, NULL);
	(void)pthread_mutex_lock(&inner->mutex);
	for (unsigned int i = 0; i < inner->work->parts; i++) {
		parts[i].batch = &batch;
		put(inner, &parts[i]);
	}
	while (batch.left)
		(void)pthread_cond_wait(&batch.done, &inner->mutex);
	(void)pthread_mutex_unlock(&inner->mutex);
	(void)pthread_cond_destroy(&batch.done);
	for (unsigned int i = 0; i < inner->work->parts; i++)
		truth_add(request, &parts[i].request);
	return batch.error;
}
