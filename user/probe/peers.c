/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "probe/blocking.h"
#include "probe/counters.h"

#define ADDRESS_BYTES 128

struct row {
	char *address; /* NULL: not in use yet */
	uint32_t service;
	struct iop_peer last;
};

struct peers {
	int ids_fd, rows_fd, maxima_fd;
	uint32_t n_services, n_rows;
	struct row rows[];
};

struct peers *peers_new(int ids_fd, int rows_fd, int maxima_fd, uint32_t n_services,
			uint32_t n_rows)
{
	struct peers *peers;

	peers = calloc(1, sizeof(*peers) + n_rows * sizeof(*peers->rows));
	if (!peers)
		return NULL;
	peers->ids_fd = ids_fd;
	peers->rows_fd = rows_fd;
	peers->maxima_fd = maxima_fd;
	peers->n_services = n_services;
	peers->n_rows = n_rows;
	for (uint32_t i = 0; i < n_services; i++) {
		peers->rows[i].service = i;
		peers->rows[i].address = strdup(PEER_OTHER);
		if (!peers->rows[i].address) {
			peers_free(peers);
			return NULL;
		}
	}
	return peers;
}

void peers_free(struct peers *peers)
{
	if (!peers)
		return;
	for (uint32_t i = 0; i < peers->n_rows; i++)
		free(peers->rows[i].address);
	free(peers);
}

static void format_unix(const struct iop_peer_key *key, char address[ADDRESS_BYTES])
{
	size_t length = key->path_length;
	const char *path = (const char *)key->address;

	if (!length)
		(void)snprintf(address, ADDRESS_BYTES, "unix:(unnamed)");
	else if (path[0])
		(void)snprintf(address, ADDRESS_BYTES, "unix:%.*s", (int)strnlen(path, length),
			       path);
	else /* abstract, written with @ as everywhere */
		(void)snprintf(address, ADDRESS_BYTES, "unix:@%.*s", (int)length - 1, path + 1);
}

static void format_address(const struct iop_peer_key *key, char address[ADDRESS_BYTES])
{
	const char *prefix = key->type == SOCK_DGRAM ? "udp:" : "";
	char ip[INET6_ADDRSTRLEN] = "?";

	if (key->family == AF_UNIX) {
		format_unix(key, address);
		return;
	}
	(void)inet_ntop(key->family, key->address, ip, sizeof(ip));
	/* A v6 socket that speaks to a v4 address: the address people know. */
	if (key->family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)key->address))
		(void)inet_ntop(AF_INET, key->address + 12, ip, sizeof(ip));
	else if (key->family == AF_INET6) {
		(void)snprintf(address, ADDRESS_BYTES, "%s[%s]:%u", prefix, ip, key->port);
		return;
	}
	(void)snprintf(address, ADDRESS_BYTES, "%s%s:%u", prefix, ip, key->port);
}

/* Learns the addresses of rows that have come into use. */
static int find_new(struct peers *peers)
{
	struct iop_peer_key key, *previous = NULL;
	char address[ADDRESS_BYTES];
	struct row *row;
	uint32_t i;

	while (!bpf_map_get_next_key(peers->ids_fd, previous, &key)) {
		previous = &key;
		if (bpf_map_lookup_elem(peers->ids_fd, &key, &i) || i >= peers->n_rows ||
		    key.service >= peers->n_services)
			continue;
		row = &peers->rows[i];
		if (row->address)
			continue;
		format_address(&key, address);
		row->address = strdup(address);
		if (!row->address)
			return -ENOMEM;
		row->service = key.service;
	}
	return 0;
}

static int take_row(struct row *row, const struct iop_peer *now, struct peer *peer)
{
	struct dist *wait = &peer->wait;
	int r = 0;

	peer->operations += counters_take((uint64_t *)&row->last.operations, now->operations);
	peer->operations_outside +=
		counters_take((uint64_t *)&row->last.operations_outside, now->operations_outside);
	peer->connections += counters_take((uint64_t *)&row->last.connections, now->connections);
	wait->sum_ns += counters_take((uint64_t *)&row->last.wait_ns, now->wait_ns);
	for (unsigned int b = 0; b < IOP_BUCKET_COUNT && r == 0; b++) {
		uint32_t n = counters_take32(&row->last.hist.buckets[b], now->hist.buckets[b]);

		if (!n)
			continue;
		r = dist_fill(wait, b, n);
		wait->count += n;
	}
	return r;
}

static void take_loads(struct row *row, const struct iop_peer *now, struct peer *peer)
{
	for (unsigned int b = 0; b < IOP_IN_FLIGHT_BINS; b++) {
		struct iop_load *last = &row->last.loads[b];

		peer->loads[b].operations +=
			counters_take((uint64_t *)&last->operations, now->loads[b].operations);
		peer->loads[b].sum_ns += counters_take((uint64_t *)&last->ns, now->loads[b].ns);
	}
}

static bool grown(const struct row *row, const struct iop_peer *now)
{
	return now->operations != row->last.operations ||
	       now->operations_outside != row->last.operations_outside;
}

static struct peer *find_peer(struct service *service, const char *address)
{
	for (size_t i = 0; i < service->n_peers; i++)
		if (!strcmp(service->peers[i].address, address))
			return &service->peers[i];
	return service_add_peer(service, address);
}

/* The longest wait of a row in the epoch that has ended, which is cleared for the one after next.
 */
static uint64_t take_max(const struct peers *peers, uint32_t row, uint32_t epoch)
{
	uint32_t key = row * 2 + (epoch & 1);
	uint64_t max = 0, none = 0;

	if (bpf_map_lookup_elem(peers->maxima_fd, &key, &max))
		return 0;
	(void)bpf_map_update_elem(peers->maxima_fd, &key, &none, BPF_ANY);
	return max;
}

const char *peers_address(const struct peers *peers, uint32_t row)
{
	return row < peers->n_rows ? peers->rows[row].address : NULL;
}

int peers_read(struct peers *peers, uint32_t epoch, struct snapshot *s)
{
	uint64_t max;
	struct iop_peer now;
	struct peer *peer;
	struct row *row;
	int r;

	r = find_new(peers);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < peers->n_rows; i++) {
		row = &peers->rows[i];
		if (!row->address || bpf_map_lookup_elem(peers->rows_fd, &i, &now) ||
		    !grown(row, &now))
			continue;
		peer = find_peer(&s->services[row->service], row->address);
		if (!peer)
			return -ENOMEM;
		r = take_row(row, &now, peer);
		if (r < 0)
			return r;
		take_loads(row, &now, peer);
		blocking_take(&row->last.blocked, &now.blocked, epoch, &peer->blocked);
		max = take_max(peers, i, epoch);
		if (max > peer->wait.max_ns)
			peer->wait.max_ns = max;
	}
	return 0;
}
