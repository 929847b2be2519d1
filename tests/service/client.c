/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "http.h"

#define EVENTS 64
#define FIRST_LATENCIES 4096

enum conn_state {
	CONN_DONE, /* sends no more */
	CONN_THINKING,
	CONN_SENDING, /* the next piece is due at due_ns */
	CONN_RECEIVING,
	CONN_PAUSING, /* a slow reader, who goes on at due_ns */
};

struct conn {
	int fd;
	enum conn_state state;
	struct http_message message;
	size_t out_at; /* of the request, sent so far */
	uint64_t start_ns;
	uint64_t due_ns;
	struct conn *next; /* by due time */
};

struct client {
	const struct client_opts *opts;
	struct client_result result;
	int epoll_fd, timer_fd;
	char *request;
	size_t request_len, latencies_size;
	unsigned int active;
	uint64_t start_ns, end_ns;
	double arrival_ns; /* the next, since start_ns */
	unsigned short random[3];
	struct conn *due; /* next first */
	unsigned int n_conns;
	struct conn conns[]; /* those that send, then the idle ones */
};

/* ---- waiting ---- */

static void wait_until(struct client *c, struct conn *conn, enum conn_state state, uint64_t due_ns)
{
	struct conn **at = &c->due;

	conn->state = state;
	conn->due_ns = due_ns;
	while (*at && (*at)->due_ns <= due_ns)
		at = &(*at)->next;
	conn->next = *at;
	*at = conn;
}

/* Which of the connection's events matter now: a slow reader must not hear of what it does not read
 * yet. */
static void listen_to(const struct client *c, struct conn *conn, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = conn};

	(void)epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
}

/* ---- connections ---- */

static int conn_open(struct client *c, struct conn *conn)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};

	conn->fd = net_connect(&c->opts->address, 0);
	if (conn->fd < 0)
		return conn->fd;
	(void)fcntl(conn->fd, F_SETFL, O_NONBLOCK);
	if (c->opts->receive_buffer)
		(void)setsockopt(conn->fd, SOL_SOCKET, SO_RCVBUF, &c->opts->receive_buffer,
				 sizeof(int));
	return epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) < 0 ? -errno : 0;
}

static void conn_done(struct client *c, struct conn *conn)
{
	conn->state = CONN_DONE;
	c->active--;
}

static bool load_is_over(const struct client *c)
{
	if ((c->opts->requests && c->result.sent >= c->opts->requests) ||
	    (c->opts->enough && *c->opts->enough))
		return true;
	return c->opts->duration_ns && clock_wall_ns() >= c->start_ns + c->opts->duration_ns;
}

static void conn_failed(struct client *c, struct conn *conn);

/* Sends the next piece; a request is small enough for the socket's buffer, piece by piece. */
static void send_piece(struct client *c, struct conn *conn)
{
	size_t piece = c->request_len / c->opts->body_pieces + 1;
	size_t left = c->request_len - conn->out_at;
	size_t n = piece < left ? piece : left;

	if (net_send(conn->fd, c->request + conn->out_at, n) < 0) {
		conn_failed(c, conn);
		return;
	}
	conn->out_at += n;
	if (conn->out_at < c->request_len)
		wait_until(c, conn, CONN_SENDING, clock_wall_ns() + c->opts->piece_gap_ns);
	else
		conn->state = CONN_RECEIVING;
}

/* When the connection's next request is due. */
static uint64_t next_due_ns(struct client *c)
{
	if (!(c->opts->rate_per_s > 0))
		return clock_wall_ns() + c->opts->think_ns;
	c->arrival_ns -= log(1 - erand48(c->random)) / c->opts->rate_per_s * (double)CLOCK_NS_PER_S;
	return c->start_ns + (uint64_t)c->arrival_ns;
}

