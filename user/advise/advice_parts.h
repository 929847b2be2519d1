/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What advice_service() is put together from; nobody else's. */
#ifndef IOPROF_ADVISE_ADVICE_PARTS_H
#define IOPROF_ADVISE_ADVICE_PARTS_H

#include "advise/subject.h"

/* operating_points.c: the replays, within a budget of simulated steps. Into advice->latency;
 * what cannot be simulated stays NAN. 0 or -ENOMEM. */
int advice_replay(const struct subject *subject, const struct gain *gain, struct advice *advice);

/* loop.c: what stops the event loops of a service, and what it would serve without. 0 or -ENOMEM */
int advice_loop(const struct subject *subject, struct advice *advice);
uint32_t advice_blocking_kinds(const struct advice *advice);

/* explain.c: everything in words but the reasons. gain NULL: there are no figures. 0 or -ENOMEM. */
int advice_explain(struct subject *subject, const struct gain *gain, struct advice *advice);

/* precedent.c: the published case nearest to the service. 0 or -ENOMEM. */
int advice_precedent(const struct subject *subject, struct advice *advice);

/* curve.c needs it too: -ENODATA where there are no figures. */
int advice_gain(const struct subject *subject, struct gain *ret_gain);

#endif
