/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The load: connections that each send a request, receive the response, think, and begin again. One
 * thread. Latency is from the first byte sent to the last byte received.
 */
#ifndef IOPROF_SERVICE_CLIENT_H
#define IOPROF_SERVICE_CLIENT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "net.h"

struct client_opts {
	struct net_address address;
	unsigned int connections; /* that send */
	unsigned int idle;	  /* that only stay open */
	uint64_t requests;	  /* in all; 0: no end */
	uint64_t duration_ns;	  /* begin no request afterwards; 0: no end */
	/* Begin no request once it is set; NULL: no such end. */
	const volatile sig_atomic_t *enough;
	uint64_t think_ns; /* between response and next request */
	double rate_per_s; /* > 0: open loop, Poisson arrivals; each waits for a free connection,
			    * and its latency is from when it was due */
	bool close;	   /* a connection per request */
	size_t body_bytes; /* of the request */
	unsigned int body_pieces; /* that it is sent in */
	uint64_t piece_gap_ns;	  /* between the pieces */
	size_t read_bytes;    /* take at most so much of the response at a time; 0: all there is */
	uint64_t read_gap_ns; /* and wait so long in between */
	int receive_buffer;   /* of each socket; 0: the system's choice */
};

struct client_result {
	uint64_t sent;
	uint64_t answered;
	uint64_t failed; /* connection lost before the response was complete */
	uint64_t latency_sum_ns, latency_max_ns;
	uint64_t *latencies_ns; /* of the answered, ascending; free() */
	uint64_t duration_ns;	/* first request sent to last response received */
};

/*
 * Runs the load to its end, or until *stop. The connections stay open until client_close().
 * Returns 0 and a result, or -errno.
 */
struct client;
int client_run(const struct client_opts *opts, volatile const sig_atomic_t *stop,
	       struct client **ret_client, struct client_result *ret_result);
void client_close(struct client *client);

/* Writes the result as one line of JSON. */
void client_print(FILE *out, const struct client_result *result);

#endif
