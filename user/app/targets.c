/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/targets.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "target/target.h"

static bool check_program(pid_t pid)
{
	pid_t process = target_process_of(pid);
	_cleanup_free_ char *name = NULL;

	if (process < 0) {
		log_error(
			"there is no process %d: look the PID up, for example with 'pgrep -a NAME'",
			pid);
		return false;
	}
	if (process != pid) {
		log_error("%d is a thread of process %d: use -p %d", pid, process, process);
		return false;
	}
	if (target_is_kernel_thread(pid)) {
		(void)target_process_name(pid, &name);
		log_error("%d (%s) is a thread of the kernel: use the PID of a program", pid,
			  name ? name : "?");
		return false;
	}
	if (!target_alive(pid)) {
		log_error(
			"process %d has ended: look up the PID of one that runs, for example with 'pgrep -a NAME'",
			pid);
		return false;
	}
	return true;
}

bool targets_check(const pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!check_program(pids[i]))
			return false;
		if (target_descends(getpid(), pids[i])) {
			log_error(
				"process %d started ioprof, which would observe itself: use the PID of the service itself",
				pids[i]);
			return false;
		}
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++) {
			if (i == k || !target_descends(pids[i], pids[k]))
				continue;
			log_error(
				"process %d belongs to process %d, which is observed with all its descendants: leave out %d",
				pids[i], pids[k], pids[i]);
			return false;
		}
	}
	return true;
}
