/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long processors had nothing to do. Of /proc/stat only idle times are taken, which the kernel
 * measures; those of what runs it samples by its tick on most configurations. Time waiting for
 * disks is idle, too, and what the hypervisor took was nobody's here.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "target/procfs.h"
#include "target/target.h"

/* One line of a processor; false: it is something else. */
static bool parse(const char *line, size_t *ret_cpu, uint64_t *ret_ticks)
{
	unsigned long long idle = 0, disks = 0, taken = 0;

	/* The first line is all of them together, with blanks instead of a number. */
	if (strncmp(line, "cpu", 3) != 0 || line[3] < '0' || line[3] > '9' ||
	    sscanf(line, "cpu%zu %*u %*u %*u %llu %llu %*u %*u %llu", ret_cpu, &idle, &disks,
		   &taken) < 3)
		return false;
	*ret_ticks = idle + disks + taken;
	return *ret_cpu < TARGET_CPUS_MAX;
}

static int set(struct target_idle *idle, size_t cpu, uint64_t ns)
{
	uint64_t *all = idle->ns;

	if (cpu >= idle->n) {
		all = reallocarray(idle->ns, cpu + 1, sizeof(*all));
		if (!all)
			return -ENOMEM;
		for (size_t i = idle->n; i < cpu; i++)
			all[i] = TARGET_NO_CPU;
		idle->ns = all;
		idle->n = cpu + 1;
	}
	all[cpu] = ns;
	return 0;
}

int target_idle_read(const char *root, uint64_t now_ns, struct target_idle *ret_idle)
{
	_cleanup_(target_idle_done) struct target_idle idle = {.at_ns = now_ns};
	_cleanup_fclose_ FILE *file = procfs_open("%s/proc/stat", root);
	_cleanup_free_ char *line = NULL;
	uint64_t tick_ns = CLOCK_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK), ticks;
	size_t size = 0, cpu;
	int r = 0;

	while (file && r == 0 && getline(&line, &size, file) > 0 && line[0] == 'c') {
		if (parse(line, &cpu, &ticks))
			r = set(&idle, cpu, ticks * tick_ns);
	}
	if (r < 0)
		return r;
	*ret_idle = idle;
	idle.ns = NULL;
	return 0;
}

void target_idle_done(struct target_idle *idle)
{
	free(idle->ns);
}

int target_idle_copy(const struct target_idle *from, struct target_idle *to)
{
	uint64_t *ns = reallocarray(to->ns, from->n + 1, sizeof(*ns));

	if (!ns)
		return -ENOMEM;
	for (size_t i = 0; i < from->n; i++)
		ns[i] = from->ns[i];
	*to = (struct target_idle){ns, from->n, from->at_ns};
	return 0;
}

uint64_t target_busy_ns(const struct target_idle *from, const struct target_idle *to,
			const struct target_cpus *cpus)
{
	uint64_t elapsed = to->at_ns > from->at_ns ? to->at_ns - from->at_ns : 0, busy = 0;

	for (size_t i = 0; i < from->n && i < to->n; i++) {
		uint64_t was = from->ns[i], is = to->ns[i], idle;

		if (!target_cpus_has(cpus, i) || was == TARGET_NO_CPU || is == TARGET_NO_CPU)
			continue;
		idle = is > was ? is - was : 0;
		busy += idle < elapsed ? elapsed - idle : 0;
	}
	return busy;
}
