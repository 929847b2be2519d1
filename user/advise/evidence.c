/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: what do requests take on average, and how far may that be off?
 *
 * Method: the averages are those of all requests, which the kernel summed up; the sample says how
 * requests vary. A resample of it is off the whole sample by so much, relatively, and the average
 *of the interval is off by that times the shrink. For a mean over blocks (seconds) of requests the
 * variance is
 *
 *	between / blocks + within / requests,
 *
 * with the variance within blocks and that between them estimated as in a one-way analysis of
 * variance with random effects (Searle, Casella, McCulloch, Variance Components, 1992, ch. 3).
 * Sampled or not, there are as many blocks; only `requests` differs. The shrink is the square root
 * of the ratio, for CPU or for all of a request's time, whichever is larger.
 */
#include "advise/evidence.h"

#include <math.h>

#include "base/cleanup.h"

#define NS_PER_S 1e9

static bool trace_valid(const struct trace *t, uint32_t n_peers)
{
	for (size_t i = 0; i < t->n_segments; i++) {
		const struct trace_segment *s = &t->segments[i];

		if (s->part >= PART_COUNT)
			return false;
		if (s->peer != TRACE_NO_PEER && s->peer >= n_peers)
			return false;
	}
	return true;
}

bool evidence_traces_valid(const struct evidence_sample *e)
{
	for (size_t i = 0; i < e->n_traces; i++) {
		if (!trace_valid(&e->traces[i], e->n_peers))
			return false;
	}
	return true;
}

bool evidence_valid(const struct evidence_sample *e)
{
	return evidence_traces_valid(e) && e->processes > 0 && e->threads > 0 && e->cpus > 0 &&
	       isfinite(e->cpus) && e->serial_s >= 0 && isfinite(e->serial_s);
}

static void add_segment(const struct trace_segment *segment, double weight,
			struct request_sums *sums, double *peer_s)
{
	double s = weight * (double)segment->ns / NS_PER_S;

	switch (segment->part) {
	case PART_CPU:
		sums->cpu_s += s;
		break;
	case PART_NETWORK:
		sums->operations += weight;
		if (segment->peer == TRACE_NO_PEER)
			sums->wait_s += s;
		else
			peer_s[segment->peer] += s;
		break;
	case PART_SLEEP:
	case PART_CHILD:
	case PART_CLIENT:
		sums->wait_s += s;
		break;
	case PART_DISK:
		sums->offloads += weight;
		sums->offload_s += s;
		break;
	case PART_LOCK:
		sums->lock_s += s;
		break;
	case PART_OTHER:
		sums->hold_s += s;
		break;
	default:
		/* Run queue and what cannot be told: neither CPU nor a wait to overlap. */
		break;
	}
}

void evidence_add_trace(const struct trace *trace, struct request_sums *sums, double *peer_s)
{
	double kept = (double)trace->n_segments, weight = 1;

	sums->requests++;
	sums->truncated += trace->truncated > 0;
	if (trace->truncated > 0 && kept > 0)
		weight = (kept + trace->truncated) / kept;
	for (size_t i = 0; i < trace->n_segments; i++)
		add_segment(&trace->segments[i], weight, sums, peer_s);
}

void evidence_sum(const struct evidence_sample *e, struct request_sums *ret_sums, double *peer_s)
{
	*ret_sums = (struct request_sums){0};
	for (size_t i = 0; i < e->n_traces; i++)
		evidence_add_trace(&e->traces[i], ret_sums, peer_s);
}

/* ---- the shrink ---- */

/* A request's CPU and its whole time. */
struct request_figures {
	double cpu_s, all_s;
};

static struct request_figures figures_of(const struct trace *trace)
{
	struct request_figures f = {0};

	for (size_t i = 0; i < trace->n_segments; i++) {
		const struct trace_segment *s = &trace->segments[i];

		if (s->part == PART_CPU)
			f.cpu_s += (double)s->ns;
		if (s->part != PART_RUN_QUEUE && s->part != PART_UNATTRIBUTED)
			f.all_s += (double)s->ns;
	}
	return f;
}

