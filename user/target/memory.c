/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What memory processes take and what is left for more. The kernel's sums (smaps_rollup) tell what
 * is a process's own from what it shares, which resident size does not.
 *
 * What a thread more would take can be seen only in part: its stack. That is the mapping its stack
 * pointer lies in, which the kernel tells of a thread that sleeps. Mappings next to each other may
 * have become one (stacks with each other, or with something else), so what such a one holds is
 * divided by the threads in it and the median over the threads taken.
 */
#include <errno.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "target/cgroup.h"
#include "target/procfs.h"
#include "target/target.h"

#define KIB 1024
#define STACKS_MAX 64

struct stack {
	uint64_t pointer;
	uint64_t from, bytes; /* its mapping: where it begins, what it holds */
};

/* The value in bytes of a line "Name:   12 kB"; 0 if the line is another one's. */
static uint64_t line_bytes(const char *line, const char *name)
{
	size_t length = strlen(name);

	return strncmp(line, name, length) == 0 ? KIB * strtoull(line + length, NULL, 10) : 0;
}

int target_memory_read(const char *root, pid_t pid, struct target_memory *ret_memory)
{
	_cleanup_fclose_ FILE *file = procfs_open("%s/proc/%d/smaps_rollup", root, (int)pid);
	_cleanup_free_ char *line = NULL;
	struct target_memory memory = {0};
	size_t size = 0;

	if (!file)
		return errno == ENOENT ? -ESRCH : error_last();
	while (getline(&line, &size, file) > 0) {
		memory.unique += line_bytes(line, "Private_Clean:") +
				 line_bytes(line, "Private_Dirty:") +
				 line_bytes(line, "Private_Hugetlb:");
		memory.share += line_bytes(line, "Pss:");
	}
	/* Of a process that is ending there is a file, but nothing in it. */
	if (memory.share == 0)
		return -ESRCH;
	*ret_memory = memory;
	return 0;
}

/* A sleeping thread's "call arguments... stack-pointer instruction-pointer"; 0: not known. */
static uint64_t read_stack_pointer(const char *root, pid_t pid, const char *tid)
{
	_cleanup_fclose_ FILE *file =
		procfs_open("%s/proc/%d/task/%s/syscall", root, (int)pid, tid);
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	char *last;

	if (!file || getline(&line, &size, file) <= 0)
		return 0;
	last = strrchr(line, ' ');
	if (!last)
		return 0;
	*last = '\0';
	last = strrchr(line, ' ');
	return last ? strtoull(last, NULL, 16) : 0;
}

/* The stack pointers of the threads but the first. */
static size_t find_stacks(const char *root, pid_t pid, struct stack *stacks)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_closedir_ DIR *tasks = NULL;
	const struct dirent *entry;
	size_t n = 0;

	if (asprintf(&path, "%s/proc/%d/task", root, (int)pid) < 0)
		return 0;
	tasks = opendir(path);
	while (tasks && n < STACKS_MAX && (entry = readdir(tasks))) {
		pid_t tid;

		if (target_parse_pid(entry->d_name, &tid) < 0 || tid == pid)
			continue;
		stacks[n].pointer = read_stack_pointer(root, pid, entry->d_name);
		n += stacks[n].pointer != 0;
	}
	return n;
}

/* Gives the mappings' sizes to the stacks in them. */
static void read_mappings(FILE *smaps, struct stack *stacks, size_t n)
{
	_cleanup_free_ char *line = NULL;
	uint64_t from = 0, to = 0;
	size_t size = 0;

	while (getline(&line, &size, smaps) > 0) {
		char *end;
		uint64_t first = strtoull(line, &end, 16);

		if (*end == '-') {
			from = first;
			to = strtoull(end + 1, NULL, 16);
			continue;
		}
		for (size_t i = 0; i < n; i++) {
			if (stacks[i].pointer < from || stacks[i].pointer >= to)
				continue;
			stacks[i].from = from;
			stacks[i].bytes += line_bytes(line, "Private_Dirty:");
		}
	}
}

static int compare_bytes(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

uint64_t target_stack_bytes(const char *root, pid_t pid)
{
	_cleanup_fclose_ FILE *smaps = NULL;
	struct stack stacks[STACKS_MAX] = {0};
	uint64_t bytes[STACKS_MAX];
	size_t n = find_stacks(root, pid, stacks);

	if (n == 0)
		return 0;
	smaps = procfs_open("%s/proc/%d/smaps", root, (int)pid);
	if (!smaps)
		return 0;
	read_mappings(smaps, stacks, n);
	for (size_t i = 0; i < n; i++) {
		uint64_t sharers = 0;

		for (size_t k = 0; k < n; k++)
			sharers += stacks[k].from == stacks[i].from;
		bytes[i] = stacks[i].bytes / sharers;
	}
	qsort(bytes, n, sizeof(*bytes), compare_bytes);
	return bytes[n / 2];
}

/* A group's limit in bytes; version 1 says "none" by the largest number of whole pages. */
static double limit_of(void *ctx, const char *dir, bool unified)
{
	double limit = cgroup_number(dir, unified ? "memory.max" : "memory.limit_in_bytes");

	(void)ctx;
	return isnan(limit) || limit > 0x1p62 ? INFINITY : limit;
}

/* What a group can still take: up to its limit, and what it holds of files without using them. */
static double left_of(void *ctx, const char *dir, bool unified)
{
	double limit = limit_of(ctx, dir, unified);
	double used = cgroup_number(dir, unified ? "memory.current" : "memory.usage_in_bytes");
	double files = (double)cgroup_count(dir, "memory.stat",
					    unified ? "inactive_file" : "total_inactive_file");

	if (isinf(limit) || !isfinite(used))
		return INFINITY;
	return fmax(limit - fmax(used - files, 0), 0);
}

static double read_available(const char *root)
{
	_cleanup_fclose_ FILE *file = procfs_open("%s/proc/meminfo", root);
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (file && getline(&line, &size, file) > 0) {
		if (strncmp(line, "MemAvailable:", strlen("MemAvailable:")) == 0)
			return (double)line_bytes(line, "MemAvailable:");
	}
	return INFINITY;
}

/* 0: not known. Files of other kernels may say more than there can be. */
static uint64_t whole_bytes(double bytes)
{
	return isfinite(bytes) ? (uint64_t)fmin(bytes, 0x1p62) : 0;
}

int target_room_read(const char *root, const pid_t *pids, size_t n, struct target_room *ret_room)
{
	_cleanup_(cgroup_set_done) struct cgroup_set set = {0};
	double limit = INFINITY, left = INFINITY;
	int r;

	r = cgroup_set_read(root, "memory", pids, n, &set);
	if (r == 0)
		r = cgroup_bound(&set, limit_of, NULL, &limit);
	if (r == 0)
		r = cgroup_bound(&set, left_of, NULL, &left);
	if (r == -ENOMEM)
		return r;
	left = fmin(left, read_available(root));
	ret_room->limit = whole_bytes(limit);
	ret_room->available = whole_bytes(left);
	return 0;
}
