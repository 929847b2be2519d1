/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What CPython's memory tells of the modules it has loaded, for this folder only. Each code object
 * refers to the name of its file, a string object whose whole text is the path: that, and not a
 * path in the midst of other text, is what is looked for.
 */
#ifndef IOPROF_TARGET_PYTHON_MEMORY_H
#define IOPROF_TARGET_PYTHON_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* A string object with such a name takes less than this. */
#define PYTHON_MEMORY_OBJECT_MOST 1024

/* A path that ends in ".py", terminated; gone once this returns. 0 goes on. */
typedef int (*python_memory_fn)(void *ctx, const char *path);

/*
 * Calls back for each string object within these bytes whose text is the path of a file of Python;
 * the same path may come more than once. The first byte was at a multiple of 8 in the process. 0,
 * or the first that is not 0 of what the callback returned.
 */
int python_memory_paths(const void *bytes, size_t length, python_memory_fn found, void *ctx);

/*
 * The component (module.def) whose file this path is, or NULL. ret_elsewhere: the file is called
 * so, but does not lie where packages are installed, so that it may be one or not.
 */
const char *python_memory_module(const char *path, bool *ret_elsewhere);

#endif
