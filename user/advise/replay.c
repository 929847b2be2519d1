/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: at the same load, how would p50 and p99 change?
 *
 * Method: each sampled request becomes a trace of the simulator. CPU stays CPU; a wait for a peer
 * becomes the peer's service time (what was measured, times the share of it that the peer's fit
 * calls service), with the peer's servers where they are known; sleeps and children are a peer
 * without limit; disk waits block. Waits for locks and run queues are left out: they are queueing,
 * which the simulation makes anew. One draw of requests, one seed, three servers.
 *
 * Assumptions: bursts keep their places between waits; the other stack's cost is spread evenly, the
 * part per operation on operations.
 */
#include "advise/replay.h"

#include <errno.h>
#include <math.h>

#include "base/cleanup.h"

#define NS_PER_S 1e9
#define REQUESTS 40000
#define LONG_BURST_S .010
#define OFFLOAD_THREADS 32
#define SWITCH_S 2e-6
#define DEFAULT_PERIOD_S .1
#define MOST_SERVERS 1000000 /* of a peer: more are no limit */

struct simulated {
	struct des_step *steps;
	struct des_trace *traces;
	size_t n;
	uint32_t *peers; /* n_peers of the evidence, then one without limit */
};

static void simulated_done(struct simulated *t)
{
	free(t->steps);
	free(t->traces);
	free(t->peers);
}

/* The share of a peer's measured latency that it worked, not queued. */
static double service_share(const struct peer_fit *fit)
{
	if (fit->kind == PEER_FIT_FLAT || fit->kind == PEER_FIT_KNEE)
		return fmin(fit->service_s / fit->mean_latency_s, 1);
	return 1;
}

/* False: a segment that the simulation makes anew. */
static bool step_of(const struct trace_segment *s, const struct replay_opts *opts, uint32_t n_peers,
		    struct des_step *step)
{
	double seconds = (double)s->ns / NS_PER_S;

	switch (s->part) {
	case PART_CPU:
		*step = (struct des_step){DES_CPU, 0, seconds};
		return true;
	case PART_NETWORK:
		if (s->peer == TRACE_NO_PEER)
			break;
		seconds *= service_share(&opts->fits[s->peer]);
		*step = (struct des_step){DES_PEER, s->peer, seconds};
		return true;
	case PART_SLEEP:
	case PART_CHILD:
		break;
	case PART_DISK:
		*step = (struct des_step){DES_BLOCK, 0, seconds};
		return true;
	default:
		return false;
	}
	*step = (struct des_step){DES_PEER, n_peers, seconds};
	return true;
}

static size_t count_segments(const struct evidence_sample *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n_traces; i++)
		n += e->traces[i].n_segments;
	return n;
}

static int traces_fill(const struct evidence_sample *e, const struct replay_opts *opts,
		       struct simulated *t)
{
	size_t next = 0;

	t->n = e->n_traces;
	t->steps = calloc(count_segments(e) + 1, sizeof(*t->steps));
	t->traces = calloc(e->n_traces, sizeof(*t->traces));
	t->peers = calloc((size_t)e->n_peers + 1, sizeof(*t->peers));
	if (!t->steps || !t->traces || !t->peers)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->n_peers; i++) {
		const struct peer_fit *fit = &opts->fits[i];

		if (fit->kind == PEER_FIT_KNEE && fit->servers < MOST_SERVERS)
			t->peers[i] = (uint32_t)fit->servers;
	}
	for (size_t i = 0; i < e->n_traces; i++) {
		struct des_trace *trace = &t->traces[i];

		trace->steps = &t->steps[next];
		for (size_t j = 0; j < e->traces[i].n_segments; j++)
			trace->n_steps += step_of(&e->traces[i].segments[j], opts, e->n_peers,
						  &t->steps[next + trace->n_steps]);
		next += trace->n_steps;
	}
	return 0;
}

/* Bursts from limit_s on go to processes of their own, which share the processors. */
static void split_bursts(struct simulated *t, double limit_s)
{
	for (size_t i = 0; i < t->n; i++) {
		struct des_step *steps = &t->steps[t->traces[i].steps - t->steps];

		for (size_t j = 0; j < t->traces[i].n_steps; j++) {
			if (steps[j].kind == DES_CPU && steps[j].s >= limit_s)
				steps[j] = (struct des_step){DES_SERVICE, 0, steps[j].s};
		}
	}
}

