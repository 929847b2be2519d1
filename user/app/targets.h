/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the processes the user named can be observed at all. */
#ifndef IOPROF_APP_TARGETS_H
#define IOPROF_APP_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Replaces PIDs that no process has here, but exactly one in a PID namespace of its own (a
 * container's), by the one it has here, and says so. False if there are several, having said which.
 */
bool targets_resolve(pid_t *pids, size_t n);

/* True if each is a running program, none contains another, and none would make ioprof observe
 * itself; else says why. */
bool targets_check(const pid_t *pids, size_t n);

#endif
