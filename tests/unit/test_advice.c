/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshot in, advice out: a service for each verdict, what-if options, and input that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advise/advice.h"
#include "advise/subject.h"
#include "base/cleanup.h"
#include "model/derive.h"
#include "sample_snapshot.h"

#define ASSERT_NEAR(a, b, relative) assert_true(fabs((a) / (b)-1) <= (relative))
#define SIMULATED 4000

/* Duolingo's parameters in the research, B = 3; a peer that was seen to do what async asks. */
static const struct sample_model duolingo = {
	.cpu_s = .020,
	.wait_s = .006,
	.operations = 10,
	.cv_cpu = .3,
	.cv_wait = .5,
	.part = PART_NETWORK,
	.requests = 3000,
	.duration_s = 50,
	.workers = 5,
	.most_in_flight = 20,
	.cpus = 2,
};

static void assert_interval(const struct interval *i)
{
	bool unknown = isnan(i->estimate) && isnan(i->lo) && isnan(i->hi);

	assert_true(unknown || (i->lo <= i->estimate && i->estimate <= i->hi && isfinite(i->hi) &&
				i->lo >= 0));
}

static void assert_words(char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(strlen(list[i]) > 5);
		assert_null(strstr(list[i], "nan"));
		assert_null(strstr(list[i], "inf "));
	}
}

/* Whatever it says: no infinity, every verdict with its reason. */
static void assert_sound(const struct advice *a)
{
	assert_interval(&a->async_over_now);
	assert_interval(&a->tuned_over_now);
	assert_interval(&a->async_over_tuned);
	assert_interval(&a->overlap);
	assert_interval(&a->now_per_s);
	assert_interval(&a->tuned_per_s);
	assert_interval(&a->async_per_s);
	assert_true(!(isinf(a->kappa.estimate) || isinf(a->break_even) || isinf(a->stack_alone) ||
		      isinf(a->utilisation)));
	for (int i = 0; i < ADVICE_POINT_COUNT; i++) {
		for (int k = 0; k < ADVICE_SETUP_COUNT; k++)
			assert_true(!isinf(a->latency[i][k].p99_s));
	}
	assert_true(a->n_reasons > 0);
	assert_words(a->sentences, a->n_reasons);
	assert_words(a->changes, a->n_changes);
	assert_words(a->assumptions, a->n_assumptions);
	assert_words(a->what_if, a->n_what_if);
	if (a->error_budget)
		assert_words(&a->error_budget, 1);
	if (a->library_sentence)
		assert_words(&a->library_sentence, 1);
}

/* As sample_snapshot(), of a service that never paused before a request, nor in one as far as was
 * counted: it cost what it costs. */
static struct snapshot *busy_snapshot(const struct sample_model *model)
{
	struct snapshot *s = sample_snapshot(model);
	struct service *service = &s->services[0];
	double n = (double)service->requests.completed, cpu_s = (double)service->cpu_ns / 1e9;

	service->pauses[0] = (struct pause){.requests = service->requests.completed,
					    .cpu_ns = service->cpu_ns,
					    .cpu_squares = cpu_s * cpu_s / n};
	service->requests.waits = 0;
	return s;
}

static struct advice *ask(const struct snapshot *s, struct advice_opts opts)
{
	struct advice *a = NULL;

	if (!opts.simulated)
		opts.simulated = SIMULATED;
	assert_int_equal(advice_service(s, 0, &opts, &a), 0);
	assert_sound(a);
	print_message("%s: %s", verdict_name(a->verdict), a->sentences[0]);
	print_message(" | now %.1f tuned %.1f async %.1f", a->now_per_s.estimate,
		      a->tuned_per_s.estimate, a->async_per_s.estimate);
	print_message(" | %s\n", a->error_budget ? a->error_budget : "");
	return a;
}

static void assert_verdict(const struct sample_model *model, struct advice_opts opts,
			   enum verdict_class verdict, enum reason reason)
{
	_cleanup_(snapshot_freep) struct snapshot *s = busy_snapshot(model);
	_cleanup_(advice_freep) struct advice *a = ask(s, opts);

	assert_string_equal(verdict_name(a->verdict), verdict_name(verdict));
	assert_string_equal(reason_name(a->reasons[0].reason), reason_name(reason));
}

