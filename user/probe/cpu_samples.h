/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose code services in Python run: a clock ticks on each processor, bpf/sample.bpf.c notes the
 * files of the frames that are open then, and here it is told whose they are.
 */
#ifndef IOPROF_PROBE_CPU_SAMPLES_H
#define IOPROF_PROBE_CPU_SAMPLES_H

#include <stdint.h>

#include "model/snapshot.h"

struct cpu_samples;
struct ioprof_bpf;

/* What struct iop_process.python says of a process that runs this version of CPython; 0: where that
 * keeps its frames is not known. */
uint32_t cpu_samples_python(unsigned int major, unsigned int minor);

/* Sets up the clocks. 0 and the samples, or -errno: this kernel, or who asks, may not. */
int cpu_samples_open(struct ioprof_bpf *skel, struct cpu_samples **ret_samples);
/* Lets them tick, for there is a Python to look at. Needs no privilege; takes NULL, and again. 0 or
 * -errno. */
int cpu_samples_start(struct cpu_samples *samples);
void cpu_samples_close(struct cpu_samples *samples);

/* Adds what was sampled since the last call to the services. 0 or -errno. */
int cpu_samples_read(struct cpu_samples *samples, struct snapshot *s);

#endif
