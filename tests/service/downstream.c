/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "downstream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "net.h"

#define EVENTS 64
#define LINE_SIZE 128
#define PIECE_GAP_NS (300 * CLOCK_NS_PER_US)

struct conn {
	int fd;
	bool listens;
	char line[LINE_SIZE];
	size_t len;
	unsigned int pieces; /* still to send; 0: no call open */
	uint64_t due_ns;
	struct conn *next; /* by due time */
};

struct downstream {
	int epoll_fd, timer_fd;
	struct conn *due; /* calls to be answered, next first */
};

static int watch(const struct downstream *d, int fd, struct conn *conn)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};

	return epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int conn_new(const struct downstream *d, int fd, bool listens)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	int r;

	if (!conn)
		return -ENOMEM;
	conn->fd = fd;
	conn->listens = listens;
	r = watch(d, fd, conn);
	if (r < 0)
		free(conn);
	return r;
}

static void due_remove(struct downstream *d, const struct conn *conn)
{
	struct conn **at = &d->due;

	while (*at && *at != conn)
		at = &(*at)->next;
	if (*at)
		*at = conn->next;
}

static void due_add(struct downstream *d, struct conn *conn, uint64_t due_ns)
{
	struct conn **at = &d->due;

	conn->due_ns = due_ns;
	while (*at && (*at)->due_ns <= due_ns)
		at = &(*at)->next;
	conn->next = *at;
	*at = conn;
}

static void conn_free(struct downstream *d, struct conn *conn)
{
	due_remove(d, conn);
	(void)close(conn->fd);
	free(conn);
}

static void answer_due(struct downstream *d)
{
	while (d->due && d->due->due_ns <= clock_wall_ns()) {
		struct conn *conn = d->due;
		const char *piece = --conn->pieces ? "row" : "row\n";

		d->due = conn->next;
		if (conn->pieces)
			due_add(d, conn, conn->due_ns + PIECE_GAP_NS);
		/* Whoever does not read its reply has gone: the next event on the connection says
		 * so. */
		(void)net_send(conn->fd, piece, strlen(piece));
	}
}

static void arm(const struct downstream *d)
{
	struct itimerspec when = {.it_value = clock_timespec(d->due ? d->due->due_ns : 0)};

	(void)timerfd_settime(d->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void conn_read(struct downstream *d, struct conn *conn)
{
	ssize_t n = recv(conn->fd, conn->line + conn->len, sizeof(conn->line) - 1 - conn->len, 0);
	unsigned long long delay_us;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || conn->pieces) {
		conn_free(d, conn);
		return;
	}
	conn->len += (size_t)n;
	conn->line[conn->len] = '\0';
	if (!strchr(conn->line, '\n') && conn->len < sizeof(conn->line) - 1)
		return;
	if (sscanf(conn->line, "reply in %llu us and %u pieces\n", &delay_us, &conn->pieces) != 2 ||
	    !conn->pieces) {
		conn_free(d, conn);
		return;
	}
	conn->len = 0;
	due_add(d, conn, clock_wall_ns() + delay_us * CLOCK_NS_PER_US);
}

static void handle(struct downstream *d, struct conn *conn)
{
	int fd;

	if (!conn) {
		uint64_t n;

		if (read(d->timer_fd, &n, sizeof(n)) < 0)
			return; /* armed anew meanwhile */
	} else if (!conn->listens) {
		conn_read(d, conn);
	} else {
		while ((fd = accept4(conn->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
			if (conn_new(d, fd, false) < 0)
				(void)close(fd);
	}
}

static int downstream_open(struct downstream *d, const int *listen_fds, unsigned int n_listen_fds)
{
	d->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	d->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (d->epoll_fd < 0 || d->timer_fd < 0 || watch(d, d->timer_fd, NULL) < 0)
		return -errno;
	for (unsigned int i = 0; i < n_listen_fds; i++) {
		int r;

		(void)fcntl(listen_fds[i], F_SETFL, O_NONBLOCK);
		r = conn_new(d, listen_fds[i], true);
		if (r < 0)
			return r;
	}
	return 0;
}

int downstream_serve(const int *listen_fds, unsigned int n_listen_fds)
{
	struct downstream d = {0};
	int r = downstream_open(&d, listen_fds, n_listen_fds);

	if (r < 0)
		return r;
	for (;;) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(d.epoll_fd, events, EVENTS, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++)
			handle(&d, events[i].data.ptr);
		answer_due(&d);
		arm(&d);
	}
}
