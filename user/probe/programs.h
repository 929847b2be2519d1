/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The BPF programs in the kernel: which of them this kernel takes, loading, attaching. */
#ifndef IOPROF_PROBE_PROGRAMS_H
#define IOPROF_PROBE_PROGRAMS_H

#include "probe/kernel.h"
#include "probe/probe.h"

struct ioprof_bpf;
struct bpf_link;

struct programs_opts {
	const struct kernel *kernel;
	enum probe_socket_set set; /* not AUTO */
	unsigned int n_services;
	unsigned int max_peers;
	unsigned int max_processes;
	bool task_storage;
};

/* "A (tracepoints)", "B (fexit)", "C (system calls)". */
const char *programs_set_name(enum probe_socket_set set);

/* Whether the kernel's type information lets the set be tried at all. */
bool programs_set_possible(const struct kernel *kernel, enum probe_socket_set set);

/* Keeps libbpf from printing, unless the environment asks for its words (IOPROF_DEBUG). */
void programs_quiet(void);

/* Opens, sizes, configures and loads; nothing runs yet. 0, or -errno of the load. */
int programs_load(const struct programs_opts *opts, struct ioprof_bpf **ret_skeleton);

/* Attaches all loaded programs but the iterators, as far as they are not. 0 or -errno; what was
 * attached goes with the skeleton. */
int programs_attach(struct ioprof_bpf *skeleton);

/* Detaches all but those that follow who belongs to a service. 0 or -errno. */
int programs_detach(struct ioprof_bpf *skeleton);

#endif
