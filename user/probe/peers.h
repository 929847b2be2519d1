/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The peer table of the kernel side, row by row, with addresses as people write them. */
#ifndef IOPROF_PROBE_PEERS_H
#define IOPROF_PROBE_PEERS_H

#include <stdint.h>

#include "abi.h"
#include "model/snapshot.h"

struct peers;

/* ids_fd: map peer_ids; rows_fd: map peers, whose first n_services rows take what does not fit.
 * NULL: out of memory. */
struct peers *peers_new(int ids_fd, int rows_fd, int maxima_fd, uint32_t n_services,
			uint32_t n_rows);
void peers_free(struct peers *peers);

/* The address of a row; NULL if it is not in use. */
const char *peers_address(const struct peers *peers, uint32_t row);

/* Adds what each peer did since the last call to its service in s, in no order. 0 or -errno. */
int peers_read(struct peers *peers, uint32_t epoch, struct snapshot *s);

#endif
