/* SPDX-License-Identifier: GPL-2.0-or-later */
/* downstream ADDRESS...: see downstream.h. Prints "listening on ADDRESS" for each when it serves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "downstream.h"
#include "net.h"

#define MAX_LISTEN 8

int main(int argc, char **argv)
{
	unsigned int n = (unsigned int)argc - 1;
	int fds[MAX_LISTEN];
	int r;

	if (argc < 2 || n > MAX_LISTEN) {
		(void)fprintf(stderr, "usage: downstream ADDRESS...\n");
		return EXIT_FAILURE;
	}
	for (unsigned int i = 0; i < n; i++) {
		struct net_address address;
		char name[NET_NAME_SIZE];

		fds[i] = -1;
		r = net_parse(argv[i + 1], &address);
		if (!r)
			r = net_listen(&address, SOCK_NONBLOCK);
		if (r >= 0) {
			fds[i] = r;
			r = net_name(fds[i], name);
		}
		if (r < 0) {
			(void)fprintf(stderr, "downstream: %s: %s\n", argv[i + 1], strerror(-r));
			return EXIT_FAILURE;
		}
		(void)printf("listening on %s\n", name);
	}
	(void)fflush(stdout);
	r = downstream_serve(fds, n);
	(void)fprintf(stderr, "downstream: %s\n", strerror(-r));
	return EXIT_FAILURE;
}
