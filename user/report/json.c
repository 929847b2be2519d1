/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot as one JSON document on one line: docs/json.md. Beside every figure for readers stand
 * the counts and sums it was made from, so that a snapshot can be rebuilt from its document and
 * documents merge like snapshots.
 */
#include "report/report.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "model/derive.h"
#include "report/json_write.h"

#define NS_PER_S 1000000000

static void cleanup_json(json_t **value)
{
	json_decref(*value);
}

static json_t *integer(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

/* JSON knows neither NAN nor infinity. */
static json_t *real(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

static json_t *per(double x, uint64_t n)
{
	return real(n ? x / (double)n : NAN);
}

static double seconds(uint64_t ns)
{
	return (double)ns / NS_PER_S;
}

static json_t *string(const char *bytes)
{
	_cleanup_free_ char *text = text_utf8(bytes ? bytes : "");

	return text ? json_string(text) : NULL;
}

static json_t *strings(char *const *bytes, size_t n)
{
	_cleanup_(cleanup_json) json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(array, string(bytes[i])) < 0)
			return NULL;
	}
	return TAKE(array);
}

/* [[index, count], ...] of the buckets that are not empty. */
static json_t *buckets(const struct dist *d)
{
	_cleanup_(cleanup_json) json_t *array = json_array();

	for (unsigned int i = 0; i < IOP_BUCKET_COUNT; i++) {
		json_t *pair;

		if (!d->buckets[i])
			continue;
		pair = json_pack("[oo]", integer(i), integer(d->buckets[i]));
		if (json_array_append_new(array, pair) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *quantile(const struct dist *d, double q)
{
	return real(d->count ? dist_quantile_s(d, q) : NAN);
}

/* From here on one key and its value per line. */
/* clang-format off */

static json_t *dist(const struct dist *d)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "mean", real(d->count ? dist_mean_s(d) : NAN),
			 "p50", quantile(d, 0.5),
			 "p90", quantile(d, 0.9),
			 "p99", quantile(d, 0.99),
			 "max", real(d->count ? seconds(d->max_ns) : NAN),
			 "count", integer(d->count),
			 "sum_ns", integer(d->sum_ns),
			 "max_ns", integer(d->max_ns),
			 "buckets", buckets(d));
}

/* The distributions of the parts, by name. */
static json_t *parts(const struct service *service)
{
	_cleanup_(cleanup_json) json_t *object = json_object();

	for (enum part i = 0; i < PART_COUNT; i++) {
		if (json_object_set_new(object, part_name(i), dist(&service->parts[i])) < 0)
			return NULL;
	}
	return TAKE(object);
}

static json_t *per_request_part(const struct service *service, enum part part)
{
	return per(seconds(service->parts[part].sum_ns), service->requests.completed);
}

static json_t *per_request_waits(const struct service *service)
{
	_cleanup_(cleanup_json) json_t *object = json_object();

	for (enum part i = 0; i < PART_WAIT_COUNT; i++) {
		if (json_object_set_new(object, part_name(i), per_request_part(service, i)) < 0)
			return NULL;
	}
	return TAKE(object);
}

static json_t *per_request(const struct service *service)
{
	const struct requests *r = &service->requests;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "cpu_s", per_request_part(service, PART_CPU),
			 "wait_s", per_request_waits(service),
			 "run_queue_s", per_request_part(service, PART_RUN_QUEUE),
			 "overlapped_s", per_request_part(service, PART_OVERLAPPED),
			 "unattributed_s", per_request_part(service, PART_UNATTRIBUTED),
			 "parallel_s", per(seconds(r->parallel_ns), r->completed),
			 "operations", per((double)r->operations, r->completed),
			 "waits", per((double)r->waits, r->completed));
}

static json_t *requests(const struct snapshot *s, const struct service *service)
{
	const struct requests *r = &service->requests;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "completed", integer(r->completed),
			 "rate_per_s", real(derive_rate_per_s(s, service)),
			 "in_flight_mean", real(derive_in_flight(s, service)),
			 "arrival_unknown", integer(r->arrival_unknown),
			 "at_attach", integer(r->at_attach),
			 "aborted", integer(r->aborted),
			 "operations", integer(r->operations),
			 "waits", integer(r->waits),
			 "parallel_ns", integer(r->parallel_ns));
}

static json_t *workers(const struct service *service)
{
	const struct workers *w = &service->workers;

	return json_pack("{s:o, s:o, s:o, s:o, s:o}",
			 "count", integer(w->count),
			 "processes", integer(w->processes),
			 "busy_fraction", real(derive_busy_fraction(service)),
			 "busy_ns", integer(w->busy_ns),
			 "wall_ns", integer(w->wall_ns));
}

static json_t *blocking(const struct service *service)
{
	const struct ratio_moments *m = &service->moments;
	struct blocking b;

	derive_blocking(service, &b);
	return json_pack("{s:o, s:o, s:[oo], s:o, s:{s:o, s:o, s:o}}",
			 "ratio", real(b.ratio),
			 "fraction", real(b.fraction),
			 "ci95", real(b.lo), real(b.hi),
			 "ratio_loose", real(b.ratio_loose),
			 "moments",
			 "cpu_cpu_s2", real(m->xx),
			 "wait_wait_s2", real(m->yy),
			 "cpu_wait_s2", real(m->xy));
}

