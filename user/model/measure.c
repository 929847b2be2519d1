/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/measure.h"

#include <math.h>

#include "model/derive.h"

#define NS_PER_S 1e9
#define Z_95 1.959963984540054
#define Z_99 2.5758293035489004
/* With fewer intervals, how they differ says too little. */
#define INTERVALS_LEAST 8

/* clang-format off */
_Static_assert((int)MEASURE_UNATTRIBUTED - (int)MEASURE_NETWORK == PART_COUNT - 1,
	       "measure.def has the parts of part.def");

static const struct {
	const char *name, *label;
	enum unit unit;
} table[MEASURE_COUNT] = {
#define MEASURE(id, name, label, unit) [id] = {name, label, unit},
#include "model/measure.def"
#undef MEASURE
};
/* clang-format on */

const char *measure_name(enum measure measure)
{
	return (unsigned int)measure < MEASURE_COUNT ? table[measure].name : "?";
}

const char *measure_label(enum measure measure)
{
	return (unsigned int)measure < MEASURE_COUNT ? table[measure].label : "?";
}

enum unit measure_unit(enum measure measure)
{
	return (unsigned int)measure < MEASURE_COUNT ? table[measure].unit : UNIT_NUMBER;
}

const char *change_name(enum change change)
{
	static const char *const names[] = {"unknown", "within", "beyond"};

	return (unsigned int)change < 3 ? names[change] : "?";
}

static double seconds(uint64_t ns)
{
	return (double)ns / NS_PER_S;
}

/* A figure that is one sum divided by another. */
struct quotient {
	double y, x;
};

static struct quotient of_dist(const struct dist *d)
{
	return (struct quotient){seconds(d->sum_ns), (double)d->count};
}

static struct quotient blocking_ratio(const struct service *service)
{
	const struct dist *parts = service->parts;

	return (struct quotient){
		seconds(parts[PART_NETWORK].sum_ns) + seconds(parts[PART_SLEEP].sum_ns) +
			seconds(parts[PART_CHILD].sum_ns) + seconds(service->overlapped_io_ns),
		seconds(parts[PART_CPU].sum_ns),
	};
}

/* Per loop: as many as were seen, one at least. */
static struct quotient loops_blocked(const struct snapshot *s, const struct service *service)
{
	double ns = 0;

	for (unsigned int i = 0; i < PART_WAIT_COUNT; i++)
		ns += (double)service->blocked[i].sum_ns;
	return (struct quotient){ns / NS_PER_S, service->evidence.loops * seconds(s->duration_ns)};
}

/* The distribution whose mean the measure is, or NULL. */
static const struct dist *dist_of(enum measure measure, const struct service *service)
{
	switch (measure) {
	case MEASURE_LATENCY:
	case MEASURE_LATENCY_P50:
	case MEASURE_LATENCY_P99:
		return &service->latency;
	case MEASURE_QUEUE_WAIT:
	case MEASURE_QUEUE_WAIT_P99:
		return &service->queue_wait;
	case MEASURE_SERVICE_TIME:
		return &service->service_time;
	default:
		if (measure >= MEASURE_NETWORK && measure <= MEASURE_UNATTRIBUTED)
			return &service->parts[measure - MEASURE_NETWORK];
		return NULL;
	}
}

/* x is 0 for what is no quotient. */
static struct quotient quotient_of(enum measure measure, const struct snapshot *s,
				   const struct service *service)
{
	const struct requests *r = &service->requests;
	const struct dist *dist = dist_of(measure, service);

	switch (measure) {
	case MEASURE_RATE:
		return (struct quotient){(double)r->completed, seconds(s->duration_ns)};
	case MEASURE_CPU_TOTAL:
		return (struct quotient){seconds(service->cpu_ns), (double)r->completed};
	case MEASURE_OPERATIONS:
		return (struct quotient){(double)r->operations, (double)r->completed};
	case MEASURE_WAITS:
		return (struct quotient){(double)r->waits, (double)r->completed};
	case MEASURE_RATIO:
		return blocking_ratio(service);
	case MEASURE_BUSY:
		return (struct quotient){seconds(service->workers.busy_ns),
					 seconds(service->workers.wall_ns)};
	case MEASURE_LOOP_BLOCKED:
		return loops_blocked(s, service);
	case MEASURE_LATENCY_P50:
	case MEASURE_LATENCY_P99:
	case MEASURE_QUEUE_WAIT_P99:
		return (struct quotient){0};
	default:
		return dist ? of_dist(dist) : (struct quotient){0};
	}
}

void spread_add(struct spread *spread, const struct snapshot *s, const struct service *service)
{
	for (enum measure i = 0; i < MEASURE_COUNT; i++) {
		struct measure_sums *sums = &spread->sums[i];
		struct quotient q = quotient_of(i, s, service);

		if (q.x <= 0)
			continue;
		sums->intervals++;
		sums->xx += q.x * q.x;
		sums->xy += q.x * q.y;
		sums->yy += q.y * q.y;
	}
}

static struct measured exact(double value)
{
	return (struct measured){value, NAN, NAN};
}

