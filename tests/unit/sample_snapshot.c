/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample_snapshot.h"

#include <stdlib.h>
#include <string.h>

#define PEER "10.0.0.7:8080"
#define RESPONSE_NS 20000 /* of CPU that each request takes outside itself */

static void *must(void *pointer)
{
	if (!pointer)
		abort();
	return pointer;
}

static void add_trace_sums(struct service *service, const struct trace *trace)
{
	uint64_t parts[PART_COUNT] = {0}, wall = 0;
	double cpu, wait;

	for (size_t i = 0; i < trace->n_segments; i++) {
		const struct trace_segment *s = &trace->segments[i];

		parts[s->part] += s->ns;
		wall += s->ns;
		if (s->part == PART_NETWORK) {
			dist_add(&service->peers[0].wait, s->ns);
			service->peers[0].operations++;
			service->requests.operations++;
			service->requests.waits++;
		}
	}
	for (int i = 0; i < PART_COUNT; i++)
		dist_add(&service->parts[i], parts[i]);
	dist_add(&service->service_time, wall);
	dist_add(&service->queue_wait, 0);
	dist_add(&service->latency, wall);
	cpu = (double)parts[PART_CPU] / 1e9;
	wait = (double)(parts[PART_NETWORK] + parts[PART_SLEEP]) / 1e9;
	service->moments.xx += cpu * cpu;
	service->moments.yy += wait * wait;
	service->moments.xy += cpu * wait;
	service->requests.completed++;
}

static void add_traces(struct service *service, const struct evidence_sample *e)
{
	service->traces.limit = TRACE_KEYS;
	for (size_t i = 0; i < e->n_traces; i++) {
		struct trace trace = e->traces[i];

		trace.key = (uint32_t)i * 2654435761u;
		trace.queue_wait_ns = TRACE_NOT_KNOWN;
		add_trace_sums(service, &trace);
		if (traces_add(&service->traces, &trace, 0, NULL) < 0)
			abort();
	}
}

static void add_surroundings(struct service *service, const struct sample_model *m, uint64_t ns)
{
	service->workers = (struct workers){
		.count = m->workers,
		.processes = m->workers,
		.busy_ns = m->workers * ns / 10 * 9,
		.wall_ns = m->workers * ns,
	};
	service->evidence = (struct evidence){
		.opened_by_worker = service->requests.completed,
		.own_ns = service->service_time.sum_ns,
		.processes_serving = m->workers,
		.threads_serving = m->workers,
		.listens = true,
	};
	service->surroundings = (struct surroundings){
		.cpus = m->cpus,
		.host_cpus = m->cpus,
		.process_bytes = 60000000,
		.memory_available_bytes = 4000000000,
	};
	if (service_add_component(service, "cpython") < 0)
		abort();
}

struct snapshot *sample_snapshot(const struct sample_model *m)
{
	struct snapshot *s = must(snapshot_new(1));
	struct evidence_sample e = sample_service(m);
	struct service *service = &s->services[0];

	s->start_unix_ns = 1795372757123456789;
	s->duration_ns = s->sampled_ns = (uint64_t)(m->duration_s * 1e9);
	service->name = must(strdup("gunicorn"));
	service->pids = must(calloc(1, sizeof(*service->pids)));
	service->pids[0] = 4711;
	service->n_pids = 1;
	(void)must(service_add_peer(service, PEER));
	sample_loads(m, service->peers[0].loads);
	add_traces(service, &e);
	service->cpu_ns =
		service->parts[PART_CPU].sum_ns + RESPONSE_NS * service->requests.completed;
	service->cpu_observed_ns = service->cpu_ns;
	add_surroundings(service, m, s->duration_ns);
	sample_free(&e);
	return s;
}
