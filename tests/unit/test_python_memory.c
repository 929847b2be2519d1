/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packages that are loaded, by the string objects in an interpreter's memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/python_memory.h"
#include "target/target.h"

#define ROOT "/usr/lib/python3/dist-packages/"
#define MIB (1ul << 20)

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

static void assert_module(const char *path, const char *expected, bool expected_elsewhere)
{
	bool elsewhere = !expected_elsewhere;
	const char *name = python_memory_module(path, &elsewhere);

	assert_string_equal(name ? name : "none", expected);
	assert_int_equal(elsewhere, expected_elsewhere);
}

static void a_file_proves_its_package_where_packages_are(void **state)
{
	(void)state;
	assert_module(ROOT "requests/sessions.py", "requests", false);
	assert_module("/v/lib/python3.12/site-packages/flask/app.py", "flask", false);
	assert_module("/srv/shop.pyz/httpx/_client.py", "httpx", false);
	assert_module("/srv/shop.pyz/site-packages/httpx/_client.py", "httpx", false);
	assert_module("/usr/lib/python3.11/http/client.py", "http.client", false);
	assert_module("/opt/lib/python3.13t/http/client.py", "http.client", false);
	assert_module("/opt/python311.zip/http/client.py", "http.client", false);
	/* Look-alikes. */
	assert_module(ROOT "myrequests/sessions.py", "none", false);
	assert_module(ROOT "requests/sessions2.py", "none", false);
	assert_module(ROOT "requests/models.py", "none", false);
	assert_module(ROOT "pip/_vendor/requests/sessions.py", "none", false);
	assert_module(ROOT "http/client.py", "none", false);
	assert_module("/srv/app/http/client.py", "none", false);
	assert_module("/srv/python3/http/client.py.py", "none", false);
	assert_module("/srv/notpython3/http/client.py", "none", false);
	/* Installed somewhere else, or the application's own: who knows. */
	assert_module("/var/task/requests/sessions.py", "none", true);
	assert_module("/requests/sessions.py", "none", true);
}

/* A string object as Python 3.12 lays it out (words before its text: 5), or 3.11 (6), at the n-th
 * word of memory. */
static void put_object(uint64_t *memory, size_t n, size_t words, const char *text)
{
	memory[n] = 3;	      /* references */
	memory[n + 1] = 4711; /* type */
	memory[n + 2] = strlen(text);
	memory[n + 3] = 0x123456789abcdef; /* hash */
	memory[n + 4] = 0xe4;		   /* state */
	if (words == 6)
		memory[n + 5] = 0;
	memcpy(&memory[n + words], text, strlen(text) + 1);
}

static int add_module(void *ctx, const char *path)
{
	bool elsewhere;
	const char *name = python_memory_module(path, &elsewhere);

	return name ? add_name(ctx, name) : 0;
}

static void assert_found(const void *memory, size_t length, const char *expected)
{
	struct names names = {0};
	void *bytes = malloc(length + !length);

	/* So that a sanitizer sees what is read beyond the end. */
	memcpy(bytes, memory, length);
	assert_int_equal(python_memory_paths(bytes, length, add_module, &names), 0);
	assert_string_equal(names.text, expected);
	free(bytes);
}

static void objects_are_found_wherever_they_lie(void **state)
{
	uint64_t memory[256] = {0};

	(void)state;
	put_object(memory, 0, 5, ROOT "requests/sessions.py");
	put_object(memory, 41, 6, ROOT "flask/app.py");
	put_object(memory, 80, 6, "/usr/lib/python3.11/http/client.py");
	assert_found(memory, sizeof(memory), "requests flask http.client ");
	/* Cut off at any place it is no string, or the whole of it is there. */
	for (size_t length = 0; length < 41 * 8; length++) {
		size_t whole = 40 + strlen(ROOT "requests/sessions.py") + 1;

		assert_found(memory, length, length >= whole ? "requests " : "");
	}
}

static void no_object_no_module(void **state)
{
	static const char *const others[] = {
		"GET " ROOT "requests/sessions.py", /* a line of a log */
		"no module at " ROOT "requests/sessions.py, sorry",
		"requests/sessions.py",
		ROOT "requests/sessions.py ",
		ROOT "requests/__pycache__/sessions.cpython-311.pyc",
		ROOT "myrequests/sessions.py",
		"/srv/requests/sessions.pyc",
	};
	uint64_t memory[64];

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		memset(memory, 0, sizeof(memory));
		put_object(memory, 0, 5, others[i]);
		assert_found(memory, sizeof(memory), "");
	}
	/* The path alone, without what is before it in an object; or with another length. */
	memset(memory, 0, sizeof(memory));
	memcpy(&memory[8], ROOT "requests/sessions.py", sizeof(ROOT "requests/sessions.py"));
	assert_found(memory, sizeof(memory), "");
	memory[5] = strlen(ROOT "requests/sessions.py") - 1;
	assert_found(memory, sizeof(memory), "");
	memory[5] = UINT64_MAX;
	assert_found(memory, sizeof(memory), "");
	memory[5] = strlen(ROOT "requests/sessions.py");
	assert_found(memory, sizeof(memory), "requests ");
}

