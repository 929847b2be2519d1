/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control groups of some processes, in version 1, version 2 and where both are mounted
 * (hybrid), for this folder only. Paths are as /proc and the mount table show them to this process;
 * a group outside what is mounted here is not seen, and then not known.
 */
#ifndef IOPROF_TARGET_CGROUP_H
#define IOPROF_TARGET_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The different groups that some processes are in, by one controller. */
struct cgroup_set {
	char *mount;  /* where the hierarchy begins: "/sys/fs/cgroup/cpu", the root before it */
	bool unified; /* version 2 */
	char **dirs;  /* the groups' folders, mount included */
	size_t n;
};

void cgroup_set_done(struct cgroup_set *set);

/*
 * The groups of the processes by a controller: "cpu", "memory". Those that have ended are left out.
 * 0, -ENOENT where none of them is in a group that can be seen, -errno.
 */
int cgroup_set_read(const char *root, const char *controller, const pid_t *pids, size_t n,
		    struct cgroup_set *ret_set);

/* What a group's own setting leaves to it and all below it; INFINITY if it sets no bound. */
typedef double (*cgroup_bound_fn)(void *ctx, const char *dir, bool unified);

/*
 * What the hierarchy leaves to all groups of the set together: at each level the lesser of its own
 * bound and the sum of what lies below. Asks for every level once. ret_bound: INFINITY where
 * nothing is bounded. 0, -ENOENT of an empty set, -ENOMEM.
 */
int cgroup_bound(const struct cgroup_set *set, cgroup_bound_fn bound_of, void *ctx,
		 double *ret_bound);

/* A file of a group: its first, or second, word as a number, "max" and negative numbers as
 * INFINITY; NAN where there is none. */
double cgroup_number(const char *dir, const char *file);
double cgroup_second_number(const char *dir, const char *file);

/* The number behind a name, in a file of lines "name number"; 0 where there is none. */
uint64_t cgroup_count(const char *dir, const char *file, const char *name);

#endif
