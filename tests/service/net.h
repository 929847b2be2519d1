/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stream sockets by address: "127.0.0.1:8000", "[::1]:8000", "unix:/path", the way ioprof writes
 * them. Port 0 lets the kernel choose.
 */
#ifndef IOPROF_SERVICE_NET_H
#define IOPROF_SERVICE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define NET_NAME_SIZE 128

struct net_address {
	struct sockaddr_storage sa;
	socklen_t len;
};

/* Returns 0, or -EINVAL for what is no address. */
int net_parse(const char *text, struct net_address *ret_address);

/* A listening socket, or -errno. An old AF_UNIX socket file is replaced. flags: SOCK_NONBLOCK or 0.
 */
int net_listen(const struct net_address *address, int flags);

/* A connected socket (or, with SOCK_NONBLOCK, one that is connecting), or -errno. */
int net_connect(const struct net_address *address, int flags);

/* The address a socket is bound to, as text. Returns 0 or -errno. */
int net_name(int fd, char ret_name[static NET_NAME_SIZE]);

/* Sends all of it; where the socket is non-blocking, waits by poll. Returns 0 or -errno. */
int net_send(int fd, const void *data, size_t len);

/* Receives what is there, after a poll if by_poll. Returns the length, 0 at the end of the stream,
 * or -errno. */
long net_recv(int fd, void *data, size_t size, bool by_poll);

/* For locals that own a socket: closing it with the block, or giving it away. */
void net_closep(int *fd);
int net_take(int *fd);

#endif
