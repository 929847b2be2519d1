/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recommendation: one of seven verdicts, and the figures it is founded on. model.md 2.6. Rules
 * in order, first match wins; every threshold can be set. Degenerate figures (NAN, no requests, no
 * CPU) never lead to anything but not-enough-data.
 */
#ifndef IOPROF_ADVISE_VERDICT_H
#define IOPROF_ADVISE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "advise/gain.h"

/* clang-format off */
enum verdict_class {
#define VERDICT(id, name, headline) id,
#define REASON(id, name, scale, sentence)
#include "advise/verdict.def"
#undef VERDICT
#undef REASON
	VERDICT_COUNT
};

enum reason {
#define VERDICT(id, name, headline)
#define REASON(id, name, scale, sentence) id,
#include "advise/verdict.def"
#undef VERDICT
#undef REASON
	REASON_COUNT
};
/* clang-format on */

/* All that the rules look at. */
struct verdict_facts {
	/* The service as it is: shares are 0..1 */
	double shared_threads;	 /* requests read by threads proven to be event loops */
	bool pooled;		 /* one thread reads requests for a pool of others */
	bool overlapping;	 /* its runtime overlaps waits of itself: Go, Node */
	bool side_by_side;	 /* several threads work on a request: no latencies are simulated */
	uint32_t blocking_calls; /* kinds of them that matter: 5 ms each or 1 % of loop time */
	double loop_cpu_p99_s;	 /* of a request on an event loop; NAN: not on one alone */
	/* what makes all else undefined; REASON_UNDEFINED: nothing that has a name */
	enum reason missing;
	uint64_t requests; /* completed */
	uint64_t sampled;  /* of these, seen as they went */
	double truncated;  /* of these, too long to be kept whole */
	double closure;	   /* of the requests' time, how much is accounted for */
	double losses;	   /* events lost */
	double busy;	   /* rho_w: of the workers' time */
	double in_use;	   /* the same, or of the processors it can run on, if that is more */
	/* u as measured while all workers were busy, others' CPU for their requests included; NAN
	 * when they never were: not compared then */
	double utilisation;
	double wanted_cpu; /* the same for the time they waited for a processor */

	/* What a change gains: verdict_take_gain() */
	struct interval async_over_now, tuned_over_now, async_over_tuned, overlap;
	struct gain_ratios seen, all; /* of what peers were seen to do, and of all asked of them */
	double kappa, break_even;
	double full_utilisation; /* u by the model */
	double others; /* of the CPU that goes with a request, what is not the service's own */
	double extrapolation; /* of peers, 1: none */
	struct async_capacity async;
	uint32_t wanted, allowed; /* workers: W* and what the limits let through */

	/* Memory; NAN where not known */
	double in_flight;     /* L with the processors busy */
	double needed_bytes;  /* for W* workers */
	double free_bytes;    /* there is for workers */
	double memory_saving; /* share that async saves */

	/* The replay at equal load: async, and async with long bursts off the loop, over now */
	double p99_ratio, split_p99_ratio;
	double p99_s, lag_p99_s, split_lag_p99_s; /* of async */
};

/* Fills in the second group. */
void verdict_take_gain(struct verdict_facts *facts, const struct gain *gain);

struct verdict_thresholds {
	double shared_threads;
	uint64_t requests, sampled;
	double truncated;
	double closure_error, losses, least_busy, spread, estimators, extrapolation;
	double in_flight, memory_saving;
	double scarcity;	 /* workers would need so many times the memory there is */
	double noise;		 /* a gain below this is none */
	double worth;		 /* a gain from this on is worth a migration */
	double tuned;		 /* a gain from this on is worth tuning */
	double over_tuned;	 /* what async must gain over tuned workers to be a clear win */
	double least_over_tuned; /* and what it must gain for any migration */
	double long_cpu_s;	 /* of a request on an event loop */
	double p99_ratio, lag_s, lag_share; /* lag: the smaller of seconds and share of p99 */
	double no_need;			    /* in use below this: no throughput problem */
};

/* Those of docs/method.md, Verdict. */
struct verdict_thresholds verdict_defaults(void);

struct verdict_reason {
	enum reason reason;
	double figure, threshold; /* as in verdict_facts; of REASON_INTERVAL lo and hi */
};

#define VERDICT_MOST_REASONS 16

struct verdict {
	enum verdict_class verdict;
	struct verdict_reason reasons[VERDICT_MOST_REASONS];
	size_t n_reasons; /* the deciding one first */
};

struct verdict verdict_find(const struct verdict_facts *facts,
			    const struct verdict_thresholds *thresholds);

/* Names and headline of the tables; "?" out of range. */
const char *verdict_name(enum verdict_class verdict);
const char *verdict_headline(enum verdict_class verdict);
const char *reason_name(enum reason reason);

/* The sentence of a reason with its figures, cut off at size. */
void verdict_sentence(const struct verdict_reason *reason, char *ret_sentence, size_t size);

#endif
