/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "golden_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static char *read_file(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) != EOF);
	assert_int_equal(fclose(file), 0);
}

void golden_file_expect(const char *name, const char *suffix, const char *text)
{
	_cleanup_free_ char *path = NULL, *golden = NULL;

	assert_true(asprintf(&path, "%s%s", name, suffix) > 0);
	if (getenv("IOPROF_BLESS")) {
		write_file(path, text);
		return;
	}
	golden = read_file(path);
	if (!golden) {
		fail_msg("%s: no such file; IOPROF_BLESS=1 writes it", path);
		return;
	}
	if (strcmp(golden, text) != 0)
		fail_msg("%s differs; the report now:\n%s", path, text);
}
