/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/probe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ioprof.skel.h>

#include "abi.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "probe/internal.h"
#include "probe/iterate.h"
#include "probe/kernel.h"
#include "target/target.h"

#define DEFAULT_PEERS 512
#define DEFAULT_PROCESSES 16384

__attribute__((format(printf, 3, 4))) static void explain(struct probe_error *error,
							  int exit_status, const char *format, ...)
{
	va_list args;

	error->exit_status = exit_status;
	va_start(args, format);
	(void)vsnprintf(error->cause, sizeof(error->cause), format, args);
	va_end(args);
	error->fix[0] = '\0';
}

__attribute__((format(printf, 2, 3))) static void advise(struct probe_error *error,
							 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(error->fix, sizeof(error->fix), format, args);
	va_end(args);
}

/* What can be known before trying. 0, or -errno and the reason. */
static int check_system(struct kernel *ret_kernel, struct probe_error *error)
{
	_cleanup_free_ char *missing = NULL;
	int r;

	if (!target_in_first_pid_namespace()) {
		explain(error, 1,
			"this is a PID namespace of its own, whose PIDs the kernel's events do not have");
		advise(error,
		       "run on the host, or in a container that shares its PIDs (--pid=host)");
		return -EINVAL;
	}
	if (target_locked_down()) {
		explain(error, 4,
			"this kernel is locked down for confidentiality and lets no BPF program read its memory");
		advise(error, "boot without lockdown=confidentiality (integrity is fine)");
		return -EPERM;
	}
	if (geteuid() != 0 || target_missing_capabilities(&missing) == 0) {
		if (!missing && target_missing_capabilities(&missing) < 0)
			return -ENOMEM;
		if (*missing) {
			explain(error, 3, "not permitted to observe: missing %s", missing);
			advise(error, "run as root (sudo ioprof ...) or grant these capabilities");
			return -EPERM;
		}
	}
	if (target_kernel_btf_bytes() < 0) {
		explain(error, 4,
			"this kernel has no type information: /sys/kernel/btf/vmlinux is missing");
		advise(error,
		       "use a kernel built with CONFIG_DEBUG_INFO_BTF=y (Debian 11, Ubuntu 20.10, RHEL 8 and later)");
		return -ENOENT;
	}
	r = kernel_read(ret_kernel);
	if (r < 0) {
		explain(error, 4,
			"the kernel's type information (/sys/kernel/btf/vmlinux) cannot be read: %s",
			strerror(-r));
		advise(error, "check that the file is readable and complete");
	}
	return r;
}

static void explain_load(struct probe_error *error, int r)
{
	if (r == -EPERM || r == -EACCES) {
		explain(error, 3, "the kernel refuses to load BPF programs: %s", strerror(-r));
		advise(error,
		       "run as root on the host, not in a restricted container; 'ioprof doctor' shows what is missing");
	} else if (r == -ENOMEM) {
		explain(error, 1, "not enough memory for the BPF maps");
		advise(error,
		       "free memory or make the tables smaller (--max-peers, --max-processes)");
	} else {
		explain(error, 4, "this kernel does not accept the BPF programs: %s", strerror(-r));
		advise(error,
		       "'ioprof doctor' shows what it lacks; IOPROF_DEBUG=1 shows the kernel's own words");
	}
}

static void cleanup_skeleton(struct ioprof_bpf **skel)
{
	ioprof_bpf__destroy(*skel);
}

int probe_try(const struct programs_opts *opts, struct ioprof_bpf **ret_skel)
{
	_cleanup_(cleanup_skeleton) struct ioprof_bpf *skel = NULL;
	int r;

	if (!programs_set_possible(opts->kernel, opts->set))
		return -EOPNOTSUPP;
	r = programs_load(opts, &skel);
	if (r < 0)
		return r;
	r = programs_attach(skel);
	if (r < 0)
		return r;
	*ret_skel = TAKE(skel);
	return 0;
}