static void test_verdicts(void **state)
{
	struct sample_model computing = duolingo, saturated = duolingo, hidden = duolingo;
	struct sample_model between = duolingo;

	(void)state;
	assert_verdict(&duolingo, (struct advice_opts){.cpu_factor = 1.1}, VERDICT_TUNE_WORKERS,
		       REASON_TUNED_AT_LEAST);
	/* Memory for the five of today only. */
	assert_verdict(&duolingo,
		       (struct advice_opts){.cpu_factor = 1.1, .memory_budget_bytes = 310e6},
		       VERDICT_MIGRATE, REASON_GAIN_AT_LEAST);
	/* An unknown stack: kappa from 0.85 to 1.45 decides. */
	between.wait_s = .005;
	assert_verdict(&between, (struct advice_opts){.memory_budget_bytes = 310e6},
		       VERDICT_BORDERLINE, REASON_INTERVAL);
	computing.wait_s = .0001;
	computing.operations = 1;
	assert_verdict(&computing, (struct advice_opts){.cpu_factor = 1.05}, VERDICT_DO_NOT_MIGRATE,
		       REASON_CPU_BOUND);
	/* A stack that costs a quarter is no reason for async. */
	assert_verdict(&computing, (struct advice_opts){.cpu_factor = .25}, VERDICT_DO_NOT_MIGRATE,
		       REASON_STACK);
	saturated.cpu_s = .003;
	saturated.operations = 5;
	saturated.workers = 20;
	saturated.least_in_flight = 16;
	saturated.servers = 8;
	assert_verdict(&saturated, (struct advice_opts){.cpu_factor = 1.1}, VERDICT_DO_NOT_MIGRATE,
		       REASON_DOWNSTREAM_BOUND);
	hidden.most_in_flight = 1;
	assert_verdict(&hidden,
		       (struct advice_opts){.cpu_factor = 1.1, .memory_budget_bytes = 310e6},
		       VERDICT_NOT_ENOUGH_DATA, REASON_EXTRAPOLATION);
}

/* A long burst of CPU in one request of three: the loop's others wait for it. */
static void test_split_cpu(void **state)
{
	struct sample_model model = duolingo;
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	_cleanup_(advice_freep) struct advice *a = NULL;

	(void)state;
	model.cpu_s = .030;
	model.operations = 2;
	model.wait_s = .060;
	model.cv_cpu = 1.5;
	s = busy_snapshot(&model);
	a = ask(s, (struct advice_opts){.cpu_factor = 1, .memory_budget_bytes = 310e6});
	assert_int_equal(a->verdict, VERDICT_MIGRATE_SPLIT_CPU);
}

/* The figures are those of the report: sums of all requests, not of the sample. */
static void test_exact_sums(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = busy_snapshot(&duolingo);
	_cleanup_(advice_freep) struct advice *a = ask(s, (struct advice_opts){.cpu_factor = 1.1});
	const struct service *service = &s->services[0];
	double cpu_s = (double)service->cpu_ns / 1e9 / 3000;

	(void)state;
	assert_int_equal(service->traces.n, TRACES_MOST);
	ASSERT_NEAR(a->async_per_s.estimate, 2 / (1.1 * cpu_s), 1e-6);
	ASSERT_NEAR(a->kappa.estimate, 1.1, 1e-9);
	ASSERT_NEAR(a->kappa.stack + a->kappa.loop, 1.1, 1e-9);
	/* Sampled were 256, counted 3000: the error is that of 3000. */
	assert_true((a->now_per_s.hi - a->now_per_s.lo) / 2 / a->now_per_s.estimate < .03);
	/* u kappa gain = 1 while the processors are the limit. */
	ASSERT_NEAR(a->async_over_now.estimate, a->break_even / 1.1, 1e-6);
	assert_string_equal(a->precedent.name, "Duolingo 2025");
	assert_non_null(a->cheaper);
	assert_true(a->latency[ADVICE_NORMAL][ADVICE_ASYNC].p99_s > .080);
}

static const char *find_words(const struct advice *a, const char *words)
{
	for (size_t i = 0; i < a->n_assumptions; i++) {
		if (strstr(a->assumptions[i], words))
			return a->assumptions[i];
	}
	return NULL;
}

