/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: what latency would these requests have on another server model, at this load?
 *
 * Method: sampled requests are replayed, step by step, on simulated processes that share simulated
 * cores. What is simulated is what changed a result when it was left out (model.md 2.5): sharing of
 * the run queue, completions seen only at the next poll, greedy accept, where connections land,
 * pools per process, steps that block a loop, the quota. Peers' queueing is simulated, so traces
 * must hold service times only, or it counts twice.
 *
 * Not simulated: caches and the cost of a cold one, priorities, cores of different speed, network.
 *
 * Cost: one event per burst and per wait, and one per 3 ms of a long burst; each O(log pending).
 *
 * Reference: the abstraction is that of the research prototype; for event lists and the analysis of
 * output, Law, Simulation Modeling and Analysis, 5th ed., chapters 1 and 9.
 */
#include "advise/des.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "advise/des_sim.h"
#include "base/cleanup.h"

#define DEFAULT_QUANTUM_S 3e-3
#define DEFAULT_PERIOD_S 0.1
#define LOOP_ACCEPTS 100   /* asyncio, backlog of a listener: model.md 2.3 */
#define GIL_QUANTUM_S 5e-3 /* sys.getswitchinterval() */
#define GIL_HAND_OVER_S 5e-6
#define CLIENTS_START_S 0.01 /* closed clients begin within this */

static const struct des_server plain_worker = {
	.processes = 1,
	.max_in_flight = 1,
	.accept_batch = 1,
	.local_quantum_s = INFINITY,
	.cpu_factor = 1,
};

struct des_server des_server_workers(uint32_t processes)
{
	struct des_server server = plain_worker;

	server.processes = processes;
	return server;
}

struct des_server des_server_gil_threads(uint32_t processes, uint32_t threads)
{
	struct des_server server = des_server_workers(processes);

	server.max_in_flight = threads;
	server.local_quantum_s = GIL_QUANTUM_S;
	server.hand_over_s = GIL_HAND_OVER_S;
	return server;
}

struct des_server des_server_loops(uint32_t processes)
{
	struct des_server server = des_server_workers(processes);

	server.max_in_flight = UINT32_MAX;
	server.accept_batch = LOOP_ACCEPTS;
	return server;
}

/* ---- set up ---- */

static bool sticky(const struct des_server *s)
{
	return s->placement == DES_STICKY_HASH || s->placement == DES_STICKY_EVEN;
}

static size_t count_processes(const struct des_scenario *s)
{
	size_t n = s->server.processes;

	for (size_t i = 0; i < s->machine.n_services; i++)
		n += s->machine.services[i];
	return n;
}

static int allocate(struct sim *sim)
{
	const struct des_scenario *s = sim->scenario;
	size_t n = count_processes(s);

	sim->n_server_listeners = sticky(&s->server) ? s->server.processes : 1;
	sim->processes = calloc(n, sizeof(*sim->processes));
	sim->idle_slots = calloc(n, sizeof(struct process *));
	sim->listeners =
		calloc(sim->n_server_listeners + s->machine.n_services, sizeof(*sim->listeners));
	sim->pools = calloc(s->server.processes, sizeof(*sim->pools));
	sim->peers = calloc(s->machine.n_peers + 1, sizeof(*sim->peers));
	sim->assigned = calloc((size_t)s->load.clients + 1, sizeof(*sim->assigned));
	sim->latencies = calloc(s->requests, sizeof(*sim->latencies));
	if (!sim->processes || !sim->idle_slots || !sim->listeners || !sim->pools || !sim->peers ||
	    !sim->assigned || !sim->latencies)
		return -ENOMEM;
	return 0;
}

/* n processes of one listener, idle; *next counts those laid out so far. */
static void lay_processes(struct sim *sim, struct listener *l, const struct des_server *server,
			  size_t n, size_t *next)
{
	l->placement = server->placement;
	l->idle = &sim->idle_slots[*next];
	for (size_t i = 0; i < n; i++) {
		struct process *p = &sim->processes[(*next)++];

		p->server = server;
		p->listener = l;
		process_go_idle(p);
	}
}

