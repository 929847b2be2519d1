/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Against real processes: children of this one, each held by a pipe until its test is over. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "target/target.h"

static void parse_takes_only_process_ids(void **state)
{
	static const char *const bad[] = {"", "abc", "-1", "+1", " 1", "1 ", "1x", "0x10", "1.0"};
	static const char *const out_of_range[] = {"0", "4194305", "99999999999999999999"};
	pid_t pid = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(target_parse_pid(bad[i], &pid), -EINVAL);
	for (size_t i = 0; i < sizeof(out_of_range) / sizeof(out_of_range[0]); i++)
		assert_int_equal(target_parse_pid(out_of_range[i], &pid), -ERANGE);
	assert_int_equal(pid, 7);
	assert_int_equal(target_parse_pid("4194304", &pid), 0);
	assert_int_equal(pid, 4194304);
}

struct child {
	pid_t pid;
	int hold; /* closing it lets the child go on */
};

/* A child that calls itself name, says so, and waits. */
static struct child child_start(const char *name)
{
	struct child child;
	int hold[2], ready[2];
	char byte;

	assert_int_equal(pipe(hold), 0);
	assert_int_equal(pipe(ready), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NAME, name);
		(void)close(hold[1]);
		(void)!write(ready[1], "", 1);
		(void)!read(hold[0], &byte, 1);
		_exit(0);
	}
	(void)close(hold[0]);
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	child.hold = hold[1];
	return child;
}

static void child_end(struct child child)
{
	(void)close(child.hold);
	assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
}

static void assert_named(const char *kernel_name, const char *expected)
{
	struct child child = child_start(kernel_name);
	_cleanup_free_ char *name = NULL;

	assert_int_equal(target_process_name(child.pid, &name), 0);
	assert_string_equal(name, expected);
	child_end(child);
}

static void name_is_what_the_process_calls_itself(void **state)
{
	(void)state;
	assert_named("redis-server", "redis-server");
	assert_named("a\nb) S 1 (", "a\nb) S 1 (");
	assert_named("\xff\x1b[2J\"'", "\xff\x1b[2J\"'");
	assert_named("", "?");
}

