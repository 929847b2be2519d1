/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kappa: the CPU a request takes after the change, divided by what it takes today. model.md 2.3.
 * Apart from it stands overlap, what waiting less can give: that is the gain at kappa = 1. Kappa
 * itself has two parts that must never be merged with overlap: the stack (another server, framework
 * and client library, which could be had without going async) and the loop (what coroutines cost
 * per operation, which could not).
 */
#ifndef IOPROF_ADVISE_KAPPA_H
#define IOPROF_ADVISE_KAPPA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "advise/prng.h"

/* clang-format off */
enum cost {
#define COST(id, name, estimate, low, high, source) id,
#include "advise/kappa.def"
#undef COST
	COST_COUNT
};
/* clang-format on */

enum target {
	TARGET_AUTO, /* by the runtime that was found; costs as of asyncio */
	TARGET_ASYNCIO,
	TARGET_UVLOOP,
	TARGET_NODE,
	TARGET_GO,
	TARGET_SWOOLE,
	TARGET_THREADS,
	TARGET_COUNT
};

/* The standard normal's 95 % quantile: 90 % lie within as many deviations either side. */
#define NORMAL_95 1.6448536269514722

/* A best estimate and its 90 % interval. */
struct prior {
	double estimate, lo, hi;
};

/* The defaults: seconds, or a factor; all zero: known only once measured here. Name and source are
 * static; "?" and zeros out of range. */
struct prior cost_default(enum cost cost);
/* As calibrated; calibrated NULL: the default. */
struct prior cost_of(const struct prior *calibrated, enum cost cost);
const char *cost_name(enum cost cost);
const char *cost_source(enum cost cost);
const char *kappa_target_name(enum target target);

/* Between two draws of a prior: normal on either side of the estimate, 90 % within lo..hi. */
double prior_draw(const struct prior *prior, struct prng *prng);

/* What is left out and what comes in its place, so often per request; COST_COUNT: nothing. */
struct swap {
	enum cost from, to;
	double times;
	bool hidden; /* it is no Python, so samples show it as its caller's */
	bool alone;  /* what comes instead is calls calibrated one by one, with nothing beside them
		      */
	bool waits;  /* what is left out was calibrated at waits of WAIT_CALIBRATED_S */
	bool unsure; /* or instead is left out: nothing says which, or how often which */
	enum cost instead;
};

#define SWAPS_MOST 8

/* How long requests wait in calibrate, more or less. */
#define WAIT_CALIBRATED_S 1e-3

/* What is known of the service and of the change. All counts per request. */
struct stack_change {
	enum target target;
	double cpu_s; /* of a request today */
	double operations, tasks, offloads;
	double http_calls;  /* of the operations, those through a known blocking HTTP client */
	double known_calls; /* of the operations, those whose client is known to be none of them, or
			     * among the swaps */
	bool clients_known; /* all client libraries are; else they widen the interval */
	enum cost framework; /* one of the framework swaps, or COST_COUNT: not recognised */
	double cpu_factor;   /* > 0: given, so the stack as a whole costs this and is not guessed */
	double whole_factor; /* > 0: given, kappa itself, the loop's costs included */
	bool another_language;	       /* the target is not of the service's language */
	bool same_stack;	       /* nothing is swapped: the stack costs what it does */
	struct swap swaps[SWAPS_MOST]; /* servers, frameworks, clients whose costs are known */
	size_t n_swaps;
	/* Ticks of a clock while it ran, and of these in code that the swaps leave out; 0: nothing
	 * was sampled. */
	double samples, samples_swapped;
	struct prior waits_s; /* of cpu_s: by sleeping in waits, which a loop under load does not */
	double off_s;	      /* so long a wait keeps a request off the processors; 0: not known */
	bool server_known;    /* the swaps hold server and framework: no guess at these */
	const struct prior *calibrated; /* COST_COUNT of them, or NULL: the defaults */
};

/* CPU of a request after the change. */
struct changed_cpu {
	double stack_s; /* application, server, framework, client libraries */
	double loop_s;	/* coroutines */
};

/*
 * The best estimate, or with a generator one draw from the priors. Returns 0, -EDOM without CPU
 * time today, -EINVAL for counts that are negative or not finite.
 */
int kappa_cpu(const struct stack_change *change, struct prng *prng, struct changed_cpu *ret_cpu);

/* Whether what the swaps leave out was sampled in the service, not inferred. */
bool kappa_sampled(const struct stack_change *change);

/* Whether a part of the stack is neither recognised nor given. */
bool kappa_guessed(const struct stack_change *change);

struct kappa {
	double estimate, lo, hi; /* T' / T; 90 % interval */
	double stack, loop;	 /* the estimate's two parts; sum to it */
	bool guessed;		 /* the stack was not recognised, nor a factor given */
};

/* Errors as of kappa_cpu(). */
int kappa_estimate(const struct stack_change *change, uint64_t seed, struct kappa *ret_kappa);

#endif
