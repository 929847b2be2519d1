/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/metrics.h"

#include <math.h>
#include <stdbool.h>

#include "model/derive.h"

#define FIRST_BOUND_BIT 14

uint64_t metric_bound_ns(unsigned int i)
{
	return (1ull << (FIRST_BOUND_BIT + i)) - 1;
}

uint64_t metric_count_within(const struct dist *d, unsigned int i)
{
	unsigned int end =
		i < METRIC_BOUNDS ? bucket_index(metric_bound_ns(i)) + 1 : IOP_BUCKET_COUNT;
	uint64_t n = 0;

	for (unsigned int k = 0; k < end; k++)
		n += dist_bucket(d, k);
	return n;
}

/* ---- samples ---- */

static struct metric_sample sample_of(const struct service *service)
{
	return (struct metric_sample){
		.labels = {{"service", service->name ? service->name : ""}},
		.n_labels = 1,
	};
}

static int emit_count(const struct service *service, uint64_t count, metric_sample_fn emit,
		      void *ctx)
{
	struct metric_sample sample = sample_of(service);

	sample.count = count;
	return emit(ctx, &sample);
}

static int emit_dist(const struct service *service, const struct dist *dist, metric_sample_fn emit,
		     void *ctx)
{
	struct metric_sample sample = sample_of(service);

	sample.dist = dist;
	return emit(ctx, &sample);
}

static struct metric_sample labelled(const struct service *service, const char *name,
				     const char *value)
{
	struct metric_sample sample = sample_of(service);

	sample.labels[sample.n_labels++] = (struct metric_label){name, value};
	return sample;
}

static int emit_labelled(const struct service *service, const char *name, const char *value,
			 uint64_t count, metric_sample_fn emit, void *ctx)
{
	struct metric_sample sample = labelled(service, name, value);

	sample.count = count;
	return emit(ctx, &sample);
}

/* A function that emits one number, or one distribution, of a service. */
#define COUNT_OF(name, expression)                                                       \
	static int name(const struct service *service, metric_sample_fn emit, void *ctx) \
	{                                                                                \
		return emit_count(service, expression, emit, ctx);                       \
	}
#define DIST_OF(name, member)                                                            \
	static int name(const struct service *service, metric_sample_fn emit, void *ctx) \
	{                                                                                \
		return emit_dist(service, &service->member, emit, ctx);                  \
	}

COUNT_OF(requests, service->requests.completed)
COUNT_OF(requests_aborted, service->requests.aborted)
COUNT_OF(requests_arrival_unknown, service->requests.arrival_unknown)
COUNT_OF(requests_at_attach, service->requests.at_attach)
COUNT_OF(request_operations, service->requests.operations)
COUNT_OF(request_waits, service->requests.waits)
COUNT_OF(request_parallel, service->requests.parallel_ns)
COUNT_OF(request_overlapped_io, service->overlapped_io_ns)
COUNT_OF(cpu, service->cpu_ns)
COUNT_OF(worker_busy, service->workers.busy_ns)
COUNT_OF(worker_observed, service->workers.wall_ns)
COUNT_OF(workers, service->workers.count)
COUNT_OF(processes, service->n_pids)
COUNT_OF(event_loops, service->evidence.loops)
COUNT_OF(throttled, service->surroundings.throttled_ns)
DIST_OF(request_duration, latency)
DIST_OF(request_queue_wait, queue_wait)
DIST_OF(request_service_time, service_time)

static int request_time(const struct service *service, metric_sample_fn emit, void *ctx)
{
	int r = 0;

	for (enum part i = 0; i < PART_COUNT && r == 0; i++)
		r = emit_labelled(service, "part", part_name(i), service->parts[i].sum_ns, emit,
				  ctx);
	return r;
}

/* The numerator of the blocking ratio, as in derive_blocking(). */
static int request_overlappable(const struct service *service, metric_sample_fn emit, void *ctx)
{
	const struct dist *parts = service->parts;

	return emit_count(service,
			  parts[PART_NETWORK].sum_ns + parts[PART_SLEEP].sum_ns +
				  parts[PART_CHILD].sum_ns + service->overlapped_io_ns,
			  emit, ctx);
}