/* Of one figure per request: n, sum and sum of squares in each block. */
struct block_moments {
	double n, sum, squares;
};

static double shrink_of(const struct block_moments *blocks, size_t n_blocks, double all_requests)
{
	double n = 0, sum = 0, n_squares = 0, within = 0, between = 0, used = 0;
	double within_var, between_var, each;

	for (size_t i = 0; i < n_blocks; i++) {
		const struct block_moments *b = &blocks[i];

		if (b->n < 1)
			continue;
		used++;
		n += b->n;
		sum += b->sum;
		n_squares += b->n * b->n;
		within += b->squares - b->sum * b->sum / b->n;
		between += b->sum * b->sum / b->n;
	}
	if (used < 2 || n <= used || all_requests <= n)
		return 1;
	within_var = within / (n - used);
	each = (n - n_squares / n) / (used - 1);
	between_var = fmax(((between - sum * sum / n) / (used - 1) - within_var) / each, 0);
	if (!(within_var > 0))
		return 1;
	return sqrt((between_var / used + within_var / all_requests) /
		    (between_var / used + within_var / n));
}

static size_t block_of(const struct trace *trace, uint64_t block_ns, size_t n_blocks)
{
	size_t at = trace->start_ns > 0 ? (uint64_t)trace->start_ns / block_ns : 0;

	return at < n_blocks ? at : n_blocks - 1;
}

static void moments_add(struct block_moments *b, double x)
{
	b->n++;
	b->sum += x;
	b->squares += x * x;
}

double evidence_shrink(const struct evidence_sample *e, uint64_t block_ns)
{
	size_t n = block_ns > 0 && e->duration_ns >= block_ns ? e->duration_ns / block_ns : 1;
	_cleanup_free_ struct block_moments *cpu = calloc(n, sizeof(*cpu));
	_cleanup_free_ struct block_moments *all = calloc(n, sizeof(*all));

	/* Too wide rather than nothing. */
	if (!cpu || !all || !block_ns || !(e->exact.requests > 0))
		return 1;
	for (size_t i = 0; i < e->n_traces; i++) {
		struct request_figures f = figures_of(&e->traces[i]);
		size_t at = block_of(&e->traces[i], block_ns, n);

		moments_add(&cpu[at], f.cpu_s);
		moments_add(&all[at], f.all_s);
	}
	return fmax(shrink_of(cpu, n, e->exact.requests), shrink_of(all, n, e->exact.requests));
}

/* ---- corrected means ---- */

/* The drawn mean is off the sample's by some share; so, shrunk, is this sum off the exact one. */
static double corrected(double drawn, double drawn_n, double sampled, double sampled_n,
			double exact, double exact_n, double shrink)
{
	double off = sampled > 0 ? drawn / drawn_n / (sampled / sampled_n) : 1;

	return drawn_n * exact / exact_n * fmax(1 + shrink * (off - 1), 0);
}

void evidence_correct(const struct evidence_sample *e, const struct evidence_whole *w,
		      struct request_sums *sums, double *peer_s)
{
	double n = sums->requests, all = w->sums.requests, exact = e->exact.requests;

	if (!(exact > 0) || !(n > 0) || !(all > 0))
		return;
#define CORRECT(field) \
	sums->field =  \
		corrected(sums->field, n, w->sums.field, all, e->exact.field, exact, w->shrink)
	CORRECT(cpu_s);
	CORRECT(wait_s);
	CORRECT(offload_s);
	CORRECT(hold_s);
	CORRECT(lock_s);
	CORRECT(operations);
	CORRECT(offloads);
#undef CORRECT
	for (uint32_t i = 0; i < e->n_peers; i++)
		peer_s[i] = corrected(peer_s[i], n, w->peer_s[i], all, e->exact_peer_s[i], exact,
				      w->shrink);
}
