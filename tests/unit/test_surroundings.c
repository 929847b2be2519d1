/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What services run on and are made of, on machines on paper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "machine.h"
#include "target/target.h"

#define MIB (1ull << 20)

static const char only_v2[] =
	"31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
static const char only_v1[] =
	"20 1 0:5 / /proc rw - proc proc rw\n"
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
	"35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
static const char hybrid[] =
	"32 31 0:29 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n"
	"33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
static const char in_container[] =
	"32 31 0:29 /docker/abc /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	"35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

static char *machine_with(const char *mounts)
{
	char *root = machine_new();

	machine_write(root, "/proc/self/mountinfo", mounts);
	machine_write(root, "/sys/devices/system/cpu/online", "0-7\n");
	return root;
}

static void add_process(const char *root, int pid, const char *cpus, const char *groups)
{
	char path[64], status[128];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	(void)snprintf(status, sizeof(status),
		       "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t%s\n", cpus);
	machine_write(root, path, status);
	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	machine_write(root, path, groups);
}

static struct target_cpus read_cpus(const char *root, const pid_t *pids, size_t n)
{
	struct target_quotas *quotas = target_quotas_new();
	struct target_cpus cpus = {.usable = -1, .host = -1};

	assert_non_null(quotas);
	assert_int_equal(target_cpus_read(root, pids, n, quotas, &cpus), 0);
	target_quotas_free(quotas);
	return cpus;
}

static void assert_usable(const char *root, const pid_t *pids, size_t n, double usable)
{
	assert_float_equal(read_cpus(root, pids, n).usable, usable, 1e-9);
}

static void affinity_counts_processors_on_line(void **state)
{
	char *root = machine_with(only_v2);
	const pid_t pids[] = {10, 11, 12};

	(void)state;
	add_process(root, 10, "0-1,4,6-9", "0::/\n");
	add_process(root, 11, "1-3", "0::/\n");
	assert_usable(root, pids, 1, 5);
	assert_usable(root, pids, 2, 7);
	/* One of them has ended. */
	assert_usable(root, pids, 3, 7);
	assert_float_equal(read_cpus(root, pids, 1).host, 8, 0);
	/* Nobody left: not known. */
	assert_usable(root, pids + 2, 1, 0);
	machine_free(root);
}

