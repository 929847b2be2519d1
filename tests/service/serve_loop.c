/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loops. One thread waits by epoll for everything: new connections, requests, replies of
 * peers, timers. A request is the plan of steps of work.h, of which calls, sleeps and slow clients
 * make it wait without blocking the thread; locks, disk and children block it, as blocking code in
 * a loop does. Behind a loop with a pool, the request goes to a pool thread as soon as it was read,
 * which does everything by blocking calls; the answer is written by the pool thread, or back on the
 * loop, which learns of it by an eventfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "http.h"
#include "queue.h"
#include "serve.h"

#define EVENTS 64

enum watch_kind {
	WATCH_LISTEN,
	WATCH_TIMER,
	WATCH_DONE, /* the pool has finished a request */
	WATCH_CLIENT,
	WATCH_PEER,
};

/* What epoll hands back. */
struct watch {
	enum watch_kind kind;
	unsigned int peer;
	struct conn *conn;
};

/* A connection and the request on it. */
struct conn {
	int fd;
	struct watch client;
	struct watch peers[TRUTH_PEERS];
	int peer_fds[TRUTH_PEERS];
	struct http_message message;
	struct truth_request request;
	struct truth_mark mark; /* when the wait began that it is in */
	uint64_t burn_ns;
	unsigned int step;    /* of the plan */
	unsigned int chunk;   /* of the response */
	uint64_t deadline_ns; /* 0: none */
	struct conn *timer_next;
	char *out;
	size_t out_len, out_at;
	bool close;
	bool reads_stopped; /* epoll looks for room to write instead */
	bool dead;
	struct conn *dead_next;
};

struct loop {
	const struct serve_opts *opts;
	struct worker worker;
	int epoll_fd, timer_fd, done_fd;
	struct conn *timers; /* by deadline */
	struct conn *dead;   /* ended while events in hand may still name them */
	struct queue *pool;  /* NULL without */
	struct queue done;
};

/* ---- epoll and timers ---- */

static int watch(const struct loop *loop, int op, int fd, uint32_t events, struct watch *w)
{
	struct epoll_event event = {.events = events, .data.ptr = w};

	return epoll_ctl(loop->epoll_fd, op, fd, &event) < 0 ? -errno : 0;
}

static void timer_arm(const struct loop *loop)
{
	uint64_t deadline_ns = loop->timers ? loop->timers->deadline_ns : 0;
	struct itimerspec when = {.it_value = clock_timespec(deadline_ns)};

	(void)timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void timer_add(struct loop *loop, struct conn *conn, uint64_t ns)
{
	struct conn **at = &loop->timers;

	conn->deadline_ns = clock_wall_ns() + ns;
	while (*at && (*at)->deadline_ns <= conn->deadline_ns)
		at = &(*at)->timer_next;
	conn->timer_next = *at;
	*at = conn;
	timer_arm(loop);
}

static void timer_remove(struct loop *loop, struct conn *conn)
{
	struct conn **at = &loop->timers;

	while (*at && *at != conn)
		at = &(*at)->timer_next;
	if (*at)
		*at = conn->timer_next;
	conn->deadline_ns = 0;
}

/* ---- connections ---- */

static void conn_end(struct loop *loop, struct conn *conn)
{
	if (conn->dead)
		return;
	if (conn->deadline_ns)
		timer_remove(loop, conn);
	net_closep(&conn->fd);
	for (unsigned int i = 0; i < TRUTH_PEERS; i++)
		net_closep(&conn->peer_fds[i]);
	free(conn->out);
	conn->dead = true;
	conn->dead_next = loop->dead;
	loop->dead = conn;
}

static void bury(struct loop *loop)
{
	while (loop->dead) {
		struct conn *conn = loop->dead;

		loop->dead = conn->dead_next;
		free(conn);
	}
}

static uint32_t reading(const struct loop *loop)
{
	/* A request that is with the pool must not be looked at by the loop. */
	return loop->pool ? EPOLLIN | EPOLLONESHOT : EPOLLIN;
}

static void conn_new(struct loop *loop, int fd)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		(void)close(fd);
		return;
	}
	conn->fd = fd;
	conn->client = (struct watch){.kind = WATCH_CLIENT, .conn = conn};
	for (unsigned int i = 0; i < TRUTH_PEERS; i++) {
		conn->peers[i] = (struct watch){.kind = WATCH_PEER, .peer = i, .conn = conn};
		conn->peer_fds[i] = -1;
	}
	if (watch(loop, EPOLL_CTL_ADD, fd, reading(loop), &conn->client) < 0)
		conn_end(loop, conn);
}

