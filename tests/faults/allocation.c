/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that runs out. Linked into a copy of the command, where it takes the place of the C
 * library's allocator, for all libraries too: the allocation number $FAIL_ALLOCATION fails, and all
 * after it if $FAIL_ALL is set. At the end the number of allocations goes to the file
 * $COUNT_ALLOCATIONS.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);

static unsigned long allocations;
static unsigned long failing; /* 0: none */
static bool all;

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("FAIL_ALLOCATION");

	failing = at ? strtoul(at, NULL, 10) : 0;
	all = getenv("FAIL_ALL");
	allocations = 0;
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("COUNT_ALLOCATIONS");
	FILE *file = path ? fopen(path, "w") : NULL;

	if (!file)
		return;
	(void)fprintf(file, "%lu\n", allocations);
	(void)fclose(file);
}

static bool fails(void)
{
	allocations++;
	if (!failing || allocations < failing || (allocations > failing && !all))
		return false;
	errno = ENOMEM;
	return true;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's are reserved */
void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *block, size_t size)
{
	return fails() ? NULL : __libc_realloc(block, size);
}

void *reallocarray(void *block, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	/* NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI): as the caller wants it */
	return realloc(block, n * size);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
