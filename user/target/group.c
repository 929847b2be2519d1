/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/group.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "target/procfs.h"
#include "target/target.h"

#define ID_LENGTH 64	  /* of a container's ID, hexadecimal digits */
#define ID_LENGTH_LEAST 4 /* of the beginning of one that a person types */
#define PATH_BYTES 4096

/* The paths of a /proc/PID/cgroup, one after the other. */
struct paths {
	const char *rest;
	char path[PATH_BYTES]; /* without a slash at its end */
};

static bool paths_next(struct paths *paths)
{
	while (*paths->rest) {
		const char *line = paths->rest;
		size_t length = strcspn(line, "\n");
		const char *path = memchr(line, ':', length);

		paths->rest = line + length + (line[length] == '\n');
		path = path ? memchr(path + 1, ':', length - (size_t)(path + 1 - line)) : NULL;
		if (!path)
			continue;
		length -= (size_t)(path + 1 - line);
		if (length >= sizeof(paths->path))
			continue;
		memcpy(paths->path, path + 1, length);
		paths->path[length] = '\0';
		return true;
	}
	return false;
}

/* ---- the processes ---- */

void target_processes_done(struct target_processes *processes)
{
	for (size_t i = 0; i < processes->n; i++) {
		free(processes->items[i].comm);
		free(processes->items[i].groups);
	}
	free(processes->items);
	*processes = (struct target_processes){0};
}

/* The text in as much memory as it takes. */
static char *fit(char *text)
{
	char *copy = strdup(text);

	free(text);
	return copy;
}

/* The kernel's name of a process: of most, its stat says it. The caller frees; NULL
 * when out of memory. */
static char *read_name(const char *root, pid_t pid, const struct procfs_stat *stat)
{
	char *name;
	size_t length;

	if (!strchr(stat->name, '\\'))
		return strdup(stat->name);
	if (procfs_read_of(root, pid, "comm", &name, &length) < 0)
		return strdup(stat->name);
	if (length > 0 && name[length - 1] == '\n')
		name[length - 1] = '\0';
	return fit(name);
}

/* 0, -ESRCH of one that is none to observe, -ENOMEM. */
static int read_process(const char *root, pid_t pid, struct target_process *ret_process)
{
	struct target_process process = {.pid = pid};
	struct procfs_stat stat;
	size_t length;

	if (procfs_read_stat(root, pid, &stat) < 0 || strchr("ZXx", stat.state) ||
	    (stat.flags & PROCFS_KERNEL_THREAD))
		return -ESRCH;
	process.parent = stat.parent;
	process.comm = read_name(root, pid, &stat);
	if (procfs_read_of(root, pid, "cgroup", &process.groups, &length) < 0)
		process.groups = strdup("");
	else
		process.groups = fit(process.groups);
	if (!process.comm || !process.groups) {
		free(process.comm);
		free(process.groups);
		return -ENOMEM;
	}
	*ret_process = process;
	return 0;
}

static int add_process(const char *root, pid_t pid, struct target_processes *processes)
{
	struct target_process *items = processes->items, process;
	int r;

	r = read_process(root, pid, &process);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	if ((processes->n & (processes->n - 1)) == 0) {
		items = reallocarray(items, processes->n ? 2 * processes->n : 1, sizeof(*items));
		if (!items) {
			free(process.comm);
			free(process.groups);
			return -ENOMEM;
		}
		processes->items = items;
	}
	items[processes->n++] = process;
	return 0;
}

static int compare_pids(const void *left, const void *right)
{
	return ((const struct target_process *)left)->pid -
	       ((const struct target_process *)right)->pid;
}

int target_processes_read(const char *root, struct target_processes *ret_processes)
{
	_cleanup_(target_processes_done) struct target_processes all = {0};
	_cleanup_closedir_ DIR *proc = NULL;
	_cleanup_free_ char *path = NULL;
	const struct dirent *entry;
	pid_t pid;
	int r;

	if (asprintf(&path, "%s/proc", root) < 0)
		return -ENOMEM;
	proc = opendir(path);
	if (!proc)
		return error_last();
	while ((entry = readdir(proc))) {
		if (target_parse_pid(entry->d_name, &pid) < 0)
			continue;
		r = add_process(root, pid, &all);
		if (r < 0)
			return r;
	}
	if (all.n)
		qsort(all.items, all.n, sizeof(*all.items), compare_pids);
	*ret_processes = all;
	all = (struct target_processes){0};
	return 0;
}

const struct target_process *target_processes_find(const struct target_processes *processes,
						   pid_t pid)
{
	const struct target_process key = {.pid = pid};

	if (!processes->n)
		return NULL;
	return bsearch(&key, processes->items, processes->n, sizeof(key), compare_pids);
}

/* ---- what they belong to ---- */

bool target_is_called(const char *root, const struct target_process *process, const char *name)
{
	_cleanup_free_ char *called = NULL;

	if (strcmp(process->comm, name) == 0)
		return true;
	/* What a person calls it is read only where it can be something else. */
	if (!target_name_may_differ(process->comm) ||
	    target_process_name_in(root, process->pid, &called) < 0)
		return false;
	return strcmp(called, name) == 0;
}

