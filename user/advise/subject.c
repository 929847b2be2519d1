/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: what is known of this service, and what is not?
 *
 * Method, for n completed requests in an interval of t seconds:
 *
 *	CPU per request		(CPU in requests + CPU of threads that serve, outside them) / n:
 *				accept, logging after the response, waking up for nothing; it costs
 *				capacity. CPU of threads that serve nobody takes away processors:
 *				C - background / t. Without lanes, or with requests handed on, all
 *				of it counts per request.
 *	waits per request	the exact sums of each class over n; network by peer, and what no
 *				peer explains as a wait for nobody known, without those side by side
 *	lock			a hold h per request in the open: waiting for a lock of one holder
 *				takes W = rate h^2 / (1 - rate h) (M/M/1), so h = (sqrt(r^2 W^2 +
 *				4 r W) - r W) / 2r. Exact for exponential holds, and for a lock that
 *				is never free it gives 1 / rate, whatever its distribution. Not
 *				where an interpreter lock explains the waiting: that is CPU; nor
 *				where threads of one request wait for one another.
 *
 * What is 0 in the snapshot is not known; each such gap is an assumption that is named.
 */
#include "advise/subject.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advise/closed_network.h"
#include "model/derive.h"

#define NS_PER_S 1e9
#define LOCK_MATTERS .05    /* of the requests' time */
#define INTERPRETER_BUSY .5 /* of a processor per process: its lock explains lock waits */
#define MINOR_PEER .05	    /* of operations and of waiting */
#define LEAST_CPUS .1
#define ALL_WAITED .9	/* of latency: what is computed meanwhile hides how it varies */
#define SIDE_BY_SIDE .1 /* of the requests' waits */
#define FULL .95	/* of their time: always busy */
#define HEAVY_STEPS 2e6 /* of closed networks in a bootstrap */
#define REPLICATES 1000
#define LEAST_REPLICATES 100

static double seconds(uint64_t ns)
{
	return (double)ns / NS_PER_S;
}

static double part_s(const struct service *service, enum part part)
{
	return seconds(service->parts[part].sum_ns);
}

void subject_done(struct subject *s)
{
	free(s->fits);
	free(s->exact_peer_s);
	free(s->pools);
	free(s->connections);
	sentences_done(&s->assumptions);
	sentences_done(&s->what_if);
}

/* ---- processors ---- */

/* CPU outside requests: of threads that serve, and of those that do not. */
static void split_outside(const struct service *service, double *ret_serving_s,
			  double *ret_background_s)
{
	double outside_s = fmax(seconds(service->cpu_ns) - part_s(service, PART_CPU), 0);
	double background_s = 0;

	for (size_t i = 0; i < service->n_lanes; i++) {
		const struct lane *lane = &service->lanes[i];

		if (!lane->serving && !lane->loop)
			background_s += seconds(lane->cpu_ns);
	}
	/* Threads that work for others' requests serve without having read one. */
	if (service->evidence.handed_off)
		background_s = 0;
	*ret_background_s = fmin(background_s, outside_s);
	*ret_serving_s = outside_s - *ret_background_s;
}

static double find_cpus(struct subject *s, double background_s)
{
	const struct surroundings *around = &s->service->surroundings;
	double cpus = around->cpus;

	if (!(cpus > 0) && around->host_cpus > 0) {
		cpus = around->host_cpus;
		sentences_add(&s->assumptions,
			      "It may use all %g processors: no quota or affinity is known.", cpus);
	}
	if (!(cpus > 0))
		return 0;
	if (around->quota_throttled > 0 && around->quota_throttled * 100 > around->quota_periods)
		sentences_add(
			&s->assumptions,
			"Its CPU quota cut %llu of %llu periods short: p99 under the quota is "
			"simulated, not measured.",
			(unsigned long long)around->quota_throttled,
			(unsigned long long)around->quota_periods);
	return fmax(cpus - background_s / s->duration_s, LEAST_CPUS * cpus);
}

