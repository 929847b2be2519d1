/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What monitoring gets to see of a snapshot: one table of metrics, which each output writes in its
 * own format (prometheus.h, otlp.h). docs/monitoring.md lists them; a test compares.
 */
#ifndef IOPROF_REPORT_METRICS_H
#define IOPROF_REPORT_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "advise/advice.h"
#include "model/snapshot.h"

/* How one of the exporter's outputs fares. */
struct output_count {
	const char *name; /* "otlp" */
	uint64_t sent, dropped;
};

/* The advice for a service. */
struct service_advice {
	char *service; /* its name in the snapshot */
	struct advice *advice;
};

/* What the figures come from. */
struct metrics_source {
	const struct snapshot *s; /* everything since the start: total_snapshot() */
	const char *version;	  /* of ioprof */
	const struct output_count *outputs;
	size_t n_outputs;
	const struct service_advice *advice; /* the latest, of those that could be judged */
	size_t n_advice;
};

enum metric_kind {
	METRIC_COUNTER, /* only grows */
	METRIC_GAUGE,
	METRIC_HISTOGRAM,
	METRIC_INFO, /* always 1: what it says are its labels */
};

enum metric_unit { METRIC_NO_UNIT, METRIC_SECONDS, METRIC_SECONDS_SQUARED, METRIC_RATIO };

struct metric_label {
	const char *name, *value; /* the value may hold any bytes */
};

#define METRIC_LABELS_MOST 3

/* One figure. Of ns, count, real and dist the metric's type says which one counts. */
struct metric_sample {
	struct metric_label labels[METRIC_LABELS_MOST];
	size_t n_labels;
	uint64_t count; /* a number, or nanoseconds */
	double real;
	const struct dist *dist;
};

/* In which member of a sample the figure is. */
enum metric_type { METRIC_TYPE_COUNT, METRIC_TYPE_NS, METRIC_TYPE_REAL, METRIC_TYPE_DIST };

/* Receives samples, one after the other. Returns 0, or -errno, which ends the collection. */
typedef int (*metric_sample_fn)(void *ctx, const struct metric_sample *sample);

struct metric {
	const char *name; /* without prefix, unit and what the kind adds */
	const char *help;
	enum metric_kind kind;
	enum metric_unit unit;
	enum metric_type type;
	/* The samples of one service, or of the snapshot as a whole: one of the two. */
	int (*of_service)(const struct service *service, metric_sample_fn emit, void *ctx);
	int (*of_snapshot)(const struct metrics_source *source, metric_sample_fn emit, void *ctx);
};

extern const struct metric metrics[];
extern const size_t n_metrics;

/*
 * The buckets of histograms: so many bounds, powers of two of a nanosecond, where the buckets of
 * the measurement end too. So no count is an estimate. The bound itself is not in the bucket but
 * the nanosecond before it is: that is the inclusive bound outputs write.
 */
#define METRIC_BOUNDS 23

/* The inclusive bound i in nanoseconds, rising from 16 us to 69 s. */
uint64_t metric_bound_ns(unsigned int i);

/* How many durations lie within bound i; for METRIC_BOUNDS all. */
uint64_t metric_count_within(const struct dist *d, unsigned int i);

#endif
