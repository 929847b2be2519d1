/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/programs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ioprof.skel.h>

#include "abi.h"
#include "probe/syscalls.h"

#define TRACE_ROWS_EACH 3072
#define TRACE_ROWS_MOST 8192
#define TRACE_TAILS_MOST 5120
#define TRACE_LIMITS 12
#define HISTS_BYTES (8u << 20) /* for copies of them; a single one may take more */

static const char *const SET_NAMES[] = {
	[PROBE_SOCKET_AUTO] = "auto",
	[PROBE_SOCKET_TRACEPOINT] = "A (tracepoints)",
	[PROBE_SOCKET_FEXIT] = "B (fexit)",
	[PROBE_SOCKET_SYSCALL] = "C (system calls)",
};

const char *programs_set_name(enum probe_socket_set set)
{
	return SET_NAMES[set];
}

bool programs_set_possible(const struct kernel *kernel, enum probe_socket_set set)
{
	switch (set) {
	case PROBE_SOCKET_TRACEPOINT:
		return kernel->message_events && kernel->socket_storage;
	case PROBE_SOCKET_FEXIT:
		return kernel->inet_operations && kernel->socket_storage;
	default:
		return true;
	}
}

static int silence(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

void programs_quiet(void)
{
	if (!getenv("IOPROF_DEBUG"))
		(void)libbpf_set_print(silence);
}

static void choose_messages(struct ioprof_bpf *skel, const struct programs_opts *opts)
{
	bool fexit = opts->set == PROBE_SOCKET_FEXIT,
	     unix_operations = opts->kernel->unix_operations;
	bool tracepoint = opts->set == PROBE_SOCKET_TRACEPOINT;
	bool twice = tracepoint && opts->kernel->preemptible_events;

	bpf_program__set_autoload(skel->progs.on_recv, tracepoint && !twice);
	bpf_program__set_autoload(skel->progs.on_send, tracepoint && !twice);
	bpf_program__set_autoload(skel->progs.on_recv_first, twice);
	bpf_program__set_autoload(skel->progs.on_recv_again, twice);
	bpf_program__set_autoload(skel->progs.on_send_first, twice);
	bpf_program__set_autoload(skel->progs.on_send_again, twice);
	bpf_program__set_autoload(skel->progs.inet_received, fexit);
	bpf_program__set_autoload(skel->progs.inet6_received, fexit);
	bpf_program__set_autoload(skel->progs.unix_received, fexit && unix_operations);
	bpf_program__set_autoload(skel->progs.inet_sent, fexit);
	bpf_program__set_autoload(skel->progs.inet6_sent, fexit);
	bpf_program__set_autoload(skel->progs.unix_sent, fexit && unix_operations);
	bpf_program__set_autoload(skel->progs.inet_sent_page, fexit && opts->kernel->inet_sendpage);
	bpf_program__set_autoload(skel->progs.on_syscall_exit, opts->set == PROBE_SOCKET_SYSCALL);
	bpf_program__set_autoload(skel->progs.on_readable, opts->kernel->readable_event);
	bpf_program__set_autoload(skel->progs.on_segment, !opts->kernel->readable_event);
}

static int choose_storage(struct ioprof_bpf *skel, const struct programs_opts *opts)
{
	bool sockets = opts->set != PROBE_SOCKET_SYSCALL && opts->kernel->socket_storage;
	int r;

	skel->rodata->has_task_storage = opts->task_storage;
	skel->rodata->has_socket_storage = sockets;
	/* The variant that is not used must neither fail to be created nor take memory. */
	r = opts->task_storage ? bpf_map__set_max_entries(skel->maps.threads_hash, 1)
			       : bpf_map__set_autocreate(skel->maps.threads, false);
	if (r)
		return r;
	return sockets ? bpf_map__set_max_entries(skel->maps.conns_hash, 1)
		       : bpf_map__set_autocreate(skel->maps.conns, false);
}

/* Enough for a budget of requests at each of 12 limits, the last of which is reached after a
 * million requests: no reading is so far from the next. Many services share what memory allows. */
static unsigned int trace_rows(unsigned int n_services)
{
	return n_services < TRACE_ROWS_MOST / TRACE_ROWS_EACH ? n_services * TRACE_ROWS_EACH
							      : TRACE_ROWS_MOST;
}

/* One for each sampled request; of many services, not all of whose requests are long, fewer: enough
 * at 7 limits. */
static unsigned int trace_tails(unsigned int n_services)
{
	unsigned int rows = trace_rows(n_services);

	return rows < TRACE_TAILS_MOST ? rows : TRACE_TAILS_MOST;
}

static unsigned int hist_copies(unsigned int n_services)
{
	size_t one = (size_t)n_services * IOP_DISTS * sizeof(struct iop_hist);
	int cpus = libbpf_num_possible_cpus();
	unsigned int copies = 1;

	while ((int)copies < cpus && one * copies * 2 <= HISTS_BYTES)
		copies *= 2;
	return copies;
}

static unsigned int cpu_words(void)
{
	int cpus = libbpf_num_possible_cpus();

	return cpus > 0 ? ((unsigned int)cpus + 63) / 64 : 1;
}

static int set_sizes(struct ioprof_bpf *skel, const struct programs_opts *opts)
{
	const struct {
		struct bpf_map *map;
		unsigned int entries;
	} sizes[] = {
		{skel->maps.totals, opts->n_services},
		{skel->maps.sharing, opts->n_services},
		{skel->maps.unnamed, opts->n_services},
		{skel->maps.serving, opts->n_services},
		{skel->maps.maxima, opts->n_services * 2},
		{skel->maps.hists, skel->rodata->hist_copies * opts->n_services * IOP_DISTS},
		{skel->maps.peer_ids, opts->max_peers},
		{skel->maps.peers, opts->n_services + opts->max_peers},
		{skel->maps.peer_maxima, 2 * (opts->n_services + opts->max_peers)},
		{skel->maps.processes, opts->max_processes},
		{skel->maps.blocked, opts->n_services * IOP_WAITS},
		{skel->maps.backlogs, opts->n_services},
		{skel->maps.pauses, opts->n_services * IOP_PAUSE_BINS},
		{skel->maps.sampling, opts->n_services},
		{skel->maps.traces, trace_rows(opts->n_services)},
		{skel->maps.tails, trace_tails(opts->n_services)},
	};
	int r;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		r = bpf_map__set_max_entries(sizes[i].map, sizes[i].entries);
		if (r)
			return r;
	}
	return 0;
}

