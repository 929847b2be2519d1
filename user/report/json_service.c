/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/json_service.h"

#include "base/cleanup.h"
#include "model/derive.h"
#include "report/json_advice.h"
#include "report/json_traces.h"
#include "report/json_value.h"

#define NS_PER_S 1e9

static double seconds(uint64_t ns)
{
	return (double)ns / NS_PER_S;
}

/* From here on one key and its value per line. */
/* clang-format off */

/* The distributions of the parts, by name. */
static json_t *parts(const struct service *service)
{
	_cleanup_(json_value_freep) json_t *object = json_object();

	for (enum part i = 0; i < PART_COUNT; i++) {
		if (json_object_set_new(object, part_name(i), json_value_dist(&service->parts[i])) < 0)
			return NULL;
	}
	return TAKE(object);
}

static json_t *per_request_part(const struct service *service, enum part part)
{
	return json_value_per(seconds(service->parts[part].sum_ns), service->requests.completed);
}

static json_t *per_request_waits(const struct service *service)
{
	_cleanup_(json_value_freep) json_t *object = json_object();

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
			 "parallel_s", json_value_per(seconds(r->parallel_ns), r->completed),
			 "operations", json_value_per((double)r->operations, r->completed),
			 "waits", json_value_per((double)r->waits, r->completed));
}

static json_t *requests(const struct snapshot *s, const struct service *service)
{
	const struct requests *r = &service->requests;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "completed", json_value_integer(r->completed),
			 "rate_per_s", json_value_real(derive_rate_per_s(s, service)),
			 "in_flight_mean", json_value_real(derive_in_flight(s, service)),
			 "arrival_unknown", json_value_integer(r->arrival_unknown),
			 "at_attach", json_value_integer(r->at_attach),
			 "aborted", json_value_integer(r->aborted),
			 "operations", json_value_integer(r->operations),
			 "waits", json_value_integer(r->waits),
			 "parallel_ns", json_value_integer(r->parallel_ns));
}

static json_t *workers(const struct service *service)
{
	const struct workers *w = &service->workers;

	return json_pack("{s:o, s:o, s:o, s:o, s:o}",
			 "count", json_value_integer(w->count),
			 "processes", json_value_integer(w->processes),
			 "busy_fraction", json_value_real(derive_busy_fraction(service)),
			 "busy_ns", json_value_integer(w->busy_ns),
			 "wall_ns", json_value_integer(w->wall_ns));
}

static json_t *blocking(const struct service *service)
{
	const struct ratio_moments *m = &service->moments;
	struct blocking b;

	derive_blocking(service, &b);
	return json_pack("{s:o, s:o, s:[oo], s:o, s:{s:o, s:o, s:o}}",
			 "ratio", json_value_real(b.ratio),
			 "fraction", json_value_real(b.fraction),
			 "ci95", json_value_real(b.lo), json_value_real(b.hi),
			 "ratio_loose", json_value_real(b.ratio_loose),
			 "moments",
			 "cpu_cpu_s2", json_value_real(m->xx),
			 "wait_wait_s2", json_value_real(m->yy),
			 "cpu_wait_s2", json_value_real(m->xy));
}

static json_t *evidence(const struct service *service)
{
	const struct evidence *e = &service->evidence;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}",
			 "opened_by_loop", json_value_integer(e->opened_by_loop),
			 "opened_by_worker", json_value_integer(e->opened_by_worker),
			 "handed_off", json_value_integer(e->handed_off),
			 "pool_ns", json_value_integer(e->pool_ns),
			 "own_ns", json_value_integer(e->own_ns),
			 "processes_serving", json_value_integer(e->processes_serving),
			 "threads_serving", json_value_integer(e->threads_serving),
			 "loops", json_value_integer(e->loops),
			 "listens", (int)e->listens);
}

static json_t *blocked(const struct blocked *b)
{
	return json_pack("{s:o, s:o, s:o}",
			 "count", json_value_integer(b->count),
			 "sum_ns", json_value_integer(b->sum_ns),
			 "max_ns", json_value_integer(b->max_ns));
}

static json_t *blocked_by_class(const struct service *service)
{
	_cleanup_(json_value_freep) json_t *object = json_object();

	for (enum part i = 0; i < PART_WAIT_COUNT; i++) {
		if (json_object_set_new(object, part_name(i), blocked(&service->blocked[i])) < 0)
			return NULL;
	}
	return TAKE(object);
}

/* [[in flight at least, operations, sum_ns], ...] of the bins that are not empty. */
static json_t *loads(const struct peer *peer)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (unsigned int i = 0; i < IOP_IN_FLIGHT_BINS; i++) {
		const struct peer_load *load = &peer->loads[i];
		json_t *row;

		if (!load->operations && !load->sum_ns)
			continue;
		row = json_pack("[ooo]", json_value_integer(in_flight_floor(i)),
				json_value_integer(load->operations),
				json_value_integer(load->sum_ns));
		if (json_array_append_new(array, row) < 0)
			return NULL;
	}
	return TAKE(array);
}

/* By whose code; NULL, which leaves the member out, if there are none. */
static json_t *cpu_samples(const struct service *service)
{
	_cleanup_(json_value_freep) json_t *object = json_object();
	uint64_t n = 0;

	for (enum code i = 0; i < CODE_COUNT; i++) {
		n += service->cpu_samples[i];
		if (json_object_set_new(object, code_name(i),
					json_value_integer(service->cpu_samples[i])) < 0)
			return NULL;
	}
	return n ? TAKE(object) : NULL;
}

static bool pause_is_empty(const struct pause *p)
{
	/* What an earlier interval counted may have taken more CPU since. */
	return !p->requests && !p->sum_ns && !p->cpu_ns && !(p->cpu_squares > 0);
}

