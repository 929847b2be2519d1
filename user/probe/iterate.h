/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running a BPF iterator once. */
#ifndef IOPROF_PROBE_ITERATE_H
#define IOPROF_PROBE_ITERATE_H

#include <stddef.h>

struct bpf_program;

/* Runs it for its effects. 0 or -errno. */
int iterate(struct bpf_program *program);

/* Runs it and returns all it wrote; the caller frees. 0 or -errno. */
int iterate_read(struct bpf_program *program, void **ret_bytes, size_t *ret_size);

#endif
