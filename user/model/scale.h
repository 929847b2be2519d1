/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a sample of a service's requests to all of them. */
#ifndef IOPROF_MODEL_SCALE_H
#define IOPROF_MODEL_SCALE_H

#include "model/snapshot.h"

/*
 * Makes of what was counted in a part of the interval an estimate for the whole: every count and
 * sum over requests by `requests`, every sum over threads' time by `threads`, both at least 1
 * (Horvitz and Thompson 1952: each counts for as many as it had a chance of one in). A distribution
 * keeps its shape: its counts are rounded so that they sum to its rounded count. The moments go by
 * the square, so that intervals stay as wide as the requests that were seen make them. Left as they
 * are: maxima, CPU by the scheduler's account, traces, and what describes the end of the interval.
 */
void service_scale(struct service *service, double requests, double threads);

#endif