/* [[pause at least, requests, sum_ns, cpu_ns, squares], ...] of the bins that are not empty. */
static json_t *pauses(const struct service *service)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (unsigned int i = 0; i < IOP_PAUSE_BINS; i++) {
		const struct pause *pause = &service->pauses[i];
		json_t *row;

		if (pause_is_empty(pause))
			continue;
		row = json_pack("[ooooo]", json_value_integer(pause_floor(i)),
				json_value_integer(pause->requests),
				json_value_integer(pause->sum_ns),
				json_value_integer(pause->cpu_ns),
				json_value_real(pause->cpu_squares));
		if (json_array_append_new(array, row) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *peers(const struct service *service)
{
	uint64_t completed = service->requests.completed;
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (size_t i = 0; i < service->n_peers; i++) {
		const struct peer *p = &service->peers[i];
		json_t *peer = json_pack(
			"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			"address", json_value_string(p->address),
			"operations_per_request", json_value_per((double)p->operations, completed),
			"wait_s_per_request", json_value_per(seconds(p->wait.sum_ns), completed),
			"wait_s", json_value_dist(&p->wait),
			"operations", json_value_integer(p->operations),
			"operations_outside", json_value_integer(p->operations_outside),
			"connections", json_value_integer(p->connections),
			"loads", loads(p),
			"blocked", blocked(&p->blocked));

		if (json_array_append_new(array, peer) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *lanes(const struct service *service)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (size_t i = 0; i < service->n_lanes; i++) {
		const struct lane *l = &service->lanes[i];
		json_t *lane = json_pack("{s:i, s:i, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o}",
					 "pid", (int)l->pid,
					 "tid", (int)l->tid,
					 "start_time_ns", json_value_integer(l->start_time),
					 "name", json_value_string(l->name),
					 "loop", (int)l->loop,
					 "serving", (int)l->serving,
					 "cpu_ns", json_value_integer(l->cpu_ns),
					 "run_queue_ns", json_value_integer(l->run_queue_ns),
					 "wait_ns", json_value_integer(l->wait_ns),
					 "idle_ns", json_value_integer(l->idle_ns));

		if (json_array_append_new(array, lane) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *surroundings(const struct service *service)
{
	const struct surroundings *on = &service->surroundings;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:s, s:o}",
			 "cpus", on->cpus > 0 ? json_value_real(on->cpus) : json_null(),
			 "host_cpus", on->host_cpus > 0 ? json_value_real(on->host_cpus) : json_null(),
			 "quota_periods", json_value_integer(on->quota_periods),
			 "quota_throttled", json_value_integer(on->quota_throttled),
			 "throttled_ns", json_value_integer(on->throttled_ns),
			 "other_cpu_ns", json_value_known(on->other_cpu_ns),
			 "process_bytes", json_value_known(on->process_bytes),
			 "shared_bytes", json_value_known(on->shared_bytes),
			 "thread_bytes", json_value_known(on->thread_bytes),
			 "memory_limit_bytes", json_value_known(on->memory_limit_bytes),
			 "memory_available_bytes", json_value_known(on->memory_available_bytes),
			 "backlog", json_value_integer(on->backlog),
			 "interpreter_lock", (int)on->interpreter_lock,
			 "components", json_value_strings(on->components, on->n_components),
			 "modules_seen", modules_seen_name(on->modules_seen),
			 "environment_variables",
			 json_value_known(on->environment_variables));
}

static json_t *pids(const struct service *service)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (size_t i = 0; i < service->n_pids; i++) {
		if (json_array_append_new(array, json_integer(service->pids[i])) < 0)
			return NULL;
	}
	return TAKE(array);
}

/* null when none is asked for. */
static json_t *advice(const struct snapshot *s, const struct service *service,
		      const struct advice_opts *opts)
{
	_cleanup_(advice_freep) struct advice *advice = NULL;
	int r;

	if (!opts)
		return json_null();
	r = advice_service(s, (size_t)(service - s->services), opts, &advice);
	return r < 0 ? NULL : json_advice(advice);
}

json_t *json_service(const struct snapshot *s, const struct service *service,
		     const struct json_opts *opts)
{
	bool no_traces = opts && opts->no_traces;

	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o*, s:o, s:o, "
			 "s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "name", json_value_string(service->name),
			 "pids", pids(service),
			 "concurrency_model", concurrency_name(derive_concurrency(service)),
			 "workers", workers(service),
			 "requests", requests(s, service),
			 "latency_s", json_value_dist(&service->latency),
			 "queue_wait_s", json_value_dist(&service->queue_wait),
			 "service_time_s", json_value_dist(&service->service_time),
			 "per_request", per_request(service),
			 "parts_s", parts(service),
			 "overlapped_io_ns", json_value_integer(service->overlapped_io_ns),
			 "pauses", pauses(service),
			 "cpu_samples", cpu_samples(service),
			 "cpu_total_s", json_value_seconds(service->cpu_ns),
			 "cpu_total_ns", json_value_integer(service->cpu_ns),
			 "cpu_observed_ns", json_value_integer(service->cpu_observed_ns),
			 "peer_cpu_ns", json_value_integer(service->peer_cpu_ns),
			 "blocking", blocking(service),
			 "closure", json_value_real(derive_closure(service)),
			 "peers", peers(service),
			 "evidence", evidence(service),
			 "surroundings", surroundings(service),
			 "blocked", blocked_by_class(service),
			 "blocking_file", json_value_string_or_null(service->blocking_file),
			 "lanes", lanes(service),
			 "lanes_left_out", json_value_integer(service->lanes_left_out),
			 "traces", json_traces(no_traces ? NULL : &service->traces),
			 "advice", advice(s, service, opts ? opts->advice : NULL),
			 "notes", json_value_strings(service->notes, service->n_notes));
}