/* Ten waits keep a worker off the processors until it runs again, its share of the run queue
 * included: what is cold by then is no part of the other stack. */
static void test_off_until_it_runs(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = busy_snapshot(&duolingo);
	struct service *service = &s->services[0];
	const struct advice_opts opts = {.cpu_factor = 0};
	struct subject at_once = {.opts = NULL}, queued = at_once;
	double wait_s, queue_s = .010;

	(void)state;
	service->requests.waits = 10 * service->requests.completed;
	assert_int_equal(subject_of(s, 0, &opts, &at_once), 0);
	service->parts[PART_RUN_QUEUE].sum_ns = (uint64_t)(11 * queue_s * 1e9 * 3000);
	assert_int_equal(subject_of(s, 0, &opts, &queued), 0);
	wait_s = at_once.crowding.off_s;
	ASSERT_NEAR(wait_s, subject_wait_s(&at_once) / 10, 1e-9);
	ASSERT_NEAR(queued.crowding.wait_s, wait_s, 1e-9);
	ASSERT_NEAR(queued.crowding.off_s, wait_s + queue_s, 1e-9);
	/* A wait of 1 ms, one doubling, is in what calls cost anyway. */
	ASSERT_NEAR(queued.warm.calls_s.estimate / at_once.warm.calls_s.estimate,
		    (log2(1 + (wait_s + queue_s) / 1e-3) - 1) / (log2(1 + wait_s / 1e-3) - 1),
		    1e-9);
	assert_true(queued.crowding.waits > 0);
	subject_done(&at_once);
	subject_done(&queued);
	/* Of threads one waits and another one runs the same code. */
	service->workers.processes = 1;
	assert_int_equal(subject_of(s, 0, &opts, &queued), 0);
	assert_int_equal(queued.evidence.threads, 5);
	assert_true(queued.crowding.waits == 0);
	subject_done(&queued);
}

/* A peer on this machine that is slower the more is asked of it: with processors left over by its
 * own servers; where it fills what the service leaves, for want of processors, which limit both. */
static void test_queue_for_processors(void **state)
{
	struct sample_model model = duolingo;
	const struct advice_opts opts = {.cpu_factor = 1.1};
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	struct service *service;
	struct subject subject = {.opts = NULL};
	struct advice *a;
	double all_ns;

	(void)state;
	model.cpu_s = .003;
	model.operations = 5;
	model.workers = 20;
	model.least_in_flight = 16;
	model.servers = 8;
	s = busy_snapshot(&model);
	service = &s->services[0];
	free(service->peers[0].address);
	service->peers[0].address = strdup("127.0.0.1:5432");
	all_ns = 2 * (double)s->duration_ns;
	service->peer_cpu_ns = service->cpu_ns / 4;
	a = ask(s, opts);
	assert_int_equal(a->async.limit, ASYNC_PEER);
	advice_free(a);
	assert_int_equal(subject_of(s, 0, &opts, &subject), 0);
	assert_true(isfinite(subject.fits[0].capacity_per_s));
	subject_done(&subject);

	/* Another one that was hardly asked changes nothing. */
	assert_non_null(service_add_peer(service, "127.0.0.1:6379"));
	service->peers[1].loads[0] = (struct peer_load){.operations = 50, .sum_ns = 50000000};
	service->peer_cpu_ns = (uint64_t)all_ns - service->cpu_ns;
	a = ask(s, opts);
	assert_int_equal(a->async.limit, ASYNC_CPU);
	assert_int_equal(subject_of(s, 0, &opts, &subject), 0);
	assert_int_equal(subject.fits[0].kind, PEER_FIT_FLAT);
	assert_true(isinf(subject.fits[0].capacity_per_s));
	subject_done(&subject);
	ASSERT_NEAR(a->now_per_s.estimate, (double)service->requests.completed / (all_ns / 2e9),
		    .01);
	advice_free(a);
	/* Elsewhere it has processors of its own. */
	free(service->peers[0].address);
	service->peers[0].address = strdup("10.0.0.1:5432");
	service->peer_cpu_ns = 0;
	a = ask(s, opts);
	assert_int_equal(a->async.limit, ASYNC_PEER);
	advice_free(a);
}

