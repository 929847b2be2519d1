/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this process may do and what this kernel lets anyone do. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "target/privilege.h"
#include "target/procfs.h"
#include "target/target.h"

struct capability {
	uint64_t given_by; /* any of these bits */
	const char *name;
};

static const struct capability needed[] = {
	/* CAP_SYS_ADMIN included these two before 5.8 and still does. */
	{PRIVILEGE_BIT(CAP_BPF) | PRIVILEGE_BIT(CAP_SYS_ADMIN), "CAP_BPF"},
	{PRIVILEGE_BIT(CAP_PERFMON) | PRIVILEGE_BIT(CAP_SYS_ADMIN), "CAP_PERFMON"},
	/* To see memory and programs of other users' processes. */
	{PRIVILEGE_BIT(CAP_SYS_PTRACE), "CAP_SYS_PTRACE"},
};

static int read_effective(uint64_t *ret_mask)
{
	_cleanup_free_ char *status = NULL;
	const char *field;
	size_t length;
	int r;

	r = procfs_read("/proc/self/status", &status, &length);
	if (r < 0)
		return r;
	field = procfs_field(status, "CapEff");
	if (!field)
		return -EIO;
	*ret_mask = strtoull(field, NULL, 16);
	return 0;
}

/* Adds a word to a list of words between commas. On failure the list is as before. */
static int append_word(char **list, const char *word)
{
	char *longer;

	if (asprintf(&longer, "%s%s%s", *list, **list ? ", " : "", word) < 0)
		return -ENOMEM;
	free(*list);
	*list = longer;
	return 0;
}

int target_missing_capabilities(char **ret_names)
{
	_cleanup_free_ char *names = strdup("");
	uint64_t effective;
	int r;

	if (!names)
		return -ENOMEM;
	r = read_effective(&effective);
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (effective & needed[i].given_by)
			continue;
		r = append_word(&names, needed[i].name);
		if (r < 0)
			return r;
	}
	*ret_names = TAKE(names);
	return 0;
}

/* The files of /proc that it takes are their owner's alone. */
bool target_may_read_memory(void)
{
	const uint64_t others_files =
		PRIVILEGE_BIT(CAP_DAC_READ_SEARCH) | PRIVILEGE_BIT(CAP_DAC_OVERRIDE);
	_cleanup_free_ char *scope = NULL;
	uint64_t effective;
	size_t length;

	/* Without the security module there is no such file; 3: nobody attaches to anything. */
	if (procfs_read("/proc/sys/kernel/yama/ptrace_scope", &scope, &length) == 0 &&
	    scope[0] == '3')
		return false;
	return read_effective(&effective) == 0 && (effective & others_files) &&
	       (effective & PRIVILEGE_BIT(CAP_SYS_PTRACE));
}

bool target_in_first_pid_namespace(void)
{
	struct stat namespace;

	/* The kernel's PROC_PID_INIT_INO. Before Linux 3.8 there was no such file. */
	return stat("/proc/self/ns/pid", &namespace) < 0 || namespace.st_ino == 0xeffffffcu;
}

bool target_locked_down(void)
{
	_cleanup_free_ char *modes = NULL;
	size_t length;

	/* Without the security module, or its file system mounted, nothing tells; then trying does.
	 */
	if (procfs_read("/sys/kernel/security/lockdown", &modes, &length) < 0)
		return false;
	return strstr(modes, "[confidentiality]");
}

int64_t target_kernel_btf_bytes(void)
{
	struct stat file;

	if (stat("/sys/kernel/btf/vmlinux", &file) < 0)
		return -errno;
	return file.st_size;
}
