/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/document_service.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/document.h"

static struct json_cursor member(const struct json_cursor *object, const char *name)
{
	return json_cursor_member(object, name);
}

/* n elements of an array, one at least, all zero. */
static void *allocate(const struct json_cursor *at, size_t n, size_t size)
{
	void *array = calloc(n ? n : 1, size);

	if (!array)
		json_cursor_out_of_memory(at);
	return array;
}

char *document_read_string(const struct json_cursor *object, const char *name)
{
	struct json_cursor at = member(object, name);
	char *copy = strdup(json_cursor_string(&at, DOCUMENT_STRING_MOST));

	if (!copy)
		json_cursor_out_of_memory(&at);
	return copy;
}

char *document_read_string_or_null(const struct json_cursor *object, const char *name)
{
	struct json_cursor at = member(object, name);

	return json_cursor_is_null(&at) ? NULL : document_read_string(object, name);
}

void document_read_strings(const struct json_cursor *object, const char *name,
			   int (*add)(void *ctx, const char *string), void *ctx)
{
	struct json_cursor array = member(object, name);
	size_t n = json_cursor_length(&array, DOCUMENT_LIST_MOST);

	for (size_t i = 0; i < n && json_cursor_sound(&array); i++) {
		struct json_cursor at = json_cursor_element(&array, i);
		const char *string = json_cursor_string(&at, DOCUMENT_STRING_MOST);

		if (json_cursor_sound(&at) && add(ctx, string) < 0)
			json_cursor_out_of_memory(&at);
	}
}

/* [index, count], the indices rising. Returns the count. */
static uint64_t read_bucket(const struct json_cursor *pair, struct dist *dist, int64_t least)
{
	struct json_cursor index = json_cursor_element(pair, 0);
	struct json_cursor count = json_cursor_element(pair, 1);
	int64_t i = json_cursor_integer(&index, least, IOP_BUCKET_COUNT - 1);
	uint64_t n = (uint64_t)json_cursor_integer(&count, 1, INT64_MAX);

	if (json_cursor_sound(pair) && dist_fill(dist, (unsigned int)i, n) < 0)
		json_cursor_out_of_memory(pair);
	return n;
}

void document_read_dist(const struct json_cursor *object, const char *name, struct dist *dist)
{
	struct json_cursor at = member(object, name), buckets = member(&at, "buckets");
	size_t n = json_cursor_length(&buckets, (size_t)IOP_BUCKET_COUNT);
	int64_t least = 0;
	uint64_t left;

	dist->count = left = json_cursor_count(&at, "count");
	dist->sum_ns = json_cursor_count(&at, "sum_ns");
	dist->max_ns = json_cursor_count(&at, "max_ns");
	for (size_t i = 0; i < n && json_cursor_sound(&at); i++) {
		struct json_cursor pair = json_cursor_element(&buckets, i);
		struct json_cursor index;
		uint64_t in_bucket;

		if (json_cursor_length(&pair, 2) != 2)
			json_cursor_fail(&pair, "is not [index, count]");
		in_bucket = read_bucket(&pair, dist, least);
		index = json_cursor_element(&pair, 0);
		least = json_cursor_integer(&index, 0, INT64_MAX) + 1;
		if (in_bucket > left)
			json_cursor_fail(&buckets, "holds more than count");
		left -= in_bucket;
	}
	if (left && json_cursor_sound(&at))
		json_cursor_fail(&buckets, "holds less than count");
}

static void read_blocked(const struct json_cursor *object, const char *name,
			 struct blocked *blocked)
{
	struct json_cursor at = member(object, name);

	blocked->count = json_cursor_count(&at, "count");
	blocked->sum_ns = json_cursor_count(&at, "sum_ns");
	blocked->max_ns = json_cursor_count(&at, "max_ns");
}

static void read_loads(const struct json_cursor *from, struct peer *peer)
{
	struct json_cursor array = member(from, "loads");
	size_t n = json_cursor_length(&array, IOP_IN_FLIGHT_BINS);
	int64_t least = 1;

	for (size_t i = 0; i < n && json_cursor_sound(&array); i++) {
		struct json_cursor row = json_cursor_element(&array, i);
		struct json_cursor at = json_cursor_element(&row, 0);
		struct json_cursor operations = json_cursor_element(&row, 1);
		struct json_cursor sum = json_cursor_element(&row, 2);
		int64_t in_flight = json_cursor_integer(&at, least, INT_MAX);
		unsigned int bin = in_flight_bin((unsigned int)in_flight);

		if (json_cursor_sound(&at) && in_flight_floor(bin) != (unsigned int)in_flight)
			json_cursor_fail(&at, "is not where a row begins");
		peer->loads[bin] = (struct peer_load){
			.operations = (uint64_t)json_cursor_integer(&operations, 0, INT64_MAX),
			.sum_ns = (uint64_t)json_cursor_integer(&sum, 0, INT64_MAX),
		};
		least = in_flight + 1;
	}
}