/* ---- sums ---- */

static double network_elsewhere_s(const struct service *service)
{
	double s = part_s(service, PART_NETWORK);

	for (size_t i = 0; i < service->n_peers; i++)
		s -= seconds(service->peers[i].wait.sum_ns);
	return fmax(s, 0);
}

static int take_sums(struct subject *s, double serving_s)
{
	const struct service *service = s->service;
	double apart = derive_apart(service);
	struct evidence_sample *e = &s->evidence;
	double n = (double)service->requests.completed;
	struct request_sums sampled;

	s->exact_peer_s = calloc(service->n_peers + 1, sizeof(*s->exact_peer_s));
	s->fits = calloc(service->n_peers + 1, sizeof(*s->fits));
	if (!s->exact_peer_s || !s->fits)
		return -ENOMEM;
	evidence_sum(e, &sampled, s->exact_peer_s);
	for (size_t i = 0; i < service->n_peers; i++)
		s->exact_peer_s[i] = seconds(service->peers[i].wait.sum_ns) * apart;
	e->exact_peer_s = s->exact_peer_s;
	e->after_s = n > 0 ? serving_s / n : 0;
	e->exact = (struct request_sums){
		.requests = n,
		.cpu_s = part_s(service, PART_CPU) + serving_s,
		.wait_s = apart * (part_s(service, PART_SLEEP) + part_s(service, PART_CHILD) +
				   part_s(service, PART_CLIENT) + network_elsewhere_s(service)),
		.offload_s = part_s(service, PART_DISK) * apart,
		.hold_s = part_s(service, PART_OTHER) * apart,
		.lock_s = part_s(service, PART_LOCK),
		.operations = (double)service->requests.operations,
		.offloads = sampled.requests > 0 ? sampled.offloads / sampled.requests * n : 0,
		.truncated = sampled.truncated,
	};
	return 0;
}

double subject_wait_s(const struct subject *s)
{
	const struct request_sums *x = &s->evidence.exact;
	double wait_s = x->wait_s + x->offload_s + x->hold_s;

	for (uint32_t i = 0; i < s->evidence.n_peers; i++)
		wait_s += s->evidence.exact_peer_s[i];
	return x->requests > 0 ? wait_s / x->requests : NAN;
}

bool subject_side_by_side(const struct subject *s)
{
	return 1 - derive_apart(s->service) > SIDE_BY_SIDE;
}

/* ---- locks ---- */

static double hold_s(double rate_per_s, double wait_s)
{
	double rw = rate_per_s * wait_s;

	return rate_per_s > 0 ? (sqrt(rw * rw + 4 * rw) - rw) / (2 * rate_per_s) : 0;
}

/* How long a request holds the lock all others wait for: 0 where waiting for locks is little. */
static double find_serial_s(struct subject *s)
{
	const struct service *service = s->service;
	const struct evidence_sample *e = &s->evidence;
	double wait_s = e->exact.lock_s / e->exact.requests;
	double service_s = seconds(service->service_time.sum_ns) / e->exact.requests;
	double domains = e->threads > 1 ? e->processes : 1;
	double busy = seconds(service->cpu_ns) / s->duration_s / e->processes;

	if (!(wait_s > LOCK_MATTERS * service_s))
		return 0;
	if (e->interpreter_lock && e->threads > 1 && busy >= INTERPRETER_BUSY)
		return 0;
	/* Where threads work on a request side by side, one waits for what the others find out: no
	 * queue. */
	if (subject_side_by_side(s))
		return 0;
	sentences_add(&s->assumptions,
		      "Its lock waits are for one lock %s, held for so long as makes such a queue.",
		      domains > 1 ? "in each process" : "that all requests share");
	return hold_s(s->rate_per_s / domains, wait_s) / domains;
}

/* ---- workers ---- */

