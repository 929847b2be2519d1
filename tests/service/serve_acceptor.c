/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "queue.h"
#include "serve.h"

struct acceptor {
	const struct serve_opts *opts;
	struct queue accepted; /* of sockets, plus one: a null pointer is no socket */
};

static void *serve_accepted(void *arg)
{
	struct acceptor *acceptor = arg;
	struct worker worker;

	if (worker_init(&worker, &acceptor->opts->work) < 0)
		return NULL;
	for (;;)
		serve_connection(&worker, acceptor->opts,
				 (int)(intptr_t)queue_pop(&acceptor->accepted) - 1);
}

static int start_pool(struct acceptor *acceptor)
{
	for (unsigned int i = 0; i < acceptor->opts->n_threads; i++) {
		pthread_t thread;
		int r = pthread_create(&thread, NULL, serve_accepted, acceptor);

		if (r)
			return -r;
		(void)pthread_detach(thread);
	}
	return 0;
}

int serve_acceptor(const struct serve_opts *opts)
{
	struct acceptor *acceptor = calloc(1, sizeof(*acceptor));
	int r;

	if (!acceptor)
		return -ENOMEM;
	acceptor->opts = opts;
	queue_init(&acceptor->accepted);
	r = start_pool(
		acceptor); /* the pool lives as long as the process, and with it the acceptor */
	while (!r) {
		int fd = serve_accept(opts);

		r = fd < 0 ? fd : queue_push(&acceptor->accepted, (void *)(intptr_t)(fd + 1));
	}
	return r;
}
