/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of /proc, /sys and control groups, 0xff between them, under a root of their own: the first
 * of the input is the first of the list, and so on. What follows is what selectors look for. The
 * root is made in the current folder: its name is an input, too, and so the same each time. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "target/group.h"
#include "target/procfs.h"
#include "target/python_memory.h"
#include "target/target.h"

#define PID 7

static const char *const folders[] = {
	"",
	"/proc",
	"/proc/7",
	"/proc/7/task",
	"/proc/7/task/7",
	"/proc/7/task/8",
	"/proc/7/fd",
	"/proc/self",
	"/sys",
	"/sys/devices",
	"/sys/devices/system",
	"/sys/devices/system/cpu",
	"/sys/fs",
	"/sys/fs/cgroup",
	"/sys/fs/cgroup/a",
};

static const char *const files[] = {
	"/proc/7/comm",
	"/proc/7/cmdline",
	"/proc/7/stat",
	"/proc/7/status",
	"/proc/7/cgroup",
	"/proc/self/mountinfo",
	"/proc/7/maps",
	"/proc/7/smaps_rollup",
	"/proc/7/smaps",
	"/proc/7/task/8/syscall",
	"/proc/meminfo",
	"/sys/devices/system/cpu/online",
	"/sys/fs/cgroup/a/cpu.max",
	"/sys/fs/cgroup/a/cpu.stat",
	"/sys/fs/cgroup/a/cpuset.cpus.effective",
	"/sys/fs/cgroup/a/memory.max",
	"/sys/fs/cgroup/a/memory.current",
	"/sys/fs/cgroup/a/memory.stat",
	"/sys/fs/cgroup/cpu.cfs_quota_us",
	"/sys/fs/cgroup/cpu.cfs_period_us",
	"/proc/7/exe",
};

/* The same words once more. */
#define ENVIRON "/proc/7/environ"

#define N_FILES (sizeof(files) / sizeof(files[0]))

static const char root[] = "root";
static int file_fds[N_FILES];

static const char *under_root(const char *name, char path[128])
{
	(void)snprintf(path, 128, "%s%s", root, name);
	return path;
}

static void remove_root(void)
{
	char path[128];

	for (size_t i = 0; i < N_FILES; i++)
		(void)unlink(under_root(files[i], path));
	(void)unlink(under_root(ENVIRON, path));
	for (size_t i = sizeof(folders) / sizeof(folders[0]); i-- > 0;)
		(void)rmdir(under_root(folders[i], path));
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libFuzzer says what it looks like */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char path[128];

	(void)argc;
	(void)argv;
	FUZZ_ASSERT(mkdir(root, 0700) == 0);
	FUZZ_ASSERT(atexit(remove_root) == 0);
	for (size_t i = 1; i < sizeof(folders) / sizeof(folders[0]); i++)
		FUZZ_ASSERT(mkdir(under_root(folders[i], path), 0700) == 0);
	for (size_t i = 0; i < N_FILES; i++) {
		file_fds[i] =
			open(under_root(files[i], path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		FUZZ_ASSERT(file_fds[i] >= 0);
	}
	FUZZ_ASSERT(symlink("cmdline", under_root(ENVIRON, path)) == 0);
	return 0;
}

/* What follows the files, as text. */
static char *write_files(const uint8_t *bytes, size_t size)
{
	char *text;

	for (size_t i = 0; i < N_FILES; i++) {
		const uint8_t *end = size ? memchr(bytes, 0xff, size) : NULL;
		size_t n = end ? (size_t)(end - bytes) : size;

		FUZZ_ASSERT(ftruncate(file_fds[i], 0) == 0);
		FUZZ_ASSERT(pwrite(file_fds[i], bytes, n, 0) == (ssize_t)n);
		bytes += n + (end ? 1 : 0);
		size -= n + (end ? 1 : 0);
	}
	text = strndup((const char *)bytes, size);
	FUZZ_ASSERT(text);
	return text;
}

static void select_one(const struct target_process *process, const char *text)
{
	_cleanup_free_ char *unit = NULL;
	_cleanup_free_ char *container = NULL;

	(void)target_is_called(root, process, text);
	(void)target_in_cgroup(process, target_cgroup_path(root, text));
	(void)target_in_unit(process, text);
	(void)target_in_container(process, text);
	if (target_unit_of(process, &unit) == 0)
		FUZZ_ASSERT(target_in_unit(process, unit));
	if (target_container_of(process, &container) == 0)
		FUZZ_ASSERT(target_in_container(process, container));
}

static void select_processes(const char *text)
{
	struct target_processes processes;
	pid_t found_pids[4];

	if (target_processes_read(root, &processes) == 0) {
		for (size_t i = 0; i < processes.n; i++)
			select_one(&processes.items[i], text);
		target_processes_done(&processes);
	}
	(void)target_find_inner(root, PID, found_pids, 4);
}

static int found(void *ctx, const char *name)
{
	(void)ctx;
	FUZZ_ASSERT(*name);
	return 0;
}

static int found_path(void *ctx, const char *path)
{
	bool elsewhere;
	const char *name = python_memory_module(path, &elsewhere);

	(void)ctx;
	FUZZ_ASSERT(path[0] == '/' && strlen(path) > 3);
	FUZZ_ASSERT(!name || !elsewhere);
	return 0;
}

static void free_quotas(struct target_quotas **quotas)
{
	target_quotas_free(*quotas);
}

static void read_group(void)
{
	_cleanup_(free_quotas) struct target_quotas *quotas = target_quotas_new();
	struct target_throttling throttling;
	const pid_t pid = PID;
	struct target_cpus cpus;
	struct target_room room;

	FUZZ_ASSERT(quotas);
	for (int i = 0; i < 2; i++) {
		if (target_cpus_read(root, &pid, 1, quotas, &cpus) == 0)
			FUZZ_ASSERT(cpus.usable >= 0 && cpus.usable < 1e9 && cpus.host >= 0);
		target_quotas_take(quotas, &throttling);
	}
	(void)target_room_read(root, &pid, 1, &room);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct target_memory memory;
	struct procfs_stat stat;
	_cleanup_free_ char *text = write_files(bytes, size);
	char *name;
	bool locked;

	(void)python_memory_paths(bytes, size, found_path, NULL);
	select_processes(text);
	if (target_process_name_in(root, PID, &name) == 0) {
		FUZZ_ASSERT(*name);
		free(name);
	}
	(void)procfs_read_stat(root, PID, &stat);
	read_group();
	(void)target_memory_read(root, PID, &memory);
	(void)target_stack_bytes(root, PID);
	(void)target_components(root, PID, found, NULL, &locked);
	(void)target_environment_variables(root, PID);
	(void)target_schedules_goroutines(root, PID);
	(void)target_interpreter(root, PID);
	return 0;
}
