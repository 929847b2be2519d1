/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: had we watched at another time, how different would this figure be?
 *
 * Method: block bootstrap (Kuensch, The jackknife and the bootstrap for general stationary
 * observations, Annals of Statistics 17(3), 1989; here with blocks that do not overlap, Carlstein
 * 1986). The interval is cut into blocks of a second; as many blocks are drawn with replacement;
 * the figure is computed from the requests in them; the 5 % and 95 % quantiles of many such figures
 * are the interval. Blocks, because neighbouring requests are alike: they meet the same queue and
 * the same kind of traffic. Sums over whole blocks, so that a ratio is one of sums (model.md 1.2).
 *
 * The means are those of all requests where they are known: evidence.c.
 *
 * Assumptions: requests more than a block apart know nothing of each other; at least 30 blocks.
 * Coverage of nominal 90 % is 85 to 90 % (model.md 2.2): too narrow rather than too wide.
 * Cost: replicates x (blocks x peers + the statistic).
 */
#include "advise/bootstrap.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define REPLICATES 1000
#define BLOCK_NS 1000000000ULL
#define LEAST_BLOCKS 30
#define MOST_BLOCKS 100000
#define TAIL .05
#define MOST_MISSING .1

struct blocks {
	struct request_sums *sums;
	double *peer_s; /* [n][n_peers] */
	size_t n;
	uint32_t n_peers;
};

uint64_t bootstrap_block_ns(uint64_t duration_ns)
{
	uint64_t ns = duration_ns / LEAST_BLOCKS < BLOCK_NS ? duration_ns / LEAST_BLOCKS : BLOCK_NS;

	return ns > 0 ? ns : 1;
}

static void blocks_done(struct blocks *b)
{
	free(b->sums);
	free(b->peer_s);
}

static int blocks_fill(const struct evidence_sample *e, uint64_t block_ns, struct blocks *b)
{
	/* A tail shorter than a block belongs to the last one. */
	b->n = e->duration_ns / block_ns;
	b->n = b->n < 1 ? 1 : b->n > MOST_BLOCKS ? MOST_BLOCKS : b->n;
	b->n_peers = e->n_peers;
	b->sums = calloc(b->n, sizeof(*b->sums));
	b->peer_s = calloc(b->n * e->n_peers + 1, sizeof(*b->peer_s));
	if (!b->sums || !b->peer_s)
		return -ENOMEM;
	for (size_t i = 0; i < e->n_traces; i++) {
		int64_t start_ns = e->traces[i].start_ns;
		size_t at = start_ns > 0 ? (uint64_t)start_ns / block_ns : 0;

		at = at < b->n ? at : b->n - 1;
		evidence_add_trace(&e->traces[i], &b->sums[at], &b->peer_s[at * e->n_peers]);
	}
	return 0;
}

static void add_block(const struct blocks *b, size_t at, struct request_sums *sums, double *peer_s)
{
	const struct request_sums *block = &b->sums[at];

	sums->requests += block->requests;
	sums->cpu_s += block->cpu_s;
	sums->wait_s += block->wait_s;
	sums->offload_s += block->offload_s;
	sums->hold_s += block->hold_s;
	sums->lock_s += block->lock_s;
	sums->operations += block->operations;
	sums->offloads += block->offloads;
	sums->truncated += block->truncated;
	for (uint32_t i = 0; i < b->n_peers; i++)
		peer_s[i] += b->peer_s[at * b->n_peers + i];
}

/* As many blocks as there are: each once, or drawn with replacement. */
static void draw(const struct blocks *b, struct prng *prng, double *peer_s, struct resample *ret)
{
	*ret = (struct resample){.peer_s = peer_s, .n_peers = b->n_peers, .prng = prng};
	memset(peer_s, 0, b->n_peers * sizeof(*peer_s));
	for (size_t i = 0; i < b->n; i++)
		add_block(b, prng ? prng_below(prng, b->n) : i, &ret->sums, peer_s);
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* The interval of one figure from its column of the n replicates' figures. */
static void conclude(const double *figures, size_t n, size_t stride, double *sorted,
		     struct interval *interval)
{
	size_t known = 0, tail;

	interval->lo = interval->hi = NAN;
	for (size_t i = 0; i < n; i++) {
		if (!isnan(figures[i * stride]))
			sorted[known++] = figures[i * stride];
	}
	if (isnan(interval->estimate) || (double)known <= (1 - MOST_MISSING) * (double)n)
		return;
	qsort(sorted, known, sizeof(*sorted), compare);
	tail = (size_t)(TAIL * (double)known);
	/* Where an uncertainty has one side only, the estimate is at its end, and inside. */
	interval->lo = fmin(sorted[tail], interval->estimate);
	interval->hi = fmax(sorted[known - 1 - tail], interval->estimate);
}

int bootstrap_run(const struct evidence_sample *e, const struct bootstrap_opts *opts,
		  bootstrap_statistic *statistic, const void *context, struct interval *ret_figures)
{
	_cleanup_(blocks_done) struct blocks blocks = {0};
	_cleanup_free_ double *peer_s = NULL, *figures = NULL, *sorted = NULL;
	size_t n = opts->replicates > 0 ? opts->replicates : REPLICATES, width = opts->n_figures;
	uint64_t block_ns =
		opts->block_ns > 0 ? opts->block_ns : bootstrap_block_ns(e->duration_ns);
	_cleanup_free_ double *whole_peer_s = NULL;
	struct evidence_whole whole = {0};
	struct resample resample;
	struct prng prng;
	int r;

	if (!evidence_valid(e))
		return -EINVAL;
	if (e->n_traces == 0 || e->duration_ns == 0)
		return -ENODATA;
	peer_s = calloc((size_t)e->n_peers + 1, sizeof(*peer_s));
	figures = calloc((n + 1) * width, sizeof(*figures));
	sorted = calloc(n, sizeof(*sorted));
	whole_peer_s = calloc((size_t)e->n_peers + 1, sizeof(*whole_peer_s));
	if (!peer_s || !figures || !sorted || !whole_peer_s)
		return -ENOMEM;
	r = blocks_fill(e, block_ns, &blocks);
	if (r < 0)
		return r;

	evidence_sum(e, &whole.sums, whole_peer_s);
	whole.peer_s = whole_peer_s;
	whole.shrink = evidence_shrink(e, block_ns);
	prng_seed(&prng, opts->seed);
	for (size_t i = 0; i < n; i++) {
		draw(&blocks, &prng, peer_s, &resample);
		evidence_correct(e, &whole, &resample.sums, peer_s);
		statistic(&resample, context, &figures[i * width]);
	}
	draw(&blocks, NULL, peer_s, &resample);
	evidence_correct(e, &whole, &resample.sums, peer_s);
	statistic(&resample, context, &figures[n * width]);
	for (size_t i = 0; i < width; i++) {
		ret_figures[i].estimate = figures[n * width + i];
		conclude(&figures[i], n, width, sorted, &ret_figures[i]);
	}
	return 0;
}

void bootstrap_ratio(const struct resample *resample, const void *context, double *figures)
{
	double wait_s = resample->sums.wait_s;

	(void)context;
	for (uint32_t i = 0; i < resample->n_peers; i++)
		wait_s += resample->peer_s[i];
	*figures = resample->sums.cpu_s > 0 ? wait_s / resample->sums.cpu_s : NAN;
}
