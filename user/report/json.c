/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot as one JSON document on one line: docs/json.md. Beside every figure for readers stand
 * the counts and sums it was made from, so that a snapshot can be rebuilt from its document and
 * documents merge like snapshots.
 *
 * One service at a time is made into JSON and written: of a host with hundreds, the document never
 * lies in memory as a whole.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <time.h>

#include "base/cleanup.h"
#include "model/derive.h"
#include "report/json_service.h"
#include "report/json_value.h"
#include "report/json_write.h"
#include "report/report.h"

#define NS_PER_S 1000000000

/* RFC 3339, in UTC, to the nanosecond. */
static json_t *timestamp(int64_t unix_ns)
{
	time_t second = (time_t)(unix_ns / NS_PER_S);
	int64_t ns = unix_ns % NS_PER_S;
	struct tm tm;
	char text[64];

	if (ns < 0) {
		second--;
		ns += NS_PER_S;
	}
	if (!gmtime_r(&second, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		return json_null();
	return json_sprintf("%s.%09dZ", text, (int)ns);
}

static json_t *losses(const struct snapshot *s)
{
	_cleanup_(json_value_freep) json_t *object = json_object();

	for (enum loss i = 0; i < LOSS_COUNT; i++) {
		json_t *n = json_value_integer(s->losses[i]);

		if (json_object_set_new(object, loss_name(i), n) < 0)
			return NULL;
	}
	return TAKE(object);
}

/* From here on one key and its value per line. */
/* clang-format off */

static json_t *interval(const struct snapshot *s)
{
	return json_pack("{s:o, s:o, s:I, s:o, s:o, s:o}",
			 "start", timestamp(s->start_unix_ns),
			 "duration_s", json_value_seconds(s->duration_ns),
			 "start_unix_ns", (json_int_t)s->start_unix_ns,
			 "duration_ns", json_value_integer(s->duration_ns),
			 "sampled_s", json_value_seconds(s->sampled_ns),
			 "sampled_ns", json_value_integer(s->sampled_ns));
}

static json_t *programs(const struct snapshot *s)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (size_t i = 0; i < s->n_programs; i++) {
		const struct program_cost *cost = &s->programs[i];
		json_t *program = json_pack("{s:o, s:o, s:o}",
					    "name", json_value_string(cost->name),
					    "runs", json_value_integer(cost->runs),
					    "run_ns", json_value_integer(cost->run_ns));

		if (json_array_append_new(array, program) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *before_services(const struct snapshot *s)
{
	return json_pack("{s:s, s:o, s:o}",
			 "schema", REPORT_JSON_SCHEMA,
			 "host", json_value_string_or_null(s->host),
			 "interval", interval(s));
}

static json_t *after_services(const struct snapshot *s)
{
	return json_pack("{s:o, s:{s:o}, s:{s:o, s:b, s:o}, s:o}",
			 "losses", losses(s),
			 "quality",
			 "closure", json_value_real(derive_snapshot_closure(s)),
			 "overhead",
			 "probe_cpu_s", json_value_real(derive_probe_cpu_s(s)),
			 "known", (int)s->cost_known,
			 "programs", programs(s),
			 "notes", json_value_strings(s->notes, s->n_notes));
}

/* clang-format on */

/* Every figure is finite and every string valid UTF-8, so only memory can be short. */
static int write_members(FILE *out, json_t *owned_object)
{
	_cleanup_(json_value_freep) json_t *object = owned_object;

	return object ? json_write_members(out, object) : -ENOMEM;
}

static int write_service(FILE *out, const struct snapshot *s, const struct service *service,
			 const struct json_opts *opts)
{
	_cleanup_(json_value_freep) json_t *json = json_service(s, service, opts);

	return json ? json_write(out, json) : -ENOMEM;
}

static int write_document(FILE *out, const struct snapshot *s, const struct json_opts *opts)
{
	int r;

	(void)fputs("{", out);
	r = write_members(out, before_services(s));
	(void)fputs(",\"services\":[", out);
	for (size_t i = 0; r >= 0 && i < s->n_services; i++) {
		(void)fputs(i ? "," : "", out);
		r = write_service(out, s, &s->services[i], opts);
	}
	(void)fputs("],", out);
	if (r >= 0)
		r = write_members(out, after_services(s));
	(void)fputs("}\n", out);
	return r;
}

int report_json(FILE *out, const struct snapshot *s, const struct json_opts *opts)
{
	int r;

	errno = 0;
	r = write_document(out, s, opts);
	/* The stream knows that it failed, errno knows why. */
	if (ferror(out))
		return errno ? -errno : -EIO;
	return r;
}
