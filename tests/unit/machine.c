/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define PATH_BYTES 4096

char *machine_new(void)
{
	char *root = strdup("/tmp/ioprof-machine-XXXXXX");

	assert_non_null(root);
	assert_non_null(mkdtemp(root));
	return root;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

void machine_free(char *root)
{
	assert_int_equal(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(root);
}

/* The whole path, its folders made. */
static void make_way(const char *root, const char *path, char *ret_whole)
{
	assert_true(snprintf(ret_whole, PATH_BYTES, "%s%s", root, path) < PATH_BYTES);
	for (char *at = ret_whole + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		assert_true(mkdir(ret_whole, 0700) == 0 || errno == EEXIST);
		*at = '/';
	}
}

void machine_write(const char *root, const char *path, const char *text)
{
	char whole[PATH_BYTES];
	FILE *file;

	make_way(root, path, whole);
	file = fopen(whole, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

void machine_link(const char *root, const char *path, const char *target)
{
	char whole[PATH_BYTES];

	make_way(root, path, whole);
	assert_int_equal(symlink(target, whole), 0);
}