static void begin_request(struct client *c, struct conn *conn)
{
	if (load_is_over(c) || (conn->fd < 0 && conn_open(c, conn) < 0)) {
		conn_done(c, conn);
		return;
	}
	c->result.sent++;
	conn->message = (struct http_message){0};
	conn->out_at = 0;
	conn->start_ns = c->opts->rate_per_s > 0 ? conn->due_ns : clock_wall_ns();
	send_piece(c, conn);
}

static void conn_failed(struct client *c, struct conn *conn)
{
	bool open = conn->state == CONN_RECEIVING || conn->state == CONN_SENDING ||
		    conn->state == CONN_PAUSING;

	net_closep(&conn->fd);
	if (!open)
		return;
	c->result.failed++;
	/* By way of the timer, so that a service that refuses everything does not make this call
	 * itself for ever. */
	wait_until(c, conn, CONN_THINKING,
		   c->opts->rate_per_s > 0 ? next_due_ns(c) : clock_wall_ns());
}

static int keep_latency(struct client *c, uint64_t ns)
{
	struct client_result *r = &c->result;

	if (r->answered == c->latencies_size) {
		size_t size = c->latencies_size ? 2 * c->latencies_size : FIRST_LATENCIES;
		uint64_t *grown = realloc(r->latencies_ns, size * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		r->latencies_ns = grown;
		c->latencies_size = size;
	}
	r->latencies_ns[r->answered++] = ns;
	r->latency_sum_ns += ns;
	if (ns > r->latency_max_ns)
		r->latency_max_ns = ns;
	return 0;
}

static void answered(struct client *c, struct conn *conn)
{
	uint64_t now_ns = clock_wall_ns();

	(void)keep_latency(c, now_ns - conn->start_ns);
	c->end_ns = now_ns;
	if (c->opts->close || conn->message.close)
		net_closep(&conn->fd);
	if (c->opts->think_ns || c->opts->rate_per_s > 0)
		wait_until(c, conn, CONN_THINKING, next_due_ns(c));
	else
		begin_request(c, conn);
}

static void receive(struct client *c, struct conn *conn)
{
	char data[65536];
	bool slow = c->opts->read_bytes && c->opts->read_bytes < sizeof(data);
	ssize_t n = recv(conn->fd, data, slow ? c->opts->read_bytes : sizeof(data), 0);
	int r;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || conn->state != CONN_RECEIVING) {
		conn_failed(c, conn);
		return;
	}
	r = http_feed(&conn->message, data, (size_t)n);
	if (r < 0) {
		conn_failed(c, conn);
	} else if (r) {
		answered(c, conn);
	} else if (slow) {
		listen_to(c, conn, 0);
		wait_until(c, conn, CONN_PAUSING, clock_wall_ns() + c->opts->read_gap_ns);
	}
}

/* ---- the run ---- */