/* Loads and attaches with the first set of socket hooks that the kernel takes. */
static int attach_any(struct probe *probe, struct programs_opts *opts, enum probe_socket_set wanted,
		      struct probe_error *error)
{
	enum probe_socket_set first = wanted, last = wanted;
	int r = 0;

	if (wanted == PROBE_SOCKET_AUTO) {
		first = PROBE_SOCKET_TRACEPOINT;
		last = PROBE_SOCKET_SYSCALL;
	}
	for (opts->set = first; opts->set <= last; opts->set++) {
		r = probe_try(opts, &probe->skel);
		if (!r) {
			probe->set = opts->set;
			return 0;
		}
		if (r == -ENOMEM) /* which says nothing of the set */
			break;
	}
	explain_load(error, r);
	if (wanted != PROBE_SOCKET_AUTO) {
		explain(error, 4, "this kernel does not take socket set %s: %s",
			programs_set_name(wanted), strerror(-r));
		advise(error, "leave the choice to ioprof (--socket-set auto)");
	}
	return r;
}

/* All processes of the service that are known now. Those that come later, the fork hook adds. */
static int add_processes(struct probe *probe, uint32_t service)
{
	struct iop_process process = {.service = service};
	_cleanup_free_ pid_t *pids = NULL;
	size_t n;
	int r;

	r = target_descendants(probe->services[service].pid, &pids, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		uint32_t tgid = (uint32_t)pids[i];

		probe_look_at(pids[i], &process);
		probe->pythons |= process.python != 0;
		if (bpf_map_update_elem(bpf_map__fd(probe->skel->maps.processes), &tgid, &process,
					BPF_ANY))
			return -errno;
	}
	return 0;
}

/* Membership first, then what exists already: nothing that happens meanwhile is missed or counted
 * twice. */
static int find_existing(struct probe *probe, struct probe_error *error)
{
	int r = 0;

	for (uint32_t i = 0; i < probe->n_services; i++) {
		r = add_processes(probe, i);
		if (r == -ESRCH) {
			explain(error, 1, "process %d has ended", (int)probe->services[i].pid);
			advise(error, "check the PID (pgrep -f NAME)");
			return r;
		}
		if (r == -E2BIG) {
			explain(error, 1,
				"process %d has more descendants than the process table has rows",
				(int)probe->services[i].pid);
			advise(error, "raise --max-processes");
			return r;
		}
		if (r < 0)
			break;
	}
	if (!r)
		r = iterate(probe->skel->progs.find_sockets);
	if (!r)
		r = iterate(probe->skel->progs.find_sockets);
	if (!r)
		r = iterate(probe->skel->progs.find_threads);
	/* Forked between the look at /proc and the first thread found: its parent was not followed
	 * yet. */
	for (uint32_t i = 0; i < probe->n_services && !r; i++)
		r = add_processes(probe, i);
	if (!r)
		r = iterate(probe->skel->progs.find_threads);
	if (r < 0) {
		explain(error, 1, "cannot take stock of the running threads: %s", strerror(-r));
		advise(error, "'ioprof doctor' shows what this kernel lacks");
	}
	return r;
}

static int name_services(struct probe *probe, const struct probe_opts *opts,
			 struct probe_error *error)
{
	int r;