static json_t *evidence(const struct service *service)
{
	const struct evidence *e = &service->evidence;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}",
			 "opened_by_loop", integer(e->opened_by_loop),
			 "opened_by_worker", integer(e->opened_by_worker),
			 "handed_off", integer(e->handed_off),
			 "pool_ns", integer(e->pool_ns),
			 "own_ns", integer(e->own_ns),
			 "processes_serving", integer(e->processes_serving),
			 "threads_serving", integer(e->threads_serving),
			 "loops", integer(e->loops),
			 "listens", (int)e->listens);
}

static json_t *peers(const struct service *service)
{
	uint64_t completed = service->requests.completed;
	_cleanup_(cleanup_json) json_t *array = json_array();

	for (size_t i = 0; i < service->n_peers; i++) {
		const struct peer *p = &service->peers[i];
		json_t *peer =
			json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}",
				  "address", string(p->address),
				  "operations_per_request", per((double)p->operations, completed),
				  "wait_s_per_request", per(seconds(p->wait.sum_ns), completed),
				  "wait_s", dist(&p->wait),
				  "operations", integer(p->operations),
				  "operations_outside", integer(p->operations_outside));

		if (json_array_append_new(array, peer) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *pids(const struct service *service)
{
	_cleanup_(cleanup_json) json_t *array = json_array();

	for (size_t i = 0; i < service->n_pids; i++) {
		if (json_array_append_new(array, json_integer(service->pids[i])) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *one_service(const struct snapshot *s, const struct service *service)
{
	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
			 "s:o, s:o, s:o, s:o, s:o}",
			 "name", string(service->name),
			 "pids", pids(service),
			 "concurrency_model", concurrency_name(derive_concurrency(service)),
			 "workers", workers(service),
			 "requests", requests(s, service),
			 "latency_s", dist(&service->latency),
			 "queue_wait_s", dist(&service->queue_wait),
			 "service_time_s", dist(&service->service_time),
			 "per_request", per_request(service),
			 "parts_s", parts(service),
			 "overlapped_io_ns", integer(service->overlapped_io_ns),
			 "cpu_total_s", real(seconds(service->cpu_ns)),
			 "cpu_total_ns", integer(service->cpu_ns),
			 "cpu_observed_ns", integer(service->cpu_observed_ns),
			 "blocking", blocking(service),
			 "closure", real(derive_closure(service)),
			 "peers", peers(service),
			 "evidence", evidence(service),
			 "notes", strings(service->notes, service->n_notes));
}

static json_t *services(const struct snapshot *s)
{
	_cleanup_(cleanup_json) json_t *array = json_array();

	for (size_t i = 0; i < s->n_services; i++) {
		if (json_array_append_new(array, one_service(s, &s->services[i])) < 0)
			return NULL;
	}
	return TAKE(array);
}

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

static json_t *interval(const struct snapshot *s)
{
	return json_pack("{s:o, s:o, s:I, s:o}",
			 "start", timestamp(s->start_unix_ns),
			 "duration_s", real(seconds(s->duration_ns)),
			 "start_unix_ns", (json_int_t)s->start_unix_ns,
			 "duration_ns", integer(s->duration_ns));
}

static json_t *losses(const struct snapshot *s)
{
	_cleanup_(cleanup_json) json_t *object = json_object();

	for (enum loss i = 0; i < LOSS_COUNT; i++) {
		if (json_object_set_new(object, loss_name(i), integer(s->losses[i])) < 0)
			return NULL;
	}
	return TAKE(object);
}

static json_t *programs(const struct snapshot *s)
{
	_cleanup_(cleanup_json) json_t *array = json_array();

	for (size_t i = 0; i < s->n_programs; i++) {
		const struct program_cost *cost = &s->programs[i];
		json_t *program = json_pack("{s:o, s:o, s:o}",
					    "name", string(cost->name),
					    "runs", integer(cost->runs),
					    "run_ns", integer(cost->run_ns));

		if (json_array_append_new(array, program) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *document(const struct snapshot *s)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:{s:o}, s:{s:o, s:b, s:o}, s:o}",
			 "schema", "ioprof/1",
			 "interval", interval(s),
			 "services", services(s),
			 "losses", losses(s),
			 "quality",
			 "closure", real(derive_snapshot_closure(s)),
			 "overhead",
			 "probe_cpu_s", real(derive_probe_cpu_s(s)),
			 "known", (int)s->cost_known,
			 "programs", programs(s),
			 "notes", strings(s->notes, s->n_notes));
}

int report_json(FILE *out, const struct snapshot *s)
{
	_cleanup_(cleanup_json) json_t *json = document(s);

	/* Every figure is finite and every string valid UTF-8, so only memory can be short. */
	if (!json)
		return -ENOMEM;
	return json_write_line(out, json);
}
