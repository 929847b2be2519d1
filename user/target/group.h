/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All processes of the machine, and what they belong to: a control group, a unit of systemd, a
 * container. Containers are told by the paths of control groups that Docker, containerd, CRI-O,
 * Podman, nerdctl and Kubernetes give them.
 */
#ifndef IOPROF_TARGET_GROUP_H
#define IOPROF_TARGET_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct target_process {
	pid_t pid, parent;
	char *comm;   /* the kernel's name of it, any bytes */
	char *groups; /* /proc/PID/cgroup */
};

/* In ascending order of PIDs, threads of the kernel and zombies left out. */
struct target_processes {
	struct target_process *items;
	size_t n;
};

/* 0 or -errno. */
int target_processes_read(const char *root, struct target_processes *ret_processes);
void target_processes_done(struct target_processes *processes);

/* NULL if there is none. */
const struct target_process *target_processes_find(const struct target_processes *processes,
						   pid_t pid);

/* Whether the kernel or a person (target_process_name()) calls it so. */
bool target_is_called(const char *root, const struct target_process *process, const char *name);

/* The path of a group without where its hierarchy is mounted: "/sys/fs/cgroup/cpu/a" is "/a".
 * Points into path. */
const char *target_cgroup_path(const char *root, const char *path);

/* In the group, or one below it, by its path without mount. */
bool target_in_cgroup(const struct target_process *process, const char *group);

/* In the unit, or one below it: "nginx.service", or "nginx" for short. */
bool target_in_unit(const struct target_process *process, const char *unit);

/* In the container: its whole ID, or what it begins with; or its name where groups have that. */
bool target_in_container(const struct target_process *process, const char *id);

/*
 * The innermost service unit or container the process is in, as a name: "nginx.service", the
 * container's whole ID. The caller frees. 0, -ENOENT if it is in none, -ENOMEM.
 */
int target_unit_of(const struct target_process *process, char **ret_unit);
int target_container_of(const struct target_process *process, char **ret_id);

/*
 * The processes that have this PID in a PID namespace of their own, at most so many. Returns how
 * many there are, or -errno.
 */
int target_find_inner(const char *root, pid_t inner, pid_t *ret_pids, size_t most);

#endif