static struct des_server workers_now(const struct evidence_sample *e)
{
	if (e->interpreter_lock && e->threads > 1)
		return des_server_gil_threads(e->processes, e->threads);
	return des_server_workers(e->processes * e->threads);
}

static struct request_sums sum_all(const struct evidence_sample *e, double *peer_s)
{
	struct request_sums sums = {0};

	for (size_t i = 0; i < e->n_traces; i++)
		evidence_add_trace(&e->traces[i], &sums, peer_s);
	return sums;
}

static uint32_t least_pool(const struct evidence_sample *e, const struct replay_opts *opts)
{
	double least = INFINITY;

	for (uint32_t i = 0; opts->pools && i < e->n_peers; i++)
		least = fmin(least, opts->pools[i]);
	return least >= 1 && least < MOST_SERVERS ? (uint32_t)least : 0;
}

/* Loops that cost what kappa says. */
static int loops_of(const struct evidence_sample *e, const struct replay_opts *opts,
		    const struct request_sums *sums, struct des_server *ret_server)
{
	struct stack_change change = opts->change;
	struct changed_cpu cpu = {0};
	struct des_server server =
		des_server_loops(opts->loops ? opts->loops : (uint32_t)ceil(e->cpus));
	int r;

	change.cpu_s = sums->cpu_s / sums->requests;
	change.operations = sums->operations / sums->requests;
	change.offloads = 0; /* the simulation charges each hop where it happens */
	r = kappa_cpu(&change, NULL, &cpu);
	if (r < 0)
		return r;
	server.cpu_factor = cpu.stack_s / change.cpu_s;
	if (change.operations > 0)
		server.operation_s = cpu.loop_s / change.operations;
	else
		server.request_s = cpu.loop_s;
	server.blocking = DES_BLOCK_OFFLOADED;
	server.offload_threads = opts->offload_threads ? opts->offload_threads : OFFLOAD_THREADS;
	server.offload_s = cost_default(COST_HOP).estimate;
	server.pool = least_pool(e, opts);
	*ret_server = server;
	return 0;
}

static struct des_scenario scenario(const struct evidence_sample *e, const struct replay_opts *opts,
				    const struct simulated *t, const uint32_t *helpers)
{
	uint32_t cores = (uint32_t)ceil(e->cpus);
	uint64_t requests = opts->requests ? opts->requests : REQUESTS;

	return (struct des_scenario){
		.traces = t->traces,
		.n_traces = t->n,
		.machine = {.cores = cores,
			    .switch_s = SWITCH_S,
			    .quota_s = e->cpus < cores ? e->cpus * DEFAULT_PERIOD_S : 0,
			    .peers = t->peers,
			    .n_peers = (size_t)e->n_peers + 1,
			    .services = helpers,
			    .n_services = 1},
		.load = {.rate_per_s = opts->rate_per_s},
		.seed = opts->seed,
		.warmup = requests / 10,
		.requests = requests,
	};
}

int replay_compare(const struct evidence_sample *e, const struct replay_opts *opts,
		   struct replay_result *ret_result)
{
	_cleanup_(simulated_done) struct simulated traces = {0};
	_cleanup_free_ double *peer_s = NULL;
	struct replay_result result = {0};
	struct request_sums sums;
	struct des_scenario s;
	uint32_t helpers;
	int r;

	if (!evidence_valid(e))
		return -EINVAL;
	if (e->n_traces == 0)
		return -ENODATA;
	peer_s = calloc((size_t)e->n_peers + 1, sizeof(*peer_s));
	if (!peer_s)
		return -ENOMEM;
	sums = sum_all(e, peer_s);
	r = traces_fill(e, opts, &traces);
	if (r < 0)
		return r;

	helpers = (uint32_t)ceil(e->cpus);
	s = scenario(e, opts, &traces, &helpers);
	s.server = workers_now(e);
	r = des_run(&s, &result.now);
	if (r < 0)
		return r;
	r = loops_of(e, opts, &sums, &s.server);
	if (r < 0)
		return r;
	r = des_run(&s, &result.async);
	if (r < 0)
		return r;
	split_bursts(&traces, opts->long_burst_s > 0 ? opts->long_burst_s : LONG_BURST_S);
	r = des_run(&s, &result.split);
	if (r < 0)
		return r;
	*ret_result = result;
	return 0;
}
