/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "ADDRESS:PORT": where to listen. */
#ifndef IOPROF_APP_LISTEN_H
#define IOPROF_APP_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

struct listen_address {
	struct sockaddr_storage socket;
	socklen_t size;
	bool loopback; /* only this machine gets there */
};

/*
 * Reads "127.0.0.1:9977", "[::1]:9977", "0.0.0.0:0": a numeric address, so that no name server has
 * a say, and a port, 0 for any free one. 0, or -EINVAL with nothing changed.
 */
int listen_parse(const char *text, struct listen_address *ret_address);

/* A listening TCP socket that does not block. 0 or -errno. */
int listen_open(const struct listen_address *address, int *ret_fd);

/* Longer than any address and port. */
#define LISTEN_TEXT_MAX 80

/* Where a socket listens, as listen_parse() reads it. */
void listen_describe(int fd, char text[LISTEN_TEXT_MAX]);

#endif
