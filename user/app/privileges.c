/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/privileges.h"

#include <string.h>

#include "app/exit_status.h"
#include "base/log.h"
#include "target/privilege.h"

/* What other users' processes use of memory, and which program they run, is read in /proc. */
#define LOOK PRIVILEGE_BIT(CAP_SYS_PTRACE)

/* Before Linux 5.19 reading a map took CAP_BPF, wherever loading one does. */
static int find_needed(const struct probe *probe, uint64_t *ret_keep)
{
	int r;

	r = privilege_lower(LOOK);
	if (r < 0)
		return r;
	*ret_keep = LOOK;
	if (probe_access(probe) < 0)
		*ret_keep |= PRIVILEGE_BIT(CAP_BPF);
	return 0;
}

int privileges_drop(const struct probe *probe)
{
	uint64_t keep = 0;
	int r;

	r = find_needed(probe, &keep);
	if (r == 0)
		r = privilege_drop(keep);
	if (r == 0)
		return EXIT_STATUS_DONE;
	log_error("cannot give up privileges: %s: 'ioprof doctor' shows what is allowed here",
		  strerror(-r));
	return EXIT_STATUS_FAILED;
}
