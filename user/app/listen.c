/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/listen.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define BACKLOG 64

static bool is_loopback(const struct sockaddr_storage *socket)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)socket;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)socket;

	if (socket->ss_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

int listen_parse(const char *text, struct listen_address *ret_address)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				       .ai_socktype = SOCK_STREAM};
	_cleanup_free_ char *copy = strdup(text);
	char *colon = copy ? strrchr(copy, ':') : NULL;
	char *host = copy, *port;
	struct listen_address address = {0};
	struct addrinfo *found;

	if (!colon || colon == copy)
		return -EINVAL;
	*colon = '\0';
	port = colon + 1;
	if (*host == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		host++;
	} else if (strchr(host, ':')) {
		return -EINVAL; /* which colon is the port's? */
	}
	if (!*port || strlen(port) > 5 || port[strspn(port, "0123456789")] ||
	    strtoul(port, NULL, 10) > UINT16_MAX || getaddrinfo(host, port, &hints, &found) != 0)
		return -EINVAL;
	memcpy(&address.socket, found->ai_addr, found->ai_addrlen);
	address.size = found->ai_addrlen;
	freeaddrinfo(found);
	address.loopback = is_loopback(&address.socket);
	*ret_address = address;
	return 0;
}

static int bind_and_listen(int fd, const struct listen_address *address)
{
	const int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->socket.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&address->socket, address->size) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return error_last();
	return 0;
}

int listen_open(const struct listen_address *address, int *ret_fd)
{
	int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return error_last();
	r = bind_and_listen(fd, address);
	if (r < 0)
		(void)close(fd);
	else
		*ret_fd = fd;
	return r;
}

void listen_describe(int fd, char text[LISTEN_TEXT_MAX])
{
	struct sockaddr_storage socket;
	socklen_t size = sizeof(socket);
	char host[64], port[8];

	(void)snprintf(text, LISTEN_TEXT_MAX, "?");
	if (getsockname(fd, (struct sockaddr *)&socket, &size) < 0 ||
	    getnameinfo((const struct sockaddr *)&socket, size, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return;
	(void)snprintf(text, LISTEN_TEXT_MAX, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}