/* Peers take half of what the service does on its processors: full, it serves less by that. What
 * strangers take there is only told. */
static void test_others(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = busy_snapshot(&duolingo);
	struct service *service = &s->services[0];
	const struct advice_opts opts = {.cpu_factor = .5};
	double cpu_s = (double)service->cpu_ns / 1e9 / 3000;
	struct advice *a;

	(void)state;
	service->surroundings.other_cpu_ns = service->cpu_ns / 2;
	a = ask(s, opts);
	ASSERT_NEAR(a->async_per_s.estimate, 2 / (.5 * cpu_s), 1e-6);
	assert_null(find_words(a, "Peers on this machine"));
	assert_non_null(find_words(a, "Others on this machine"));
	advice_free(a);

	service->peer_cpu_ns = service->cpu_ns / 2;
	a = ask(s, opts);
	ASSERT_NEAR(a->async_per_s.estimate, 2 / (.5 * cpu_s + .5 * cpu_s), 1e-6);
	ASSERT_NEAR(a->break_even, 1.5 / a->utilisation - .5, 1e-9);
	/* They may take less under full load, or more than was seen. */
	assert_true(a->async_per_s.hi > 1.1 * a->async_per_s.estimate);
	assert_true(a->async_per_s.lo < .85 * a->async_per_s.estimate);
	assert_non_null(find_words(a, "Peers on this machine"));
	assert_null(find_words(a, "Others on this machine"));
	advice_free(a);
	/* No more than the request waits for them. */
	service->peer_cpu_ns = 1000 * service->cpu_ns;
	a = ask(s, opts);
	ASSERT_NEAR(a->async_per_s.estimate,
		    2 / (.5 * cpu_s + (double)service->peers[0].wait.sum_ns / 1e9 / 3000), 1e-6);
	advice_free(a);
	/* What a quota leaves it, others do not take. */
	service->surroundings.quota_periods = 10;
	a = ask(s, opts);
	ASSERT_NEAR(a->async_per_s.estimate, 2 / (.5 * cpu_s), 1e-6);
	advice_free(a);
}

/* Threads of one process that take turns are each hardly ever busy; what is idle is known by its
 * processor, too. */
static void test_in_use(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = busy_snapshot(&duolingo);
	struct service *service = &s->services[0];
	const struct advice_opts opts = {.cpu_factor = 1};
	struct advice *a;

	(void)state;
	service->workers.busy_ns = service->workers.wall_ns / 20;
	a = ask(s, opts);
	assert_int_not_equal(a->verdict, VERDICT_NOT_ENOUGH_DATA);
	advice_free(a);
	/* 60 s of CPU within 50 s on ten times the processors. */
	service->surroundings.cpus *= 10;
	a = ask(s, opts);
	assert_int_equal(a->verdict, VERDICT_NOT_ENOUGH_DATA);
	assert_int_equal(a->reasons[0].reason, REASON_IDLE);
	assert_true(fabs(a->reasons[0].figure - (double)service->cpu_ns / 1e9 / 50 / 20) < 1e-9);
	advice_free(a);
	/* Of which its threads use one, for taking turns. */
	service->surroundings.interpreter_lock = true;
	service->workers.processes = 1;
	a = ask(s, opts);
	assert_int_not_equal(a->verdict, VERDICT_NOT_ENOUGH_DATA);
	advice_free(a);
}

