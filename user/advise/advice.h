/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Will async pay off for a service, by how much, and what would be cheaper? Everything a report or
 * a screen shows of the answer, computed once from a snapshot. Pure: the same snapshot, options and
 * seed give the same advice.
 *
 * Figures that cannot be had are NAN, never infinite and never guessed; texts are of our own words
 * but for what advice.c marks foreign (names of peers and files), so sanitize before a terminal
 * sees them. Seconds, bytes, requests per second; intervals are 90 %.
 */
#ifndef IOPROF_ADVISE_ADVICE_H
#define IOPROF_ADVISE_ADVICE_H

#include <stddef.h>
#include <stdint.h>

#include "advise/bootstrap.h"
#include "advise/capacity.h"
#include "advise/kappa.h"
#include "advise/verdict.h"
#include "model/snapshot.h"

/* What-if: so many connections to this peer for the service as a whole. */
struct connection_budget {
	const char *address; /* as in struct peer */
	uint32_t connections;
};

/* All zero: the service as it is, to asyncio, sourced default costs. */
struct advice_opts {
	enum target target;
	/* What-if: the plan to compare with is not the best one but this; 0: the best. Processes,
	 * and threads in each. */
	uint32_t workers, threads;
	double cpu_factor;	    /* CPU of a request after / before, all in all; 0: not known */
	double memory_budget_bytes; /* for all workers; 0: what the machine has left */
	const struct connection_budget *connections; /* addresses that are no peers are told */
	size_t n_connections;
	double slo_p99_s; /* the p99 latency wanted; 0: none */
	uint64_t seed;
	const struct prior *calibrated; /* COST_COUNT costs measured on this machine, or NULL */
	uint64_t simulated; /* requests per simulation; 0: 40,000, fewer if they are long */
};

/* The ways to run the service that are compared. */
enum advice_setup {
	ADVICE_NOW,
	ADVICE_TUNED, /* the best number of workers, or those asked for */
	ADVICE_ASYNC,
	ADVICE_SPLIT, /* async, with long bursts of CPU in processes of their own */
	ADVICE_SETUP_COUNT
};

/* The loads at which latency is compared: equal for all setups. */
enum advice_point {
	ADVICE_TODAY,  /* the rate observed */
	ADVICE_NORMAL, /* 0.7 of the smaller of the capacities now and async */
	ADVICE_BUSY,   /* 0.9 of the capacity now */
	ADVICE_POINT_COUNT
};

/* "now", "tuned", "async", "split"; "today", "normal", "busy"; "?" out of range. */
const char *advice_setup_name(enum advice_setup setup);
const char *advice_point_name(enum advice_point point);

/* Of a simulation; NAN: the load is beyond what this setup can take, or was not simulated. */
struct advice_latency {
	double p50_s, p99_s;
	double lag_p99_s;   /* how long what is ready waits for its process */
	double utilisation; /* of the processors */
};

/* A call that stopped an event loop. */
struct advice_blocking {
	char *what; /* "disk wait (NAME)", "network wait for ADDRESS"; foreign bytes */
	uint64_t count;
	double sum_s, max_s;
	double share; /* of the loops' time, 0..1 */
};

/* The published case most like this service: precedent.def. Static texts. */
struct advice_precedent {
	const char *name;      /* NULL: none is like it */
	const char *published; /* what was reported, with its numbers */
	const char *source;
	char *difference; /* how this service differs from it */
};

struct advice {
	enum verdict_class verdict; /* verdict_name(), advice_headline() */
	struct verdict_reason reasons[VERDICT_MOST_REASONS];
	char *sentences[VERDICT_MOST_REASONS]; /* of the reasons, figures included */
	size_t n_reasons;		       /* the deciding one first */

	double cpu_factor;  /* as in the options */
	const char *target; /* what async is here: kappa_target_name(); of a loop what it would
			     * be on */

	/* The three gains in throughput, and overlap: async over now at kappa = 1. */
	struct interval async_over_now, tuned_over_now, async_over_tuned, overlap;
	struct interval now_per_s, tuned_per_s, async_per_s; /* capacities */
	struct tuned tuned;	     /* .plan, .wanted, .limit, .memory_bytes (0: not known) */
	struct async_capacity async; /* what limits it */
	struct worker_plan now;	     /* the workers of today; no processes: not known */

	struct kappa kappa;	/* NAN where CPU is unknown */
	double break_even;	/* kappa* */
	char *kappa_source;	/* where kappa comes from, in a sentence */
	double utilisation;	/* u, of the processors with all workers busy */
	double stack_alone;	/* the gain of the stack's part alone, without async; NAN */
	char *library_sentence; /* the same in words */

	double rate_per_s[ADVICE_POINT_COUNT];
	struct advice_latency latency[ADVICE_POINT_COUNT][ADVICE_SETUP_COUNT];
	uint64_t simulated; /* requests in each */

	struct advice_blocking *blocking; /* longest in sum first */
	size_t n_blocking;
	struct advice_precedent precedent;
	char *cheaper;	/* the cheaper alternative; NULL: none */
	char **changes; /* what would change the answer */
	size_t n_changes;
	char **assumptions; /* what was taken for granted where it was not observed */
	size_t n_assumptions;
	char **what_if; /* the options this advice was asked with; none: as it is */
	size_t n_what_if;
	char *error_budget; /* one line: what the intervals are made of */
	uint64_t seed;
};

/*
 * The advice for services[service]. A service that cannot be judged gets not-enough-data with the
 * reasons, never an error. Returns 0, -EINVAL (no such service, options out of range), -ENOMEM.
 * Takes up to a second of CPU: opts->simulated bounds it.
 */
int advice_service(const struct snapshot *s, size_t service, const struct advice_opts *opts,
		   struct advice **ret_advice);

/* Whether it is known what async would be here: else target says so itself. */
bool advice_has_target(const struct advice *advice);

/* What to do, in a sentence. Static. */
const char *advice_headline(const struct advice *advice);

/* Takes NULL and half-built ones. */
void advice_free(struct advice *advice);
void advice_freep(struct advice **advice);

/* Throughput and mean latency with so many clients that each send again at once. */
struct advice_load {
	double clients;
	double per_s[ADVICE_SPLIT];	/* now, tuned, async */
	double latency_s[ADVICE_SPLIT]; /* NAN where there is none */
};

#define ADVICE_CURVE_MOST 64

struct advice_curve {
	struct advice_load points[ADVICE_CURVE_MOST]; /* by rising clients */
	size_t n_points;			      /* 0: the service cannot be judged */
};

/* The curves from one client to past every setup's saturation, by the closed network: cheap.
 * Returns as advice_service() does. */
int advice_curve(const struct snapshot *s, size_t service, const struct advice_opts *opts,
		 struct advice_curve *ret_curve);

#endif