/* Not in documents of before they were counted. */
static void read_pauses(const struct json_cursor *from, struct service *service)
{
	const int64_t last = (int64_t)pause_floor(IOP_PAUSE_BINS - 1);
	struct json_cursor array;
	int64_t least = 0;
	size_t n;

	if (!json_cursor_has(from, "pauses"))
		return;
	array = member(from, "pauses");
	n = json_cursor_length(&array, IOP_PAUSE_BINS);
	for (size_t i = 0; i < n && json_cursor_sound(&array); i++) {
		struct json_cursor row = json_cursor_element(&array, i);
		struct json_cursor at = json_cursor_element(&row, 0);
		struct json_cursor requests = json_cursor_element(&row, 1);
		struct json_cursor sum = json_cursor_element(&row, 2);
		struct json_cursor cpu = json_cursor_element(&row, 3);
		struct json_cursor squares = json_cursor_element(&row, 4);
		int64_t floor_ns = json_cursor_integer(&at, least, last);
		unsigned int bin = pause_bin((uint64_t)floor_ns);

		if (json_cursor_sound(&at) && pause_floor(bin) != (uint64_t)floor_ns)
			json_cursor_fail(&at, "is not where a row begins");
		service->pauses[bin] = (struct pause){
			.requests = (uint64_t)json_cursor_integer(&requests, 0, INT64_MAX),
			.sum_ns = (uint64_t)json_cursor_integer(&sum, 0, INT64_MAX),
			.cpu_ns = (uint64_t)json_cursor_integer(&cpu, 0, INT64_MAX),
			.cpu_squares = json_cursor_real(&squares, 0),
		};
		least = floor_ns + 1;
	}
}

/* Only of services in Python, and not in documents of before they were taken. */
static void read_cpu_samples(const struct json_cursor *from, struct service *service)
{
	struct json_cursor samples;

	if (!json_cursor_has(from, "cpu_samples"))
		return;
	samples = member(from, "cpu_samples");
	for (enum code i = 0; i < CODE_COUNT; i++) {
		struct json_cursor n = member(&samples, code_name(i));

		service->cpu_samples[i] = (uint64_t)json_cursor_integer(&n, 0, INT64_MAX);
	}
}

static void read_peer(const struct json_cursor *from, struct service *service)
{
	struct json_cursor at = member(from, "address");
	const char *address = json_cursor_string(&at, DOCUMENT_STRING_MOST);
	struct peer *peer = json_cursor_sound(&at) ? service_add_peer(service, address) : NULL;

	if (!peer) {
		json_cursor_out_of_memory(&at);
		return;
	}
	peer->operations = json_cursor_count(from, "operations");
	peer->operations_outside = json_cursor_count(from, "operations_outside");
	if (json_cursor_has(from, "connections")) /* not before they were counted */
		peer->connections = json_cursor_count(from, "connections");
	document_read_dist(from, "wait_s", &peer->wait);
	read_loads(from, peer);
	read_blocked(from, "blocked", &peer->blocked);
}

static void read_peers(const struct json_cursor *from, struct service *service, size_t *peers_left)
{
	struct json_cursor array = member(from, "peers");
	size_t n = json_cursor_length(&array, *peers_left);

	for (size_t i = 0; i < n && json_cursor_sound(&array); i++) {
		struct json_cursor at = json_cursor_element(&array, i);

		read_peer(&at, service);
	}
	*peers_left -= n;
}

static void read_pids(const struct json_cursor *from, struct service *service)
{
	struct json_cursor array = member(from, "pids");
	size_t n = json_cursor_length(&array, DOCUMENT_PIDS_MOST);

	service->pids = allocate(&array, n, sizeof(*service->pids));
	for (size_t i = 0; i < n && json_cursor_sound(&array); i++) {
		struct json_cursor at = json_cursor_element(&array, i);

		service->pids[i] = (pid_t)json_cursor_integer(&at, 1, INT_MAX);
		service->n_pids++;
	}
}

/* Room for a thread's name. A byte that was not UTF-8 has become three and becomes one
 * again. */