/* Of the sum of squares of entries about their mean: each stands in the middle of its bucket. */
static double variance(const struct dist *d)
{
	double n = (double)d->count, sum = 0, squares = 0;

	for (unsigned int i = 0; i < IOP_BUCKET_COUNT; i++) {
		double count = (double)dist_bucket(d, i);
		double end = i == IOP_BUCKET_COUNT - 1 ? (double)d->max_ns
						       : (double)(bucket_floor(i + 1) - 1);
		double middle = ((double)bucket_floor(i) + end) / 2 / NS_PER_S;

		sum += count * middle;
		squares += count * middle * middle;
	}
	return fmax(squares - sum * sum / n, 0) / (n - 1);
}

struct measured measure_dist(const struct dist *d)
{
	double n = (double)d->count;

	if (!d->count)
		return exact(NAN);
	if (d->count < 2)
		return exact(dist_mean_s(d));
	return (struct measured){dist_mean_s(d), sqrt(variance(d) / n), n - 1};
}

/* The order statistics between which the true quantile lies, whatever the distribution. */
static struct measured measure_quantile(const struct dist *d, double q)
{
	double n = (double)d->count, half, lo, hi;

	if (!d->count)
		return exact(NAN);
	half = Z_95 * sqrt(q * (1 - q) / n);
	if (q - half <= 0 || q + half >= 1)
		return exact(dist_quantile_s(d, q));
	lo = dist_quantile_s(d, q - half);
	hi = dist_quantile_s(d, q + half);
	return (struct measured){dist_quantile_s(d, q), (hi - lo) / (2 * Z_95), n - 1};
}

/* How far y / x over intervals may be off (Cochran, Sampling Techniques, 6.4, intervals as
 * clusters). */
static struct measured measure_quotient(struct quotient q, const struct measure_sums *sums)
{
	double ratio = q.y / q.x, k = (double)sums->intervals;
	double residual = sums->yy - 2 * ratio * sums->xy + ratio * ratio * sums->xx;

	return (struct measured){ratio, sqrt(k / (k - 1) * fmax(residual, 0)) / q.x, k - 1};
}

/* Over few intervals, by requests. */
static struct measured measure_by_requests(enum measure measure, const struct service *service,
					   double value)
{
	const struct dist *dist = dist_of(measure, service);
	struct blocking blocking;

	if (dist)
		return measure_dist(dist);
	if (measure != MEASURE_RATIO)
		return exact(value);
	derive_blocking(service, &blocking);
	return (struct measured){value, (blocking.hi - value) / Z_95,
				 (double)service->requests.completed - 1};
}

struct measured measure_service(enum measure measure, const struct snapshot *s,
				const struct service *service, const struct spread *spread)
{
	struct quotient q = quotient_of(measure, s, service);
	const struct measure_sums *sums = &spread->sums[measure];
	const struct surroundings *on = &service->surroundings;

	switch (measure) {
	case MEASURE_LATENCY_P50:
		return measure_quantile(&service->latency, 0.5);
	case MEASURE_LATENCY_P99:
		return measure_quantile(&service->latency, 0.99);
	case MEASURE_QUEUE_WAIT_P99:
		return measure_quantile(&service->queue_wait, 0.99);
	case MEASURE_WORKERS:
		return exact(service->workers.wall_ns ? (double)service->workers.count : NAN);
	case MEASURE_PROCESS_BYTES:
		return exact(on->process_bytes ? (double)on->process_bytes : NAN);
	default:
		if (q.x <= 0)
			return exact(NAN);
		if (sums->intervals >= INTERVALS_LEAST)
			return measure_quotient(q, sums);
		return measure_by_requests(measure, service, q.y / q.x);
	}
}

/* The 99.5 % quantile of Student's t (Abramowitz and Stegun 26.7.5); within 0.3 % from 7 degrees of
 * freedom on. */
static double student_t(double freedom)
{
	double z = Z_99, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;

	return z + (z3 + z) / (4 * freedom) +
	       (5 * z5 + 16 * z3 + 3 * z) / (96 * freedom * freedom) +
	       (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * freedom * freedom * freedom);
}

/* Welch and Satterthwaite. */
static double common_freedom(struct measured a, struct measured b)
{
	double va = a.error * a.error, vb = b.error * b.error;

	return (va + vb) * (va + vb) / (va * va / a.freedom + vb * vb / b.freedom);
}

struct comparison measure_compare(struct measured before, struct measured after)
{
	struct comparison c = {
		.before = before,
		.after = after,
		.difference = after.value - before.value,
		.lo = NAN,
		.hi = NAN,
		.change = CHANGE_UNKNOWN,
	};
	double error = hypot(before.error, after.error), half;

	if (!isfinite(c.difference) || !isfinite(error))
		return c;
	/* Where nothing varies, nothing is chance. */
	half = error > 0 ? student_t(common_freedom(before, after)) * error : 0;
	if (!isfinite(half))
		return c;
	c.lo = c.difference - half;
	c.hi = c.difference + half;
	c.change = fabs(c.difference) > half ? CHANGE_BEYOND : CHANGE_WITHIN;
	return c;
}