/* What is asked comes back, and changes what it should. */
static void test_what_if(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = busy_snapshot(&duolingo);
	const struct connection_budget seven = {"10.0.0.7:8080", 7};
	const struct connection_budget nobody = {"10.0.0.8:8080", 7};
	_cleanup_(advice_freep) struct advice *plan =
		ask(s, (struct advice_opts){.cpu_factor = 1, .workers = 6});
	_cleanup_(advice_freep) struct advice *few = ask(
		s,
		(struct advice_opts){.cpu_factor = 1, .connections = &seven, .n_connections = 1});
	_cleanup_(advice_freep) struct advice *none = ask(
		s,
		(struct advice_opts){.cpu_factor = 1, .connections = &nobody, .n_connections = 1});
	_cleanup_(advice_freep) struct advice *room =
		ask(s, (struct advice_opts){.cpu_factor = 1, .memory_budget_bytes = 1});
	_cleanup_(advice_freep) struct advice *threads =
		ask(s, (struct advice_opts){.target = TARGET_THREADS});
	_cleanup_(advice_freep) struct advice *slo =
		ask(s, (struct advice_opts){.cpu_factor = 1, .slo_p99_s = .001});

	(void)state;
	assert_int_equal(plan->tuned.plan.processes, 6);
	assert_int_equal(plan->n_what_if, 2);
	assert_int_equal(few->tuned.plan.processes, 7);
	assert_int_equal(few->tuned.limit, TUNE_CONNECTIONS);
	assert_int_equal(none->tuned.plan.processes, 10);
	assert_non_null(strstr(none->assumptions[0], "10.0.0.8:8080"));
	/* Not one worker fits: nothing to tune, and no failure. */
	assert_int_equal(room->tuned.plan.processes, 5);
	assert_int_equal(room->tuned.limit, TUNE_MEMORY);
	assert_true(room->tuned_over_now.estimate == 1);
	ASSERT_NEAR(threads->kappa.stack, 1, 1e-9);
	assert_true(slo->n_changes >= 2);
}

/* The same asked again is the same answer; another seed is another draw of the same. */
static void test_seed(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = busy_snapshot(&duolingo);
	_cleanup_(advice_freep) struct advice *a = ask(s, (struct advice_opts){.seed = 1});
	_cleanup_(advice_freep) struct advice *b = ask(s, (struct advice_opts){.seed = 1});
	_cleanup_(advice_freep) struct advice *c = ask(s, (struct advice_opts){.seed = 2});

	(void)state;
	assert_true(a->async_over_now.lo == b->async_over_now.lo);
	assert_true(a->latency[ADVICE_NORMAL][ADVICE_NOW].p99_s ==
		    b->latency[ADVICE_NORMAL][ADVICE_NOW].p99_s);
	assert_true(a->async_over_now.lo != c->async_over_now.lo);
	assert_true(a->async_over_now.estimate == c->async_over_now.estimate);
}

/* The async capacity does not depend on today's workers or load. */
static void test_invariance(void **state)
{
	static const uint32_t workers[] = {2, 5, 16};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct sample_model model = duolingo;
		_cleanup_(snapshot_freep) struct snapshot *s = NULL;
		_cleanup_(advice_freep) struct advice *a = NULL;

		model.workers = workers[i];
		s = busy_snapshot(&model);
		a = ask(s, (struct advice_opts){.cpu_factor = 1.1});
		ASSERT_NEAR(a->async_per_s.estimate, 2 / (1.1 * .02002), .03);
	}
}

/* An event loop: what blocks it, and what it would serve without. */
static void test_already_async(void **state)
{
	struct sample_model model = duolingo;
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	_cleanup_(advice_freep) struct advice *a = NULL;
	struct service *service;

	(void)state;
	model.workers = 1;
	s = busy_snapshot(&model);
	service = &s->services[0];
	service->evidence.opened_by_loop = service->requests.completed;
	service->evidence.opened_by_worker = 0;
	service->evidence.loops = 1;
	service->blocked[PART_NETWORK] = (struct blocked){3000, 60000000000, 30000000};
	service->peers[0].blocked = service->blocked[PART_NETWORK];
	service->blocked[PART_DISK] = (struct blocked){1, 1000000, 1000000};
	a = ask(s, (struct advice_opts){.target = TARGET_AUTO});
	assert_int_equal(a->verdict, VERDICT_ALREADY_ASYNC);
	assert_int_equal(a->n_blocking, 2);
	assert_string_equal(a->blocking[0].what, "network wait for 10.0.0.7:8080");
	/* 20 ms of CPU and as much blocked, on one loop. */
	ASSERT_NEAR(a->async_over_now.estimate, 2, .01);
	assert_string_equal(a->precedent.name, "Feast 2021");
	/* A loop per processor would do as much. */
	ASSERT_NEAR(a->tuned_over_now.estimate, 2, .01);
	advice_free(a);
	a = ask(s, (struct advice_opts){.cpu_factor = .5});
	ASSERT_NEAR(a->async_over_now.estimate, 4, .01);
	ASSERT_NEAR(a->tuned_over_now.estimate, 2, .01);
	advice_free(a);
	/* What peers take on its processors stays what it is. */
	service->evidence.loops = 2;
	service->peer_cpu_ns = service->cpu_ns;
	a = ask(s, (struct advice_opts){.cpu_factor = .5});
	ASSERT_NEAR(a->async_per_s.estimate, 2 / (1.5 * (double)service->cpu_ns / 1e9 / 3000), .01);
}

