/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: names in lowerCamelCase,
 * 64-bit integers as strings of digits, enumerations as numbers.
 */
#include "report/otlp.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "report/json_value.h"
#include "report/json_write.h"

#define NS_PER_S 1e9
#define CUMULATIVE 2 /* AGGREGATION_TEMPORALITY_CUMULATIVE */

/* The points of one metric while they are collected. */
struct points {
	const struct metric *metric;
	const struct snapshot *s;
	json_t *array;
};

static json_t *digits(uint64_t n)
{
	return json_sprintf("%" PRIu64, n);
}

static json_t *attribute(const char *key, const char *value)
{
	return json_pack("{s:s, s:{s:o}}", "key", key, "value", "stringValue",
			 json_value_string(value));
}

/* All labels but the service's, which is the resource. */
static json_t *attributes(const struct metric_sample *sample, bool of_service)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (size_t i = of_service ? 1 : 0; i < sample->n_labels; i++) {
		const struct metric_label *label = &sample->labels[i];

		if (json_array_append_new(array, attribute(label->name, label->value)) < 0)
			return NULL;
	}
	return TAKE(array);
}

static uint64_t nonnegative(int64_t ns)
{
	return ns > 0 ? (uint64_t)ns : 0;
}

/* What points of all kinds have. */
static json_t *point(const struct points *points, const struct metric_sample *sample)
{
	uint64_t start_ns = nonnegative(points->s->start_unix_ns);

	return json_pack("{s:o, s:o, s:o}", "attributes",
			 attributes(sample, points->metric->of_service != NULL),
			 "startTimeUnixNano", digits(start_ns), "timeUnixNano",
			 digits(start_ns + points->s->duration_ns));
}

/* Adds the buckets of a distribution to its point. 0 or -1. */
static int set_buckets(json_t *object, const struct dist *d)
{
	_cleanup_(json_value_freep) json_t *counts = json_array();
	_cleanup_(json_value_freep) json_t *bounds = json_array();
	uint64_t below = 0;
	int r = 0;

	for (unsigned int i = 0; i <= METRIC_BOUNDS; i++) {
		uint64_t within = metric_count_within(d, i);

		r |= json_array_append_new(counts, digits(within - below));
		below = within;
		if (i < METRIC_BOUNDS)
			r |= json_array_append_new(
				bounds, json_real((double)metric_bound_ns(i) / NS_PER_S));
	}
	r |= json_object_set_new(object, "count", digits(below));
	r |= json_object_set_new(object, "sum", json_real((double)d->sum_ns / NS_PER_S));
	r |= json_object_set_new(object, "bucketCounts", TAKE(counts));
	r |= json_object_set_new(object, "explicitBounds", TAKE(bounds));
	return r;
}

static int set_value(json_t *object, enum metric_type type, const struct metric_sample *sample)
{
	switch (type) {
	case METRIC_TYPE_DIST:
		return set_buckets(object, sample->dist);
	case METRIC_TYPE_NS:
		return json_object_set_new(object, "asDouble",
					   json_real((double)sample->count / NS_PER_S));
	case METRIC_TYPE_REAL:
		return json_object_set_new(object, "asDouble", json_real(sample->real));
	case METRIC_TYPE_COUNT:
		return json_object_set_new(object, "asInt", digits(sample->count));
	}
	return -1;
}

/* A metric_sample_fn. */
static int add_point(void *ctx, const struct metric_sample *sample)
{
	const struct points *points = ctx;
	_cleanup_(json_value_freep) json_t *object = point(points, sample);

	if (!object || set_value(object, points->metric->type, sample) < 0 ||
	    json_array_append_new(points->array, TAKE(object)) < 0)
		return -ENOMEM;
	return 0;
}

