/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the kernel's counters to a snapshot: what each grew by since the last one. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ioprof.skel.h>

#include "abi.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "model/derive.h"
#include "model/scale.h"
#include "probe/blocking.h"
#include "probe/counters.h"
#include "probe/internal.h"
#include "probe/iterate.h"

_Static_assert((int)IOP_NETWORK == (int)PART_NETWORK && (int)IOP_CLIENT == (int)PART_CLIENT &&
		       (int)IOP_DISK == (int)PART_DISK && (int)IOP_LOCK == (int)PART_LOCK &&
		       (int)IOP_SLEEP == (int)PART_SLEEP && (int)IOP_CHILD == (int)PART_CHILD &&
		       (int)IOP_OTHER == (int)PART_OTHER && (int)IOP_CPU == (int)PART_CPU &&
		       (int)IOP_RUN_QUEUE == (int)PART_RUN_QUEUE &&
		       (int)IOP_OVERLAPPED == (int)PART_OVERLAPPED &&
		       (int)IOP_UNATTRIBUTED == (int)PART_UNATTRIBUTED &&
		       (int)IOP_PARTS == (int)PART_COUNT,
	       "part.def and abi.h name the parts in the same order");
_Static_assert((int)IOP_LOSS_THREADS == (int)LOSS_THREADS &&
		       (int)IOP_LOSS_CONNECTIONS == (int)LOSS_CONNECTIONS &&
		       (int)IOP_LOSS_PROCESSES == (int)LOSS_PROCESSES &&
		       (int)IOP_LOSS_LISTENERS == (int)LOSS_LISTENERS &&
		       (int)IOP_LOSS_PEERS == (int)LOSS_PEERS &&
		       (int)IOP_LOSS_SHARES == (int)LOSS_SHARES &&
		       (int)IOP_LOSS_LOCKS == (int)LOSS_LOCKS &&
		       (int)IOP_LOSS_BUSY == (int)LOSS_BUSY &&
		       (int)IOP_LOSS_TRACES == (int)LOSS_TRACES &&
		       (int)IOP_LOSS_COUNT == (int)LOSS_RECURSION,
	       "loss.def and abi.h name the losses in the same order");

#define TAKE_COUNTER(past, now, field) counters_take((uint64_t *)&(past)->field, (now)->field)
#define TOTALS (sizeof(struct iop_totals) / sizeof(uint64_t))
#define MOMENT_UNIT_S ((double)(1 << IOP_MOMENT_SHIFT) * 1e-9)

static void take_requests(struct iop_totals *past, const struct iop_totals *now,
			  struct service *service)
{
	struct requests *requests = &service->requests;
	struct evidence *evidence = &service->evidence;
	double unit2 = MOMENT_UNIT_S * MOMENT_UNIT_S;

	requests->completed = TAKE_COUNTER(past, now, completed);
	requests->arrival_unknown = TAKE_COUNTER(past, now, arrival_unknown);
	requests->at_attach = TAKE_COUNTER(past, now, at_attach);
	requests->aborted = TAKE_COUNTER(past, now, aborted);
	requests->operations = TAKE_COUNTER(past, now, operations);
	requests->waits = TAKE_COUNTER(past, now, waits);
	requests->parallel_ns = TAKE_COUNTER(past, now, parallel_ns);
	service->overlapped_io_ns = TAKE_COUNTER(past, now, overlapped_io_ns);
	service->moments.xx = (double)TAKE_COUNTER(past, now, xx) * unit2;
	service->moments.yy = (double)TAKE_COUNTER(past, now, yy) * unit2;
	service->moments.xy = (double)TAKE_COUNTER(past, now, xy) * unit2;
	service->peer_cpu_ns = TAKE_COUNTER(past, now, peer_cpu_ns);
	evidence->opened_by_loop = TAKE_COUNTER(past, now, opened_by_loop);
	evidence->opened_by_worker = TAKE_COUNTER(past, now, opened_by_worker);
	evidence->handed_off = TAKE_COUNTER(past, now, handed_off);
	evidence->pool_ns = TAKE_COUNTER(past, now, pool_ns);
	evidence->own_ns = TAKE_COUNTER(past, now, own_ns);
	service->latency.count = service->queue_wait.count = TAKE_COUNTER(past, now, known);
	service->service_time.count = requests->completed;
	for (int i = 0; i < PART_COUNT; i++)
		service->parts[i].count = requests->completed;
}

