/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine worth looking at, made by hand: one second of it after the other. */
#ifndef IOPROF_TESTS_SHOP_H
#define IOPROF_TESTS_SHOP_H

#include "advise/advice.h"
#include "model/snapshot.h"

/*
 * Second number tick, the same in every run: gunicorn, whose four workers wait for a database and a
 * cache and are too few from time to time; node, an event loop that calls an upstream and sometimes
 * stops for a file; redis-server, all CPU. The caller frees.
 */
struct snapshot *shop_second(unsigned int tick);

/* Java with 200 threads on two processors: oversubscribed, more lanes than any screen has lines. */
struct snapshot *shop_crowd(unsigned int tick);

/* What the advisor may say of gunicorn, and the curves that go with it. Static, not to be freed. */
const struct advice *shop_advice(void);
struct advice_curve shop_curve(void);

/* For a service that cannot be judged yet. */
const struct advice *shop_no_advice(void);

#endif