static int request_moments(const struct service *service, metric_sample_fn emit, void *ctx)
{
	const struct {
		const char *name;
		double value;
	} moments[] = {
		{"cpu_cpu", service->moments.xx},
		{"wait_wait", service->moments.yy},
		{"cpu_wait", service->moments.xy},
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]) && r == 0; i++) {
		struct metric_sample sample = labelled(service, "of", moments[i].name);

		sample.real = moments[i].value;
		r = emit(ctx, &sample);
	}
	return r;
}

static int emit_blocked(const struct service *service, bool time, metric_sample_fn emit, void *ctx)
{
	int r = 0;

	for (enum part i = 0; i < PART_WAIT_COUNT && r == 0; i++) {
		const struct blocked *b = &service->blocked[i];

		r = emit_labelled(service, "class", part_name(i), time ? b->sum_ns : b->count, emit,
				  ctx);
	}
	return r;
}

static int loop_blocks(const struct service *service, metric_sample_fn emit, void *ctx)
{
	return emit_blocked(service, false, emit, ctx);
}

static int loop_blocked(const struct service *service, metric_sample_fn emit, void *ctx)
{
	return emit_blocked(service, true, emit, ctx);
}

#define PEERS_OF(name, expression)                                                                \
	static int name(const struct service *service, metric_sample_fn emit, void *ctx)          \
	{                                                                                         \
		int r = 0;                                                                        \
                                                                                                  \
		for (size_t i = 0; i < service->n_peers && r == 0; i++) {                         \
			const struct peer *peer = &service->peers[i];                             \
                                                                                                  \
			r = emit_labelled(service, "peer", peer->address, expression, emit, ctx); \
		}                                                                                 \
		return r;                                                                         \
	}

PEERS_OF(peer_operations, peer->operations)
PEERS_OF(peer_operations_outside, peer->operations_outside)
PEERS_OF(peer_connections, peer->connections)
PEERS_OF(peer_wait, peer->wait.sum_ns)

static int service_cpus(const struct service *service, metric_sample_fn emit, void *ctx)
{
	struct metric_sample sample = sample_of(service);

	sample.real = service->surroundings.cpus;
	return sample.real > 0 ? emit(ctx, &sample) : 0;
}

static int service_info(const struct service *service, metric_sample_fn emit, void *ctx)
{
	return emit_labelled(service, "concurrency", concurrency_name(derive_concurrency(service)),
			     1, emit, ctx);
}

/* ---- of the snapshot as a whole ---- */

static int emit_one(const char *label, const char *value, uint64_t count, metric_sample_fn emit,
		    void *ctx)
{
	const struct metric_sample sample = {
		.labels = {{label, value}}, .n_labels = label ? 1 : 0, .count = count};

	return emit(ctx, &sample);
}

static int observed(const struct metrics_source *source, metric_sample_fn emit, void *ctx)
{
	return emit_one(NULL, NULL, source->s->duration_ns, emit, ctx);
}

static int sampled(const struct metrics_source *source, metric_sample_fn emit, void *ctx)
{
	return emit_one(NULL, NULL, source->s->sampled_ns, emit, ctx);
}

static int lost(const struct metrics_source *source, metric_sample_fn emit, void *ctx)
{
	int r = 0;

	for (enum loss i = 0; i < LOSS_COUNT && r == 0; i++)
		r = emit_one("cause", loss_name(i), source->s->losses[i], emit, ctx);
	return r;
}

static int probe_cpu(const struct metrics_source *source, metric_sample_fn emit, void *ctx)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < source->s->n_programs; i++)
		ns += source->s->programs[i].run_ns;
	return source->s->cost_known ? emit_one(NULL, NULL, ns, emit, ctx) : 0;
}