/*
 * A thread in each process that never reads a request, while those that do are always busy, waits
 * for something else: a main thread. If there are more of them, or the others have time, they may
 * just not have been needed: as many connections as are kept open keep that many threads busy.
 */
static uint32_t count_workers(struct subject *s)
{
	const struct workers *w = &s->service->workers;
	uint32_t serving = s->service->evidence.threads_serving;
	double busy = derive_busy_fraction(s->service);

	s->busy = busy;
	if (!serving || serving >= w->count || w->count - serving > w->processes ||
	    !(busy * w->count >= FULL * serving))
		return w->count;
	s->busy = fmin(busy * w->count / serving, 1);
	sentences_add(&s->assumptions,
		      "Of %u threads %u take requests and are always busy: these are the workers.",
		      w->count, serving);
	return serving;
}

static void find_workers(struct subject *s)
{
	const struct workers *w = &s->service->workers;
	struct evidence_sample *e = &s->evidence;
	uint32_t count = count_workers(s);
	double processes = fmin(w->processes, count), threads;

	if (!count || !w->processes)
		return;
	processes = fmin(processes, CLOSED_NETWORK_MAX_CUSTOMERS);
	threads = fmax(round(count / processes), 1);
	threads = fmin(threads, floor(CLOSED_NETWORK_MAX_CUSTOMERS / processes));
	e->processes = (uint32_t)processes;
	e->threads = (uint32_t)threads;
	if (processes * threads != count)
		sentences_add(&s->assumptions,
			      "Its %u workers in %u processes are taken as %u in each.", count,
			      e->processes, e->threads);
}

static double worker_memory(const struct subject *s)
{
	const struct surroundings *around = &s->service->surroundings;
	double bytes = s->evidence.processes * (double)around->process_bytes;

	return s->evidence.threads > 1
		       ? bytes + (double)s->evidence.processes * s->evidence.threads *
					 (double)around->thread_bytes
		       : bytes;
}

static void limit_memory(struct subject *s, struct tune_opts *tune)
{
	const struct surroundings *around = &s->service->surroundings;
	double each = (double)(tune->threads ? around->thread_bytes : around->process_bytes);

	tune->process_bytes = (double)around->process_bytes;
	tune->thread_bytes = (double)around->thread_bytes;
	if (s->opts->memory_budget_bytes > 0)
		tune->memory_bytes = s->opts->memory_budget_bytes;
	else if (around->memory_available_bytes > 0)
		tune->memory_bytes = (double)around->memory_available_bytes + worker_memory(s);
	if (!(each > 0))
		sentences_add(&s->assumptions,
			      "Memory is no limit to more workers: what one takes is not known%s.",
			      s->opts->memory_budget_bytes > 0
				      ? ", so --memory-budget changes nothing"
				      : "");
	else if (!(tune->memory_bytes > 0))
		sentences_add(&s->assumptions,
			      "Memory is no limit to more workers: what there is is not known.");
}

static int limit_connections(struct subject *s, struct tune_opts *tune, double loops)
{
	const struct service *service = s->service;

	s->connections = calloc(s->opts->n_connections + 1, sizeof(*s->connections));
	s->pools = calloc(service->n_peers + 1, sizeof(*s->pools));
	if (!s->connections || !s->pools)
		return -ENOMEM;
	for (size_t i = 0; i < service->n_peers; i++)
		s->pools[i] = INFINITY;
	for (size_t i = 0; i < s->opts->n_connections; i++) {
		const struct connection_budget *b = &s->opts->connections[i];
		size_t at = 0;

		while (at < service->n_peers && strcmp(service->peers[at].address, b->address) != 0)
			at++;
		if (at == service->n_peers) {
			sentences_add(&s->assumptions,
				      "No peer %s was seen: --max-connections for it changes "
				      "nothing.",
				      b->address);
			continue;
		}
		s->pools[at] = b->connections / loops;
		s->connections[tune->n_connections++] =
			(struct connection_limit){b->connections, 1};
		sentences_add(&s->what_if, "at most %u connections to %s, one per worker",
			      b->connections, b->address);
	}
	tune->connections = s->connections;
	return 0;
}

