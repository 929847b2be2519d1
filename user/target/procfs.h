/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading files of /proc and /sys, for this folder only. */
#ifndef IOPROF_TARGET_PROCFS_H
#define IOPROF_TARGET_PROCFS_H

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* The kernel's PF_KTHREAD. */
#define PROCFS_KERNEL_THREAD 0x00200000ul

/* What /proc/PID/stat says of a process or thread. */
struct procfs_stat {
	char state; /* 'R', 'S', ... 'Z' for a zombie */
	pid_t parent;
	unsigned long flags; /* the kernel's PF_ */
	char name[32];	     /* newlines and backslashes escaped by backslashes; cut if longer */
};

/*
 * A whole file, at most 64 KiB of it, with a terminator behind it. The caller frees. 0, or -errno:
 * -ESRCH where a process is gone.
 */
int procfs_read(const char *path, char **ret_bytes, size_t *ret_length);

/* The same for <root>/proc/PID/<name>. */
int procfs_read_of(const char *root, pid_t pid, const char *name, char **ret_bytes,
		   size_t *ret_length);

/* 0, -ESRCH or -errno. */
int procfs_read_stat(const char *root, pid_t pid, struct procfs_stat *ret_stat);

/* Opens a file to be read line by line, of any length. NULL and errno. */
__attribute__((format(printf, 1, 2))) FILE *procfs_open(const char *format, ...);

/* The value behind "Name:" in a file of lines like /proc/PID/status, or NULL. Points into text. */
const char *procfs_field(const char *text, const char *name);

#endif