/* Requests that wait for a lock queue for it; those whose threads wait for one another do not. */
static void test_lock(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = busy_snapshot(&duolingo);
	struct service *service = &s->services[0];
	const struct advice_opts opts = {.cpu_factor = 1};
	struct subject subject = {.opts = NULL};
	double n = (double)service->requests.completed;

	(void)state;
	service->parts[PART_LOCK].sum_ns = service->service_time.sum_ns / 4;
	assert_int_equal(subject_of(s, 0, &opts, &subject), 0);
	/* M/M/1: waiting w at the rate r, held for h, w = r h^2 / (1 - r h). */
	ASSERT_NEAR((double)service->parts[PART_LOCK].sum_ns / 1e9 / n,
		    subject.rate_per_s * pow(subject.evidence.serial_s, 2) /
			    (1 - subject.rate_per_s * subject.evidence.serial_s),
		    1e-6);
	subject_done(&subject);
	service->requests.parallel_ns = service->service_time.sum_ns / 2;
	assert_int_equal(subject_of(s, 0, &opts, &subject), 0);
	assert_true(subject.evidence.serial_s == 0);
	subject_done(&subject);
}

/* A loop in front of four threads that are busy nine tenths of the time: they are the limit. */
static void test_full_pool(void **state)
{
	struct sample_model model = duolingo;
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	_cleanup_(advice_freep) struct advice *full = NULL, *growing = NULL;
	struct service *service;
	double rate_per_s;

	(void)state;
	model.workers = 1;
	model.duration_s = 100; /* half of what the processor could */
	s = busy_snapshot(&model);
	service = &s->services[0];
	rate_per_s = derive_rate_per_s(s, service);
	service->evidence.opened_by_loop = service->requests.completed;
	service->evidence.opened_by_worker = 0;
	service->evidence.loops = 1;
	service->evidence.pool_ns = service->service_time.sum_ns;
	service->evidence.own_ns = 1;
	service->workers = (struct workers){4, 1, .busy_ns = 90, .wall_ns = 100};
	full = ask(s, (struct advice_opts){.target = TARGET_AUTO});
	assert_int_equal(full->verdict, VERDICT_ALREADY_ASYNC);
	assert_non_null(strstr(advice_headline(full), "front is async"));
	ASSERT_NEAR(full->now_per_s.estimate, rate_per_s / .9, 1e-6);
	service->workers.busy_ns = 50;
	growing = ask(s, (struct advice_opts){.target = TARGET_AUTO});
	assert_true(growing->now_per_s.estimate > full->now_per_s.estimate);
	ASSERT_NEAR(full->tuned_per_s.estimate, growing->tuned_per_s.estimate, 1e-9);
}

static void test_curve(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = busy_snapshot(&duolingo);
	const struct advice_opts opts = {.cpu_factor = 1.1};
	struct advice_curve c;
	const struct advice_load *last;

	(void)state;
	assert_int_equal(advice_curve(s, 0, &opts, &c), 0);
	assert_true(c.n_points > 8);
	last = &c.points[c.n_points - 1];
	/* One client: nobody queues. Many: the capacities. */
	ASSERT_NEAR(c.points[0].latency_s[ADVICE_NOW], .080, .05);
	ASSERT_NEAR(last->per_s[ADVICE_NOW], 60, .05);
	ASSERT_NEAR(last->per_s[ADVICE_ASYNC], 2 / (1.1 * .02), .03);
	for (size_t i = 0; i < c.n_points; i++) {
		const struct advice_load *p = &c.points[i];

		assert_true(i == 0 || p->clients > c.points[i - 1].clients);
		for (int k = 0; k < ADVICE_SPLIT; k++)
			ASSERT_NEAR(p->per_s[k] * p->latency_s[k], p->clients, 1e-9);
	}
}