static void accept_all(struct loop *loop)
{
	int fd;

	while ((fd = accept4(loop->opts->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		conn_new(loop, fd);
}

/* ---- the response ---- */

static void conn_finish(struct loop *loop, struct conn *conn)
{
	truth_end(loop->opts->work.truth, loop->worker.slot, &conn->request);
	if (conn->close) {
		conn_end(loop, conn);
		return;
	}
	conn->message = (struct http_message){0};
	free(conn->out);
	conn->out = NULL;
	if (conn->reads_stopped || loop->pool)
		(void)watch(loop, EPOLL_CTL_MOD, conn->fd, reading(loop), &conn->client);
	conn->reads_stopped = false;
}

static int conn_compose(struct loop *loop, struct conn *conn)
{
	static const char chunk[] = "5\r\nchunk\r\n", last[] = "0\r\n\r\n";
	const struct work *work = &loop->opts->work;
	size_t size = 256 + work->response_bytes;

	if (!conn->out) {
		conn->out = malloc(size);
		if (!conn->out)
			return -ENOMEM;
		conn->chunk = 0;
		conn->out_len = http_response_head(conn->out, 256, work->response_bytes,
						   work->chunks, conn->close);
		if (!work->chunks) {
			memset(conn->out + conn->out_len, 'x', work->response_bytes);
			conn->out_len += work->response_bytes;
		}
	} else {
		conn->chunk++;
		conn->out_len = (size_t)snprintf(conn->out, size, "%s%s", chunk,
						 conn->chunk == work->chunks ? last : "");
	}
	conn->out_at = 0;
	return 0;
}

/* Writes what the client takes; goes on when there is room again. */
static void conn_write(struct loop *loop, struct conn *conn)
{
	while (conn->out_at < conn->out_len) {
		struct truth_mark mark = truth_mark();
		ssize_t n = send(conn->fd, conn->out + conn->out_at, conn->out_len - conn->out_at,
				 MSG_NOSIGNAL);

		conn->request.sums.last_send_ns = truth_since(mark);
		if (n < 0 && errno == EAGAIN) {
			conn->reads_stopped = true;
			(void)watch(loop, EPOLL_CTL_MOD, conn->fd, EPOLLOUT, &conn->client);
			truth_pause(&conn->request);
			return;
		}
		if (n < 0) {
			conn_end(loop, conn);
			return;
		}
		conn->out_at += (size_t)n;
	}
	if (conn->chunk < loop->opts->work.chunks) {
		truth_pause(&conn->request);
		timer_add(loop, conn, loop->opts->work.chunk_pause_ns);
		return;
	}
	conn_finish(loop, conn);
}

static void conn_respond(struct loop *loop, struct conn *conn)
{
	if (conn_compose(loop, conn) < 0)
		conn_end(loop, conn);
	else
		conn_write(loop, conn);
}

/* ---- the steps ---- */

/* Sends the call's line. Returns 0 or -errno. */
static int call_begin(struct loop *loop, struct conn *conn, unsigned int peer)
{
	const struct work *work = &loop->opts->work;
	int *fd = &conn->peer_fds[peer];
	char line[WORK_LINE_SIZE];
	size_t len = work_call_line(&loop->worker, peer, line);

	conn->mark = truth_mark();
	if (*fd < 0) {
		/* Connected while blocking, which a local peer answers at once; a loop's DNS and
		 * TLS are not the subject. */
		*fd = net_connect(&work->peers[peer].address, 0);
		if (*fd < 0)
			return *fd;
		(void)fcntl(*fd, F_SETFL, O_NONBLOCK);
		(void)watch(loop, EPOLL_CTL_ADD, *fd, EPOLLIN, &conn->peers[peer]);
	}
	return net_send(*fd, line, len);
}

/* Receives what came of the reply. Returns 1 when it is complete, 0 when not yet, or -errno. */
static int call_continue(struct loop *loop, struct conn *conn, unsigned int peer)
{
	int *fd = &conn->peer_fds[peer];
	char reply[256];
	ssize_t n = recv(*fd, reply, sizeof(reply), 0);

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	if (reply[n - 1] != '\n')
		return 0;
	if (loop->opts->work.new_connection)
		net_closep(fd);
	conn->request.sums.operations[peer]++;
	conn->request.sums.operation_ns[peer] += clock_wall_ns() - conn->mark.wall_ns;
	return 1;
}

/* Runs the plan from the current step until the request has to wait, or to its response. */
static void conn_advance(struct loop *loop, struct conn *conn)
{
	const struct work *work = &loop->opts->work;

	while (conn->step < work->n_steps) {
		const struct step *step = &work->steps[conn->step];
		int r;

		if (step->kind == STEP_CALL)
			r = call_begin(loop, conn, step->peer);
		else if (step->kind != STEP_SLEEP)
			r = work_step(&loop->worker, step, conn->burn_ns, &conn->request);
		else
			r = 0;
		if (r < 0) {
			conn_end(loop, conn);
			return;
		}
		conn->step++;
		if (step->kind == STEP_SLEEP)
			timer_add(loop, conn, work->sleep_ns);
		if (step->kind == STEP_CALL || step->kind == STEP_SLEEP) {
			truth_pause(&conn->request);
			return;
		}
	}
	conn_respond(loop, conn);
}

static void conn_start(struct loop *loop, struct conn *conn)
{
	conn->close = loop->opts->work.close || conn->message.close;
	conn->step = 0;
	if (loop->pool) {
		truth_pause(&conn->request);
		if (queue_push(loop->pool, conn) < 0)
			conn_end(loop, conn);
		return;
	}
	conn->burn_ns = work_draw_cpu(&loop->worker) / loop->opts->work.n_burns;
	conn_advance(loop, conn);
}

static void conn_read(struct loop *loop, struct conn *conn)
{
	char data[16384];
	ssize_t n = recv(conn->fd, data, sizeof(data), 0);
	int r;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_end(loop, conn);
		return;
	}
	if (conn->message.head_len)
		truth_resume(&conn->request);
	else
		truth_begin(loop->opts->work.truth, &conn->request);
	r = http_feed(&conn->message, data, (size_t)n);
	if (r < 0) {
		conn_end(loop, conn);
	} else if (r) {
		conn_start(loop, conn);
	} else {
		truth_pause(&conn->request);
		if (loop->pool)
			(void)watch(loop, EPOLL_CTL_MOD, conn->fd, reading(loop), &conn->client);
	}
}

/* ---- the pool behind a loop ---- */

static void pool_finish(struct worker *worker, struct loop *loop, struct conn *conn)
{
	truth_end(loop->opts->work.truth, worker->slot, &conn->request);
	conn->message = (struct http_message){0};
	if (conn->close)
		(void)shutdown(conn->fd, SHUT_WR); /* the loop sees the client close, and frees */
	(void)watch(loop, EPOLL_CTL_MOD, conn->fd, reading(loop), &conn->client);
}

static void *pool_work(void *arg)
{
	struct loop *loop = arg;
	struct worker worker;

	if (worker_init(&worker, &loop->opts->work) < 0)
		return NULL;
	for (;;) {
		struct conn *conn = queue_pop(loop->pool);

		truth_resume(&conn->request);
		(void)work_run(&worker, &conn->request);
		if (loop->opts->pool_writes) {
			(void)work_respond(&worker, conn->fd, conn->close, &conn->request);
			pool_finish(&worker, loop, conn);
		} else {
			truth_pause(&conn->request);
			(void)queue_push(&loop->done, conn);
			(void)eventfd_write(loop->done_fd, 1);
		}
	}
}

static void respond_done(struct loop *loop)
{
	struct conn *conn;
	eventfd_t n;

	(void)eventfd_read(loop->done_fd, &n);
	while ((conn = queue_poll(&loop->done))) {
		truth_resume(&conn->request);
		conn_respond(loop, conn);
	}
}

static int pool_start(struct loop *loop)
{
	loop->pool = calloc(1, sizeof(*loop->pool));
	if (!loop->pool)
		return -ENOMEM;
	queue_init(loop->pool);
	for (unsigned int i = 0; i < loop->opts->n_threads; i++) {
		pthread_t thread;
		int r = pthread_create(&thread, NULL, pool_work, loop);

		if (r)
			return -r;
		(void)pthread_detach(thread);
	}
	return 0;
}

/* ---- the loop ---- */

static void fire_timers(struct loop *loop)
{
	uint64_t n;

	if (read(loop->timer_fd, &n, sizeof(n)) < 0)
		return; /* armed anew meanwhile */
	while (loop->timers && loop->timers->deadline_ns <= clock_wall_ns()) {
		struct conn *conn = loop->timers;

		timer_remove(loop, conn);
		truth_resume(&conn->request);
		if (conn->out)
			conn_respond(loop, conn);
		else
			conn_advance(loop, conn);
	}
	timer_arm(loop);
}

static void handle_client(struct loop *loop, struct conn *conn)
{
	if (conn->reads_stopped) {
		truth_resume(&conn->request);
		conn_write(loop, conn);
	} else {
		conn_read(loop, conn);
	}
}

static void handle_peer(struct loop *loop, struct conn *conn, unsigned int peer)
{
	int r;

	truth_resume(&conn->request);
	r = call_continue(loop, conn, peer);
	if (r < 0)
		conn_end(loop, conn);
	else if (r)
		conn_advance(loop, conn);
	else
		truth_pause(&conn->request);
}

static void handle(struct loop *loop, const struct watch *w)
{
	switch (w->kind) {
	case WATCH_LISTEN:
		accept_all(loop);
		break;
	case WATCH_TIMER:
		fire_timers(loop);
		break;
	case WATCH_DONE:
		respond_done(loop);
		break;
	case WATCH_CLIENT:
		if (!w->conn->dead)
			handle_client(loop, w->conn);
		break;
	case WATCH_PEER:
		if (!w->conn->dead)
			handle_peer(loop, w->conn, w->peer);
		break;
	}
}

static int loop_open(struct loop *loop)
{
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	loop->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll_fd < 0 || loop->timer_fd < 0 || loop->done_fd < 0)
		return -errno;
	(void)fcntl(loop->opts->listen_fd, F_SETFL, O_NONBLOCK);
	queue_init(&loop->done);
	return worker_init(&loop->worker, &loop->opts->work);
}

static int loop_run(struct loop *loop)
{
	struct watch listener = {.kind = WATCH_LISTEN}, timer = {.kind = WATCH_TIMER},
		     done = {.kind = WATCH_DONE};

	(void)watch(loop, EPOLL_CTL_ADD, loop->opts->listen_fd, EPOLLIN | EPOLLEXCLUSIVE,
		    &listener);
	(void)watch(loop, EPOLL_CTL_ADD, loop->timer_fd, EPOLLIN, &timer);
	(void)watch(loop, EPOLL_CTL_ADD, loop->done_fd, EPOLLIN, &done);
	for (;;) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(loop->epoll_fd, events, EVENTS, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++)
			handle(loop, events[i].data.ptr);
		bury(loop);
	}
}

static void *loop_thread(void *arg)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->opts = arg;
	if (!loop_open(loop))
		(void)loop_run(loop);
	return NULL;
}

int serve_loop(const struct serve_opts *opts)
{
	return serve_threads(opts, loop_thread, (void *)(uintptr_t)opts);
}

int serve_loop_pool(const struct serve_opts *opts)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	loop->opts = opts;
	r = loop_open(loop);
	if (!r)
		r = pool_start(loop);
	return r ? r : loop_run(loop);
}
