/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many processors a service can use, C_eff: no more than there are on line in the affinity of
 * any of its processes (the kernel keeps that within the cpuset), and no more than the CPU quotas
 * of its control groups leave it, at every level of the hierarchy.
 */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/cgroup.h"
#include "target/procfs.h"
#include "target/target.h"

#define NS_PER_US 1000

struct group {
	char *dir;
	bool unified;
	bool present; /* in the last look at the processes' groups */
	struct target_throttling past;
};

struct target_quotas {
	struct group *groups;
	size_t n;
	int error; /* of the look in progress */
};

struct cpus {
	unsigned char in[TARGET_CPUS_MAX];
};

struct target_quotas *target_quotas_new(void)
{
	return calloc(1, sizeof(struct target_quotas));
}

void target_quotas_free(struct target_quotas *quotas)
{
	if (!quotas)
		return;
	for (size_t i = 0; i < quotas->n; i++)
		free(quotas->groups[i].dir);
	free(quotas->groups);
	free(quotas);
}

/* Adds a list like "0-3,8,10-11". */
static void add_list(struct cpus *cpus, const char *list)
{
	while (*list >= '0' && *list <= '9') {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (unsigned long i = first; i <= last && i < TARGET_CPUS_MAX; i++)
			cpus->in[i] = 1;
		list = *end == ',' ? end + 1 : end;
	}
}

static double count(const struct cpus *cpus)
{
	double n = 0;

	for (size_t i = 0; i < TARGET_CPUS_MAX; i++)
		n += cpus->in[i];
	return n;
}

/* Those in both, and how many that are. */
static double take_both(const struct cpus *a, const struct cpus *b, struct target_cpus *ret_cpus)
{
	double n = 0;

	for (size_t i = 0; i < TARGET_CPUS_MAX; i++) {
		if (!a->in[i] || !b->in[i])
			continue;
		ret_cpus->in[i / 64] |= UINT64_C(1) << i % 64;
		n++;
	}
	return n;
}

bool target_cpus_has(const struct target_cpus *cpus, size_t cpu)
{
	return cpu < TARGET_CPUS_MAX && cpus->in[cpu / 64] >> cpu % 64 & 1;
}

static void read_online(const char *root, struct cpus *cpus)
{
	_cleanup_fclose_ FILE *file = procfs_open("%s/sys/devices/system/cpu/online", root);
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (file && getline(&line, &size, file) > 0)
		add_list(cpus, line);
}

static void add_allowed(const char *root, pid_t pid, struct cpus *cpus)
{
	_cleanup_free_ char *status = NULL;
	const char *list;
	size_t length;

	if (procfs_read_of(root, pid, "status", &status, &length) < 0)
		return;
	list = procfs_field(status, "Cpus_allowed_list");
	if (list)
		add_list(cpus, list);
}

static void read_throttling(const struct group *group, struct target_throttling *ret_throttling)
{
	*ret_throttling = (struct target_throttling){
		.periods = cgroup_count(group->dir, "cpu.stat", "nr_periods"),
		.throttled = cgroup_count(group->dir, "cpu.stat", "nr_throttled"),
		.throttled_ns =
			group->unified
				? NS_PER_US * cgroup_count(group->dir, "cpu.stat", "throttled_usec")
				: cgroup_count(group->dir, "cpu.stat", "throttled_time"),
	};
}

/* From now on a group's throttling counts. 0 or -ENOMEM. */
static int follow(struct target_quotas *quotas, const char *dir, bool unified)
{
	struct group *groups, *group;

	for (size_t i = 0; i < quotas->n; i++) {
		if (strcmp(quotas->groups[i].dir, dir) == 0) {
			quotas->groups[i].present = true;
			return 0;
		}
	}
	groups = reallocarray(quotas->groups, quotas->n + 1, sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	quotas->groups = groups;
	group = &groups[quotas->n];
	*group = (struct group){.dir = strdup(dir), .unified = unified, .present = true};
	if (!group->dir)
		return -ENOMEM;
	quotas->n++;
	read_throttling(group, &group->past);
	return 0;
}

/* Processors that a group's quota comes to: "cpu.max" of version 2 is "quota period". */
static double quota_of(void *ctx, const char *dir, bool unified)
{
	struct target_quotas *quotas = ctx;
	double quota, period;

	if (unified) {
		quota = cgroup_number(dir, "cpu.max");
		period = cgroup_second_number(dir, "cpu.max");
	} else {
		quota = cgroup_number(dir, "cpu.cfs_quota_us");
		period = cgroup_number(dir, "cpu.cfs_period_us");
	}
	if (!isfinite(quota) || !(period > 0))
		return INFINITY;
	if (!quotas->error)
		quotas->error = follow(quotas, dir, unified);
	return quota / period;
}

/* Groups the processes have left, or that have no quota any more, are not followed further. */
static void forget_absent(struct target_quotas *quotas)
{
	size_t kept = 0;

	for (size_t i = 0; i < quotas->n; i++) {
		if (quotas->groups[i].present)
			quotas->groups[kept++] = quotas->groups[i];
		else
			free(quotas->groups[i].dir);
	}
	quotas->n = kept;
}

static int read_quota(const char *root, const pid_t *pids, size_t n, struct target_quotas *quotas,
		      double *ret_cpus)
{
	_cleanup_(cgroup_set_done) struct cgroup_set set = {0};
	int r;

	r = cgroup_set_read(root, "cpu", pids, n, &set);
	if (r < 0)
		return r;
	for (size_t i = 0; i < quotas->n; i++)
		quotas->groups[i].present = false;
	quotas->error = 0;
	r = cgroup_bound(&set, quota_of, quotas, ret_cpus);
	if (r == 0)
		r = quotas->error;
	if (r == 0)
		forget_absent(quotas);
	return r;
}

int target_cpus_read(const char *root, const pid_t *pids, size_t n, struct target_quotas *quotas,
		     struct target_cpus *ret_cpus)
{
	struct cpus online = {0}, allowed = {0};
	double quota = INFINITY;

	read_online(root, &online);
	for (size_t i = 0; i < n; i++)
		add_allowed(root, pids[i], &allowed);
	if (read_quota(root, pids, n, quotas, &quota) == -ENOMEM)
		return -ENOMEM;
	*ret_cpus = (struct target_cpus){.host = count(&online)};
	ret_cpus->usable = fmin(take_both(&online, &allowed, ret_cpus), quota);
	return 0;
}

static uint64_t take(uint64_t *past, uint64_t now)
{
	uint64_t grown = now > *past ? now - *past : 0;

	*past = now;
	return grown;
}

void target_quotas_take(struct target_quotas *quotas, struct target_throttling *ret_throttling)
{
	struct target_throttling sum = {0}, now;

	for (size_t i = 0; i < quotas->n; i++) {
		struct target_throttling *past = &quotas->groups[i].past;

		read_throttling(&quotas->groups[i], &now);
		sum.periods += take(&past->periods, now.periods);
		sum.throttled += take(&past->throttled, now.throttled);
		sum.throttled_ns += take(&past->throttled_ns, now.throttled_ns);
	}
	*ret_throttling = sum;
}