/* The distributions of a service in the kernel's order. */
static struct dist *dist_of(struct service *service, unsigned int i)
{
	switch (i) {
	case IOP_LATENCY:
		return &service->latency;
	case IOP_QUEUE_WAIT:
		return &service->queue_wait;
	case IOP_SERVICE_TIME:
		return &service->service_time;
	default:
		return &service->parts[i];
	}
}

/* What the kernel's buckets, which wrap, grew by since they were as in past. It leaves zeros out:
 * they are what is missing to the count. 0 or -ENOMEM. */
static int take_hist(struct dist *past, const uint32_t *now, struct dist *dist)
{
	uint64_t counted = 0;

	for (unsigned int b = 0; b < IOP_BUCKET_COUNT; b++) {
		uint32_t last = (uint32_t)dist_bucket(past, b);
		uint32_t grown = counters_take32(&last, now[b]);

		if (!grown)
			continue;
		if (dist_fill(past, b, grown) < 0 || dist_fill(dist, b, grown) < 0)
			return -ENOMEM;
		counted += grown;
	}
	if (counted < dist->count)
		return dist_fill(dist, 0, dist->count - counted);
	dist->count = counted;
	return 0;
}

static int read_dists(struct probe *probe, uint32_t index, struct service *service,
		      const struct iop_totals *now)
{
	struct probe_service *past = &probe->services[index];
	uint32_t key, buckets[IOP_BUCKET_COUNT];
	int64_t overlapped_ns;
	int r;

	for (unsigned int i = 0; i < IOP_DISTS; i++) {
		key = index * IOP_DISTS + i;
		r = counters_sum_hist(bpf_map__fd(probe->skel->maps.hists), key,
				      probe->skel->rodata->service_count * IOP_DISTS,
				      probe->skel->rodata->hist_copies, buckets);
		if (r < 0)
			return r;
		r = take_hist(&past->dists[i], buckets, dist_of(service, i));
		if (r < 0)
			return r;
		if (i != IOP_OVERLAPPED)
			dist_of(service, i)->sum_ns =
				counters_take((uint64_t *)&past->totals.sum_ns[i], now->sum_ns[i]);
	}
	/* Below zero over all requests: what a loop and its pool did for them side by side. */
	overlapped_ns = counters_take_signed((uint64_t *)&past->totals.sum_ns[IOP_OVERLAPPED],
					     now->sum_ns[IOP_OVERLAPPED]);
	if (overlapped_ns >= 0)
		service->parts[PART_OVERLAPPED].sum_ns = (uint64_t)overlapped_ns;
	else
		service->requests.parallel_ns += (uint64_t)-overlapped_ns;
	if (service->overlapped_io_ns > service->parts[PART_OVERLAPPED].sum_ns)
		service->overlapped_io_ns = service->parts[PART_OVERLAPPED].sum_ns;
	return 0;
}

static int read_maxima(struct probe *probe, uint32_t epoch, uint32_t index, struct service *service)
{
	uint64_t max[IOP_DISTS] = {0};
	int r;

	r = counters_take_max(bpf_map__fd(probe->skel->maps.maxima), index * 2 + (epoch & 1),
			      IOP_DISTS, max);
	for (unsigned int i = 0; i < IOP_DISTS && !r; i++)
		dist_of(service, i)->max_ns = max[i];
	return r;
}

/* Squares as in the moments. Corrections can leave a sum a little less than nothing. */
static int read_pauses(struct probe *probe, uint32_t index, struct service *service)
{
	double unit2 = MOMENT_UNIT_S * MOMENT_UNIT_S;

	for (uint32_t i = 0; i < IOP_PAUSE_BINS; i++) {
		struct iop_pause *past = &probe->services[index].pauses[i], now;
		struct pause *pause = &service->pauses[i];
		uint32_t key = index * IOP_PAUSE_BINS + i;

		if (bpf_map_lookup_elem(bpf_map__fd(probe->skel->maps.pauses), &key, &now))
			return -errno;
		pause->requests = TAKE_COUNTER(past, &now, requests);
		pause->sum_ns = TAKE_COUNTER(past, &now, pause_ns);
		pause->cpu_ns = TAKE_COUNTER(past, &now, cpu_ns);
		pause->cpu_squares = (double)TAKE_COUNTER(past, &now, cpu_squares) * unit2;
	}
	return 0;
}