static void lay_server(struct sim *sim, size_t *next)
{
	const struct des_server *server = &sim->scenario->server;
	size_t each = server->processes / sim->n_server_listeners;

	for (size_t i = 0; i < sim->n_server_listeners; i++)
		lay_processes(sim, &sim->listeners[i], server, each, next);
	for (size_t i = 0; i < server->processes; i++) {
		struct process *p = &sim->processes[i];

		sim->pools[i] = (struct pool){.limited = server->pool > 0, .free = server->pool};
		p->pool = &sim->pools[server->pool_shared ? 0 : i];
		p->ours = true;
		p->offload.servers = server->offload_threads;
	}
}

static void lay_out(struct sim *sim)
{
	const struct des_scenario *s = sim->scenario;
	const struct des_machine *m = &s->machine;
	size_t next = 0;

	prng_seed(&sim->prng, s->seed);
	sim->free_cores = m->cores;
	sim->quantum_s = m->quantum_s > 0 ? m->quantum_s : DEFAULT_QUANTUM_S;
	sim->period_s = m->period_s > 0 ? m->period_s : DEFAULT_PERIOD_S;
	sim->budget_s = m->quota_s;
	for (size_t i = 0; i < m->n_peers; i++)
		sim->peers[i].servers = m->peers[i];
	lay_server(sim, &next);
	for (size_t i = 0; i < m->n_services; i++) {
		struct listener *l = &sim->listeners[sim->n_server_listeners + i];

		lay_processes(sim, l, &plain_worker, m->services[i], &next);
		l->placement = DES_FIFO;
	}
}

/* ---- load ---- */

void sim_schedule(struct sim *sim, double delay_s, enum event_kind kind, void *subject,
		  uint32_t number)
{
	struct event event = {
		.at_s = sim->now_s + delay_s,
		.kind = (int)kind,
		.number = number,
		.subject = subject,
	};
	int r = event_queue_add(&sim->events, event);

	if (r < 0)
		sim->error = r;
}

/* The next arrival of the open load. */
static void schedule_arrival(struct sim *sim)
{
	double gap_s = prng_exponential(&sim->prng, 1 / sim->scenario->load.rate_per_s);

	sim_schedule(sim, gap_s, EVENT_ARRIVAL, NULL, OPEN_CLIENT);
}

static void start_load(struct sim *sim)
{
	const struct des_scenario *s = sim->scenario;
	uint32_t processes = s->server.processes;

	for (uint32_t c = 0; c < s->load.clients; c++) {
		sim->assigned[c] = s->server.placement == DES_STICKY_EVEN
					   ? c % processes
					   : (uint32_t)prng_below(&sim->prng, processes);
		sim_schedule(sim, CLIENTS_START_S * prng_uniform(&sim->prng), EVENT_ARRIVAL, NULL,
			     c);
	}
	if (s->load.clients == 0)
		schedule_arrival(sim);
	if (s->machine.quota_s > 0)
		sim_schedule(sim, sim->period_s, EVENT_REFILL, NULL, 0);
}

static struct listener *target(struct sim *sim, uint32_t client)
{
	const struct des_server *server = &sim->scenario->server;

	if (!sticky(server))
		return &sim->listeners[0];
	if (client == OPEN_CLIENT)
		return &sim->listeners[prng_below(&sim->prng, server->processes)];
	return &sim->listeners[sim->assigned[client]];
}

static void arrive(struct sim *sim, uint32_t client)
{
	const struct des_scenario *s = sim->scenario;
	const struct des_trace *t = &s->traces[prng_below(&sim->prng, s->n_traces)];
	struct request *r = request_new(sim, ROLE_ROOT, NULL), *front;

	if (client == OPEN_CLIENT)
		schedule_arrival(sim);
	if (!r)
		return;
	r->steps = t->steps;
	r->n_steps = t->n_steps;
	r->client = client;
	r->target = target(sim, client);
	if (!(s->server.front_s > 0)) {
		listener_push(sim, r->target, r);
		return;
	}
	front = request_new(sim, ROLE_FRONT, r);
	if (!front)
		return;
	front->own = (struct des_step){.kind = DES_CPU, .s = s->server.front_s};
	listener_push(sim, &sim->listeners[sim->n_server_listeners + s->server.front_service],
		      front);
}

/* ---- results ---- */

bool sim_measures(const struct sim *sim)
{
	return sim->finished >= sim->scenario->warmup;
}

