/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of docs/method.md 5: do the figures of a service close? Pure. */
#ifndef IOPROF_MODEL_CHECK_H
#define IOPROF_MODEL_CHECK_H

#include "model/snapshot.h"

enum check { CHECK_HOLDS, CHECK_TOO_LITTLE, CHECK_TOO_MUCH };

/* The parts of its requests against their service time: within 1 %. Holds without requests. */
enum check check_closure(const struct service *service);

/* CPU as the probes saw it against the scheduler's account: within 1 % and the account's grain.
 * Holds where a sample stands for the whole: what the account says of the rest is not known of it.
 */
enum check check_cpu(const struct snapshot *s, const struct service *service);

/* Events of all kinds that were lost. */
uint64_t check_losses(const struct snapshot *s);

#endif