static void fix_plan(struct subject *s, struct tune_opts *tune)
{
	const struct evidence_sample *e = &s->evidence;
	uint32_t processes = s->opts->workers, threads = s->opts->threads;

	if (!processes && !threads)
		return;
	tune->fixed = (struct worker_plan){
		.processes = processes ? processes : e->processes,
		.threads = threads ? threads : e->threads,
		.interpreter_lock = e->interpreter_lock,
	};
	sentences_add(&s->what_if, "%u process%s of %u thread%s in place of the best plan",
		      tune->fixed.processes, tune->fixed.processes == 1 ? "" : "es",
		      tune->fixed.threads, tune->fixed.threads == 1 ? "" : "s");
}

/* ---- peers ---- */

static void fit_peers(struct subject *s)
{
	const struct service *service = s->service;
	uint32_t workers = s->loops ? 0 : service->workers.count;
	double operations = (double)service->requests.operations, all_s = 0;

	for (size_t i = 0; i < service->n_peers; i++)
		all_s += s->exact_peer_s[i];
	for (size_t i = 0; i < service->n_peers; i++) {
		const struct peer *p = &service->peers[i];

		s->fits[i] = peer_fit(p->loads, workers, dist_deviation_s(&p->wait));
		if (dist_mean_s(&p->wait) < ALL_WAITED * s->fits[i].mean_latency_s)
			s->fits[i].regularity = 0;
		s->fits[i].minor = (double)p->operations < MINOR_PEER * operations &&
				   s->exact_peer_s[i] < MINOR_PEER * all_s;
	}
}

/* ---- all of it ---- */

static enum reason find_missing(const struct subject *s)
{
	const struct service *service = s->service;

	if (derive_concurrency(service) == CONCURRENCY_BATCH)
		return REASON_BATCH;
	if (!service->requests.completed || !(s->duration_s > 0))
		return REASON_NO_REQUESTS;
	if (!(part_s(service, PART_CPU) > 0))
		return REASON_NO_CPU;
	if (!s->loops && !service->workers.count)
		return REASON_WORKERS_UNKNOWN;
	return s->evidence.cpus > 0 ? REASON_UNDEFINED : REASON_CPUS_UNKNOWN;
}

static void describe_what_if(struct subject *s)
{
	if (s->opts->target != TARGET_AUTO)
		sentences_add(&s->what_if, "target %s", kappa_target_name(s->opts->target));
	if (s->opts->cpu_factor > 0)
		sentences_add(&s->what_if,
			      "a request takes %.3g times today's CPU after the change",
			      s->opts->cpu_factor);
	if (s->opts->memory_budget_bytes > 0)
		sentences_add(&s->what_if, "%.3g MB of memory for all workers",
			      s->opts->memory_budget_bytes / 1e6);
	if (s->opts->slo_p99_s > 0)
		sentences_add(&s->what_if, "p99 latency of at most %g s", s->opts->slo_p99_s);
	if (s->stack.change.another_language && !s->loops)
		sentences_add(&s->assumptions,
			      "%s is another language than the service's: what its CPU per request "
			      "would be is a guess (--cpu-factor takes it when you know).",
			      kappa_target_name(s->stack.target));
}