static void every_level_of_the_hierarchy_bounds(void **state)
{
	char *root = machine_with(only_v2);
	const pid_t pid = 10;

	(void)state;
	add_process(root, pid, "0-7", "0::/a/b/c\n");
	machine_write(root, "/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
	machine_write(root, "/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
	machine_write(root, "/sys/fs/cgroup/a/b/c/cpu.max", "200000 100000\n");
	assert_usable(root, &pid, 1, 1.5);
	machine_write(root, "/sys/fs/cgroup/a/b/c/cpu.max", "5000 10000\n");
	assert_usable(root, &pid, 1, 0.5);
	machine_write(root, "/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
	machine_write(root, "/sys/fs/cgroup/a/cpu.max", "max 100000\n");
	assert_usable(root, &pid, 1, 8);
	/* What stands there is none: no bound. */
	machine_write(root, "/sys/fs/cgroup/a/cpu.max", "\n");
	assert_usable(root, &pid, 1, 8);
	machine_free(root);
}

static void groups_side_by_side_add_up_to_what_is_above(void **state)
{
	char *root = machine_with(only_v2);
	const pid_t pids[] = {10, 11, 12};

	(void)state;
	add_process(root, 10, "0-7", "0::/pod/one\n");
	add_process(root, 11, "0-7", "0::/pod/two\n");
	add_process(root, 12, "0-7", "0::/pod\n");
	machine_write(root, "/sys/fs/cgroup/pod/one/cpu.max", "50000 100000\n");
	machine_write(root, "/sys/fs/cgroup/pod/two/cpu.max", "50000 100000\n");
	machine_write(root, "/sys/fs/cgroup/pod/cpu.max", "max 100000\n");
	assert_usable(root, pids, 2, 1);
	machine_write(root, "/sys/fs/cgroup/pod/cpu.max", "80000 100000\n");
	assert_usable(root, pids, 2, 0.8);
	/* One process in the pod itself is bound by nothing below. */
	machine_write(root, "/sys/fs/cgroup/pod/cpu.max", "300000 100000\n");
	assert_usable(root, pids, 3, 3);
	machine_free(root);
}

static void version_1_and_hybrid_are_read_where_the_controller_is(void **state)
{
	const pid_t pid = 10;
	char *root = machine_with(only_v1);

	(void)state;
	add_process(root, pid, "0-7", "2:memory:/m\n1:cpu,cpuacct:/a/b\n");
	machine_write(root, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n");
	machine_write(root, "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
	machine_write(root, "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
	machine_write(root, "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
	assert_usable(root, &pid, 1, 2.5);
	machine_free(root);

	root = machine_with(hybrid);
	add_process(root, pid, "0-7", "2:cpuacct:/\n1:cpu:/a\n0::/x\n");
	machine_write(root, "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "50000\n");
	machine_write(root, "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
	machine_write(root, "/sys/fs/cgroup/unified/x/cpu.max", "10000 100000\n");
	assert_usable(root, &pid, 1, 0.5);
	machine_free(root);

	root = machine_with(in_container);
	add_process(root, pid, "0-7", "1:cpu:/docker/abc/x\n");
	add_process(root, 11, "0-7", "1:cpu:/docker/abcdef\n");
	machine_write(root, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n");
	machine_write(root, "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
	assert_usable(root, &pid, 1, 1.5);
	assert_usable(root, &(const pid_t){11}, 1, 8);
	machine_free(root);
}

static void throttling_counts_from_one_call_to_the_next(void **state)
{
	struct target_quotas *quotas = target_quotas_new();
	char *root = machine_with(only_v2);
	struct target_throttling lost;
	struct target_cpus cpus;
	const pid_t pid = 10;

	(void)state;
	add_process(root, pid, "0-7", "0::/a/b\n");
	machine_write(root, "/sys/fs/cgroup/a/cpu.max", "50000 100000\n");
	machine_write(root, "/sys/fs/cgroup/a/cpu.stat",
		      "usage_usec 7\nnr_periods 10\nnr_throttled 4\nthrottled_usec 900\n");
	/* Without a quota of its own: what is above does not count twice. */
	machine_write(root, "/sys/fs/cgroup/a/b/cpu.stat", "nr_periods 99\n");
	assert_int_equal(target_cpus_read(root, &pid, 1, quotas, &cpus), 0);
	target_quotas_take(quotas, &lost);
	assert_int_equal(lost.periods, 0);
	machine_write(root, "/sys/fs/cgroup/a/cpu.stat",
		      "usage_usec 8\nnr_periods 30\nnr_throttled 5\nthrottled_usec 1000\n");
	/* Another look in between takes nothing away. */
	assert_int_equal(target_cpus_read(root, &pid, 1, quotas, &cpus), 0);
	target_quotas_take(quotas, &lost);
	assert_int_equal(lost.periods, 20);
	assert_int_equal(lost.throttled, 1);
	assert_int_equal(lost.throttled_ns, 100000);
	target_quotas_take(quotas, &lost);
	assert_int_equal(lost.periods, 0);
	/* The group is gone, or made anew: nothing below zero. */
	machine_write(root, "/sys/fs/cgroup/a/cpu.stat", "nr_periods 2\n");
	target_quotas_take(quotas, &lost);
	assert_int_equal(lost.periods, 0);
	target_quotas_free(quotas);
	machine_free(root);
}

static struct target_idle read_idle(const char *root, uint64_t now_ns, const char *stat)
{
	struct target_idle idle = {0};

	machine_write(root, "/proc/stat", stat);
	assert_int_equal(target_idle_read(root, now_ns, &idle), 0);
	return idle;
}

/* Ticks are of 10 ms. What lies between two looks and is neither idle, nor waiting for disks, nor
 * taken by the hypervisor, was busy; on the processors that are asked for, if they are there. */
static void processors_are_busy_when_not_idle(void **state)
{
	char *root = machine_with(only_v2);
	struct target_quotas *quotas = target_quotas_new();
	struct target_cpus first, both;
	struct target_idle was, is, copy = {0};
	const pid_t pids[] = {10, 11};

	(void)state;
	add_process(root, 10, "0", "0::/\n");
	add_process(root, 11, "2,9000", "0::/\n");
	assert_int_equal(target_cpus_read(root, pids, 1, quotas, &first), 0);
	assert_int_equal(target_cpus_read(root, pids, 2, quotas, &both), 0);
	assert_true(target_cpus_has(&both, 0) && !target_cpus_has(&both, 1));
	assert_true(target_cpus_has(&both, 2) && !target_cpus_has(&both, 9000));
	was = read_idle(root, 1000,
			"cpu  9 9 9 9 9 9 9 9 0 0\n"
			"cpu0 5 0 5 100 10 0 0 1 0 0\ncpu2 0 0 0 500 0 0 0 0 0 0\nintr 1\n");
	is = read_idle(
		root, 1000 + 1000000000,
		"cpu  9 9 9 9 9 9 9 9 0 0\n"
		"cpu0 9 9 9 130 20 9 9 11 0 0\ncpu1 0 0 0 3 0 0 0 0 0 0\ncpu2 9 0 0 600 9 0 0 9 0 0\nintr 2\n");
	assert_int_equal(is.n, 3);
	assert_true(was.ns[1] == TARGET_NO_CPU);
	assert_int_equal(target_busy_ns(&was, &is, &first), 500000000);
	/* The other was idle for as long as there was, and more by the ticks. */
	assert_int_equal(target_busy_ns(&was, &is, &both), 500000000);
	assert_int_equal(target_idle_copy(&was, &copy), 0);
	assert_int_equal(target_busy_ns(&copy, &is, &first), 500000000);
	assert_int_equal(target_busy_ns(&is, &was, &first), 0);
	target_idle_done(&was);
	/* Another machine's file, or none: nothing is known, nothing breaks. */
	was = read_idle(root, 0, "cpu0 1 2\ncpu99999 1 1 1 1 1 1 1 1\nctxt 4\n");
	assert_int_equal(was.n, 0);
	assert_int_equal(target_busy_ns(&was, &is, &first), 0);
	target_idle_done(&was);
	target_idle_done(&is);
	target_idle_done(&copy);
	target_quotas_free(quotas);
	machine_free(root);
}

static struct target_room read_room(const char *root, pid_t pid)
{
	struct target_room room = {1, 1};

	assert_int_equal(target_room_read(root, &pid, 1, &room), 0);
	return room;
}

static void memory_is_left_up_to_the_nearest_limit(void **state)
{
	char *root = machine_with(only_v2);

	(void)state;
	add_process(root, 10, "0", "0::/a/b\n");
	assert_int_equal(read_room(root, 10).limit, 0);
	assert_int_equal(read_room(root, 10).available, 0);
	/* More than any machine has; it is a number all the same. */
	machine_write(root, "/proc/meminfo", "MemAvailable: 18014398509481983 kB\n");
	assert_int_equal(read_room(root, 10).available, 1ULL << 62);
	machine_write(root, "/proc/meminfo", "MemTotal: 9 kB\nMemAvailable:  1048576 kB\n");
	assert_int_equal(read_room(root, 10).available, 1024 * MIB);
	machine_write(root, "/sys/fs/cgroup/a/memory.max", "536870912\n");
	machine_write(root, "/sys/fs/cgroup/a/memory.current", "314572800\n");
	machine_write(root, "/sys/fs/cgroup/a/memory.stat",
		      "anon 1\nactive_file 5\ninactive_file 104857600\n");
	machine_write(root, "/sys/fs/cgroup/a/b/memory.max", "max\n");
	assert_int_equal(read_room(root, 10).limit, 512 * MIB);
	assert_int_equal(read_room(root, 10).available, 312 * MIB);
	machine_free(root);

	root = machine_with(only_v1);
	add_process(root, 10, "0", "2:memory:/m\n1:cpu,cpuacct:/\n");
	machine_write(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	machine_write(root, "/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "67108864\n");
	machine_write(root, "/sys/fs/cgroup/memory/m/memory.usage_in_bytes", "33554432\n");
	assert_int_equal(read_room(root, 10).limit, 64 * MIB);
	assert_int_equal(read_room(root, 10).available, 32 * MIB);
	machine_free(root);
}

static void memory_of_its_own_is_not_what_it_shares(void **state)
{
	char *root = machine_new();
	struct target_memory memory = {0};

	(void)state;
	machine_write(root, "/proc/10/smaps_rollup",
		      "5500-7ffd ---p 00000000 00:00 0 [rollup]\nRss: 1000 kB\nPss: 300 kB\n"
		      "Pss_Dirty: 112 kB\nShared_Clean: 800 kB\nPrivate_Clean: 40 kB\n"
		      "Private_Dirty: 112 kB\nPrivate_Hugetlb: 8 kB\n");
	assert_int_equal(target_memory_read(root, 10, &memory), 0);
	assert_int_equal(memory.unique, 160 * 1024);
	assert_int_equal(memory.share, 300 * 1024);
	machine_write(root, "/proc/11/smaps_rollup", "");
	assert_true(target_memory_read(root, 11, &memory) < 0);
	assert_true(target_memory_read(root, 12, &memory) < 0);
	machine_free(root);
}

static void stacks_are_where_stack_pointers_point(void **state)
{
	char *root = machine_new();

	(void)state;
	assert_int_equal(target_stack_bytes(root, 10), 0);
	machine_write(root, "/proc/10/task/10/syscall", "7 0x1 0x2 0x3 0x0 0x0 0x0 0x9000 0x1\n");
	assert_int_equal(target_stack_bytes(root, 10), 0);
	machine_write(root, "/proc/10/task/11/syscall", "202 0x1 0x2 0x3 0x0 0x0 0x0 0x2800 0x1\n");
	machine_write(root, "/proc/10/task/12/syscall", "202 0x1 0x2 0x3 0x0 0x0 0x0 0x4800 0x1\n");
	machine_write(root, "/proc/10/task/13/syscall", "running\n");
	machine_write(root, "/proc/10/task/14/syscall", "202 0x1 0x2 0x3 0x0 0x0 0x0 0x4900 0x1\n");
	machine_write(root, "/proc/10/smaps",
		      "1000-2000 ---p 00000000 00:00 0 \nSize: 4 kB\nPrivate_Dirty: 0 kB\n"
		      "2000-4000 rw-p 00000000 00:00 0 \nSize: 8 kB\nPrivate_Clean: 4 kB\n"
		      "Private_Dirty: 12 kB\nAnonymous: 12 kB\n"
		      "4000-5000 rw-p 00000000 00:00 0 \nPrivate_Dirty: 40 kB\n"
		      "9000-a000 rw-p 00000000 00:00 0 [stack]\nPrivate_Dirty: 132 kB\n");
	/* 12, and 40 shared by two. */
	assert_int_equal(target_stack_bytes(root, 10), 20 * 1024);
	machine_free(root);
}

struct names {
	char text[256];
};

static int add_name(void *ctx, const char *name)
{
	struct names *names = ctx;

	size_t length = strlen(names->text);

	if (!strstr(names->text, name))
		(void)snprintf(names->text + length, sizeof(names->text) - length, "%s ", name);
	return 0;
}

/* A process of PID 10 that runs a program, with words for its command line, one behind the other.
 */
static char *machine_running(const char *program, const char *words, const char *maps)
{
	char *root = machine_new();
	char comm[64];
	const char *name = strrchr(program, '/');

	(void)snprintf(comm, sizeof(comm), "%s\n", name + 1);
	machine_link(root, "/proc/10/exe", program);
	machine_write(root, "/proc/10/comm", comm);
	machine_write(root, "/proc/10/cmdline", words);
	machine_write(root, "/proc/10/maps", maps);
	return root;
}

static void assert_components(char *root, const char *expected, bool expected_lock)
{
	struct names names = {0};
	bool locked = !expected_lock;

	assert_int_equal(target_components(root, 10, add_name, &names, &locked), 0);
	assert_string_equal(names.text, expected);
	assert_int_equal(locked, expected_lock);
	machine_free(root);
}

static void components_are_what_is_mapped_and_called(void **state)
{
	(void)state;
	assert_components(
		machine_running(
			"/usr/bin/python3.11", "",
			"7f00-7f01 r--p 00000000 fe:00 7 /usr/lib/libssl.so.3\n"
			"7f01-7f02 r-xp 00001000 fe:00 7 /usr/lib/libssl.so.3\n"
			"7f03-7f04 rw-p 00000000 00:00 0 \n"
			"7f05-7f06 r-xp 00000000 fe:00 9 /v/psycopg2/_psycopg.cpython-311-x86_64-linux-gnu.so\n"
			"7f07-7f08 r-xp 00000000 fe:00 9 /v/uvloop/loop.cpython-311-x86_64-linux-gnu.so\n"),
		"cpython openssl psycopg2 uvloop ", true);
	assert_components(machine_running("/opt/python3.13t (deleted)", "", ""), "cpython ", false);
	assert_components(
		machine_running("/opt/app", "",
				"7f01-7f02 r-xp 0 fe:00 7 /usr/lib/libpython3.13t.so.1.0\n"),
		"cpython ", false);
	assert_components(
		machine_running("/usr/bin/uwsgi-core", "",
				"7f01-7f02 r-xp 0 fe:00 7 /usr/lib/libpython3.11.so.1.0\n"),
		"uwsgi cpython ", true);
	assert_components(machine_running("/usr/bin/ruby3.1", "", ""), "ruby ", true);
	assert_components(machine_running("/usr/sbin/php-fpm8.2", "", ""), "php-fpm ", false);
	assert_components(machine_running("/usr/bin/python-like", "", ""), "", false);
}

static void write_words(const char *root, const char *words, size_t length)
{
	_cleanup_free_ char *path = NULL;
	FILE *file;

	assert_true(asprintf(&path, "%s/proc/10/cmdline", root) > 0);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(words, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

#define WORDS(words) words, sizeof(words)

static void components_of_a_command_line(void **state)
{
	char *root = machine_running("/usr/bin/python3.11", "", "");

	(void)state;
	write_words(
		root,
		WORDS("/usr/bin/python3\0/usr/bin/gunicorn\0-k\0uvicorn.workers.UvicornWorker\0a:b"));
	assert_components(root, "cpython gunicorn uvicorn ", true);
	root = machine_running("/usr/bin/python3.11", "", "");
	write_words(root,
		    WORDS("python3\0-m\0gunicorn\0--worker-class=egg:gunicorn#gevent\0celery"));
	assert_components(root, "cpython gunicorn gevent ", true);
	root = machine_running("/usr/bin/python3.11", "", "");
	write_words(root, WORDS("python3\0manage.py\0runserver"));
	assert_components(root, "cpython django ", true);
	/* An argument proves nothing. */
	root = machine_running("/usr/bin/python3.11", "", "");
	write_words(root, WORDS("python3\0app.py\0gunicorn\0-k\0gevent"));
	assert_components(root, "cpython ", true);
	root = machine_running("/usr/bin/python3.11", "gunicorn: worker [app:app]", "");
	machine_write(root, "/proc/10/comm", "gunicorn: worke\n");
	assert_components(root, "cpython gunicorn ", true);
}

static void components_of_java_are_its_open_archives(void **state)
{
	char *root = machine_running("/usr/lib/jvm/bin/java", "", "");

	(void)state;
	machine_link(root, "/proc/10/fd/3", "/opt/lib/tomcat-embed-core-9.0.1.jar");
	machine_link(root, "/proc/10/fd/4", "socket:[77]");
	machine_link(root, "/proc/10/fd/5", "/opt/not-tomcat-embed-core.txt");
	assert_components(root, "java tomcat ", false);
}

static void this_process_is_seen(void **state)
{
	struct target_quotas *quotas = target_quotas_new();
	struct target_memory memory;
	struct target_cpus cpus;
	struct target_room room;
	const pid_t self = getpid();

	(void)state;
	assert_int_equal(target_cpus_read(TARGET_HERE, &self, 1, quotas, &cpus), 0);
	assert_true(cpus.usable > 0 && cpus.usable <= cpus.host);
	assert_true(cpus.host <= (double)sysconf(_SC_NPROCESSORS_CONF));
	assert_int_equal(target_room_read(TARGET_HERE, &self, 1, &room), 0);
	assert_true(room.available > 0);
	assert_int_equal(target_memory_read(TARGET_HERE, self, &memory), 0);
	assert_true(memory.unique > 0 && memory.share >= memory.unique);
	target_quotas_free(quotas);
}

static void variables_are_counted_as_far_as_they_are_there(void **state)
{
	static const char environment[] = "HOME=/\0PATH=/bin\0EMPTY=\0 a title\0\0=C:\0LAST=1";
	char *root = machine_new(), path[PATH_MAX];
	FILE *file;

	(void)state;
	assert_int_equal(target_environment_variables(root, 10), 0);
	machine_write(root, "/proc/10/environ", "");
	assert_int_equal(target_environment_variables(root, 10), 0);
	(void)snprintf(path, sizeof(path), "%s/proc/10/environ", root);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(environment, 1, sizeof(environment) - 1, file),
			 sizeof(environment) - 1);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(target_environment_variables(root, 10), 4);
	machine_free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(affinity_counts_processors_on_line),
		cmocka_unit_test(every_level_of_the_hierarchy_bounds),
		cmocka_unit_test(groups_side_by_side_add_up_to_what_is_above),
		cmocka_unit_test(version_1_and_hybrid_are_read_where_the_controller_is),
		cmocka_unit_test(throttling_counts_from_one_call_to_the_next),
		cmocka_unit_test(processors_are_busy_when_not_idle),
		cmocka_unit_test(memory_is_left_up_to_the_nearest_limit),
		cmocka_unit_test(memory_of_its_own_is_not_what_it_shares),
		cmocka_unit_test(stacks_are_where_stack_pointers_point),
		cmocka_unit_test(components_are_what_is_mapped_and_called),
		cmocka_unit_test(components_of_a_command_line),
		cmocka_unit_test(components_of_java_are_its_open_archives),
		cmocka_unit_test(variables_are_counted_as_far_as_they_are_there),
		cmocka_unit_test(this_process_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