/* ---- another process ---- */

/* A process with so much memory, in which put() places what it likes; it waits to be killed. */
static pid_t process_with(size_t size, void (*put)(char *memory, size_t size))
{
	int ready[2];
	char done;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				    -1, 0);

		put(memory, size);
		(void)!write(ready[1], "", 1);
		(void)pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &done, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	return pid;
}

static void end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void put_across_windows(char *memory, size_t size)
{
	/* Windows are counted from the upper end. */
	put_object((uint64_t *)(void *)(memory + size - MIB - 64), 0, 5,
		   ROOT "requests/sessions.py");
	put_object((uint64_t *)(void *)(memory + size - 2 * MIB - 24), 0, 6, ROOT "flask/app.py");
	put_object((uint64_t *)(void *)memory, 0, 6, ROOT "httpx/_client.py");
}

static int look_at(pid_t pid, uint64_t bytes, struct names *names, bool *ret_all)
{
	struct target_scan budget = {bytes, UINT64_MAX / 2};

	*names = (struct names){0};
	return target_modules(pid, &budget, add_name, names, ret_all);
}

static void another_process_is_looked_at(void **state)
{
	pid_t pid = process_with(4 * MIB, put_across_windows);
	struct names names;
	bool all = false;

	(void)state;
	assert_int_equal(look_at(pid, UINT64_MAX, &names, &all), 0);
	assert_non_null(strstr(names.text, "requests "));
	assert_non_null(strstr(names.text, "flask "));
	assert_non_null(strstr(names.text, "httpx "));
	assert_true(all);
	end(pid);
	assert_int_equal(look_at(pid, UINT64_MAX, &names, &all), -ESRCH);
}

static void put_much(char *memory, size_t size)
{
	memset(memory, 'x', size);
	put_across_windows(memory, size);
}

/* What the limit leaves out is said to be missing; where nothing at all was seen, nothing is said.
 */
static void a_limit_is_told(void **state)
{
	pid_t pid = process_with(32 * MIB, put_much);
	struct target_scan none = {UINT64_MAX, 0};
	struct names names = {0};
	bool all = true;

	(void)state;
	assert_int_equal(look_at(pid, 16 * MIB, &names, &all), 0);
	assert_non_null(strstr(names.text, "requests "));
	assert_null(strstr(names.text, "httpx "));
	assert_false(all);
	assert_int_equal(target_modules(pid, &none, add_name, &names, &all), -ENODATA);
	end(pid);
}

/* And with a child that shares all of it. */
static void put_with_holes(char *memory, size_t size)
{
	put_much(memory, size);
	(void)mprotect(memory + MIB, MIB, PROT_NONE);
	(void)munmap(memory + 3 * MIB, MIB);
	(void)madvise(memory + 4 * MIB + 8192, 8192, MADV_DONTNEED);
	if (fork() == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)pause();
		_exit(0);
	}
}

static uint64_t unique_bytes(pid_t pid)
{
	struct target_memory memory = {0};

	assert_int_equal(target_memory_read(TARGET_HERE, pid, &memory), 0);
	return memory.unique;
}

/* Nothing is made or copied for the process by looking: what it shares since fork stays shared. */
static void holes_stay_and_shared_pages_too(void **state)
{
	pid_t pid = process_with(32 * MIB, put_with_holes);
	uint64_t before = unique_bytes(pid);
	struct names names;
	bool all = false;

	(void)state;
	assert_int_equal(look_at(pid, UINT64_MAX, &names, &all), 0);
	assert_non_null(strstr(names.text, "requests "));
	assert_non_null(strstr(names.text, "httpx "));
	assert_true(all);
	/* But for what this process, its parent, ceases to share with it. */
	assert_true(unique_bytes(pid) < before + 8 * MIB);
	end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_proves_its_package_where_packages_are),
		cmocka_unit_test(objects_are_found_wherever_they_lie),
		cmocka_unit_test(no_object_no_module),
		cmocka_unit_test(another_process_is_looked_at),
		cmocka_unit_test(a_limit_is_told),
		cmocka_unit_test(holes_stay_and_shared_pages_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
