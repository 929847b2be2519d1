/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What processes belong to, by the paths that systemd and container engines give their groups. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "machine.h"
#include "target/group.h"
#include "target/target.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD "kubepods-burstable-pod1b2c3d4e_0000_1111_2222_333344445555.slice"

static struct target_process in(const char *groups)
{
	return (struct target_process){.pid = 10, .groups = (char *)(uintptr_t)groups};
}

static void containers_have_their_id_in_the_path(void **state)
{
	static const char *const layouts[] = {
		"12:cpu,cpuacct:/docker/" ID "\n0::/\n",
		"0::/system.slice/docker-" ID ".scope\n",
		"0::/system.slice/docker-" ID ".scope/system.slice/nginx.service\n",
		"4:memory:/kubepods/burstable/pod1b2c3d4e-0000/" ID "\n",
		"0::/kubepods.slice/kubepods-burstable.slice/" POD "/cri-containerd-" ID ".scope\n",
		"0::/kubepods.slice/kubepods-burstable.slice/" POD "/crio-" ID ".scope/container\n",
		"1:name=systemd:/system.slice/containerd.service/" POD ":cri-containerd:" ID "\n",
		"0::/machine.slice/libpod-" ID ".scope/container\n",
		"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope\n",
		"0::/system.slice/nerdctl-" ID ".scope\n",
		"0::/default/" ID "\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		const struct target_process process = in(layouts[i]);
		_cleanup_free_ char *id = NULL;

		assert_true(target_in_container(&process, ID));
		assert_true(target_in_container(&process, "0123456789ab"));
		assert_false(target_in_container(&process, "123456789abc"));
		assert_false(target_in_container(&process, "012"));
		assert_false(target_in_container(&process, ID "0"));
		assert_int_equal(target_container_of(&process, &id), 0);
		assert_string_equal(id, ID);
	}
}

static void containers_may_have_names_instead(void **state)
{
	const struct target_process plain = in("0::/default/redis\n"),
				    lxc = in("0::/lxc.payload.web/init.scope\n");

	(void)state;
	assert_true(target_in_container(&plain, "redis"));
	assert_true(target_in_container(&lxc, "web"));
	assert_false(target_in_container(&plain, "redi"));
}

static void what_is_no_container_is_none(void **state)
{
	static const char *const others[] = {
		"",
		"\n\n::\n0:\n",
		"0::/\n",
		"0::/user.slice/user-1000.slice/session-3.scope\n",
		"0::/machine.slice/libpod-conmon-" ID ".scope\n", /* its monitor */
		"0::/system.slice/x" ID ".scope\n",
		"0::/system.slice/" ID "0.scope\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		const struct target_process process = in(others[i]);
		char *id = NULL;

		assert_int_equal(target_container_of(&process, &id), -ENOENT);
		assert_false(target_in_container(&process, "0123"));
	}
}

static void assert_unit(const char *groups, const char *expected)
{
	const struct target_process process = in(groups);
	_cleanup_free_ char *unit = NULL;
	int r = target_unit_of(&process, &unit);

	if (expected) {
		assert_int_equal(r, 0);
		assert_string_equal(unit, expected);
	} else {
		assert_int_equal(r, -ENOENT);
	}
}

static void units_are_services_not_sessions(void **state)
{
	(void)state;
	assert_unit("0::/system.slice/nginx.service\n", "nginx.service");
	assert_unit("9:cpu:/\n1:name=systemd:/system.slice/nginx.service\n0::/\n", "nginx.service");
	assert_unit("0::/system.slice/system-getty.slice/getty@tty1.service\n",
		    "getty@tty1.service");
	assert_unit("0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n",
		    "web.service");
	assert_unit("0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", NULL);
	assert_unit("0::/user.slice/user-1000.slice/session-3.scope\n", NULL);
	assert_unit("0::/system.slice/.service\n", NULL);
	assert_unit("0::/\n", NULL);
}

static void units_go_by_their_short_names(void **state)
{
	const struct target_process nginx = in("0::/system.slice/nginx.service/worker\n");

	(void)state;
	assert_true(target_in_unit(&nginx, "nginx.service"));
	assert_true(target_in_unit(&nginx, "nginx"));
	assert_true(target_in_unit(&nginx, "system.slice"));
	assert_false(target_in_unit(&nginx, "ngin"));
	assert_false(target_in_unit(&nginx, "nginx.serv"));
}

