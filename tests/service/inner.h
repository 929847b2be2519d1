/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pool inside the service: the thread that reads a request hands the work out in parts, each a
 * whole plan of its own, and waits for all of them.
 *
 * Its queue wakes one thread for the first part only. Whoever takes a part wakes the next one if
 * more are left, as the queues of Java's and Python's pools do.
 */
#ifndef IOPROF_SERVICE_INNER_H
#define IOPROF_SERVICE_INNER_H

#include "work.h"

struct inner;

/* Starts work->inner_threads threads, and one beside them if work->aside_ns is set, which live as
 * long as the process. Returns 0 or -errno. */
int inner_start(const struct work *work, struct inner **ret_inner);

/* Hands out work->parts parts, and adds to the request what they took. Returns 0 or -errno. */
int inner_run(struct inner *inner, struct truth_request *request);

#endif
