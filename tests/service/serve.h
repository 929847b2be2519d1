/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways to serve: each takes connections from a listening socket and does the work for every
 * request on them. They return only on errors: -errno.
 */
#ifndef IOPROF_SERVICE_SERVE_H
#define IOPROF_SERVICE_SERVE_H

#include "work.h"

struct serve_opts {
	struct work work;
	int listen_fd;
	unsigned int n_threads;
	bool accept_poll; /* wait for connections by poll + accept */
	bool pool_writes; /* behind a loop: the pool's thread writes the response itself */
	char **argv;	  /* for exec in the middle of the service */
};

/* Each thread accepts, then serves its connection to the end. With one thread per process: prefork.
 */
int serve_blocking(const struct serve_opts *opts);

/* One thread accepts and hands the connections to a pool over a queue. */
int serve_acceptor(const struct serve_opts *opts);

/* Each thread is an event loop; everything but locks, disk and children is non-blocking. */
int serve_loop(const struct serve_opts *opts);

/* One event loop reads the requests, a pool of threads does the (blocking) work. */
int serve_loop_pool(const struct serve_opts *opts);

/* Waits for the next connection, blocking. Returns it or -errno. */
int serve_accept(const struct serve_opts *opts);

/* Serves one connection, blocking, until it ends; closes it. */
void serve_connection(struct worker *worker, const struct serve_opts *opts, int fd);

/* Starts a thread for each of n_threads - 1, calls fn itself too. fn returns only on errors. */
int serve_threads(const struct serve_opts *opts, void *(*fn)(void *), void *arg);

#endif
