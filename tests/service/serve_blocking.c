/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"
#include "inner.h"
#include "serve.h"

/* Reads one request; it starts with its first byte. Returns 1, 0 when the client has closed, or
 * -errno. */
static int read_request(const struct work *work, int fd, struct http_message *message,
			struct truth_request *request)
{
	struct truth_mark mark = {0};
	char data[16384];
	int complete;

	do {
		long n;

		if (message->head_len)
			mark = truth_mark();
		n = net_recv(fd, data, sizeof(data), work->client_poll);
		if (n <= 0)
			return (int)n;
		if (message->head_len)
			(void)truth_waited(request, TRUTH_CLIENT, mark);
		else
			truth_begin(work->truth, request);
		complete = http_feed(message, data, (size_t)n);
	} while (!complete);
	return complete;
}

/* The service replaces itself by itself: same process, same listening socket, all else anew. */
static void exec_again(const struct serve_opts *opts)
{
	(void)execv("/proc/self/exe", opts->argv);
	(void)fprintf(stderr, "service: exec: %s\n", strerror(errno));
}

void serve_connection(struct worker *worker, const struct serve_opts *opts, int fd)
{
	const struct work *work = worker->work;
	bool open = true;
	int r;

	while (open) {
		struct http_message message = {0};
		struct truth_request request;

		if (read_request(work, fd, &message, &request) <= 0)
			break;
		open = !work->close && !message.close;
		r = worker->inner ? inner_run(worker->inner, &request) : work_run(worker, &request);
		if (r < 0) {
			(void)fprintf(stderr, "service: a request failed: %s\n", strerror(-r));
			break;
		}
		if (work_respond(worker, fd, !open, &request) < 0)
			break; /* the client has gone */
		truth_end(work->truth, worker->slot, &request);
		if (!open)
			net_closep(&fd);
		if (work_after(worker) < 0)
			break;
		if (work->exec_at && atomic_load(&work->truth->finished) == work->exec_at)
			exec_again(opts);
	}
	net_closep(&fd);
}

int serve_accept(const struct serve_opts *opts)
{
	struct pollfd p = {.fd = opts->listen_fd, .events = POLLIN};

	int fd;

	do {
		if (opts->accept_poll)
			(void)poll(&p, 1, -1);
		fd = accept4(opts->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		/* Another worker was faster to take it, or the client gave it up. */
	} while (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED));
	return fd < 0 ? -errno : fd;
}

struct blocking {
	const struct serve_opts *opts;
	struct inner *inner;
};

static void *accept_and_serve(void *arg)
{
	const struct blocking *blocking = arg;
	const struct serve_opts *opts = blocking->opts;
	struct worker worker;

	if (worker_init(&worker, &opts->work) < 0)
		return NULL;
	worker.inner = blocking->inner;
	for (;;) {
		int fd = serve_accept(opts);

		if (fd < 0) {
			(void)fprintf(stderr, "service: accept: %s\n", strerror(-fd));
			return NULL;
		}
		serve_connection(&worker, opts, fd);
	}
}

int serve_threads(const struct serve_opts *opts, void *(*fn)(void *), void *arg)
{
	for (unsigned int i = 1; i < opts->n_threads; i++) {
		pthread_t thread;
		int r = pthread_create(&thread, NULL, fn, arg);

		if (r)
			return -r;
		(void)pthread_detach(thread);
	}
	(void)fn(arg);
	return -EIO;
}

int serve_blocking(const struct serve_opts *opts)
{
	struct blocking *blocking = calloc(1, sizeof(*blocking));
	int r = 0;

	if (!blocking)
		return -ENOMEM;
	blocking->opts = opts;
	if (opts->work.inner_threads)
		r = inner_start(&opts->work, &blocking->inner);
	/* The threads live as long as the process, and with them their argument. */
	return r ? r : serve_threads(opts, accept_and_serve, blocking);
}
