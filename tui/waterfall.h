/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sampled requests as they went, from arrival to end. */
#ifndef IOPROF_TUI_WATERFALL_H
#define IOPROF_TUI_WATERFALL_H

#include "model/snapshot.h"
#include "pane.h"

/*
 * Some of the service's sampled requests, each a bar on one scale of time: the median by latency,
 * the slowest, and between them what fits (nearest rank). Where there is more room, each segment of
 * the median and of the p99 in a row of its own.
 */
void waterfall_draw(const struct pane *pane, const struct service *service);

#endif
