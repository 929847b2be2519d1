/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shop.h"

#include <math.h>

#define NONE                  \
	{                     \
		NAN, NAN, NAN \
	}
#define NO_LATENCY                 \
	{                          \
		NAN, NAN, NAN, NAN \
	}

static const struct advice tune = {
	.verdict = VERDICT_TUNE_WORKERS,
	.target = "asyncio",
	.reasons = {{REASON_TUNED_AT_LEAST, 1.62, 1.15}, {REASON_OVER_TUNED, 0.94, 1.25}},
	.sentences = {"The best number of workers gains at least 1.62 times over today, 1.15 or "
		      "more.",
		      "Over the best number of workers async gains 0.94 times at least, and 1.25 "
		      "would be a clear win."},
	.n_reasons = 2,
	.async_over_now = {2.06, 1.71, 2.44},
	.tuned_over_now = {1.88, 1.62, 2.05},
	.async_over_tuned = {1.10, 0.94, 1.27},
	.overlap = {2.31, 2.05, 2.61},
	.now_per_s = {211, 204, 219},
	.tuned_per_s = {397, 340, 430},
	.async_per_s = {435, 352, 521},
	.tuned = {.per_s = 397, .plan = {12, 1, true}, .wanted = 16, .memory_bytes = 492e6},
	.async = {.per_s = 435, .limit = ASYNC_CPU},
	.now = {4, 1, true},
	.kappa = {1.12, 0.93, 1.36, 0.97, 0.15, false},
	.break_even = 2.31,
	.kappa_source = "Measured costs of Flask and psycopg2 against FastAPI and asyncpg.",
	.utilisation = 0.43,
	.stack_alone = 1.02,
	.library_sentence = "Another stack alone would gain 1.02 times.",
	.rate_per_s = {132, 148, 190},
	.latency = {{{0.0249, 0.121, NAN, 0.27},
		     {0.0182, 0.109, NAN, 0.27},
		     {0.0178, 0.108, 0.0021, 0.30},
		     {0.0179, 0.109, 0.0012, 0.31}},
		    {{0.0312, 0.164, NAN, 0.31},
		     {0.0183, 0.110, NAN, 0.31},
		     {0.0179, 0.109, 0.0024, 0.34},
		     {0.0180, 0.109, 0.0013, 0.35}},
		    {{0.0871, 0.402, NAN, 0.40},
		     {0.0191, 0.114, NAN, 0.40},
		     {0.0184, 0.111, 0.0037, 0.44},
		     {0.0184, 0.111, 0.0019, 0.45}}},
	.simulated = 40000,
	.precedent = {.name = "Duolingo 2025",
		      .published = "+40 % requests per instance, about 30 % of its EC2 cost",
		      .source = "blog.duolingo.com/async-python-migration",
		      .difference =
			      "Memory allows more workers here, which gives most of the gain."},
	.cheaper = "Run 12 worker processes instead of 4 (about 492 MB).",
	.changes = (char *[]){"A memory limit below 0.5 GB for the workers: then async.",
			      "CPU per request of 1.12 times today's is a guess: above 2.31 times "
			      "nothing would be gained."},
	.n_changes = 2,
	.assumptions = (char *[]){"127.0.0.1:5432 was never seen with more than 4 operations at "
				  "once; more are assumed to queue."},
	.n_assumptions = 1,
	.error_budget = "sampling 6 %, kappa 14 %, peers beyond what was seen 9 %",
	.seed = 1,
};

static const struct advice too_little = {
	.verdict = VERDICT_NOT_ENOUGH_DATA,
	.reasons = {{REASON_REQUESTS, 12, 1000}, {REASON_IDLE, 0.04, 0.2}},
	.sentences = {"12 requests were sampled, at least 1000 are needed. Watch longer.",
		      "The workers were busy 4.0 % of the time, at least 20 % are needed. Watch "
		      "under load."},
	.n_reasons = 2,
	.async_over_now = NONE,
	.tuned_over_now = NONE,
	.async_over_tuned = NONE,
	.overlap = NONE,
	.now_per_s = NONE,
	.tuned_per_s = NONE,
	.async_per_s = NONE,
	.kappa = {.estimate = NAN, .lo = NAN, .hi = NAN, .stack = NAN, .loop = NAN},
	.break_even = NAN,
	.utilisation = NAN,
	.stack_alone = NAN,
	.rate_per_s = {NAN, NAN, NAN},
	.latency = {{NO_LATENCY, NO_LATENCY, NO_LATENCY, NO_LATENCY},
		    {NO_LATENCY, NO_LATENCY, NO_LATENCY, NO_LATENCY},
		    {NO_LATENCY, NO_LATENCY, NO_LATENCY, NO_LATENCY}},
};

const struct advice *shop_advice(void)
{
	return &tune;
}

const struct advice *shop_no_advice(void)
{
	return &too_little;
}

/* n clients share what the setup can do; alone each would take 19 ms. */
static double throughput(double clients, double most_per_s)
{
	double unbounded = clients / 0.019, x = unbounded / most_per_s;

	return unbounded / pow(1 + pow(x, 4), 0.25);
}

struct advice_curve shop_curve(void)
{
	static const double clients[] = {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64};
	struct advice_curve curve = {.n_points = sizeof(clients) / sizeof(clients[0])};
	const double most[ADVICE_SPLIT] = {211, 397, 435};

	for (size_t i = 0; i < curve.n_points; i++) {
		struct advice_load *load = &curve.points[i];

		load->clients = clients[i];
		for (int setup = 0; setup < ADVICE_SPLIT; setup++) {
			load->per_s[setup] = throughput(clients[i], most[setup]);
			load->latency_s[setup] = clients[i] / load->per_s[setup];
		}
	}
	return curve;
}
