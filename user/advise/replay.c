/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: at the same load, how would p50 and p99 change?
 *
 * Method: each sampled request becomes a trace of the simulator. CPU stays CPU; a wait for a peer
 * becomes the peer's service time (what was measured, times the share of it that the peer's fit
 * calls service), with the peer's servers where they are known; sleeps and children are a peer
 * without limit; disk waits block. Of the time at peers, as much as others run for a request on the
 * same processors is CPU of other processes there. What differs between the sample's mean and that
 * of all requests is set right by a factor on each kind of step. CPU outside requests follows the
 * response. The missing end of a truncated trace is its beginning again. Waits for locks and run
 * queues are left out: they are queueing, which the simulation makes anew. One draw of requests,
 * one seed, all servers.
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
#define MOST_STEPS 1024	     /* of a request: with more, fewer and longer ones */
#define MOST_SERVERS 1000000 /* of a peer: more are no limit */
#define PEER_PROCESSES 256   /* on the same machine: as many as have something to do */

/* What runs beside the server on its processors. */
enum beside { HELPERS, LOCAL_PEERS, BESIDE_COUNT };

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

/* What the durations of each kind of step are multiplied by. */
struct factors {
	double cpu, wait, offload, hold;
	double *peers;
	double beside; /* of the time that peers work, what others run on the same processors */
};

/* False: a segment that the simulation makes anew. */
static bool step_of(const struct trace_segment *s, const struct replay_opts *opts,
		    const struct factors *f, uint32_t n_peers, struct des_step *step)
{
	double seconds = (double)s->ns / NS_PER_S;

	switch (s->part) {
	case PART_CPU:
		*step = (struct des_step){DES_CPU, 0, seconds * f->cpu};
		return true;
	case PART_NETWORK:
		if (s->peer == TRACE_NO_PEER)
			break;
		seconds *= service_share(&opts->fits[s->peer]) * f->peers[s->peer];
		*step = (struct des_step){DES_PEER, s->peer, seconds};
		return true;
	case PART_SLEEP:
	case PART_CHILD:
	case PART_CLIENT:
		break;
	case PART_DISK:
		*step = (struct des_step){DES_BLOCK, 0, seconds * f->offload};
		return true;
	case PART_OTHER:
		*step = (struct des_step){DES_BLOCK, 0, seconds * f->hold};
		return true;
	default:
		return false;
	}
	*step = (struct des_step){DES_PEER, n_peers, seconds * f->wait};
	return true;
}

static size_t repeated(const struct trace *t)
{
	size_t n = t->n_segments + t->truncated;

	if (t->n_segments == 0)
		return 0;
	return n < MOST_STEPS ? n : t->n_segments > MOST_STEPS ? t->n_segments : MOST_STEPS;
}

double replay_steps(const struct evidence_sample *e)
{
	double n = 0;

	for (size_t i = 0; i < e->n_traces; i++)
		n += (double)repeated(&e->traces[i]);
	return e->n_traces ? n / (double)e->n_traces : 0;
}

static double cold_of(const struct replay_opts *opts)
{
	return opts->cold > 0 ? opts->cold : 1;
}

/* Of a step at a peer the part that it runs on the same processors becomes a step of its own, the
 * one behind. Returns how many steps that are. */
static size_t split_beside(struct des_step *step, double beside)
{
	if (step->kind != DES_PEER || !(beside > 0))
		return 1;
	step[1] = (struct des_step){DES_SERVICE, LOCAL_PEERS, step->s * beside};
	step->s *= 1 - beside;
	return 2;
}

/* The steps of one request; returns how many. */
static size_t trace_fill(const struct trace *t, const struct evidence_sample *e,
			 const struct replay_opts *opts, const struct factors *f,
			 struct des_step *steps)
{
	size_t n = 0, segments = repeated(t);
	double longer = segments ? (double)(t->n_segments + t->truncated) / (double)segments : 1;

