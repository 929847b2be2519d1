/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static int parse_unix(const char *path, struct net_address *ret_address)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&ret_address->sa;
	size_t len = strlen(path);

	if (!len || len >= sizeof(un->sun_path))
		return -EINVAL;
	*ret_address = (struct net_address){.len = sizeof(*un)};
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, len + 1);
	return 0;
}

int net_parse(const char *text, struct net_address *ret_address)
{
	struct net_address a = {0};
	char host[NET_NAME_SIZE];
	const char *colon = strrchr(text, ':');
	unsigned long port;
	char *end;
	size_t len;

	if (!strncmp(text, "unix:", 5))
		return parse_unix(text + 5, ret_address);
	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	port = strtoul(colon + 1, &end, 10);
	if (end == colon + 1 || *end || port > 65535)
		return -EINVAL;
	len = (size_t)(colon - text);
	memcpy(host, text, len);
	host[len] = '\0';
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a.sa;

		host[len - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		a.len = sizeof(*in6);
		if (inet_pton(AF_INET6, host + 1, &in6->sin6_addr) != 1)
			return -EINVAL;
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)&a.sa;

		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		a.len = sizeof(*in);
		if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
			return -EINVAL;
	}
	*ret_address = a;
	return 0;
}

void net_closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

int net_take(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

int net_listen(const struct net_address *address, int flags)
{
	__attribute__((cleanup(net_closep))) int fd = -1;
	int one = 1;

	fd = socket(address->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return -errno;
	if (address->sa.ss_family == AF_UNIX) {
		(void)unlink(((const struct sockaddr_un *)&address->sa)->sun_path);
	} else {
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		/* Accepted sockets inherit it. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	if (bind(fd, (const struct sockaddr *)&address->sa, address->len) < 0 ||
	    listen(fd, 4096) < 0)
		return -errno;
	return net_take(&fd);
}

int net_connect(const struct net_address *address, int flags)
{
	__attribute__((cleanup(net_closep))) int fd = -1;
	int one = 1;

	fd = socket(address->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return -errno;
	if (address->sa.ss_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)&address->sa, address->len) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	return net_take(&fd);
}

int net_name(int fd, char ret_name[static NET_NAME_SIZE])
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	char host[INET6_ADDRSTRLEN];

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	if (sa.ss_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)&sa;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		(void)snprintf(ret_name, NET_NAME_SIZE, "%s:%u", host, ntohs(in->sin_port));
	} else if (sa.ss_family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		(void)snprintf(ret_name, NET_NAME_SIZE, "[%s]:%u", host, ntohs(in6->sin6_port));
	} else {
		(void)snprintf(ret_name, NET_NAME_SIZE, "unix:%.108s",
			       ((struct sockaddr_un *)&sa)->sun_path);
	}
	return 0;
}

static void wait_for(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
}

int net_send(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			wait_for(fd, POLLOUT);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

long net_recv(int fd, void *data, size_t size, bool by_poll)
{
	ssize_t n;

	do {
		if (by_poll)
			wait_for(fd, POLLIN);
		n = recv(fd, data, size, by_poll ? MSG_DONTWAIT : 0);
	} while (n < 0 && (errno == EINTR || (by_poll && errno == EAGAIN)));
	return n < 0 ? -errno : n;
}
