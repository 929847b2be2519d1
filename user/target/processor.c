/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "target/procfs.h"
#include "target/target.h"

/* What /proc/cpuinfo calls the model, by architecture. */
static const char *const fields[] = {"model name\t", "CPU part\t", "cpu\t\t", "uarch\t\t",
				     "cpu model\t"};

int target_processor(char **ret_name)
{
	_cleanup_free_ char *cpuinfo = NULL;
	struct utsname system;
	const char *model = NULL;
	char *name = NULL;
	size_t len;
	int r = procfs_read("/proc/cpuinfo", &cpuinfo, &len);

	if (r < 0)
		return r;
	if (uname(&system) < 0)
		return -errno;
	for (size_t i = 0; !model && i < sizeof(fields) / sizeof(fields[0]); i++)
		model = procfs_field(cpuinfo, fields[i]);
	len = model ? strcspn(model, "\n") : 0;
	if (asprintf(&name, "%s %.*s", system.machine, (int)len, model ? model : "") < 0)
		return -ENOMEM;
	*ret_name = name;
	return 0;
}