	for (size_t i = 0; i < segments; i++) {
		const struct trace_segment *s = &t->segments[i % t->n_segments];

		if (!step_of(s, opts, f, e->n_peers, &steps[n]))
			continue;
		steps[n].s *= longer;
		n += split_beside(&steps[n], s->peer < e->n_peers ? f->beside : 0);
	}
	if (e->after_s > 0) {
		steps[n++] = (struct des_step){.kind = DES_RESPONSE};
		steps[n++] = (struct des_step){DES_CPU, 0, e->after_s * cold_of(opts)};
	}
	return n;
}

static double factor(double exact, double exact_n, double sampled, double sampled_n)
{
	return exact_n > 0 && sampled > 0 ? exact / exact_n / (sampled / sampled_n) : 1;
}

static struct factors factors_of(const struct evidence_sample *e, const struct replay_opts *opts,
				 const struct request_sums *sums, const double *peer_s,
				 double *peers)
{
	const struct request_sums *x = &e->exact;
	double n = sums->requests, cpu_s = fmax(x->cpu_s - e->after_s * x->requests, 0);

	for (uint32_t i = 0; i < e->n_peers; i++)
		peers[i] =
			x->requests > 0 ? factor(e->exact_peer_s[i], x->requests, peer_s[i], n) : 1;
	return (struct factors){
		.cpu = factor(cpu_s, x->requests, sums->cpu_s, n) * cold_of(opts),
		.wait = factor(x->wait_s, x->requests, sums->wait_s, n),
		.offload = factor(x->offload_s, x->requests, sums->offload_s, n),
		.hold = factor(x->hold_s, x->requests, sums->hold_s, n),
		.peers = peers,
	};
}

/* Of the time that peers work, that of others on the same processors. */
static double beside(const struct evidence_sample *e, const struct replay_opts *opts,
		     const struct request_sums *sums, const double *peer_s)
{
	double s = 0;

	for (uint32_t i = 0; i < e->n_peers; i++)
		s += peer_s[i] * service_share(&opts->fits[i]);
	return s > 0 ? fmin(e->other_s * sums->requests / s, 1) : 0;
}

static int traces_fill(const struct evidence_sample *e, const struct replay_opts *opts,
		       const struct factors *f, struct simulated *t)
{
	size_t next = 0, room = 2 * e->n_traces + 1;

	for (size_t i = 0; i < e->n_traces; i++)
		room += 2 * repeated(&e->traces[i]);
	t->n = e->n_traces;
	t->steps = calloc(room, sizeof(*t->steps));
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
		trace->n_steps = trace_fill(&e->traces[i], e, opts, f, &t->steps[next]);
		next += trace->n_steps;
	}
	return 0;
}

/* Bursts from limit_s on go to processes of their own, which share the processors. Are there any?
 */
static bool split_bursts(struct simulated *t, double limit_s)
{
	bool any = false;

	for (size_t i = 0; i < t->n; i++) {
		struct des_step *steps = &t->steps[t->traces[i].steps - t->steps];

		for (size_t j = 0; j < t->traces[i].n_steps; j++) {
			if (steps[j].kind != DES_CPU || steps[j].s < limit_s)
				continue;
			steps[j] = (struct des_step){DES_SERVICE, HELPERS, steps[j].s};
			any = true;
		}
	}
	return any;
}

static struct des_server workers(const struct worker_plan *plan)
{
	if (plan->interpreter_lock && plan->threads > 1)
		return des_server_gil_threads(plan->processes, plan->threads);
	return des_server_workers(plan->processes * plan->threads);
}

static uint32_t least_pool(const struct evidence_sample *e, const struct replay_opts *opts)
{
	double least = INFINITY;

	for (uint32_t i = 0; opts->pools && i < e->n_peers; i++)
		least = fmin(least, opts->pools[i]);
	return least >= 1 && least < MOST_SERVERS ? (uint32_t)least : 0;
}

/* Loops that cost what kappa says; its part per operation comes with each wait for a peer. */
static int loops_of(const struct evidence_sample *e, const struct replay_opts *opts,
		    const struct request_sums *sums, double sampled_operations,
		    struct des_server *ret_server)
{
	struct stack_change change = opts->change;
	struct changed_cpu cpu = {0};
	struct des_server server =
		des_server_loops(opts->loops ? opts->loops : (uint32_t)ceil(e->cpus));
	int r;

