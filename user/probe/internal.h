/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this folder share of an open probe. */
#ifndef IOPROF_PROBE_INTERNAL_H
#define IOPROF_PROBE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi.h"
#include "probe/cpu_samples.h"
#include "probe/kernel.h"
#include "probe/peers.h"
#include "probe/probe.h"
#include "probe/programs.h"
#include "probe/threads.h"
#include "probe/traces.h"

/* One service and the counters as last reported. */
struct probe_service {
	pid_t pid;
	char *name;
	struct iop_totals totals;
	uint64_t cpu_ns, cpu_observed_ns;
	struct dist dists[IOP_DISTS]; /* buckets alone */
	struct iop_blocked blocked[IOP_WAITS];
	struct iop_pause pauses[IOP_PAUSE_BINS];
};

/* One program's statistics as last reported. */
struct program_past {
	uint64_t runs, run_ns;
};

struct probe {
	struct kernel kernel;
	struct ioprof_bpf *skel;
	enum probe_socket_set set;
	int stats_fd; /* -1: the kernel keeps no statistics for us */
	struct probe_service *services;
	uint32_t n_services, max_services;
	struct threads *threads;
	struct peers *peers;
	struct traces_source traces;
	struct cpu_samples *cpu_samples;   /* NULL: this kernel lets none be taken */
	bool pythons;			   /* there are processes whose frames can be read */
	uint32_t trace_budget;		   /* as it is unless the probes cost too much */
	struct program_past *program_past; /* in the skeleton's order */
	uint64_t recursion_past;
	uint64_t losses[IOP_LOSS_COUNT];
	uint64_t noted[LOSS_COUNT]; /* by probe_note_loss(), not in a snapshot yet */
	uint32_t windows;	    /* opened so far */
	uint64_t given_up; /* requests of samples that had not ended when their window closed */
	uint64_t interval_start_ns;
	int64_t interval_start_unix_ns;
};

/* What the kernel must know of how this process runs its threads. */
void probe_look_at(pid_t pid, struct iop_process *process);

/* Of the interval that began with the last snapshot: how long it has been observed, until then. */
uint64_t probe_observed_ns(const struct probe *probe, uint64_t until_ns);

/* Loads and attaches with one set of socket hooks. 0 or -errno. */
int probe_try(const struct programs_opts *opts, struct ioprof_bpf **ret_skel);

#endif
