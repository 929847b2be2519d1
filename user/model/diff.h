/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which services of two observations are the same. By name on hosts of the same name; if both are
 * of one host each, by name alone; and if one service is then left on each side, these, so that a
 * migration that changes the server's name, on a new host perhaps, is a comparison too.
 */
#ifndef IOPROF_MODEL_DIFF_H
#define IOPROF_MODEL_DIFF_H

#include "model/gather.h"

/* A service of a gathering, which it belongs to. */
struct diff_side {
	const struct gathered *host;
	size_t service;
};

struct diff_pair {
	struct diff_side before, after;
};

struct diff {
	struct diff_pair *pairs;
	size_t n_pairs;
	struct diff_side *only_before, *only_after;
	size_t n_only_before, n_only_after;
};

/* Returns 0 or -ENOMEM. The gatherings must stay as they are as long as the diff is used. */
int diff_match(const struct gathering *before, const struct gathering *after,
	       struct diff *ret_diff);

/* For owning locals. */
void diff_done(struct diff *diff);

const struct service *diff_service(const struct diff_side *side);

/* One of measure.def of both sides. */
struct comparison diff_compare(const struct diff_pair *pair, enum measure measure);

#endif
