/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership by scope: a local that owns something wears one of these and is released on every way
 *out of its block. Give it away with TAKE(), which leaves the local empty.
 *
 *	_cleanup_free_ char *name = NULL;
 *	...
 *	*ret_name = TAKE(name);
 */
#ifndef IOPROF_BASE_CLEANUP_H
#define IOPROF_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The value of an owning pointer, which is NULL afterwards. */
#define TAKE(pointer)                                   \
	__extension__({                                 \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = NULL;                       \
		taken_;                                 \
	})

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

static inline void cleanup_closedir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

#define _cleanup_(function) __attribute__((cleanup(function)))
#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close) /* a file descriptor; -1 when it owns none */
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)
#define _cleanup_closedir_ _cleanup_(cleanup_closedir)

#endif
