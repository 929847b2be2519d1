/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Did a migration to async deliver what was predicted? The prediction is advice on the service
 * before; what came of it is measured after. Pure. docs/method.md, "Comparing".
 *
 * Throughput is what was predicted, and a recording shows the throughput that was asked for, not
 * the largest possible one. What can be told honestly is told: CPU per request, which is measured
 * on both sides, against the predicted kappa; and the capacities that follow from each side's own
 * measurements, against the predicted gain. What cannot is said to be so.
 */
#ifndef IOPROF_ADVISE_DELIVERY_H
#define IOPROF_ADVISE_DELIVERY_H

#include "advise/advice.h"
#include "model/diff.h"

enum delivery_outcome {
	DELIVERY_UNKNOWN, /* cannot be told: why says why */
	DELIVERY_AS_PREDICTED,
	DELIVERY_LESS,
	DELIVERY_MORE,
};

/* "unknown", "as-predicted", "less", "more"; "?" out of range. */
const char *delivery_outcome_name(enum delivery_outcome outcome);

/* A prediction and what came of it; 90 % intervals, NAN where not known. */
struct delivered {
	struct interval predicted, found;
	enum delivery_outcome outcome; /* by whether the intervals overlap */
};

struct delivery {
	struct delivered cpu;  /* of a request, after / before: kappa */
	struct delivered gain; /* in throughput, after / before */
	const char *why;       /* the gain cannot be told; NULL: it can */
};

/* opts: of the prediction. Returns 0, -EINVAL (opts) or -ENOMEM. */
int delivery_judge(const struct diff_pair *pair, const struct advice_opts *opts,
		   struct delivery *ret_delivery);

#endif