static void read_lane_name(const struct json_cursor *from, char name[16])
{
	struct json_cursor at = member(from, "name");
	const char *in = json_cursor_string(&at, 45);
	size_t n = 0;

	while (*in && n < 15) {
		bool replaced = strncmp(in, "\xef\xbf\xbd", 3) == 0;

		name[n++] = replaced ? '\xff' : *in;
		in += replaced ? 3 : 1;
	}
	if (*in)
		json_cursor_fail(&at, "is too long");
}

static void read_lane(const struct json_cursor *from, struct lane *lane)
{
	struct json_cursor pid = member(from, "pid"), tid = member(from, "tid");

	lane->pid = (pid_t)json_cursor_integer(&pid, 0, INT_MAX);
	lane->tid = (pid_t)json_cursor_integer(&tid, 0, INT_MAX);
	lane->start_time = json_cursor_count(from, "start_time_ns");
	read_lane_name(from, lane->name);
	lane->loop = json_cursor_flag(from, "loop");
	lane->serving = json_cursor_flag(from, "serving");
	lane->cpu_ns = json_cursor_count(from, "cpu_ns");
	lane->run_queue_ns = json_cursor_count(from, "run_queue_ns");
	lane->wait_ns = json_cursor_count(from, "wait_ns");
	lane->idle_ns = json_cursor_count(from, "idle_ns");
}

static void read_lanes(const struct json_cursor *from, struct service *service)
{
	struct json_cursor array = member(from, "lanes");
	size_t n = json_cursor_length(&array, LANES_MOST);

	service->lanes_left_out = json_cursor_count(from, "lanes_left_out");
	service->lanes = allocate(&array, n, sizeof(*service->lanes));
	for (size_t i = 0; i < n && json_cursor_sound(&array); i++) {
		struct json_cursor at = json_cursor_element(&array, i);

		read_lane(&at, &service->lanes[i]);
		service->n_lanes++;
	}
}

static void read_requests(const struct json_cursor *from, struct requests *requests)
{
	struct json_cursor at = member(from, "requests");

	requests->completed = json_cursor_count(&at, "completed");
	requests->arrival_unknown = json_cursor_count(&at, "arrival_unknown");
	requests->at_attach = json_cursor_count(&at, "at_attach");
	requests->aborted = json_cursor_count(&at, "aborted");
	requests->operations = json_cursor_count(&at, "operations");
	requests->waits = json_cursor_count(&at, "waits");
	requests->parallel_ns = json_cursor_count(&at, "parallel_ns");
}

static void read_workers(const struct json_cursor *from, struct workers *workers)
{
	struct json_cursor at = member(from, "workers");

	workers->count = json_cursor_count32(&at, "count");
	workers->processes = json_cursor_count32(&at, "processes");
	workers->busy_ns = json_cursor_count(&at, "busy_ns");
	workers->wall_ns = json_cursor_count(&at, "wall_ns");
}

static void read_evidence(const struct json_cursor *from, struct evidence *evidence)
{
	struct json_cursor at = member(from, "evidence");

	evidence->opened_by_loop = json_cursor_count(&at, "opened_by_loop");
	evidence->opened_by_worker = json_cursor_count(&at, "opened_by_worker");
	evidence->handed_off = json_cursor_count(&at, "handed_off");
	evidence->pool_ns = json_cursor_count(&at, "pool_ns");
	evidence->own_ns = json_cursor_count(&at, "own_ns");
	evidence->processes_serving = json_cursor_count32(&at, "processes_serving");
	evidence->threads_serving = json_cursor_count32(&at, "threads_serving");
	evidence->loops = json_cursor_count32(&at, "loops");
	evidence->listens = json_cursor_flag(&at, "listens");
}

static void read_moments(const struct json_cursor *from, struct ratio_moments *moments)
{
	struct json_cursor blocking = member(from, "blocking");
	struct json_cursor at = member(&blocking, "moments");
	struct json_cursor xx = member(&at, "cpu_cpu_s2"), yy = member(&at, "wait_wait_s2");
	struct json_cursor xy = member(&at, "cpu_wait_s2");

	moments->xx = json_cursor_real(&xx, 0);
	moments->yy = json_cursor_real(&yy, 0);
	moments->xy = json_cursor_real(&xy, 0);
}

/* Not known is null there and 0 here. */
static uint64_t read_known(const struct json_cursor *object, const char *name)
{
	struct json_cursor at = member(object, name);

	return json_cursor_is_null(&at) ? 0 : (uint64_t)json_cursor_integer(&at, 1, INT64_MAX);
}