static int emit_outputs(const struct metrics_source *source, bool dropped, metric_sample_fn emit,
			void *ctx)
{
	int r = 0;

	for (size_t i = 0; i < source->n_outputs && r == 0; i++) {
		const struct output_count *output = &source->outputs[i];

		r = emit_one("output", output->name, dropped ? output->dropped : output->sent, emit,
			     ctx);
	}
	return r;
}

static int output_sent(const struct metrics_source *source, metric_sample_fn emit, void *ctx)
{
	return emit_outputs(source, false, emit, ctx);
}

static int output_dropped(const struct metrics_source *source, metric_sample_fn emit, void *ctx)
{
	return emit_outputs(source, true, emit, ctx);
}

static int verdict(const struct metrics_source *source, metric_sample_fn emit, void *ctx)
{
	int r = 0;

	for (size_t i = 0; i < source->n_advice && r == 0; i++) {
		const struct service_advice *of = &source->advice[i];
		const struct metric_sample sample = {
			.labels = {{"service", of->service},
				   {"verdict", verdict_name(of->advice->verdict)}},
			.n_labels = 2,
			.count = 1,
		};

		r = emit(ctx, &sample);
	}
	return r;
}

/* One of the gains with its bounds; what cannot be had is not there. */
static int emit_gain(const char *service, const char *name, const struct interval *gain,
		     metric_sample_fn emit, void *ctx)
{
	const struct {
		const char *bound;
		double value;
	} bounds[] = {{"estimate", gain->estimate}, {"lower", gain->lo}, {"upper", gain->hi}};
	int r = 0;

	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]) && r == 0; i++) {
		const struct metric_sample sample = {
			.labels = {{"service", service},
				   {"gain", name},
				   {"bound", bounds[i].bound}},
			.n_labels = 3,
			.real = bounds[i].value,
		};

		r = isfinite(bounds[i].value) ? emit(ctx, &sample) : 0;
	}
	return r;
}

static int gains(const struct metrics_source *source, metric_sample_fn emit, void *ctx)
{
	int r = 0;

	for (size_t i = 0; i < source->n_advice && r == 0; i++) {
		const char *service = source->advice[i].service;
		const struct advice *advice = source->advice[i].advice;

		r = emit_gain(service, "async_over_now", &advice->async_over_now, emit, ctx);
		if (r == 0)
			r = emit_gain(service, "tuned_over_now", &advice->tuned_over_now, emit,
				      ctx);
		if (r == 0)
			r = emit_gain(service, "async_over_tuned", &advice->async_over_tuned, emit,
				      ctx);
	}
	return r;
}

static int build(const struct metrics_source *source, metric_sample_fn emit, void *ctx)
{
	return emit_one("version", source->version, 1, emit, ctx);
}

/* ---- the table ---- */

#define COUNTER METRIC_COUNTER, METRIC_NO_UNIT, METRIC_TYPE_COUNT
#define COUNTER_NS METRIC_COUNTER, METRIC_SECONDS, METRIC_TYPE_NS
#define GAUGE METRIC_GAUGE, METRIC_NO_UNIT, METRIC_TYPE_COUNT
#define HISTOGRAM METRIC_HISTOGRAM, METRIC_SECONDS, METRIC_TYPE_DIST
#define INFO METRIC_INFO, METRIC_NO_UNIT, METRIC_TYPE_COUNT