static void fire_due(struct client *c)
{
	struct itimerspec when = {0};

	while (c->due && c->due->due_ns <= clock_wall_ns()) {
		struct conn *conn = c->due;

		c->due = conn->next;
		if (conn->state == CONN_SENDING) {
			send_piece(c, conn);
		} else if (conn->state == CONN_PAUSING) {
			conn->state = CONN_RECEIVING;
			listen_to(c, conn, EPOLLIN);
		} else {
			begin_request(c, conn);
		}
	}
	if (c->due)
		when.it_value = clock_timespec(c->due->due_ns);
	(void)timerfd_settime(c->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int run(struct client *c, volatile const sig_atomic_t *stop)
{
	while (c->active && !(stop && *stop)) {
		struct epoll_event events[EVENTS];
		int n;

		fire_due(c);
		if (!c->active)
			break;
		n = epoll_wait(c->epoll_fd, events, EVENTS, -1);
		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++) {
			uint64_t fired;

			if (events[i].data.ptr)
				receive(c, events[i].data.ptr);
			else if (read(c->timer_fd, &fired, sizeof(fired)) < 0 && errno != EAGAIN)
				return -errno;
		}
	}
	return 0;
}

static int compose(struct client *c)
{
	size_t size = 512 + c->opts->body_bytes;

	c->request = malloc(size);
	if (!c->request)
		return -ENOMEM;
	c->request_len = http_request_head(c->request, 512, c->opts->body_bytes, c->opts->close);
	memset(c->request + c->request_len, 'x', c->opts->body_bytes);
	c->request_len += c->opts->body_bytes;
	return 0;
}

static int client_open(struct client *c)
{
	struct epoll_event event = {.events = EPOLLIN};
	unsigned int late;
	int r;

	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	c->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->epoll_fd < 0 || c->timer_fd < 0 ||
	    epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->timer_fd, &event) < 0)
		return -errno;
	r = compose(c);
	/* Idle ones first. A connection per request is opened when its request begins: a worker
	 * might take it before. So is one of an open load, which may have nothing to send yet: a
	 * worker that serves one connection at a time would wait for it. */
	late = c->opts->close || c->opts->rate_per_s > 0 ? c->opts->connections : 0;
	for (unsigned int i = c->n_conns; i-- > late && !r;)
		r = conn_open(c, &c->conns[i]);
	return r;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int client_run(const struct client_opts *opts, volatile const sig_atomic_t *stop,
	       struct client **ret_client, struct client_result *ret_result)
{
	unsigned int n = opts->connections + opts->idle;
	struct client *c = calloc(1, sizeof(*c) + n * sizeof(c->conns[0]));
	int r;

	if (!c)
		return -ENOMEM;
	c->opts = opts;
	c->n_conns = n;
	for (unsigned int i = 0; i < n; i++)
		c->conns[i].fd = -1;
	r = client_open(c);
	c->start_ns = clock_wall_ns();
	c->active = opts->connections;
	for (unsigned int i = 0; i < opts->connections && !r; i++) {
		if (opts->rate_per_s > 0)
			wait_until(c, &c->conns[i], CONN_THINKING, next_due_ns(c));
		else
			begin_request(c, &c->conns[i]);
	}
	if (!r)
		r = run(c, stop);
	if (r < 0) {
		client_close(c);
		return r;
	}
	if (c->result.answered)
		qsort(c->result.latencies_ns, c->result.answered, sizeof(uint64_t), by_value);
	c->result.duration_ns = c->end_ns > c->start_ns ? c->end_ns - c->start_ns : 0;
	*ret_result = c->result;
	*ret_client = c;
	return 0;
}

void client_close(struct client *c)
{
	for (unsigned int i = 0; i < c->n_conns; i++)
		net_closep(&c->conns[i].fd);
	net_closep(&c->timer_fd);
	net_closep(&c->epoll_fd);
	free(c->request);
	free(c);
}

static double quantile_s(const struct client_result *r, double q)
{
	size_t i = (size_t)(q * (double)r->answered);

	if (!r->answered)
		return 0;
	return (double)r->latencies_ns[i < r->answered ? i : r->answered - 1] /
	       (double)CLOCK_NS_PER_S;
}

void client_print(FILE *out, const struct client_result *r)
{
	double n = r->answered ? (double)r->answered : 1;

	(void)fprintf(
		out,
		"{\"sent\": %llu, \"answered\": %llu, \"failed\": %llu, \"duration_s\": %.9f, "
		"\"latency_s\": {\"mean\": %.9f, \"p50\": %.9f, \"p90\": %.9f, \"p99\": %.9f, \"max\": %.9f}}\n",
		(unsigned long long)r->sent, (unsigned long long)r->answered,
		(unsigned long long)r->failed, (double)r->duration_ns / (double)CLOCK_NS_PER_S,
		(double)r->latency_sum_ns / n / (double)CLOCK_NS_PER_S, quantile_s(r, 0.50),
		quantile_s(r, 0.90), quantile_s(r, 0.99),
		(double)r->latency_max_ns / (double)CLOCK_NS_PER_S);
}