static double read_cpus(const struct json_cursor *object, const char *name)
{
	struct json_cursor at = member(object, name);
	double cpus = json_cursor_real(&at, 0);

	return isnan(cpus) ? 0 : cpus;
}

static int add_component(void *service, const char *name)
{
	return service_add_component(service, name);
}

/* Documents of before these were looked for do not say. */
static enum modules_seen read_modules_seen(const struct json_cursor *object)
{
	struct json_cursor at;
	const char *name;

	if (!json_cursor_has(object, "modules_seen"))
		return MODULES_NONE;
	at = member(object, "modules_seen");
	name = json_cursor_string(&at, DOCUMENT_STRING_MOST);
	for (enum modules_seen i = 0; i < MODULES_SEEN_COUNT; i++) {
		if (strcmp(name, modules_seen_name(i)) == 0)
			return i;
	}
	json_cursor_fail(&at, "is none of none, part, all");
	return MODULES_NONE;
}

/* Documents of before these were counted do not say. */
static uint32_t read_variables(const struct json_cursor *object)
{
	struct json_cursor at;

	if (!json_cursor_has(object, "environment_variables"))
		return 0;
	at = member(object, "environment_variables");
	return json_cursor_is_null(&at) ? 0 : (uint32_t)json_cursor_integer(&at, 1, UINT32_MAX);
}

/* The same. */
static uint64_t read_others(const struct json_cursor *object)
{
	return json_cursor_has(object, "other_cpu_ns") ? read_known(object, "other_cpu_ns") : 0;
}

static void read_surroundings(const struct json_cursor *from, struct service *service)
{
	struct json_cursor at = member(from, "surroundings");
	struct surroundings *on = &service->surroundings;

	on->cpus = read_cpus(&at, "cpus");
	on->host_cpus = read_cpus(&at, "host_cpus");
	on->quota_periods = json_cursor_count(&at, "quota_periods");
	on->quota_throttled = json_cursor_count(&at, "quota_throttled");
	on->throttled_ns = json_cursor_count(&at, "throttled_ns");
	on->other_cpu_ns = read_others(&at);
	on->process_bytes = read_known(&at, "process_bytes");
	on->shared_bytes = read_known(&at, "shared_bytes");
	on->thread_bytes = read_known(&at, "thread_bytes");
	on->memory_limit_bytes = read_known(&at, "memory_limit_bytes");
	on->memory_available_bytes = read_known(&at, "memory_available_bytes");
	on->backlog = json_cursor_count32(&at, "backlog");
	on->interpreter_lock = json_cursor_flag(&at, "interpreter_lock");
	document_read_strings(&at, "components", add_component, service);
	on->modules_seen = read_modules_seen(&at);
	on->environment_variables = read_variables(&at);
}

static void read_blocking(const struct json_cursor *from, struct service *service)
{
	struct json_cursor at = member(from, "blocked");

	for (enum part i = 0; i < PART_WAIT_COUNT; i++)
		read_blocked(&at, part_name(i), &service->blocked[i]);
	service->blocking_file = document_read_string_or_null(from, "blocking_file");
}

static int add_note(void *service, const char *note)
{
	return service_add_note(service, note);
}

void document_read_service(const struct json_cursor *from, struct service *service,
			   size_t *peers_left)
{
	struct json_cursor parts = member(from, "parts_s");

	service->name = document_read_string(from, "name");
	read_pids(from, service);
	read_requests(from, &service->requests);
	document_read_dist(from, "latency_s", &service->latency);
	document_read_dist(from, "queue_wait_s", &service->queue_wait);
	document_read_dist(from, "service_time_s", &service->service_time);
	for (enum part i = 0; i < PART_COUNT; i++)
		document_read_dist(&parts, part_name(i), &service->parts[i]);
	service->overlapped_io_ns = json_cursor_count(from, "overlapped_io_ns");
	read_pauses(from, service);
	read_cpu_samples(from, service);
	read_moments(from, &service->moments);
	service->cpu_ns = json_cursor_count(from, "cpu_total_ns");
	service->cpu_observed_ns = json_cursor_count(from, "cpu_observed_ns");
	if (json_cursor_has(from, "peer_cpu_ns"))
		service->peer_cpu_ns = json_cursor_count(from, "peer_cpu_ns");
	read_workers(from, &service->workers);
	read_evidence(from, &service->evidence);
	read_surroundings(from, service);
	read_blocking(from, service);
	read_peers(from, service, peers_left);
	document_read_traces(from, service);
	read_lanes(from, service);
	document_read_strings(from, "notes", add_note, service);
}