static int find_listeners(struct probe *probe, struct snapshot *s)
{
	struct iop_listener key, *previous = NULL;
	int fd = bpf_map__fd(probe->skel->maps.listeners);
	struct iop_listening listening;

	while (!bpf_map_get_next_key(fd, previous, &key)) {
		previous = &key;
		if (!bpf_map_lookup_elem(fd, &key, &listening) && listening.service < s->n_services)
			s->services[listening.service].evidence.listens = true;
	}
	return 0;
}

/* What could not be told apart, and why: sentences for the report. */
static int note_service(struct service *service)
{
	double wall = (double)service->service_time.sum_ns;
	const struct evidence *evidence = &service->evidence;
	bool loops = evidence->opened_by_loop > evidence->opened_by_worker;

	if (wall <= 0)
		return 0;
	if ((double)service->parts[PART_UNATTRIBUTED].sum_ns > 0.02 * wall &&
	    service_add_note(
		    service,
		    evidence->handed_off
			    ? "Part of the requests' time is unattributed: they change threads in a way the kernel "
			      "does not show."
			    : "Part of the requests' time is unattributed: nothing the threads did while they were "
			      "open shows what it was for."))
		return -ENOMEM;
	if (loops &&
	    service_add_note(
		    service,
		    "On an event loop, which request a piece of work belongs to is inferred from the order of "
		    "messages: means hold, percentiles of the parts are estimates."))
		return -ENOMEM;
	if (loops && service->requests.operations == 0 && evidence->handed_off == 0 &&
	    (double)service->parts[PART_OVERLAPPED].sum_ns > 0.5 * wall &&
	    service_add_note(
		    service,
		    "Most of the requests' time passes while their event loop serves others or sleeps, without "
		    "an operation outstanding: timers, or requests queueing for the loop."))
		return -ENOMEM;
	if (loops && service->requests.operations > 0 && evidence->handed_off == 0 &&
	    (double)service->parts[PART_OVERLAPPED].sum_ns - (double)service->overlapped_io_ns >
		    0.3 * wall &&
	    service_add_note(
		    service,
		    "Much of the requests' time passes without an operation of theirs outstanding: they wait "
		    "within the process, as for a free connection of a pool, or queue for the loop."))
		return -ENOMEM;
	return 0;
}

static int read_ended(struct probe *probe, uint32_t index, const struct iop_totals *now,
		      struct ended_workers *ret_ended)
{
	struct iop_totals *past = &probe->services[index].totals;
	struct iop_serving serving;

	if (bpf_map_lookup_elem(bpf_map__fd(probe->skel->maps.serving), &index, &serving))
		return -errno;
	ret_ended->most = serving.most;
	ret_ended->n = TAKE_COUNTER(past, now, ended_serving);
	ret_ended->n_processes = TAKE_COUNTER(past, now, ended_serving_processes);
	ret_ended->wall_ns = TAKE_COUNTER(past, now, ended_serving_ns);
	ret_ended->idle_ns = TAKE_COUNTER(past, now, ended_serving_idle_ns);
	return 0;
}

static int read_service(struct probe *probe, uint32_t epoch, uint32_t index,
			const struct iop_totals *now, struct service *service)
{
	struct probe_service *past = &probe->services[index];
	uint64_t cpu_ns, cpu_observed_ns;
	struct ended_workers ended;
	int r;

	service->name = strdup(past->name);
	if (!service->name)
		return -ENOMEM;
	take_requests(&past->totals, now, service);
	r = read_dists(probe, index, service, now);
	if (r < 0)
		return r;
	r = read_maxima(probe, epoch, index, service);
	if (r < 0)
		return r;
	r = read_pauses(probe, index, service);
	if (r < 0)
		return r;
	threads_cpu(probe->threads, index, &cpu_ns, &cpu_observed_ns);
	service->cpu_ns = counters_take(&past->cpu_ns, cpu_ns + now->ended_cpu_ns);
	service->cpu_observed_ns =
		counters_take(&past->cpu_observed_ns, cpu_observed_ns + now->ended_cpu_observed_ns);
	r = threads_processes(probe->threads, index, past->pid, &service->pids, &service->n_pids);
	if (r < 0)
		return r;
	r = read_ended(probe, index, now, &ended);
	if (r < 0)
		return r;
	threads_workers(probe->threads, index, &ended, derive_handed_over(service),
			&service->workers, &service->evidence);
	r = threads_lanes(probe->threads, index, service);
	if (r < 0)
		return r;
	r = blocking_read(bpf_map__fd(probe->skel->maps.blocked),
			  bpf_map__fd(probe->skel->maps.backlogs), index, epoch, past->blocked,
			  service);
	if (r < 0)
		return r;
	return note_service(service);
}

