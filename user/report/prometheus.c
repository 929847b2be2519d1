/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The formats: https://prometheus.io/docs/instrumenting/exposition_formats/ and
 * https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
 * They differ in what a family of counters or infos is called, in the unit's line, in what help
 * escapes, and in the end mark.
 */
#include "report/prometheus.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"

#define NS_PER_S 1000000000

struct writer {
	FILE *out;
	bool openmetrics;
	const struct metric *metric; /* whose samples are being written */
};

static const char *unit_name(enum metric_unit unit)
{
	switch (unit) {
	case METRIC_SECONDS:
		return "_seconds";
	case METRIC_SECONDS_SQUARED:
		return "_seconds_squared";
	case METRIC_RATIO:
		return "_ratio";
	default:
		return "";
	}
}

/* What the samples of a kind add to their family's name. */
static const char *kind_suffix(enum metric_kind kind)
{
	return kind == METRIC_COUNTER ? "_total" : kind == METRIC_INFO ? "_info" : "";
}

/* The formats' word. The older one does not know infos: they are gauges there. */
static const char *kind_name(enum metric_kind kind, bool openmetrics)
{
	switch (kind) {
	case METRIC_COUNTER:
		return "counter";
	case METRIC_HISTOGRAM:
		return "histogram";
	case METRIC_INFO:
		return openmetrics ? "info" : "gauge";
	default:
		return "gauge";
	}
}

static void write_name(const struct writer *w, const char *suffix)
{
	(void)fprintf(w->out, "ioprof_%s%s%s", w->metric->name, unit_name(w->metric->unit), suffix);
}

/* What stands before the samples of a metric. Help texts are ours: nothing in them needs escaping.
 */
static void write_head(const struct writer *w)
{
	const struct metric *m = w->metric;
	const char *suffix = w->openmetrics ? "" : kind_suffix(m->kind);

	(void)fputs("# HELP ", w->out);
	write_name(w, suffix);
	(void)fprintf(w->out, " %s\n# TYPE ", m->help);
	write_name(w, suffix);
	(void)fprintf(w->out, " %s\n", kind_name(m->kind, w->openmetrics));
	if (!w->openmetrics || m->unit == METRIC_NO_UNIT)
		return;
	(void)fputs("# UNIT ", w->out);
	write_name(w, suffix);
	(void)fprintf(w->out, " %s\n", unit_name(m->unit) + 1);
}

static int write_label(const struct writer *w, const char *separator,
		       const struct metric_label *label)
{
	_cleanup_free_ char *value = text_utf8(label->value);

	if (!value)
		return -ENOMEM;
	(void)fprintf(w->out, "%s%s=\"", separator, label->name);
	for (const char *c = value; *c; c++) {
		if (*c == '\n')
			(void)fputs("\\n", w->out);
		else if (*c == '\\' || *c == '"')
			(void)fprintf(w->out, "\\%c", *c);
		else
			(void)fputc(*c, w->out);
	}
	(void)fputc('"', w->out);
	return 0;
}

/* The labels of a sample; le, the bound of a bucket, is one more unless it is NULL. */
static int write_labels(const struct writer *w, const struct metric_sample *sample, const char *le)
{
	int r = 0;

	if (sample->n_labels == 0 && !le)
		return 0;
	for (size_t i = 0; i < sample->n_labels && r == 0; i++)
		r = write_label(w, i ? "," : "{", &sample->labels[i]);
	if (r < 0)
		return r;
	if (le)
		(void)fprintf(w->out, "%sle=\"%s\"", sample->n_labels ? "," : "{", le);
	(void)fputc('}', w->out);
	return 0;
}

/* Seconds without a trailing zero. */
struct seconds {
	char text[32];
};

static struct seconds seconds(uint64_t ns)
{
	struct seconds s;
	int n = snprintf(s.text, sizeof(s.text), "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S,
			 ns % NS_PER_S);

	while (n > 2 && s.text[n - 1] == '0' && s.text[n - 2] != '.')
		s.text[--n] = '\0';
	return s;
}

/* A line: name, labels, value. */
static int write_line(const struct writer *w, const char *suffix,
		      const struct metric_sample *sample, const char *le, const char *value)
{
	int r;

	write_name(w, suffix);
	r = write_labels(w, sample, le);
	(void)fprintf(w->out, " %s\n", value);
	return r;
}

static int write_histogram(const struct writer *w, const struct metric_sample *sample)
{
	const struct dist *d = sample->dist;
	char count[32];
	int r = 0;

	for (unsigned int i = 0; i < METRIC_BOUNDS && r == 0; i++) {
		(void)snprintf(count, sizeof(count), "%" PRIu64, metric_count_within(d, i));
		r = write_line(w, "_bucket", sample, seconds(metric_bound_ns(i)).text, count);
	}
	(void)snprintf(count, sizeof(count), "%" PRIu64, metric_count_within(d, METRIC_BOUNDS));
	if (r == 0)
		r = write_line(w, "_bucket", sample, "+Inf", count);
	if (r == 0)
		r = write_line(w, "_sum", sample, NULL, seconds(d->sum_ns).text);
	return r < 0 ? r : write_line(w, "_count", sample, NULL, count);
}

/* With the fewest digits that still give back the same number. */
static void format_real(char value[32], double real)
{
	for (int digits = DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
		(void)snprintf(value, 32, "%.*g", digits, real);
		if (strtod(value, NULL) == real)
			return;
	}
}

/* A metric_sample_fn. */
static int write_sample(void *ctx, const struct metric_sample *sample)
{
	const struct writer *w = ctx;
	char value[32];

	switch (w->metric->type) {
	case METRIC_TYPE_DIST:
		return write_histogram(w, sample);
	case METRIC_TYPE_NS:
		(void)snprintf(value, sizeof(value), "%s", seconds(sample->count).text);
		break;
	case METRIC_TYPE_REAL:
		format_real(value, sample->real);
		break;
	case METRIC_TYPE_COUNT:
		(void)snprintf(value, sizeof(value), "%" PRIu64, sample->count);
		break;
	}
	return write_line(w, kind_suffix(w->metric->kind), sample, NULL, value);
}

int report_prometheus(FILE *out, const struct metrics_source *source, bool openmetrics)
{
	struct writer w = {.out = out, .openmetrics = openmetrics};
	int r = 0;

	for (size_t i = 0; i < n_metrics && r == 0; i++) {
		w.metric = &metrics[i];
		write_head(&w);
		if (metrics[i].of_snapshot) {
			r = metrics[i].of_snapshot(source, write_sample, &w);
			continue;
		}
		for (size_t k = 0; k < source->s->n_services && r == 0; k++)
			r = metrics[i].of_service(&source->s->services[k], write_sample, &w);
	}
	if (openmetrics)
		(void)fputs("# EOF\n", out);
	if (r == 0 && ferror(out))
		r = -EIO;
	return r;
}
