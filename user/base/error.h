/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors are returned as -errno. */
#ifndef IOPROF_BASE_ERROR_H
#define IOPROF_BASE_ERROR_H

#include <errno.h>

/* The error of the call that just failed; negative, whatever a library did to errno. */
static inline int error_last(void)
{
	return errno > 0 ? -errno : -EIO;
}

#endif