static int read_threads(struct probe *probe)
{
	void *records;
	size_t size;
	int r;

	r = iterate_read(probe->skel->progs.report_threads, &records, &size);
	if (r < 0)
		return r;
	threads_update(probe->threads, records, size / sizeof(struct iop_thread_record));
	return 0;
}

/* Events that no program saw, as it ran already on that CPU. Where there are two for one event
 * (preempted.bpf.c), it is lost if both missed it: at most as many as the second missed, and as the
 * first missed and the second did not take up. */
struct misses {
	uint64_t single, first, second;
};

static void misses_add(struct misses *misses, const struct ioprof_bpf *skel,
		       const struct bpf_program *program, uint64_t n)
{
	if (program == skel->progs.on_recv_first || program == skel->progs.on_send_first)
		misses->first += n;
	else if (program == skel->progs.on_recv_again || program == skel->progs.on_send_again)
		misses->second += n;
	else
		misses->single += n;
}

static uint64_t misses_lost(const struct misses *misses, const struct ioprof_bpf *skel)
{
	uint64_t taken_up = __atomic_load_n(&skel->bss->messages_rescued, __ATOMIC_RELAXED);
	uint64_t first = misses->first > taken_up ? misses->first - taken_up : 0;

	return misses->single + (first < misses->second ? first : misses->second);
}

/* Each program's cost, and the events it missed because it was running already. */
static int read_programs(struct probe *probe, struct snapshot *s)
{
	const struct bpf_object_skeleton *skeleton = probe->skel->skeleton;
	struct bpf_program *program;
	struct bpf_prog_info info;
	struct program_cost *cost;
	struct program_past *past;
	struct misses misses = {0};
	uint32_t size;

	if (!probe->program_past)
		probe->program_past =
			calloc((size_t)skeleton->prog_cnt, sizeof(*probe->program_past));
	s->programs = calloc((size_t)skeleton->prog_cnt, sizeof(*s->programs));
	if (!probe->program_past || !s->programs)
		return -ENOMEM;
	s->cost_known = probe->stats_fd >= 0;
	for (int i = 0; i < skeleton->prog_cnt; i++) {
		program = *skeleton->progs[i].prog;
		if (!bpf_program__autoload(program))
			continue;
		size = sizeof(info);
		memset(&info, 0, size);
		if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			return -errno;
		past = &probe->program_past[i];
		misses_add(&misses, probe->skel, program, info.recursion_misses);
		cost = &s->programs[s->n_programs];
		cost->name = strdup(skeleton->progs[i].name);
		if (!cost->name)
			return -ENOMEM;
		s->n_programs++;
		cost->runs = counters_take(&past->runs, info.run_cnt);
		cost->run_ns = counters_take(&past->run_ns, info.run_time_ns);
	}
	s->losses[LOSS_RECURSION] =
		counters_take(&probe->recursion_past, misses_lost(&misses, probe->skel));
	return 0;
}

static int read_losses(struct probe *probe, struct snapshot *s)
{
	uint64_t now;
	int r = 0;

	for (uint32_t i = 0; i < IOP_LOSS_COUNT && !r; i++) {
		r = counters_sum(bpf_map__fd(probe->skel->maps.losses), i, 1, &now);
		if (!r)
			s->losses[i] = counters_take(&probe->losses[i], now);
	}
	for (uint32_t i = 0; i < LOSS_COUNT; i++)
		s->losses[i] += probe->noted[i];
	memset(probe->noted, 0, sizeof(probe->noted));
	return r;
}

