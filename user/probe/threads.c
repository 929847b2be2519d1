/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/threads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct threads {
	struct iop_thread_record *records; /* by service, process, thread */
	size_t n;
	struct iop_thread_record *past; /* the update before, in the same order */
	size_t n_past;
};

struct threads *threads_new(void)
{
	return calloc(1, sizeof(struct threads));
}

void threads_free(struct threads *threads)
{
	if (!threads)
		return;
	free(threads->past);
	free(threads->records);
	free(threads);
}

static int compare_records(const void *a, const void *b)
{
	const struct iop_thread_record *x = a, *y = b;

	if (x->service != y->service)
		return x->service < y->service ? -1 : 1;
	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

/* The same thread among other records, or NULL. Its number may be another's by now. */
static const struct iop_thread_record *find_in(const struct iop_thread_record *records, size_t n,
					       const struct iop_thread_record *thread)
{
	const struct iop_thread_record *found;

	if (!n)
		return NULL;
	found = bsearch(thread, records, n, sizeof(*records), compare_records);
	return found && found->start_time == thread->start_time ? found : NULL;
}

/* What a thread had done by the update before, or NULL. */
static const struct iop_thread_record *find_past(const struct threads *threads,
						 const struct iop_thread_record *thread)
{
	return find_in(threads->past, threads->n_past, thread);
}

void threads_update(struct threads *threads, struct iop_thread_record *records, size_t n)
{
	free(threads->past);
	threads->past = threads->records;
	threads->n_past = threads->n;
	if (n)
		qsort(records, n, sizeof(*records), compare_records);
	threads->records = records;
	threads->n = n;
}

void threads_cpu(const struct threads *threads, uint32_t service, uint64_t *ret_ns,
		 uint64_t *ret_observed_ns)
{
	uint64_t ns = 0, observed_ns = 0;

	for (size_t i = 0; i < threads->n; i++) {
		if (threads->records[i].service != service)
			continue;
		ns += threads->records[i].cpu_ns;
		observed_ns += threads->records[i].cpu_observed_ns;
	}
	*ret_ns = ns;
	*ret_observed_ns = observed_ns;
}

static size_t count_of(const struct threads *threads, uint32_t service)
{
	size_t n = 0;

	for (size_t i = 0; i < threads->n; i++)
		n += threads->records[i].service == service;
	return n;
}

int threads_processes(const struct threads *threads, uint32_t service, pid_t first,
		      pid_t **ret_pids, size_t *ret_n)
{
	const struct iop_thread_record *record;
	_cleanup_free_ pid_t *pids = NULL;
	size_t n = 0;

	pids = calloc(count_of(threads, service) + 1, sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	for (size_t i = 0; i < threads->n; i++) {
		record = &threads->records[i];
		if (record->service != service || (n && pids[n - 1] == (pid_t)record->tgid))
			continue;
		pids[n++] = (pid_t)record->tgid;
	}
	for (size_t i = 1; i < n; i++) {
		if (pids[i] != first)
			continue;
		memmove(pids + 1, pids, i * sizeof(*pids));
		pids[0] = first;
		break;
	}
	*ret_pids = TAKE(pids);
	*ret_n = n;
	return 0;
}

/* One process's share of the records. */
struct process {
	const struct iop_thread_record *threads;
	size_t n;
	size_t serving;			    /* threads that have read a request */
	size_t pooled;			    /* threads that work on requests others read */
	size_t serving_loops, pooled_loops; /* of these, event loops */
};

static struct process next_process(const struct threads *threads, size_t i)
{
	struct process p = {.threads = threads->records + i};

	for (; i + p.n < threads->n && p.threads[p.n].tgid == p.threads[0].tgid; p.n++) {
		bool loop = p.threads[p.n].loop;

		p.serving += p.threads[p.n].requests > 0;
		p.pooled += p.threads[p.n].pooled;
		p.serving_loops += loop && p.threads[p.n].requests > 0;
		p.pooled_loops += loop && p.threads[p.n].pooled;
	}
	return p;
}

static bool named_like(const struct process *p, const struct iop_thread_record *thread, bool pooled)
{
	const struct iop_thread_record *other;

	for (size_t i = 0; i < p->n; i++) {
		other = &p->threads[i];
		if ((pooled ? other->pooled : other->requests) &&
		    !memcmp(other->comm, thread->comm, sizeof(thread->comm)))
			return true;
	}
	return false;
}

/* Whether there are others than loops, and no fewer: a loop among many that has not been proven to
 * be one makes none of them a front. */
static bool mostly_others(size_t all, size_t loops)
{
	return all > loops && all >= 2 * loops;
}

/* An event loop that reads requests for threads that wait: it takes none of them itself. */
static bool is_front(const struct process *p, const struct iop_thread_record *thread, bool pooled)
{
	return thread->loop && (pooled && p->pooled ? mostly_others(p->pooled, p->pooled_loops)
						    : mostly_others(p->serving, p->serving_loops));
}

/* Whether a thread of a process that serves is one of its workers. pooled: requests are handed to a
 * pool. */
static bool is_worker(const struct process *p, const struct iop_thread_record *thread, bool pooled)
{
	bool first = thread->tid == thread->tgid;

	if (is_front(p, thread, pooled))
		return false;
	if (pooled && p->pooled)
		return thread->pooled ||
		       (!first && !thread->requests && named_like(p, thread, true));
	if (thread->requests)
		return true;
	/* One reader in a process says nothing of other threads: only a pool of readers has idle
	 * members. */
	return !first && !thread->loop && !thread->pooled && p->serving > 1 &&
	       named_like(p, thread, false);
}

static bool same_parent(const struct process *a, const struct process *b)
{
	return a->threads[0].parent_tgid == b->threads[0].parent_tgid &&
	       !memcmp(a->threads[0].comm, b->threads[0].comm, sizeof(a->threads[0].comm));
}

/* An idle sibling of a process that serves. */
static bool is_spare(const struct threads *threads, const struct process *process)
{
	struct process other;

	for (size_t i = 0; i < threads->n; i += other.n) {
		other = next_process(threads, i);
		if (other.serving && other.threads[0].service == process->threads[0].service &&
		    same_parent(&other, process))
			return true;
	}
	return false;
}

static void count_worker(const struct threads *threads, const struct iop_thread_record *thread,
			 struct workers *workers)
{
	uint64_t observed = thread->observed_ns, idle = thread->idle_ns;
	const struct iop_thread_record *past = find_past(threads, thread);

	if (past) {
		observed -= past->observed_ns < observed ? past->observed_ns : observed;
		idle -= past->idle_ns < idle ? past->idle_ns : idle;
	}
	workers->count++;
	workers->wall_ns += observed;
	workers->busy_ns += observed > idle ? observed - idle : 0;
}

/* Workers that ended since: their whole time less what was reported of them before. */
static void count_ended(const struct threads *threads, uint32_t service,
			const struct ended_workers *ended, struct workers *workers)
{
	uint64_t wall = ended->wall_ns, idle = ended->idle_ns;
	const struct iop_thread_record *past;

	for (size_t i = 0; i < threads->n_past; i++) {
		past = &threads->past[i];
		if (past->service != service || !past->requests ||
		    find_in(threads->records, threads->n, past))
			continue;
		wall -= past->observed_ns < wall ? past->observed_ns : wall;
		idle -= past->idle_ns < idle ? past->idle_ns : idle;
	}
	workers->wall_ns += wall;
	workers->busy_ns += wall > idle ? wall - idle : 0;
	if (ended->most <= workers->count)
		return;
	/* There were more of them at once than are left. */
	if (ended->n_processes * 2 >= ended->n)
		workers->processes += ended->most - workers->count;
	else if (!workers->processes)
		workers->processes = 1;
	workers->count = ended->most;
}

void threads_workers(const struct threads *threads, uint32_t service,
		     const struct ended_workers *ended, bool pooled, struct workers *ret_workers,
		     struct evidence *evidence)
{
	struct workers workers = {0};
	struct process p;
	uint32_t before;

	for (size_t i = 0; i < threads->n; i += p.n) {
		p = next_process(threads, i);
		if (p.threads[0].service != service)
			continue;
		before = workers.count;
		for (size_t k = 0; k < p.n; k++) {
			evidence->threads_serving += p.threads[k].requests > 0;
			evidence->loops += p.threads[k].loop;
			if (p.serving && is_worker(&p, &p.threads[k], pooled))
				count_worker(threads, &p.threads[k], &workers);
		}
		evidence->processes_serving += p.serving > 0;
		if (!p.serving && is_spare(threads, &p))
			count_worker(threads, &p.threads[0], &workers);
		workers.processes += workers.count > before;
	}
	if (ended->n) {
		evidence->threads_serving += (uint32_t)ended->n;
		evidence->processes_serving += (uint32_t)ended->n_processes;
		if (!evidence->processes_serving)
			evidence->processes_serving = 1;
		count_ended(threads, service, ended, &workers);
	}
	*ret_workers = workers;
}

/* What is left of a, never less than nothing. */
static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static struct lane lane_of(const struct threads *threads, const struct iop_thread_record *thread)
{
	static const struct iop_thread_record none;
	const struct iop_thread_record *past = find_past(threads, thread);
	struct lane lane = {
		.pid = (pid_t)thread->tgid,
		.tid = (pid_t)thread->tid,
		.start_time = thread->start_time,
		.loop = thread->loop,
		.serving = thread->requests > 0,
	};

	if (!past)
		past = &none;
	memcpy(lane.name, thread->comm, sizeof(lane.name) - 1);
	lane.cpu_ns = less(thread->cpu_ns, past->cpu_ns);
	lane.run_queue_ns = less(thread->run_queue_ns, past->run_queue_ns);
	lane.idle_ns = less(thread->idle_ns, past->idle_ns);
	lane.wait_ns = less(less(thread->observed_ns, past->observed_ns),
			    less(thread->cpu_observed_ns, past->cpu_observed_ns) +
				    lane.run_queue_ns + lane.idle_ns);
	return lane;
}

int threads_lanes(const struct threads *threads, uint32_t service, struct service *to)
{
	to->lanes = calloc(count_of(threads, service) + 1, sizeof(*to->lanes));
	if (!to->lanes)
		return -ENOMEM;
	for (size_t i = 0; i < threads->n; i++) {
		if (threads->records[i].service == service)
			to->lanes[to->n_lanes++] = lane_of(threads, &threads->records[i]);
	}
	service_sort_lanes(to);
	return 0;
}
