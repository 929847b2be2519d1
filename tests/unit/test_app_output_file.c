/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files made and added to, and what must not be written to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/output_file.h"
#include "base/cleanup.h"

/* Every test has a folder of its own, and is in it. */
static int enter_folder(void **state)
{
	char *folder = strdup("/tmp/ioprof-output-XXXXXX");

	*state = folder;
	return !folder || !mkdtemp(folder) || chdir(folder);
}

static int remove_folder(void **state)
{
	DIR *dir = opendir(".");
	const struct dirent *entry;

	while ((entry = readdir(dir)))
		(void)unlink(entry->d_name);
	(void)closedir(dir);
	if (chdir("/") || rmdir(*state))
		return -1;
	free(*state);
	return 0;
}

static void expect_content(const char *path, const char *content)
{
	_cleanup_fclose_ FILE *file = fopen(path, "r");
	char read[64] = "";

	assert_non_null(file);
	assert_true(fread(read, 1, sizeof(read) - 1, file) == strlen(content));
	assert_string_equal(read, content);
}

static void expect_mode(const char *path, mode_t mode)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | mode);
}

static void put(int fd, const char *text)
{
	assert_int_equal(output_file_write(fd, text, strlen(text)), 0);
	assert_int_equal(close(fd), 0);
}

static void make(const char *path, const char *content)
{
	int fd = -1;

	assert_int_equal(output_file_create(path, OUTPUT_FILE_PRIVATE, &fd), 0);
	put(fd, content);
}

static void test_create(void **state)
{
	int fd = -1;

	(void)state;
	make("new", "text");
	expect_content("new", "text");
	expect_mode("new", 0600);
	assert_int_equal(output_file_create("new", OUTPUT_FILE_PRIVATE, &fd), -EEXIST);
	assert_int_equal(output_file_create("none/new", OUTPUT_FILE_PRIVATE, &fd), -ENOENT);
	assert_int_equal(fd, -1);
	expect_content("new", "text");
}

static void test_append(void **state)
{
	int fd = -1;

	(void)state;
	assert_int_equal(output_file_append("file", OUTPUT_FILE_PRIVATE, &fd), 0);
	put(fd, "one");
	expect_mode("file", 0600);
	assert_int_equal(output_file_append("file", OUTPUT_FILE_PUBLIC, &fd), 0);
	put(fd, "two");
	expect_content("file", "onetwo");
	expect_mode("file", 0600);
}

static void test_replace(void **state)
{
	(void)state;
	(void)umask(022);
	assert_int_equal(output_file_replace("file", OUTPUT_FILE_PUBLIC, "one", 3), 0);
	expect_mode("file", 0644);
	assert_int_equal(output_file_replace("file", OUTPUT_FILE_PRIVATE, "22", 2), 0);
	expect_content("file", "22");
	expect_mode("file", 0600);
	assert_int_equal(output_file_replace("none/file", OUTPUT_FILE_PRIVATE, "", 0), -ENOENT);
	assert_int_equal(mkdir("folder", 0700), 0);
	assert_int_equal(output_file_replace("folder", OUTPUT_FILE_PRIVATE, "", 0), -EISDIR);
	assert_int_equal(rmdir("folder"), 0);
}

/* What somebody else could have put there. */
static void test_traps(void **state)
{
	int fd = -1;

	(void)state;
	make("victim", "precious");
	assert_int_equal(symlink("victim", "link"), 0);
	assert_int_equal(symlink("missing", "dangling"), 0);
	assert_int_equal(link("victim", "second"), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(output_file_create("link", OUTPUT_FILE_PRIVATE, &fd), -EEXIST);
	assert_int_equal(output_file_create("dangling", OUTPUT_FILE_PRIVATE, &fd), -EEXIST);
	assert_int_equal(output_file_append("link", OUTPUT_FILE_PRIVATE, &fd), -ELOOP);
	assert_int_equal(output_file_append("dangling", OUTPUT_FILE_PRIVATE, &fd), -ELOOP);
	assert_int_equal(output_file_append("second", OUTPUT_FILE_PRIVATE, &fd), -EMLINK);
	assert_int_equal(output_file_append("fifo", OUTPUT_FILE_PRIVATE, &fd), -EINVAL);
	assert_int_equal(output_file_append(".", OUTPUT_FILE_PRIVATE, &fd), -EISDIR);
	assert_int_equal(output_file_replace("link", OUTPUT_FILE_PRIVATE, "x", 1), 0);
	expect_mode("link", 0600);
	expect_content("victim", "precious");
	assert_int_equal(access("missing", F_OK), -1);
}

static void test_explain(void **state)
{
	(void)state;
	assert_string_equal(output_file_explain(-ELOOP),
			    "it is a symbolic link: name the file itself");
	assert_string_equal(output_file_explain(-EIO), "Input/output error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_create, enter_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_append, enter_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_replace, enter_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_traps, enter_folder, remove_folder),
		cmocka_unit_test(test_explain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