static int note_kernel(const struct probe *probe, struct snapshot *s)
{
	if (!probe->kernel.readable_event &&
	    snapshot_add_note(
		    s,
		    "This kernel has no sk_data_ready event: arrivals are known for TCP only; requests over AF_UNIX "
		    "sockets have no queue wait and no latency."))
		return -ENOMEM;
	if (probe->set == PROBE_SOCKET_FEXIT && !probe->kernel.unix_operations &&
	    snapshot_add_note(
		    s,
		    "AF_UNIX is a module whose functions this probe cannot see: requests over AF_UNIX are missing."))
		return -ENOMEM;
	if (probe->set == PROBE_SOCKET_SYSCALL &&
	    snapshot_add_note(
		    s,
		    "Messages are seen as system calls return: sendfile from a file is seen, splice and io_uring are "
		    "not, and every system call of the machine pays for it."))
		return -ENOMEM;
	return 0;
}

static int read_services(struct probe *probe, uint32_t epoch, struct snapshot *s)
{
	_cleanup_free_ struct iop_totals *totals = NULL;
	int r;

	totals = calloc(probe->n_services + 1, sizeof(*totals));
	if (!totals)
		return -ENOMEM;
	/* Ended threads before live ones: one that ends in between is missed now and seen next
	 * time, never counted twice. */
	for (uint32_t i = 0; i < probe->n_services; i++) {
		r = counters_sum(bpf_map__fd(probe->skel->maps.totals), i, TOTALS,
				 (uint64_t *)&totals[i]);
		if (r < 0)
			return r;
	}
	r = read_threads(probe);
	for (uint32_t i = 0; i < probe->n_services && !r; i++)
		r = read_service(probe, epoch, i, &totals[i], &s->services[i]);
	return r;
}

/* A machine without a name has none in the snapshot. */
static int read_host(struct snapshot *s)
{
	char name[HOST_NAME_MAX + 1] = "";

	if (gethostname(name, sizeof(name) - 1) < 0 || !*name)
		return 0;
	s->host = strdup(name);
	return s->host ? 0 : -ENOMEM;
}

/* What was seen stands for what was not. */
static void scale_to_interval(struct snapshot *s, uint64_t observed_ns)
{
	for (size_t i = 0; i < s->n_services && s->sampled_ns < s->duration_ns; i++)
		service_scale(&s->services[i], (double)s->duration_ns / (double)s->sampled_ns,
			      (double)s->duration_ns / (double)observed_ns);
	/* What nobody looked at is of no interval. */
	for (size_t i = 0; i < s->n_services && !s->duration_ns; i++)
		s->services[i].cpu_ns = s->services[i].n_lanes = 0;
}

static int read_into(struct probe *probe, struct snapshot *s)
{
	uint64_t now_ns = clock_monotonic_ns(), start_ns = probe->interval_start_ns;
	uint64_t observed_ns = probe_observed_ns(probe, now_ns);
	uint32_t epoch = probe->skel->bss->epoch;
	int r;

	s->start_unix_ns = probe->interval_start_unix_ns;
	s->duration_ns = now_ns - start_ns;
	s->sampled_ns = probe_sampled_ns(probe, now_ns);
	if (!s->sampled_ns)
		s->duration_ns = 0;
	probe->interval_start_unix_ns += (int64_t)(now_ns - start_ns);
	probe->interval_start_ns = now_ns;
	/* From here on the programs write the other half of the maxima. */
	__atomic_store_n(&probe->skel->bss->epoch, epoch + 1, __ATOMIC_SEQ_CST);
	r = read_services(probe, epoch, s);
	if (!r)
		r = peers_read(probe->peers, epoch, s);
	if (!r)
		r = traces_read(&probe->traces, start_ns, now_ns, s);
	if (!r && probe->cpu_samples)
		r = cpu_samples_read(probe->cpu_samples, s);
	for (size_t i = 0; i < s->n_services && !r; i++)
		r = service_sort_peers(&s->services[i]);
	if (!r)
		scale_to_interval(s, observed_ns);
	if (!r)
		r = find_listeners(probe, s);
	if (!r)
		r = read_programs(probe, s);
	if (!r)
		r = read_losses(probe, s);
	if (!r)
		r = note_kernel(probe, s);
	if (!r)
		r = read_host(s);
	return r;
}

int probe_read(struct probe *probe, struct snapshot **ret_snapshot)
{
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	int r;

	s = snapshot_new(probe->n_services);
	if (!s)
		return -ENOMEM;
	r = read_into(probe, s);
	if (r < 0)
		return r;
	*ret_snapshot = TAKE(s);
	return 0;
}
