/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that runs out. Linked into a copy of the command, where it takes the place of the C
 * library's allocator, for all libraries too: the allocation number $FAIL_ALLOCATION fails, and all
 * after it if $FAIL_ALL is set.
 *
 * A step is a place in the code that allocates, with the nearest calls that lead there. At the end
 * the number of each step's first allocation goes to the file $LIST_STEPS, a line each, and behind
 * them that of the last allocation.
 */
#include <execinfo.h>
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
static bool listing;

/* The steps seen: hashes of their calls, in an open table, and their first allocations. */
#define STEPS_MAX 16384
#define CALLS_MAX 5 /* two of them are in here */
static uint64_t steps[STEPS_MAX];
static unsigned long firsts[STEPS_MAX];
static size_t n_steps;

static void take_step(void)
{
	void *calls[CALLS_MAX];
	uint64_t hash = 14695981039346656037u;
	size_t at;
	int n;

	listing = false; /* what looking allocates is no step */
	n = backtrace(calls, CALLS_MAX);
	for (int i = 0; i < n; i++)
		hash = (hash ^ (uintptr_t)calls[i]) * 1099511628211u;
	for (at = hash % STEPS_MAX; steps[at] && steps[at] != hash;)
		at = (at + 1) % STEPS_MAX;
	if (!steps[at] && n_steps < STEPS_MAX / 2) {
		steps[at] = hash;
		firsts[n_steps++] = allocations;
	}
	listing = true;
}

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("FAIL_ALLOCATION");
	void *calls[1];

	failing = at ? strtoul(at, NULL, 10) : 0;
	all = getenv("FAIL_ALL");
	listing = getenv("LIST_STEPS") && backtrace(calls, 1) >= 0; /* which allocates at first */
	allocations = 0;
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("LIST_STEPS");
	FILE *file;

	listing = false;
	file = path ? fopen(path, "w") : NULL;
	if (!file)
		return;
	for (size_t i = 0; i < n_steps; i++)
		(void)fprintf(file, "%lu\n", firsts[i]);
	(void)fprintf(file, "%lu\n", allocations);
	(void)fclose(file);
}

static bool fails(void)
{
	allocations++;
	if (listing)
		take_step();
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
