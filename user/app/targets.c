/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "target/group.h"
#include "target/target.h"

/* Of the processes that have a PID, so many are told. */
#define INNER_SHOWN 8

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

/* "123 (gunicorn), 456 (node)"; the caller frees. NULL when out of memory. */
static char *list_processes(const pid_t *pids, size_t n)
{
	_cleanup_free_ char *list = strdup("");

	for (size_t i = 0; i < n && list; i++) {
		_cleanup_free_ char *name = NULL;
		char *longer = NULL;

		(void)target_process_name(pids[i], &name);
		if (asprintf(&longer, "%s%s%d (%s)", list, i ? ", " : "", pids[i],
			     name ? name : "?") < 0)
			return NULL;
		free(list);
		list = longer;
	}
	return TAKE(list);
}

bool targets_resolve(pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *list = NULL;
		pid_t found[INNER_SHOWN];
		int n_found = 0;

		if (target_process_of(pids[i]) < 0 || target_is_kernel_thread(pids[i]))
			n_found = target_find_inner(TARGET_HERE, pids[i], found, INNER_SHOWN);
		if (n_found <= 0)
			continue;
		list = list_processes(found,
				      (size_t)(n_found < INNER_SHOWN ? n_found : INNER_SHOWN));
		if (n_found > 1) {
			log_error(
				"%d is the PID of %d processes in containers: use the one here: %s%s",
				pids[i], n_found, list ? list : "?",
				n_found > INNER_SHOWN ? ", ..." : "");
			return false;
		}
		log_error("%d in its container is process %s here", pids[i], list ? list : "?");
		pids[i] = found[0];
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
