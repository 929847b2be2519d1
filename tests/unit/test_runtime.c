/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an interpreter's state lies: in this program, which exports such a symbol, and in Python's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/target.h"

#define STATE_BYTES 1000

char _PyRuntime[STATE_BYTES];

/* Starts Python, which tells where its state is and then waits for the end of its input. */
static pid_t start_python(int *ret_input, uint64_t *ret_address)
{
	static const char script[] =
		"import ctypes, sys\n"
		"print(ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, '_PyRuntime')), flush=True)\n"
		"sys.stdin.read()\n";
	int input[2], output[2];
	char text[32] = "";
	pid_t pid;

	assert_int_equal(pipe(input), 0);
	assert_int_equal(pipe(output), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(input[0], STDIN_FILENO);
		(void)dup2(output[1], STDOUT_FILENO);
		(void)close(input[1]);
		(void)execl("/usr/bin/python3", "python3", "-c", script, (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	(void)close(input[0]);
	(void)close(output[1]);
	assert_true(read(output[0], text, sizeof(text) - 1) > 0);
	(void)close(output[0]);
	*ret_input = input[1];
	*ret_address = strtoull(text, NULL, 10);
	return pid;
}

static void state_of_a_program_that_can_lie_anywhere(void **state)
{
	struct target_interpreter found = target_interpreter(TARGET_HERE, getpid());

	(void)state;
	assert_int_equal(found.address, (uint64_t)(uintptr_t)_PyRuntime);
	assert_int_equal(found.size, STATE_BYTES);
	/* Its name is not Python's. */
	assert_int_equal(found.major, 0);
}

static void state_of_python(void **state)
{
	struct target_interpreter found;
	uint64_t expected;
	pid_t pid;
	int input;

	(void)state;
	pid = start_python(&input, &expected);
	found = target_interpreter(TARGET_HERE, pid);
	(void)close(input);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(found.address, expected);
	assert_true(found.size > 0);
	assert_int_equal(found.major, 3);
	assert_true(found.minor > 0);
}

static void nothing_of_a_process_that_is_gone(void **state)
{
	struct target_interpreter found;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	found = target_interpreter(TARGET_HERE, pid);
	assert_int_equal(found.address, 0);
	assert_int_equal(found.size, 0);
	assert_int_equal(found.major, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_of_a_program_that_can_lie_anywhere),
		cmocka_unit_test(state_of_python),
		cmocka_unit_test(nothing_of_a_process_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