static int configure(struct ioprof_bpf *skel, const struct programs_opts *opts)
{
	int r;

	skel->rodata->hist_copies = hist_copies(opts->n_services);
	choose_messages(skel, opts);
	r = choose_storage(skel, opts);
	if (r)
		return r;
	r = set_sizes(skel, opts);
	if (r)
		return r;
	skel->rodata->has_prev_state = opts->kernel->prev_state;
	skel->rodata->has_task_pt_regs = opts->kernel->task_pt_regs;
	skel->rodata->has_readable_event = opts->kernel->readable_event;
	skel->rodata->service_count = opts->n_services;
	skel->rodata->cpu_words = cpu_words();
	skel->rodata->peer_rows = opts->n_services + opts->max_peers;
	skel->bss->trace_budget = trace_rows(opts->n_services) / (TRACE_LIMITS * opts->n_services);
	syscalls_fill_kinds((unsigned char *)skel->rodata->syscall_kinds);
	syscalls_fill_messages((unsigned char *)skel->rodata->syscall_messages);
	skel->bss->epoch = 0;
	skel->bss->window_open = 1;
	skel->bss->sample_to = IOP_NO_END;
	skel->bss->peers_used = opts->n_services;
	return 0;
}

/*
 * What this kernel lacks, be it a type or a function, libbpf looks for in its modules. Listing
 * those takes CAP_SYS_ADMIN, and libbpf 1.1 fails where it may not, though nothing of ours is in a
 * module. It tries once per object: here, where its failure is of no consequence.
 */
static void skip_modules(const struct ioprof_bpf *skel)
{
	uint32_t id;

	if (bpf_btf_get_next_id(0, &id) == -EPERM)
		(void)bpf_program__set_attach_target(skel->progs.on_switch, 0, "in no kernel");
}

int programs_load(const struct programs_opts *opts, struct ioprof_bpf **ret_skeleton)
{
	struct ioprof_bpf *skel;
	int r;

	skel = ioprof_bpf__open();
	if (!skel)
		return -errno;
	skip_modules(skel);
	r = configure(skel, opts);
	if (!r)
		r = ioprof_bpf__load(skel);
	if (r) {
		ioprof_bpf__destroy(skel);
		return r;
	}
	*ret_skeleton = skel;
	return 0;
}

int programs_attach(struct ioprof_bpf *skel)
{
	const struct bpf_object_skeleton *s = skel->skeleton;
	struct bpf_program *program;
	struct bpf_link *link;

	for (int i = 0; i < s->prog_cnt; i++) {
		program = *s->progs[i].prog;
		if (!bpf_program__autoload(program) || *s->progs[i].link ||
		    bpf_program__type(program) == BPF_PROG_TYPE_PERF_EVENT ||
		    bpf_program__expected_attach_type(program) == BPF_TRACE_ITER)
			continue;
		link = bpf_program__attach(program);
		if (!link)
			return -errno;
		*s->progs[i].link = link;
	}
	return 0;
}

/* What must be seen at all times: who belongs to a service. */
static bool follows_members(const struct ioprof_bpf *skel, const struct bpf_program *program)
{
	return program == skel->progs.on_fork || program == skel->progs.on_exec ||
	       program == skel->progs.on_exit || program == skel->progs.on_tcp_state;
}

int programs_detach(struct ioprof_bpf *skel)
{
	const struct bpf_object_skeleton *s = skel->skeleton;
	int r = 0;

	for (int i = 0; i < s->prog_cnt && !r; i++) {
		if (!*s->progs[i].link || follows_members(skel, *s->progs[i].prog))
			continue;
		r = bpf_link__destroy(*s->progs[i].link);
		*s->progs[i].link = NULL;
	}
	return r;
}