static void groups_hold_what_is_below_them(void **state)
{
	const struct target_process process = in("3:cpu:/a/b\n0::/x/y z\n");
	char *root = machine_new();

	(void)state;
	assert_true(target_in_cgroup(&process, "/a"));
	assert_true(target_in_cgroup(&process, "/a/b"));
	assert_true(target_in_cgroup(&process, "/a/b/"));
	assert_true(target_in_cgroup(&process, "/x/y z"));
	assert_false(target_in_cgroup(&process, "/a/b/c"));
	assert_false(target_in_cgroup(&process, "/x/y"));
	assert_false(target_in_cgroup(&process, "/b"));
	/* The root of all groups selects nothing rather than everything. */
	assert_false(target_in_cgroup(&process, "/"));
	machine_write(root, "/proc/self/mountinfo",
		      "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
		      "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
		      "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
	assert_string_equal(target_cgroup_path(root, "/sys/fs/cgroup/cpu/a/b"), "/a/b");
	assert_string_equal(target_cgroup_path(root, "/sys/fs/cgroup/unified/x"), "/x");
	assert_string_equal(target_cgroup_path(root, "/sys/fs/cgroup/cpuset/x"),
			    "/sys/fs/cgroup/cpuset/x");
	assert_string_equal(target_cgroup_path(root, "/a"), "/a");
	machine_free(root);
}

static void add_process(const char *root, int pid, const char *comm, const char *stat,
			const char *nspid)
{
	char path[64], text[256];

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	(void)snprintf(text, sizeof(text), "%d (%s) %s", pid, comm, stat);
	machine_write(root, path, text);
	(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	(void)snprintf(text, sizeof(text), "%s\n", comm);
	machine_write(root, path, text);
	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	(void)snprintf(text, sizeof(text), "Name:\tx\nNSpid:\t%s\n", nspid);
	machine_write(root, path, text);
}

#define RUNS "S 1 1 1 0 -1 4194304 0 0"

static char *small_machine(void)
{
	char *root = machine_new();

	add_process(root, 300, "web) S 7 (", RUNS, "300\t12\t7");
	add_process(root, 40, "kworker/0:1", "I 2 0 0 0 -1 69238880 0 0", "40");
	add_process(root, 41, "gone", "Z 1 1 1 0 -1 4194304 0 0", "41");
	add_process(root, 5, "init", "S 0 1 1 0 -1 4194304 0 0", "5");
	add_process(root, 301, "db", RUNS, "301\t7");
	add_process(root, 303, "a\\\\b", RUNS, "303");
	machine_write(root, "/proc/303/comm", "a\\b\n");
	add_process(root, 302, "python3", RUNS, "302\t8");
	machine_write(root, "/proc/300/cgroup", "0::/a\n");
	machine_write(root, "/proc/302/cmdline", "python3");
	return root;
}

static void processes_are_those_with_a_program(void **state)
{
	_cleanup_(target_processes_done) struct target_processes all = {0};
	char *root = small_machine();

	(void)state;
	assert_int_equal(target_processes_read(root, &all), 0);
	assert_int_equal(all.n, 5);
	assert_string_equal(all.items[4].comm, "a\\b");
	assert_int_equal(all.items[0].pid, 5);
	assert_int_equal(all.items[0].parent, 0);
	assert_string_equal(all.items[1].comm, "web) S 7 (");
	assert_int_equal(all.items[1].parent, 1);
	assert_string_equal(all.items[1].groups, "0::/a\n");
	assert_string_equal(all.items[2].groups, "");
	assert_ptr_equal(target_processes_find(&all, 301), &all.items[2]);
	assert_null(target_processes_find(&all, 40));
	assert_true(target_is_called(root, &all.items[2], "db"));
	assert_false(target_is_called(root, &all.items[2], "d"));
	assert_true(target_is_called(root, &all.items[3], "python3"));
	machine_free(root);
}

static void pids_of_other_namespaces_are_found(void **state)
{
	char *root = small_machine();
	pid_t pids[4];

	(void)state;
	assert_int_equal(target_find_inner(root, 8, pids, 4), 1);
	assert_int_equal(pids[0], 302);
	assert_int_equal(target_find_inner(root, 7, pids, 4), 2);
	assert_int_equal(pids[0], 300);
	assert_int_equal(pids[1], 301);
	/* Neither one of a namespace in between nor one of this. */
	assert_int_equal(target_find_inner(root, 12, pids, 4), 0);
	assert_int_equal(target_find_inner(root, 5, pids, 4), 0);
	machine_free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(containers_have_their_id_in_the_path),
		cmocka_unit_test(containers_may_have_names_instead),
		cmocka_unit_test(what_is_no_container_is_none),
		cmocka_unit_test(units_are_services_not_sessions),
		cmocka_unit_test(units_go_by_their_short_names),
		cmocka_unit_test(groups_hold_what_is_below_them),
		cmocka_unit_test(processes_are_those_with_a_program),
		cmocka_unit_test(pids_of_other_namespaces_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