static int set_gain_opts(struct subject *s)
{
	const struct evidence_sample *e = &s->evidence;
	bool threads = derive_concurrency(s->service) == CONCURRENCY_THREADS ||
		       s->stack.target == TARGET_THREADS;
	struct tune_opts tune = {.threads = threads, .interpreter_lock = e->interpreter_lock};
	uint32_t loops = (uint32_t)fmax(ceil(e->cpus), 1);
	double customers;
	int r;

	s->stack.change.whole_factor = s->opts->cpu_factor;
	limit_memory(s, &tune);
	r = limit_connections(s, &tune, loops);
	if (r < 0)
		return r;
	fix_plan(s, &tune);
	s->gain = (struct gain_opts){
		.seed = s->opts->seed,
		.observed_per_s = s->rate_per_s,
		.tune = tune,
		.fits = s->fits,
		.pools = s->pools,
		.change = s->stack.change,
		.cold = s->warm.share,
		.crowding = s->crowding,
		.each_s = s->warm.each_s,
		.loops = loops,
	};
	/* A closed network with a limited peer takes the square of its customers. */
	customers = fmax(
		(double)e->processes * e->threads,
		1.2 * e->cpus *
			(1 + subject_wait_s(s) * e->exact.requests / fmax(e->exact.cpu_s, 1e-9)));
	customers = fmax(customers, (double)tune.fixed.processes * tune.fixed.threads);
	customers = fmin(customers, CLOSED_NETWORK_MAX_CUSTOMERS);
	s->gain.replicates = (uint32_t)fmin(
		fmax(HEAVY_STEPS * REPLICATES / 10 / (customers * customers), LEAST_REPLICATES),
		REPLICATES);
	return 0;
}

double subject_loops(const struct subject *s)
{
	const struct evidence *e = &s->service->evidence;

	return e->loops ? e->loops : fmax(e->processes_serving, 1);
}

static struct rhythm rhythm_of_workers(const struct subject *s)
{
	const struct evidence_sample *e = &s->evidence;
	double n = e->exact.requests, waits = (double)s->service->requests.waits / n;
	double workers = (double)e->processes * e->threads;

	return (struct rhythm){
		.per_s = s->rate_per_s / e->processes,
		.cpu_s = e->exact.cpu_s / n,
		.waits = waits,
		.wait_s = waits > 0 ? (subject_wait_s(s) + e->exact.lock_s / n) / waits : 0,
		.found_asleep = 1 - pow(s->busy, workers),
		.idle_s = workers * (1 - s->busy) / s->rate_per_s,
		.alone = e->threads == 1,
	};
}

/* Of an event loop: it sleeps when it has nothing to do, and in what blocks it. */
static struct rhythm rhythm_of_loops(const struct subject *s)
{
	double n = s->evidence.exact.requests, per_s = s->rate_per_s / subject_loops(s);
	double waits = 0, wait_s = 0;
	struct rhythm rhythm;

	for (unsigned int i = 0; i < PART_WAIT_COUNT; i++) {
		waits += (double)s->service->blocked[i].count / n;
		wait_s += seconds(s->service->blocked[i].sum_ns) / n;
	}
	rhythm = (struct rhythm){
		.per_s = per_s,
		.cpu_s = s->evidence.exact.cpu_s / n,
		.waits = waits,
		.wait_s = waits > 0 ? wait_s / waits : 0,
		.idle_s = NAN,
		.alone = true,
	};
	rhythm.found_asleep = fmax(1 - per_s * (rhythm.cpu_s + wait_s), 0);
	return rhythm;
}

/* So long a wait keeps a request off the processors: until it runs again. Its run queue is at the
 * start and after each wait. */
static double off_s(const struct subject *s, const struct rhythm *rhythm)
{
	double queue_s = part_s(s->service, PART_RUN_QUEUE) / s->evidence.exact.requests;

	return rhythm->waits > 0 ? rhythm->wait_s + queue_s / (rhythm->waits + 1) : 0;
}

