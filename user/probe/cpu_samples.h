/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose code services in Python run: a clock ticks on each processor, bpf/sample.bpf.c notes the
 * files of the frames that are open then, and here it is told whose they are.
 */
#ifndef IOPROF_PROBE_CPU_SAMPLES_H
#define IOPROF_PROBE_CPU_SAMPLES_H

#include <stdint.h>
#include <sys/types.h>

#include "model/snapshot.h"

struct cpu_samples;
struct ioprof_bpf;

/* What struct iop_process.python says of a process that runs Python: 0 if its version is not among
 * them. */
uint32_t cpu_samples_python(pid_t pid);

/* Starts the clocks. 0 and the samples, or -errno: this kernel, or who asks, may not. */
int cpu_samples_open(struct ioprof_bpf *skel, struct cpu_samples **ret_samples);
void cpu_samples_close(struct cpu_samples *samples);

/* Adds what was sampled since the last call to the services. 0 or -errno. */
int cpu_samples_read(struct cpu_samples *samples, struct snapshot *s);

#endif
