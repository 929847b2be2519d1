/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes to observe and what the system says about them and about us: the only door to /proc
 * and /sys. Everything found here may be outdated by the time it returns; functions tell a process
 * that is gone with -ESRCH.
 */
#ifndef IOPROF_TARGET_TARGET_H
#define IOPROF_TARGET_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A process ID as a person types it, and nothing else: -EINVAL, or -ERANGE above what a kernel can
 * give out. */
int target_parse_pid(const char *text, pid_t *ret_pid);

/* True while the process runs: a zombie, a thread of another process and a gap are not alive. */
bool target_alive(pid_t pid);

/* True for threads of the kernel, which have no program. */
bool target_is_kernel_thread(pid_t pid);

/*
 * What a person calls the process: the name of its program or the one it gave itself, and for an
 * interpreter what it runs ("gunicorn", "app.js", "shop.jar"). Any bytes, at least one. The caller
 * frees. 0, -ESRCH or -errno.
 */
int target_process_name(pid_t pid, char **ret_name);

/* The process and all its descendants, itself first. The caller frees. 0, -ESRCH or -errno. */
int target_descendants(pid_t pid, pid_t **ret_pids, size_t *ret_n);

/* True if the process is the other one or descends from it. */
bool target_descends(pid_t pid, pid_t ancestor);

/*
 * True if the program is a Go program, whose goroutines move between its threads: a sleeping thread
 * of it waits for no particular one. False also where the program cannot be read.
 */
bool target_schedules_goroutines(pid_t pid);

/* The process a thread belongs to (of a process: itself), or -ESRCH. */
pid_t target_process_of(pid_t tid);

/*
 * Which of the capabilities ioprof needs (CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE) this process lacks,
 * as words: "CAP_BPF, CAP_PERFMON"; empty when it has all. The caller frees. 0 or -errno.
 */
int target_missing_capabilities(char **ret_names);

/* True if the kernel is locked down for confidentiality, where BPF may not read its memory. */
bool target_locked_down(void);

/* The kind of processor, architecture first: "x86_64 Intel(R) ...". The caller frees. 0 or -errno.
 */
int target_processor(char **ret_name);

/* Size in bytes of the kernel's own type information, /sys/kernel/btf/vmlinux, or -errno. */
int64_t target_kernel_btf_bytes(void);

#endif