/* clang-format off */
const struct metric metrics[] = {
	{"requests", "Requests whose response was handed to the kernel.", COUNTER, requests, NULL},
	{"requests_aborted", "Requests given up: the connection or the worker ended before a response.", COUNTER, requests_aborted, NULL},
	{"requests_arrival_unknown", "Requests not seen to arrive: not in request_duration and request_queue_wait.", COUNTER, requests_arrival_unknown, NULL},
	{"requests_at_attach", "Responses to requests that were being worked on at attach: in no other metric.", COUNTER, requests_at_attach, NULL},
	{"request_duration", "Arrival of a request to the end of its response.", HISTOGRAM, request_duration, NULL},
	{"request_queue_wait", "Arrival of a request until it was read: nobody was free.", HISTOGRAM, request_queue_wait, NULL},
	{"request_service_time", "First read of a request to the end of its response.", HISTOGRAM, request_service_time, NULL},
	{"request_time", "Where the service time of requests went, by part.", COUNTER_NS, request_time, NULL},
	{"request_parallel", "Time that is in several parts, because threads worked on a request side by side.", COUNTER_NS, request_parallel, NULL},
	{"request_overlapped_io", "Of the overlapped part: an operation with a peer was outstanding.", COUNTER_NS, request_overlapped_io, NULL},
	{"request_overlappable", "Waits that other requests could have used: over request_time of part cpu, the blocking ratio.", COUNTER_NS, request_overlappable, NULL},
	{"request_moments", "Sums of products of CPU and overlappable wait of each request, for the interval of the blocking ratio.", METRIC_COUNTER, METRIC_SECONDS_SQUARED, METRIC_TYPE_REAL, request_moments, NULL},
	{"request_operations", "Turns with peers within requests.", COUNTER, request_operations, NULL},
	{"request_waits", "How often requests blocked.", COUNTER, request_waits, NULL},
	{"cpu", "CPU of all threads of the service, by the scheduler's account.", COUNTER_NS, cpu, NULL},
	{"cpu_throttled", "Time lost to the CPU quota of the service's control groups.", COUNTER_NS, throttled, NULL},
	{"service_cpus", "Processors the service can use at most.", METRIC_GAUGE, METRIC_NO_UNIT, METRIC_TYPE_REAL, service_cpus, NULL},
	{"workers", "Threads that can take a request.", GAUGE, workers, NULL},
	{"worker_busy", "Time of workers not spent waiting for work: over worker_observed, how busy they are.", COUNTER_NS, worker_busy, NULL},
	{"worker_observed", "Time of workers in all.", COUNTER_NS, worker_observed, NULL},
	{"service_processes", "Processes of the service.", GAUGE, processes, NULL},
	{"event_loops", "Threads proven to be event loops.", GAUGE, event_loops, NULL},
	{"loop_blocks", "Calls that stopped an event loop, by class of wait.", COUNTER, loop_blocks, NULL},
	{"loop_blocked", "How long calls stopped an event loop, by class of wait.", COUNTER_NS, loop_blocked, NULL},
	{"peer_operations", "Turns with a peer within requests.", COUNTER, peer_operations, NULL},
	{"peer_operations_outside", "Turns with a peer outside any request.", COUNTER, peer_operations_outside, NULL},
	{"peer_connections", "Turns with a peer within requests that were the first of a connection opened.", COUNTER, peer_connections, NULL},
	{"peer_wait", "Time requests waited for a peer.", COUNTER_NS, peer_wait, NULL},
	{"service", "What the service is: its concurrency model.", INFO, service_info, NULL},
	{"verdict", "What the advisor makes of the service: docs/method.md.", INFO, NULL, verdict},
	{"gain", "Throughput after over before a change, 90 % interval: async, or the best number of workers.", METRIC_GAUGE, METRIC_RATIO, METRIC_TYPE_REAL, NULL, gains},
	{"observed", "Time observed.", COUNTER_NS, NULL, observed},
	{"sampled", "Of that, time in which requests were measured: if less, counts and sums are estimates from these.", COUNTER_NS, NULL, sampled},
	{"losses", "What could not be observed, by cause: it is missing from the other metrics.", COUNTER, NULL, lost},
	{"probe_cpu", "CPU all probes took.", COUNTER_NS, NULL, probe_cpu},
	{"output_sent", "Documents an output took.", COUNTER, NULL, output_sent},
	{"output_dropped", "Documents an output did not take.", COUNTER, NULL, output_dropped},
	{"build", "The version of ioprof.", INFO, NULL, build},
};
/* clang-format on */

const size_t n_metrics = sizeof(metrics) / sizeof(metrics[0]);