/* The member of a Metric that holds its points, which it takes over. */
static json_t *data(enum metric_kind kind, json_t *points)
{
	switch (kind) {
	case METRIC_COUNTER:
		return json_pack("{s:o, s:i, s:b}", "dataPoints", points, "aggregationTemporality",
				 CUMULATIVE, "isMonotonic", 1);
	case METRIC_HISTOGRAM:
		return json_pack("{s:o, s:i}", "dataPoints", points, "aggregationTemporality",
				 CUMULATIVE);
	default:
		return json_pack("{s:o}", "dataPoints", points);
	}
}

static json_t *metric_object(const struct metric *m, json_t *points)
{
	static const char *const units[] = {[METRIC_NO_UNIT] = "",
					    [METRIC_SECONDS] = "s",
					    [METRIC_SECONDS_SQUARED] = "s2",
					    [METRIC_RATIO] = "1"};
	static const char *const members[] = {
		[METRIC_COUNTER] = "sum",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
		[METRIC_INFO] = "gauge",
	};

	return json_pack(
		"{s:o, s:s, s:s, s:o}", "name",
		json_sprintf("ioprof.%s%s", m->name, m->kind == METRIC_INFO ? "_info" : ""),
		"description", m->help, "unit", units[m->unit], members[m->kind],
		data(m->kind, points));
}

/* Appends a metric with its points, unless it has none. service NULL: one of the whole snapshot. */
static int add_metric(json_t *array, const struct metric *m, const struct metrics_source *source,
		      const struct service *service)
{
	_cleanup_(json_value_freep) json_t *owned = json_array();
	struct points points = {.metric = m, .s = source->s, .array = owned};
	int r;

	if (!owned)
		return -ENOMEM;
	r = service ? m->of_service(service, add_point, &points)
		    : m->of_snapshot(source, add_point, &points);
	if (r < 0 || json_array_size(owned) == 0)
		return r;
	return json_array_append_new(array, metric_object(m, TAKE(owned))) < 0 ? -ENOMEM : 0;
}

/* The metrics of a service, or of the whole snapshot. */
static json_t *metric_array(const struct metrics_source *source, const struct service *service)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (size_t i = 0; array && i < n_metrics; i++) {
		if ((metrics[i].of_service != NULL) != (service != NULL))
			continue;
		if (add_metric(array, &metrics[i], source, service) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *resource(const struct metrics_source *source, const struct service *service)
{
	_cleanup_(json_value_freep) json_t *array = json_array();
	const char *name = service ? service->name : "ioprof";

	if (json_array_append_new(array, attribute("service.name", name)) < 0)
		return NULL;
	if (source->s->host &&
	    json_array_append_new(array, attribute("host.name", source->s->host)) < 0)
		return NULL;
	return json_pack("{s:o}", "attributes", TAKE(array));
}

static json_t *resource_metrics(const struct metrics_source *source, const struct service *service)
{
	return json_pack("{s:o, s:[{s:{s:s, s:s}, s:o}]}", "resource", resource(source, service),
			 "scopeMetrics", "scope", "name", "ioprof", "version", source->version,
			 "metrics", metric_array(source, service));
}

int report_otlp(FILE *out, const struct metrics_source *source)
{
	_cleanup_(json_value_freep) json_t *array = json_array();
	_cleanup_(json_value_freep) json_t *request = NULL;

	if (json_array_append_new(array, resource_metrics(source, NULL)) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < source->s->n_services; i++) {
		json_t *one = resource_metrics(source, &source->s->services[i]);

		if (json_array_append_new(array, one) < 0)
			return -ENOMEM;
	}
	request = json_pack("{s:o}", "resourceMetrics", TAKE(array));
	return request ? json_write(out, request) : -ENOMEM;
}

uint64_t otlp_rejected(const char *answer, size_t size)
{
	_cleanup_(json_value_freep) json_t *json = json_loadb(answer, size, 0, NULL);
	const json_t *rejected =
		json_object_get(json_object_get(json, "partialSuccess"), "rejectedDataPoints");

	if (json_is_string(rejected))
		return strtoull(json_string_value(rejected), NULL, 10);
	return json_integer_value(rejected) > 0 ? (uint64_t)json_integer_value(rejected) : 0;
}
