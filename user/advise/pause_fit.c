/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: what would a request cost if its process never paused, as under full load? Code that
 * has not run for a while runs slower at first: what else ran, here or on the hypervisor's other
 * machines, has had the caches; and going to sleep and waking up cost something by themselves.
 *
 * Method: the kernel counts requests by how long their process had paused before them, with the CPU
 * that they took. After a pause of t a request takes on average
 *
 *	y(t) = full + wake + each log2(1 + t / 1 ms),
 *
 * after none y = full. This is linear in the three, so they follow by least squares over the bins,
 * weighted by the number of requests, with normal priors on `wake` and `each` (Bayesian linear
 * regression; Gelman et al., Bayesian Data Analysis, ch. 14): where every length of pause was seen
 * the data decide, where all pauses were alike the priors do, and the interval says how much that
 * matters. The variance of a request's CPU is that within the bins, and more where the bins lie
 * further from the line than that explains. However many they are, a bin's mean is not taken to lie
 * closer to the line than 0.1 %: nothing is that straight, and priors would drown in rounding.
 *
 * Found on gunicorn with 1 to 16 workers, and threads under one interpreter lock, at 30 to 90 %
 *load on 2 vCPU AMD EPYC: `each` 20 to 150 us, `wake` 0 to 100 us.
 *
 * Assumptions: how long a process pauses has nothing to do with what it is asked next. Cost: bins.
 */
#include "advise/pause_fit.h"

#include <math.h>
#include <string.h>

#define NS_PER_S 1e9
#define SCALE_S 1e-3
#define LEAST_REQUESTS 50
#define LINE_HOLDS 1e-3 /* of a request's CPU */
#define N 3		/* full, wake, each */

struct point {
	double n, row[N], y;
};

/* Variances: of one request's CPU, and of a bin's mean of ever so many. */
struct noise {
	double request, line;
};

/* X'WX b = X'Wy, and its inverse, the covariance. */
struct normal {
	double a[N][N], b[N];
};

static size_t points_of(const struct pause *pauses, double seen, struct point *points)
{
	size_t n_points = 0;

	for (unsigned int i = 0; i < IOP_PAUSE_BINS; i++) {
		const struct pause *p = &pauses[i];
		double n = (double)p->requests;

		if (!(n > 0))
			continue;
		points[n_points++] = (struct point){
			.n = n * seen,
			.row = {1, i > 0,
				i > 0 ? log2(1 + (double)p->sum_ns / NS_PER_S / n / SCALE_S) : 0},
			.y = (double)p->cpu_ns / NS_PER_S / n,
		};
	}
	return n_points;
}

/* Of one request's CPU, within the bins. */
static double variance_within(const struct pause *pauses)
{
	double squares = 0, n = 0;

	for (unsigned int i = 0; i < IOP_PAUSE_BINS; i++) {
		const struct pause *p = &pauses[i];
		double cpu_s = (double)p->cpu_ns / NS_PER_S;

		if (!p->requests)
			continue;
		n += (double)p->requests;
		squares += fmax(p->cpu_squares - cpu_s * cpu_s / (double)p->requests, 0);
	}
	return n > 0 ? squares / n : 0;
}

static double weight_of(const struct point *p, const struct noise *noise)
{
	return 1 / (noise->request / p->n + noise->line);
}

static void add_point(struct normal *e, const struct point *p, double weight)
{
	for (int i = 0; i < N; i++) {
		for (int k = 0; k < N; k++)
			e->a[i][k] += weight * p->row[i] * p->row[k];
		e->b[i] += weight * p->row[i] * p->y;
	}
}

static void add_prior(struct normal *e, int at, double mean, double deviation)
{
	e->a[at][at] += 1 / (deviation * deviation);
	e->b[at] += mean / (deviation * deviation);
}