/* Starts a program that waits for the end of its input. */
static pid_t program_start(const char *path, char *const argv[], int *ret_hold)
{
	int hold[2], executed[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(hold), 0);
	assert_int_equal(pipe2(executed, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(hold[1]);
		(void)dup2(hold[0], STDIN_FILENO);
		(void)execv(path, argv);
		_exit(127);
	}
	(void)close(hold[0]);
	(void)close(executed[1]);
	/* Ends when exec closes the other side. */
	assert_int_equal(read(executed[0], &byte, 1), 0);
	(void)close(executed[0]);
	*ret_hold = hold[1];
	return pid;
}

/* This very program, started under another name, plays the interpreter. */
static void assert_program_named(const char *program, const char *const args[],
				 const char *expected)
{
	char dir[] = "/tmp/ioprof-test-XXXXXX";
	char path[128];
	char *argv[16] = {path};
	_cleanup_free_ char *name = NULL;
	int hold;
	pid_t pid;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/%s", dir, program);
	assert_int_equal(symlink("/proc/self/exe", path), 0);
	for (size_t i = 0; args[i]; i++)
		argv[i + 1] = (char *)(uintptr_t)args[i];
	pid = program_start(path, argv, &hold);
	assert_int_equal(target_process_name(pid, &name), 0);
	assert_string_equal(name, expected);
	(void)close(hold);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void name_looks_behind_interpreters(void **state)
{
	(void)state;
	assert_program_named("python3.11", ARGS("-X", "dev", "/usr/bin/gunicorn", "-w", "2"),
			     "gunicorn");
	assert_program_named("python3", ARGS("-u", "-m", "uvicorn", "app:app"), "uvicorn");
	assert_program_named("python3", ARGS("-c", "import time"), "python3");
	assert_program_named("python3", ARGS("-i"), "python3");
	assert_program_named("node", ARGS("--require", "x.js", "/srv/app.js"), "app.js");
	assert_program_named("java", ARGS("-Xmx1g", "-cp", "a:b", "org.acme.Main"),
			     "org.acme.Main");
	assert_program_named("java", ARGS("-jar", "/opt/shop.jar"), "shop.jar");
	assert_program_named("perl", ARGS("-w", "x.pl\x1b\xff"), "x.pl\x1b\xff");
	assert_program_named("python-like", ARGS("-m", "x"), "python-like");
	assert_program_named("python3", ARGS("", "x"), "python3");
}

static void name_is_not_cut_where_the_whole_is_known(void **state)
{
	(void)state;
	assert_program_named("a-very-long-program-name", ARGS("x"), "a-very-long-program-name");
}

static void ended_processes_are_not_alive(void **state)
{
	struct child child = child_start("zombie");
	siginfo_t info;
	char *name = NULL;
	pid_t *pids = NULL;
	size_t n = 0;

	(void)state;
	assert_true(target_alive(child.pid));
	(void)close(child.hold);
	assert_int_equal(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
	assert_false(target_alive(child.pid));
	assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
	assert_false(target_alive(child.pid));
	assert_int_equal(target_process_name(child.pid, &name), -ESRCH);
	assert_int_equal(target_descendants(child.pid, &pids, &n), -ESRCH);
	assert_int_equal(target_process_of(child.pid), -ESRCH);
	assert_null(name);
	assert_null(pids);
}

static void kernel_threads_are_told_apart(void **state)
{
	_cleanup_free_ char *name = NULL;

	(void)state;
	assert_false(target_is_kernel_thread(getpid()));
	/* Where the PID namespace shows it. */
	if (target_process_name(2, &name) == 0 && strcmp(name, "kthreadd") == 0)
		assert_true(target_is_kernel_thread(2));
}

static bool contains(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++) {
		if (pids[i] == pid)
			return true;
	}
	return false;
}

static void descendants_begin_with_the_process(void **state)
{
	struct child a = child_start("a");
	struct child b = child_start("b");
	_cleanup_free_ pid_t *pids = NULL;
	size_t n = 0;

	(void)state;
	assert_int_equal(target_descendants(getpid(), &pids, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(pids[0], getpid());
	assert_true(contains(pids, n, a.pid));
	assert_true(contains(pids, n, b.pid));
	/* In this order: b inherited what holds a. */
	child_end(b);
	child_end(a);
}

static void descent_includes_oneself(void **state)
{
	struct child child = child_start("child");

	(void)state;
	assert_true(target_descends(getpid(), getpid()));
	assert_true(target_descends(getpid(), getppid()));
	assert_true(target_descends(child.pid, getppid()));
	assert_false(target_descends(getpid(), child.pid));
	assert_int_equal(target_process_of(getpid()), getpid());
	child_end(child);
}

static void capabilities_have_names(void **state)
{
	_cleanup_free_ char *names = NULL;

	(void)state;
	assert_int_equal(target_missing_capabilities(&names), 0);
	if (geteuid() != 0)
		assert_string_equal(names, "CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_takes_only_process_ids),
		cmocka_unit_test(name_is_what_the_process_calls_itself),
		cmocka_unit_test(name_looks_behind_interpreters),
		cmocka_unit_test(name_is_not_cut_where_the_whole_is_known),
		cmocka_unit_test(ended_processes_are_not_alive),
		cmocka_unit_test(kernel_threads_are_told_apart),
		cmocka_unit_test(descendants_begin_with_the_process),
		cmocka_unit_test(descent_includes_oneself),
		cmocka_unit_test(capabilities_have_names),
	};
	char byte;

	(void)argv;
	/* Started by its own tests under another name: wait to be let go. */
	if (argc > 1)
		return (int)read(STDIN_FILENO, &byte, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
