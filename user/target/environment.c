/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How large a process's environment is: libraries that look through it at each call take longer for
 * each variable. What the variables say is nobody's business: they are counted, and wiped.
 */
#include <string.h>

#include "base/cleanup.h"
#include "target/procfs.h"
#include "target/target.h"

uint32_t target_environment_variables(const char *root, pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	uint32_t n = 0;

	if (procfs_read_of(root, pid, "environ", &text, &length) < 0)
		return 0;
	/* A process that writes its title over them leaves words without "=". */
	for (const char *at = text; at < text + length; at += strlen(at) + 1) {
		const char *value = strchr(at, '=');

		n += value && value > at;
	}
	explicit_bzero(text, length);
	return n;
}