/* Gauss-Jordan: a becomes its inverse, b the solution. False where there is none. */
static bool solve(struct normal *e)
{
	double inverse[N][N] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};

	for (int c = 0; c < N; c++) {
		double pivot = e->a[c][c];

		/* Positive definite: no need to exchange rows. */
		if (!(pivot > 0) || !isfinite(pivot))
			return false;
		for (int k = 0; k < N; k++) {
			e->a[c][k] /= pivot;
			inverse[c][k] /= pivot;
		}
		e->b[c] /= pivot;
		for (int r = 0; r < N; r++) {
			double factor = e->a[r][c];

			if (r == c)
				continue;
			for (int k = 0; k < N; k++) {
				e->a[r][k] -= factor * e->a[c][k];
				inverse[r][k] -= factor * inverse[c][k];
			}
			e->b[r] -= factor * e->b[c];
		}
	}
	memcpy(e->a, inverse, sizeof(inverse));
	return true;
}

static bool fit(const struct point *points, size_t n_points, const struct noise *noise,
		const struct pause_prior *prior, struct normal *ret)
{
	struct normal e = {0};

	for (size_t i = 0; i < n_points; i++)
		add_point(&e, &points[i], weight_of(&points[i], noise));
	add_prior(&e, 1, prior->wake_s, prior->wake_deviation_s);
	add_prior(&e, 2, prior->each_s, prior->each_deviation_s);
	if (!solve(&e))
		return false;
	*ret = e;
	return true;
}

/* How much further the bins lie from the line than chance explains: at least 1. */
static double misfit(const struct point *points, size_t n_points, const struct noise *noise,
		     const struct normal *e)
{
	double squares = 0;

	if (n_points <= N)
		return 1;
	for (size_t i = 0; i < n_points; i++) {
		double off = points[i].y;

		for (int k = 0; k < N; k++)
			off -= points[i].row[k] * e->b[k];
		squares += weight_of(&points[i], noise) * off * off;
	}
	return fmax(squares / (double)(n_points - N), 1);
}

static struct prior around(const struct normal *e, int at)
{
	double half = NORMAL_95 * sqrt(fmax(e->a[at][at], 0));

	return (struct prior){fmax(e->b[at], 0), fmax(e->b[at] - half, 0),
			      fmax(e->b[at] + half, 0)};
}

static void observe(const struct pause *pauses, struct pause_fit *f, double *ret_requests)
{
	double n = 0, cpu_s = 0, paused = 0, pause_s = 0;

	for (unsigned int i = 0; i < IOP_PAUSE_BINS; i++) {
		n += (double)pauses[i].requests;
		cpu_s += (double)pauses[i].cpu_ns / NS_PER_S;
		if (i == 0)
			continue;
		paused += (double)pauses[i].requests;
		pause_s += (double)pauses[i].sum_ns / NS_PER_S;
	}
	*ret_requests = n;
	f->mean_s = n > 0 ? cpu_s / n : 0;
	f->pause_s = paused > 0 ? pause_s / paused : 0;
}

struct pause_fit pause_fit(const struct pause *pauses, double seen, const struct pause_prior *prior)
{
	struct point points[IOP_PAUSE_BINS];
	size_t n_points = points_of(pauses, seen, points);
	struct noise noise = {.request = variance_within(pauses)};
	struct pause_fit f = {.known = false};
	struct normal e;
	double n, more;

	observe(pauses, &f, &n);
	if (!(n * seen >= LEAST_REQUESTS) || !(f.mean_s > 0))
		return f;
	noise.line = pow(LINE_HOLDS * f.mean_s, 2);
	if (!fit(points, n_points, &noise, prior, &e))
		return f;
	more = misfit(points, n_points, &noise, &e);
	noise.request *= more;
	noise.line *= more;
	if (!fit(points, n_points, &noise, prior, &e))
		return f;
	f.full_s = around(&e, 0);
	f.each_s = around(&e, 2);
	f.known = f.full_s.estimate > 0 && isfinite(f.full_s.hi) && isfinite(f.each_s.hi);
	return f;
}