	probe->max_services = (uint32_t)opts->n_pids;
	if (opts->max_services > opts->n_pids)
		probe->max_services = opts->max_services;
	probe->services = calloc(probe->max_services, sizeof(*probe->services));
	if (!probe->services)
		return -ENOMEM;
	probe->n_services = (uint32_t)opts->n_pids;
	for (size_t i = 0; i < opts->n_pids; i++) {
		probe->services[i].pid = opts->pids[i];
		r = target_process_name(opts->pids[i], &probe->services[i].name);
		if (r == -ESRCH) {
			explain(error, 1, "no process %d", (int)opts->pids[i]);
			advise(error, "check the PID (pgrep -f NAME)");
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* The programs have counted since each was attached: of that the first interval has nothing, but
 * for what is lost to it, too. */
static int begin_interval(struct probe *probe)
{
	_cleanup_(snapshot_freep) struct snapshot *before = NULL;
	int r;

	r = probe_read(probe, &before);
	for (unsigned int i = 0; i < LOSS_COUNT && r == 0; i++)
		probe_note_loss(probe, (enum loss)i, before->losses[i]);
	return r;
}

static int open_into(struct probe *probe, const struct probe_opts *opts, struct probe_error *error)
{
	struct programs_opts programs = {
		.kernel = &probe->kernel,
		.max_peers = opts->max_peers ? opts->max_peers : DEFAULT_PEERS,
		.max_processes = opts->max_processes ? opts->max_processes : DEFAULT_PROCESSES,
	};
	int r;

	r = check_system(&probe->kernel, error);
	if (r < 0)
		return r;
	r = name_services(probe, opts, error);
	if (r < 0)
		return r;
	programs.n_services = probe->max_services;
	programs.task_storage = probe->kernel.task_storage && !opts->no_task_storage;
	/* A kernel without the statistics still serves; the cost is then unknown and said to be. */
	probe->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	r = attach_any(probe, &programs, opts->socket_set, error);
	if (r < 0)
		return r;
	r = find_existing(probe, error);
	if (r < 0)
		return r;
	probe->threads = threads_new();
	probe->peers = peers_new(bpf_map__fd(probe->skel->maps.peer_ids),
				 bpf_map__fd(probe->skel->maps.peers),
				 bpf_map__fd(probe->skel->maps.peer_maxima), probe->max_services,
				 probe->max_services + programs.max_peers);
	if (!probe->threads || !probe->peers)
		return -ENOMEM;
	probe->traces = (struct traces_source){
		.traces_fd = bpf_map__fd(probe->skel->maps.traces),
		.tails_fd = bpf_map__fd(probe->skel->maps.tails),
		.sampling_fd = bpf_map__fd(probe->skel->maps.sampling),
		.peers = probe->peers,
		.budget = probe->skel->bss->trace_budget,
	};
	probe->trace_budget = probe->traces.budget;
	r = traces_begin(&probe->traces, probe->max_services);
	if (r < 0)
		return r;
	/* What they show can be estimated: without them the report is poorer, not wrong. */
	(void)cpu_samples_open(probe->skel, &probe->cpu_samples);
	if (probe->pythons)
		(void)cpu_samples_start(probe->cpu_samples);
	probe->skel->bss->observing = 1;
	probe->interval_start_ns = clock_monotonic_ns();
	probe->interval_start_unix_ns = clock_unix_ns();
	return begin_interval(probe);
}

int probe_open(const struct probe_opts *opts, struct probe **ret_probe,
	       struct probe_error *ret_error)
{
	_cleanup_(probe_closep) struct probe *probe = NULL;
	int r;

	programs_quiet();
	explain(ret_error, 1, "out of memory");
	advise(ret_error, "free some");
	probe = calloc(1, sizeof(*probe));
	if (!probe)
		return -ENOMEM;
	probe->stats_fd = -1;
	probe->windows = 1;
	r = open_into(probe, opts, ret_error);
	if (r < 0)
		return r;
	*ret_probe = TAKE(probe);
	return 0;
}

bool probe_ended(const struct probe *probe)
{
	uint32_t tgid;

	return bpf_map_get_next_key(bpf_map__fd(probe->skel->maps.processes), NULL, &tgid) != 0;
}

void probe_close(struct probe *probe)
{
	if (!probe)
		return;
	cpu_samples_close(probe->cpu_samples);
	ioprof_bpf__destroy(probe->skel);
	if (probe->stats_fd >= 0)
		(void)close(probe->stats_fd);
	for (uint32_t i = 0; i < probe->n_services; i++) {
		free(probe->services[i].name);
		for (unsigned int k = 0; k < IOP_DISTS; k++)
			dist_done(&probe->services[i].dists[k]);
	}
	free(probe->services);
	free(probe->program_past);
	peers_free(probe->peers);
	traces_end(&probe->traces);
	threads_free(probe->threads);
	free(probe);
}

void probe_closep(struct probe **probe)
{
	probe_close(*probe);
}