/* Everything that may be missing: a clear answer, and never a confident one. */
static void test_bad_input(void **state)
{
	static const struct sample_model few = {
		.cpu_s = .01, .requests = 1, .duration_s = 1, .workers = 1, .cpus = 1};
	_cleanup_(snapshot_freep) struct snapshot *empty = snapshot_new(1);
	_cleanup_(snapshot_freep) struct snapshot *one = busy_snapshot(&few);
	_cleanup_(snapshot_freep) struct snapshot *s = busy_snapshot(&duolingo);
	struct service *service = &s->services[0];
	struct advice_opts opts = {.target = TARGET_AUTO};
	struct advice *a = NULL;
	struct advice_curve c;

	(void)state;
#define UNDECIDED(snapshot, why)                                                               \
	do {                                                                                   \
		_cleanup_(advice_freep) struct advice *advice = ask(snapshot, opts);           \
		assert_int_equal(advice->verdict, VERDICT_NOT_ENOUGH_DATA);                    \
		assert_string_equal(reason_name(advice->reasons[0].reason), reason_name(why)); \
	} while (0)
	UNDECIDED(empty, REASON_BATCH);
	empty->services[0].evidence.listens = true;
	UNDECIDED(empty, REASON_NO_REQUESTS);
	UNDECIDED(one, REASON_REQUESTS);
	service->surroundings.cpus = service->surroundings.host_cpus = 0;
	UNDECIDED(s, REASON_CPUS_UNKNOWN);
	service->surroundings.cpus = 2;
	service->traces.n = 20;
	UNDECIDED(s, REASON_SAMPLED);
	service->traces.n = 0;
	UNDECIDED(s, REASON_SAMPLED);
	service->traces.n = TRACES_MOST;
	service->workers = (struct workers){0};
	UNDECIDED(s, REASON_WORKERS_UNKNOWN);
	dist_done(&service->parts[PART_CPU]);
	UNDECIDED(s, REASON_NO_CPU);
	assert_int_equal(advice_service(s, 1, &opts, &a), -EINVAL);
	opts.cpu_factor = NAN;
	assert_int_equal(advice_service(s, 0, &opts, &a), -EINVAL);
	opts = (struct advice_opts){.workers = 10000, .threads = 10000};
	assert_int_equal(advice_service(s, 0, &opts, &a), -EINVAL);
	assert_int_equal(advice_curve(s, 0, &opts, &c), -EINVAL);
	opts = (struct advice_opts){.target = TARGET_COUNT};
	assert_int_equal(advice_service(s, 0, &opts, &a), -EINVAL);
	assert_null(a);
	opts.target = TARGET_AUTO;
	assert_int_equal(advice_curve(empty, 0, &opts, &c), 0);
	assert_int_equal(c.n_points, 0);
	advice_free(NULL);
}

/* Fields that are not known do not stop the advice, they are named. */
static void test_gaps(void **state)
{
	_cleanup_(snapshot_freep) struct snapshot *s = busy_snapshot(&duolingo);
	struct surroundings *around = &s->services[0].surroundings;
	_cleanup_(advice_freep) struct advice *a = NULL;
	bool memory = false, cpus = false;

	(void)state;
	around->cpus = 0;
	around->process_bytes = around->memory_available_bytes = 0;
	a = ask(s, (struct advice_opts){.cpu_factor = 1.1});
	assert_int_equal(a->verdict, VERDICT_TUNE_WORKERS);
	for (size_t i = 0; i < a->n_assumptions; i++) {
		memory |= strstr(a->assumptions[i], "Memory is no limit") != NULL;
		cpus |= strstr(a->assumptions[i], "processors") != NULL;
	}
	assert_true(memory && cpus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_split_cpu),
		cmocka_unit_test(test_off_until_it_runs),
		cmocka_unit_test(test_queue_for_processors),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_in_use),
		cmocka_unit_test(test_exact_sums),
		cmocka_unit_test(test_what_if),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_invariance),
		cmocka_unit_test(test_already_async),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_curve),
		cmocka_unit_test(test_full_pool),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
