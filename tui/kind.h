/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kinds of time a request's latency is made of, and how each looks wherever it is drawn: a role
 * for its colour and, since colour alone says nothing on half of the terminals, a fill of its own.
 * Kind 0 is the queue before a request starts, the others are the parts by kind.def.
 */
#ifndef IOPROF_TUI_KIND_H
#define IOPROF_TUI_KIND_H

#include "chart.h"
#include "model/snapshot.h"

#define KIND_QUEUE 0u
#define KIND_COUNT (1u + PART_COUNT)

const char *kind_label(unsigned int kind);

/* A piece of a bar in the look of a kind. */
struct chart_piece kind_piece(unsigned int kind, double amount);

/* The kind that a part is. */
unsigned int kind_of_part(enum part part);

/* What requests took of this kind: of the queue only where the arrival is known. */
const struct dist *kind_dist(const struct service *service, unsigned int kind);

/* Seconds on average; NAN where there is none. What they make up in all: queue and service time. */
double kind_mean_s(const struct service *service, unsigned int kind);
double kind_whole_s(const struct service *service);

/* The kind's fill, then its name. Returns the column after it. */
int kind_draw_name(const struct pane *pane, int row, int column, unsigned int kind);

/* The mean request as one bar over a row. */
void kind_draw_stack(const struct pane *pane, int row, int column, int width,
		     const struct service *service);

#endif
