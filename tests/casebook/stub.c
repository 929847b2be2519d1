/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stub ADDRESS [SERVERS]: an HTTP service that answers "GET /D" after D microseconds, on keep-alive
 * connections. With SERVERS only so many requests are worked on at once, the others wait their
 * turn: a downstream that saturates. One thread, 5 us of CPU per request. Prints "listening on
 * ADDRESS" when it serves.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../service/clock.h"
#include "../service/net.h"

#define EVENTS 64
#define MAX_SERVERS 64
#define HEAD_SIZE 4096

static const char response[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
			       "Content-Length: 5\r\n\r\ndone\n";

struct conn {
	int fd;
	char head[HEAD_SIZE];
	size_t len;
	bool waits; /* in the list of those to be answered */
	uint64_t due_ns;
	struct conn *earlier, *later;
};

struct stub {
	int epoll_fd, timer_fd, listen_fd;
	unsigned int n_servers;		  /* 0: no bound */
	uint64_t free_at_ns[MAX_SERVERS]; /* when each server has done what it has been given */
	struct conn *first, *last;	  /* to be answered, by due time */
};

static void due_remove(struct stub *s, struct conn *c)
{
	if (!c->waits)
		return;
	*(c->earlier ? &c->earlier->later : &s->first) = c->later;
	*(c->later ? &c->later->earlier : &s->last) = c->earlier;
	c->waits = false;
}

/* Delays are mostly equal, so the place is at or near the end. */
static void due_add(struct stub *s, struct conn *c, uint64_t due_ns)
{
	struct conn *earlier = s->last;

	while (earlier && earlier->due_ns > due_ns)
		earlier = earlier->earlier;
	c->due_ns = due_ns;
	c->waits = true;
	c->earlier = earlier;
	c->later = earlier ? earlier->later : s->first;
	*(c->earlier ? &c->earlier->later : &s->first) = c;
	*(c->later ? &c->later->earlier : &s->last) = c;
}

/* When a request that takes so long, given now to the server that is free first, is done. */
static uint64_t done_at(struct stub *s, uint64_t delay_ns)
{
	uint64_t now_ns = clock_wall_ns();
	unsigned int first = 0;

	if (!s->n_servers)
		return now_ns + delay_ns;
	for (unsigned int i = 1; i < s->n_servers; i++)
		if (s->free_at_ns[i] < s->free_at_ns[first])
			first = i;
	if (s->free_at_ns[first] < now_ns)
		s->free_at_ns[first] = now_ns;
	return s->free_at_ns[first] += delay_ns;
}

static void conn_free(struct stub *s, struct conn *c)
{
	due_remove(s, c);
	(void)close(c->fd);
	free(c);
}

/* One request at a time; its head ends it. */
static void conn_read(struct stub *s, struct conn *c)
{
	ssize_t n = recv(c->fd, c->head + c->len, sizeof(c->head) - 1 - c->len, 0);
	unsigned long delay_us;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_free(s, c);
		return;
	}
	c->len += (size_t)n;
	c->head[c->len] = '\0';
	if (!strstr(c->head, "\r\n\r\n") && c->len < sizeof(c->head) - 1)
		return;
	if (sscanf(c->head, "GET /%lu HTTP", &delay_us) != 1 || c->waits) {
		conn_free(s, c);
		return;
	}
	c->len = 0;
	due_add(s, c, done_at(s, delay_us * CLOCK_NS_PER_US));
}

static void accept_all(struct stub *s)
{
	int fd;

	while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

		if (!c || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
			free(c);
			(void)close(fd);
			continue;
		}
		c->fd = fd;
	}
}

static void answer_due(struct stub *s)
{
	struct itimerspec when = {0};

	while (s->first && s->first->due_ns <= clock_wall_ns()) {
		struct conn *c = s->first;

		due_remove(s, c);
		/* Whoever has gone is told by the next event on the connection. */
		(void)net_send(c->fd, response, sizeof(response) - 1);
	}
	if (s->first)
		when.it_value = clock_timespec(s->first->due_ns);
	(void)timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int stub_serve(struct stub *s)
{
	struct epoll_event listens = {.events = EPOLLIN, .data.ptr = &s->listen_fd};
	struct epoll_event fires = {.events = EPOLLIN, .data.ptr = NULL};

	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->epoll_fd < 0 || s->timer_fd < 0 ||
	    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &listens) < 0 ||
	    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->timer_fd, &fires) < 0)
		return -errno;
	for (;;) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(s->epoll_fd, events, EVENTS, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &s->listen_fd)
				accept_all(s);
			else if (events[i].data.ptr)
				conn_read(s, events[i].data.ptr);
		}
		answer_due(s);
	}
}

int main(int argc, char **argv)
{
	struct stub stub = {0};
	struct net_address address;
	char name[NET_NAME_SIZE];
	int r;

	if (argc < 2 || argc > 3 || net_parse(argv[1], &address) < 0 ||
	    (argc == 3 &&
	     (sscanf(argv[2], "%u", &stub.n_servers) != 1 || stub.n_servers > MAX_SERVERS))) {
		(void)fprintf(stderr, "usage: stub ADDRESS [SERVERS, at most %d]\n", MAX_SERVERS);
		return EXIT_FAILURE;
	}
	r = net_listen(&address, SOCK_NONBLOCK);
	if (r >= 0) {
		stub.listen_fd = r;
		r = net_name(stub.listen_fd, name);
	}
	if (r >= 0) {
		(void)printf("listening on %s\n", name);
		(void)fflush(stdout);
		r = stub_serve(&stub);
	}
	(void)fprintf(stderr, "stub: %s\n", strerror(-r));
	return EXIT_FAILURE;
}
