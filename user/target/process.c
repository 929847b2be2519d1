/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes there are and how they descend from each other. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "target/procfs.h"
#include "target/target.h"

/* The kernel's limit on process IDs, PID_MAX_LIMIT. */
#define PID_LIMIT 4194304ul

struct process {
	pid_t pid, parent;
};

struct process_list {
	struct process *items;
	size_t n, capacity;
};

int target_parse_pid(const char *text, pid_t *ret_pid)
{
	unsigned long value;

	if (!*text || text[strspn(text, "0123456789")])
		return -EINVAL;
	errno = 0;
	value = strtoul(text, NULL, 10);
	if (errno || value < 1 || value > PID_LIMIT)
		return -ERANGE;
	*ret_pid = (pid_t)value;
	return 0;
}

pid_t target_process_of(pid_t tid)
{
	_cleanup_free_ char *status = NULL;
	const char *field;
	size_t length;
	pid_t pid = 0;
	int r;

	r = procfs_read_of(TARGET_HERE, tid, "status", &status, &length);
	if (r < 0)
		return -ESRCH;
	field = procfs_field(status, "Tgid");
	if (field)
		pid = (pid_t)strtol(field, NULL, 10);
	return pid > 0 ? pid : -ESRCH;
}

static bool is_ended(const struct procfs_stat *stat)
{
	return stat->state == 'Z' || stat->state == 'X' || stat->state == 'x';
}

bool target_alive(pid_t pid)
{
	struct procfs_stat stat;

	return procfs_read_stat(TARGET_HERE, pid, &stat) == 0 && !is_ended(&stat) &&
	       target_process_of(pid) == pid;
}

bool target_is_kernel_thread(pid_t pid)
{
	struct procfs_stat stat;

	return procfs_read_stat(TARGET_HERE, pid, &stat) == 0 &&
	       (stat.flags & PROCFS_KERNEL_THREAD);
}

bool target_descends(pid_t pid, pid_t ancestor)
{
	struct procfs_stat stat;

	for (pid_t up = pid; up > 0; up = stat.parent) {
		if (up == ancestor)
			return true;
		if (procfs_read_stat(TARGET_HERE, up, &stat) < 0)
			return false;
	}
	return false;
}

static int process_list_add(struct process_list *list, struct process process)
{
	if (list->n == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 256;
		struct process *items = reallocarray(list->items, capacity, sizeof(*items));

		if (!items)
			return -ENOMEM;
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->n++] = process;
	return 0;
}

/* Every process that runs. Those that end in the meantime are left out. */
static int process_list_read(struct process_list *list)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	const struct dirent *entry;
	struct procfs_stat stat;
	pid_t pid;
	int r;

	if (!proc)
		return error_last();
	for (errno = 0; (entry = readdir(proc)); errno = 0) {
		if (target_parse_pid(entry->d_name, &pid) < 0)
			continue;
		if (procfs_read_stat(TARGET_HERE, pid, &stat) < 0 || is_ended(&stat))
			continue;
		r = process_list_add(list, (struct process){.pid = pid, .parent = stat.parent});
		if (r < 0)
			return r;
	}
	return -errno;
}

int target_descendants(pid_t pid, pid_t **ret_pids, size_t *ret_n)
{
	struct process_list all = {0};
	_cleanup_free_ struct process *items = NULL;
	_cleanup_free_ pid_t *found = NULL;
	size_t n = 0;
	int r;

	r = process_list_read(&all);
	items = all.items;
	if (r < 0)
		return r;
	if (!target_alive(pid))
		return -ESRCH;
	found = calloc(all.n + 1, sizeof(*found));
	if (!found)
		return -ENOMEM;
	found[n++] = pid;
	/* Breadth first; each process is taken out of the list once found, so a recycled ID cannot
	 * make a circle. */
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < all.n; k++) {
			if (items[k].parent != found[i] || items[k].pid == pid)
				continue;
			found[n++] = items[k].pid;
			items[k].parent = 0;
		}
	}
	*ret_pids = TAKE(found);
	*ret_n = n;
	return 0;
}
