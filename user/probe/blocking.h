/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stopped event loops, and how many connections waited to be accepted. */
#ifndef IOPROF_PROBE_BLOCKING_H
#define IOPROF_PROBE_BLOCKING_H

#include <stdint.h>

#include "abi.h"
#include "model/snapshot.h"

/* What blocked waits grew by since last, which becomes now; epoch: the one that has ended. */
void blocking_take(struct iop_blocked *last, const struct iop_blocked *now, uint32_t epoch,
		   struct blocked *to);

/*
 * Fills in a service's blocked waits, by class, and its backlog. fds: the maps blocked and
 * backlogs; past: IOP_WAITS of them, as last reported. 0 or -errno.
 */
int blocking_read(int blocked_fd, int backlogs_fd, uint32_t index, uint32_t epoch,
		  struct iop_blocked *past, struct service *service);

#endif