	change.cpu_s = sums->cpu_s / sums->requests; /* of all requests: corrected */
	change.operations = sums->operations / sums->requests;
	change.offloads = 0; /* the simulation charges each hop where it happens */
	r = kappa_cpu(&change, NULL, &cpu);
	if (r < 0)
		return r;
	server.cpu_factor = cpu.stack_s / change.cpu_s;
	if (sampled_operations > 0)
		server.operation_s = cpu.loop_s / sampled_operations;
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
				    const struct simulated *t, const uint32_t beside[BESIDE_COUNT])
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
			    .services = beside,
			    .n_services = BESIDE_COUNT},
		.load = {.rate_per_s = opts->rate_per_s},
		.seed = opts->seed,
		.warmup = requests / 10,
		.requests = requests,
	};
}

/* The three ways that do not change the traces. */
static int run_whole(const struct evidence_sample *e, const struct replay_opts *opts,
		     struct des_scenario *s, struct replay_result *result)
{
	const struct worker_plan now = {e->processes, e->threads, e->interpreter_lock};
	bool same = opts->tuned.processes == 0 ||
		    (opts->tuned.processes == now.processes && opts->tuned.threads == now.threads);
	struct des_server loops = s->server;
	int r;

	s->server = workers(&now);
	r = des_run(s, &result->now);
	if (r < 0)
		return r;
	result->tuned = result->now;
	if (!same) {
		s->server = workers(&opts->tuned);
		r = des_run(s, &result->tuned);
		if (r < 0)
			return r;
	}
	s->server = loops;
	return des_run(s, &result->async);
}

int replay_compare(const struct evidence_sample *e, const struct replay_opts *opts,
		   struct replay_result *ret_result)
{
	_cleanup_(simulated_done) struct simulated traces = {0};
	_cleanup_free_ double *peer_s = NULL, *sampled_s = NULL, *peer_factors = NULL;
	const uint32_t processes[] = {
		[HELPERS] = (uint32_t)ceil(e->cpus), [LOCAL_PEERS] = PEER_PROCESSES};
	struct evidence_whole whole = {.shrink = 1};
	struct replay_result result = {.now = {0}};
	struct request_sums sums;
	struct factors factors;
	struct des_scenario s;
	int r;

	if (!evidence_valid(e))
		return -EINVAL;
	if (e->n_traces == 0)
		return -ENODATA;
	peer_s = calloc((size_t)e->n_peers + 1, sizeof(*peer_s));
	sampled_s = calloc((size_t)e->n_peers + 1, sizeof(*sampled_s));
	peer_factors = calloc((size_t)e->n_peers + 1, sizeof(*peer_factors));
	if (!peer_s || !sampled_s || !peer_factors)
		return -ENOMEM;
	evidence_sum(e, &whole.sums, sampled_s);
	whole.peer_s = sampled_s;
	evidence_sum(e, &sums, peer_s);
	evidence_correct(e, &whole, &sums, peer_s);
	factors = factors_of(e, opts, &whole.sums, sampled_s, peer_factors);
	factors.beside = beside(e, opts, &sums, peer_s);
	r = traces_fill(e, opts, &factors, &traces);
	if (r < 0)
		return r;

	s = scenario(e, opts, &traces, processes);
	r = loops_of(e, opts, &sums, whole.sums.operations / whole.sums.requests, &s.server);
	if (r < 0)
		return r;
	if (factors.beside > 0) /* an operation is two waits */
		s.server.operation_s /= 2;
	r = run_whole(e, opts, &s, &result);
	if (r < 0)
		return r;
	result.split = result.async;
	if (split_bursts(&traces, opts->long_burst_s > 0 ? opts->long_burst_s : LONG_BURST_S)) {
		r = des_run(&s, &result.split);
		if (r < 0)
			return r;
	}
	*ret_result = result;
	return 0;
}
