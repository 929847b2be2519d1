/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving up what this process may do. Sets of capabilities are masks of PRIVILEGE_BIT(CAP_...).
 * Both functions speak of the calling thread and those it starts later.
 */
#ifndef IOPROF_TARGET_PRIVILEGE_H
#define IOPROF_TARGET_PRIVILEGE_H

#include <linux/capability.h>
#include <stdint.h>

/* Kernel headers older than 5.8 do not name these. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

#define PRIVILEGE_BIT(capability) (1ull << (capability))

/* Acts with these capabilities only, as far as it has them; the others stay within reach. 0 or
 * -errno. */
int privilege_lower(uint64_t keep);

/*
 * Gives up all capabilities but these, for good: they cannot come back by starting a program
 * (no_new_privs, and without capabilities in the bounding set) or by being root (securebits). Under
 * sudo the process becomes the user who called it (SUDO_UID, SUDO_GID and that user's groups).
 * What takes a capability that this process never had is left out: the bounding set and the
 * securebits take CAP_SETPCAP. 0 or -errno, with the process in between.
 */
int privilege_drop(uint64_t keep);

#endif