/* From here on the CPU in the evidence is that under full load. */
static void warm_up(struct subject *s)
{
	struct evidence_sample *e = &s->evidence;
	struct rhythm rhythm = s->loops ? rhythm_of_loops(s) : rhythm_of_workers(s);
	struct prior each = warm_cost(s->service);
	struct pause_fit fit = {.known = false};
	double wait_s = rhythm.wait_s, off = off_s(s, &rhythm), factor;

	/* Others have the caches for as long as a worker waits for a processor as well. */
	if (rhythm.alone)
		rhythm.wait_s = off;
	if (!s->loops)
		fit = warm_fit(s->service, s->seen);
	s->warm = fit.known ? warm_up_measured(&rhythm, &fit) : warm_up_of(&rhythm, &each);
	factor = warm_factor(&s->warm.share, NULL);
	e->exact.cpu_s *= factor;
	e->after_s *= factor;
	s->stack.change.waits_s = s->warm.calls_s;
	s->stack.change.off_s = off;
	/* Where it was measured that waits cost something; not of threads, whose process runs on.
	 */
	if (!s->loops && rhythm.alone && each.estimate > 0)
		s->crowding =
			(struct crowding){.waits = rhythm.waits, .wait_s = wait_s, .off_s = off};
}

static bool options_valid(const struct advice_opts *o)
{
	return (unsigned int)o->target < TARGET_COUNT && o->cpu_factor >= 0 &&
	       isfinite(o->cpu_factor) && o->memory_budget_bytes >= 0 &&
	       isfinite(o->memory_budget_bytes) && o->slo_p99_s >= 0 && isfinite(o->slo_p99_s) &&
	       o->workers <= CLOSED_NETWORK_MAX_CUSTOMERS &&
	       o->threads <= CLOSED_NETWORK_MAX_CUSTOMERS &&
	       (uint64_t)(o->workers ? o->workers : 1) * (o->threads ? o->threads : 1) <=
		       CLOSED_NETWORK_MAX_CUSTOMERS;
}

static int look(struct subject *s)
{
	const struct service *service = s->service;
	double serving_s = 0, background_s = 0;
	enum concurrency concurrency = derive_concurrency(service);
	int r;

	s->loops = concurrency == CONCURRENCY_EVENT_LOOP ||
		   concurrency == CONCURRENCY_EVENT_LOOP_THREADS;
	s->stack = stack_recognise(service, s->opts->target, s->opts->calibrated);
	describe_what_if(s);
	split_outside(service, &serving_s, &background_s);
	find_workers(s);
	r = take_sums(s, serving_s);
	if (r < 0)
		return r;
	if (s->duration_s > 0)
		s->evidence.cpus = find_cpus(s, background_s);
	fit_peers(s);
	subject_beside(s);
	s->missing = find_missing(s);
	if (s->missing != REASON_UNDEFINED)
		return s->assumptions.error;
	warm_up(s);
	if (s->loops)
		return s->assumptions.error;
	s->evidence.serial_s = find_serial_s(s);
	r = set_gain_opts(s);
	return r < 0 ? r : s->assumptions.error;
}

int subject_of(const struct snapshot *snapshot, size_t service, const struct advice_opts *opts,
	       struct subject *ret_subject)
{
	struct subject s = {.opts = opts};
	int r;

	if (service >= snapshot->n_services || !options_valid(opts))
		return -EINVAL;
	s.service = &snapshot->services[service];
	s.duration_s = seconds(snapshot->duration_ns);
	s.rate_per_s = derive_rate_per_s(snapshot, s.service);
	s.seen = s.service->requests.completed ? (double)derive_requests_seen(snapshot, s.service) /
							 (double)s.service->requests.completed
					       : 1;
	s.evidence = (struct evidence_sample){
		.duration_ns = snapshot->duration_ns,
		.traces = s.service->traces.kept,
		.n_traces = s.service->traces.n,
		.n_peers = (uint32_t)s.service->n_peers,
		.interpreter_lock = s.service->surroundings.interpreter_lock,
	};
	/* From a document that somebody wrote. */
	if (!evidence_traces_valid(&s.evidence))
		s.evidence.n_traces = 0;
	r = look(&s);
	if (r < 0) {
		subject_done(&s);
		return r;
	}
	*ret_subject = s;
	return 0;
}