const char *target_cgroup_path(const char *root, const char *path)
{
	_cleanup_fclose_ FILE *mounts = procfs_open("%s/proc/self/mountinfo", root);
	_cleanup_free_ char *line = NULL;
	size_t size = 0, longest = 0;

	while (mounts && getline(&line, &size, mounts) > 0) {
		char *rest = line;
		const char *at = NULL;
		size_t length;

		for (int field = 0; field < 5; field++)
			at = strsep(&rest, " ");
		if (!at || !rest || !strstr(rest, "- cgroup"))
			continue;
		length = strlen(at);
		if (length > longest && strncmp(path, at, length) == 0 &&
		    (path[length] == '/' || path[length] == '\0'))
			longest = length;
	}
	return path + longest;
}

bool target_in_cgroup(const struct target_process *process, const char *group)
{
	struct paths paths = {.rest = process->groups};
	size_t length = strlen(group);

	while (length > 0 && group[length - 1] == '/')
		length--;
	while (length > 0 && paths_next(&paths)) {
		if (strncmp(paths.path, group, length) == 0 &&
		    (paths.path[length] == '\0' || paths.path[length] == '/'))
			return true;
	}
	return false;
}

/* Cuts the next part of a path off at its end; NULL at its beginning. */
static char *last_part(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash)
		return NULL;
	*slash = '\0';
	return slash + 1;
}

static bool ends(const char *text, size_t length, const char *end)
{
	size_t ending = strlen(end);

	return length > ending && strncmp(text + length - ending, end, ending) == 0;
}

bool target_in_unit(const struct target_process *process, const char *unit)
{
	struct paths paths = {.rest = process->groups};
	size_t length = strlen(unit);
	const char *part;

	while (paths_next(&paths)) {
		while ((part = last_part(paths.path))) {
			if (strncmp(part, unit, length) == 0 &&
			    (part[length] == '\0' || strcmp(part + length, ".service") == 0))
				return true;
		}
	}
	return false;
}

/* Where the ID of a container is in the name of its group; NULL if it is none's. Its monitor's
 * group has the ID too. */
static const char *find_id(const char *part)
{
	if (strstr(part, "conmon"))
		return NULL;
	for (const char *at = part; *at; at++) {
		size_t length = strspn(at, "0123456789abcdef");

		if (length == ID_LENGTH && (at == part || !isalnum((unsigned char)at[-1])) &&
		    !isalnum((unsigned char)at[length]))
			return at;
		at += length;
		if (!*at)
			break;
	}
	return NULL;
}

/* "/default/redis" of containerd, "/lxc/web", "/lxc.payload.web": the name is the whole part, or
 * what is behind the last dot. */
static bool is_name(const char *part, const char *name)
{
	static const char lxc[] = "lxc.payload.";

	return strcmp(part, name) == 0 ||
	       (strncmp(part, lxc, strlen(lxc)) == 0 && strcmp(part + strlen(lxc), name) == 0);
}

bool target_in_container(const struct target_process *process, const char *id)
{
	struct paths paths = {.rest = process->groups};
	size_t length = strlen(id);
	char *part;

	while (paths_next(&paths)) {
		while ((part = last_part(paths.path))) {
			const char *found = find_id(part);

			if (found && length >= ID_LENGTH_LEAST && strncmp(found, id, length) == 0)
				return true;
			if (is_name(part, id))
				return true;
		}
	}
	return false;
}

int target_unit_of(const struct target_process *process, char **ret_unit)
{
	struct paths paths = {.rest = process->groups};
	char *part, *unit;

	while (paths_next(&paths)) {
		while ((part = last_part(paths.path))) {
			/* A user's manager is no service of its own; what it started is. */
			if (!ends(part, strlen(part), ".service") ||
			    strncmp(part, "user@", strlen("user@")) == 0)
				continue;
			unit = strdup(part);
			if (!unit)
				return -ENOMEM;
			*ret_unit = unit;
			return 0;
		}
	}
	return -ENOENT;
}

int target_container_of(const struct target_process *process, char **ret_id)
{
	struct paths paths = {.rest = process->groups};
	char *part, *id;

	while (paths_next(&paths)) {
		while ((part = last_part(paths.path))) {
			const char *found = find_id(part);

			if (!found)
				continue;
			id = strndup(found, ID_LENGTH);
			if (!id)
				return -ENOMEM;
			*ret_id = id;
			return 0;
		}
	}
	return -ENOENT;
}

/* ---- other namespaces ---- */

/* The PID a process has in the innermost namespace it is in; 0 where that is this one. */
static pid_t inner_pid(const char *root, pid_t pid)
{
	_cleanup_free_ char *status = NULL;
	const char *field, *last;
	size_t length;

	if (procfs_read_of(root, pid, "status", &status, &length) < 0)
		return 0;
	field = procfs_field(status, "NSpid");
	if (!field)
		return 0;
	last = field;
	for (const char *at = field; *at && *at != '\n'; at++) {
		if (*at == '\t' || *at == ' ')
			last = at + 1;
	}
	return last == field ? 0 : (pid_t)strtol(last, NULL, 10);
}

int target_find_inner(const char *root, pid_t inner, pid_t *ret_pids, size_t most)
{
	_cleanup_(target_processes_done) struct target_processes all = {0};
	int n = 0, r;

	r = target_processes_read(root, &all);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++) {
		if (inner_pid(root, all.items[i].pid) != inner)
			continue;
		if ((size_t)n < most)
			ret_pids[n] = all.items[i].pid;
		n++;
	}
	return n;
}