static void start_measuring(struct sim *sim)
{
	sim->measured_from_s = sim->now_s;
	sim->busy_before_s = sim->busy_s;
}

void sim_finish(struct sim *sim, const struct request *r)
{
	struct des_result *result = &sim->result;
	double responded_s = r->responded_s > 0 ? r->responded_s : sim->now_s;

	if (sim_measures(sim) && result->completed < sim->scenario->requests) {
		sim->latencies[result->completed++] = responded_s - r->arrival_s;
		result->mean_s += responded_s - r->arrival_s;
	}
	if (++sim->finished == sim->scenario->warmup)
		start_measuring(sim);
	if (r->client != OPEN_CLIENT)
		sim_schedule(sim, sim->scenario->load.think_s, EVENT_ARRIVAL, NULL, r->client);
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* Of n > 0 sorted values, interpolated linearly. */
static double quantile(const double *sorted, uint64_t n, double q)
{
	double place = (double)(n - 1) * q;
	uint64_t i = (uint64_t)place;
	double next = sorted[i + 1 < n ? i + 1 : i];

	return sorted[i] + (next - sorted[i]) * (place - (double)i);
}

static int conclude(struct sim *sim)
{
	struct des_result *result = &sim->result;
	double elapsed_s = sim->now_s - sim->measured_from_s;
	uint64_t n = result->completed;

	if (n == 0 || !(elapsed_s > 0))
		return -ENODATA;
	qsort(sim->latencies, n, sizeof(*sim->latencies), compare);
	result->whole = n == sim->scenario->requests;
	result->per_s = (double)n / elapsed_s;
	result->mean_s /= (double)n;
	result->p50_s = quantile(sim->latencies, n, .5);
	result->p90_s = quantile(sim->latencies, n, .9);
	result->p99_s = quantile(sim->latencies, n, .99);
	result->utilisation =
		(sim->busy_s - sim->busy_before_s) / elapsed_s / sim->scenario->machine.cores;
	result->lag_p99_s = dist_quantile_s(&sim->lag, .99);
	return 0;
}

/* ---- the run ---- */

static void handle(struct sim *sim, const struct event *event)
{
	struct request *request = event->subject;

	switch ((enum event_kind)event->kind) {
	case EVENT_SLICE:
		process_slice_ends(sim, event->subject);
		break;
	case EVENT_STATION:
		station_served(sim, request);
		break;
	case EVENT_RESUME:
		request_resume(sim, request, 0);
		break;
	case EVENT_UNBLOCK:
		process_unblock(sim, request);
		break;
	case EVENT_ARRIVAL:
		arrive(sim, event->number);
		break;
	case EVENT_REFILL:
		sim_refill(sim);
		break;
	}
}

static void run(struct sim *sim)
{
	struct event event;

	for (uint64_t n = 0; n < DES_MAX_EVENTS; n++) {
		if (sim->error || sim->result.completed == sim->scenario->requests ||
		    sim->in_system > DES_MAX_IN_SYSTEM || !event_queue_take(&sim->events, &event))
			return;
		sim->now_s = event.at_s;
		handle(sim, &event);
	}
}

static void sim_free(struct sim *sim)
{
	if (!sim)
		return;
	event_queue_done(&sim->events);
	requests_free(sim);
	free(sim->processes);
	free(sim->idle_slots);
	free(sim->listeners);
	free(sim->pools);
	free(sim->peers);
	free(sim->assigned);
	free(sim->latencies);
	dist_done(&sim->lag);
	free(sim);
}

static void sim_freep(struct sim **sim)
{
	sim_free(*sim);
}

int des_run(const struct des_scenario *scenario, struct des_result *ret_result)
{
	_cleanup_(sim_freep) struct sim *sim = NULL;
	int r;

	if (!des_scenario_valid(scenario))
		return -EINVAL;
	sim = calloc(1, sizeof(*sim));
	if (!sim)
		return -ENOMEM;
	sim->scenario = scenario;
	r = allocate(sim);
	if (r < 0)
		return r;
	lay_out(sim);
	start_load(sim);
	run(sim);
	r = sim->error ? sim->error : conclude(sim);
	if (r < 0)
		return r;
	*ret_result = sim->result;
	return 0;
}
