/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/privilege.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define GROUPS_MAX 256

/* Root is a user like others, changing the user changes no capability, none becomes ambient; none
 * of this can be undone. */
#define NOTHING_BY_BEING_ROOT                                                                    \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |                         \
	 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | \
	 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

static void free_capabilities(cap_t *caps)
{
	if (*caps)
		(void)cap_free(*caps);
}

/* For each capability: whether this process has it within reach. */
static bool is_permitted(cap_t caps, cap_value_t capability)
{
	cap_flag_value_t value = CAP_CLEAR;

	return cap_get_flag(caps, capability, CAP_PERMITTED, &value) == 0 && value == CAP_SET;
}

/* Puts into effect what of keep is within reach; the rest too, if all. */
static int set_effective(uint64_t keep, bool forget_others)
{
	_cleanup_(free_capabilities) cap_t was = cap_get_proc();
	_cleanup_(free_capabilities) cap_t now = cap_init();

	if (!was || !now)
		return error_last();
	for (cap_value_t c = 0; c < cap_max_bits(); c++) {
		bool kept = keep & PRIVILEGE_BIT(c);

		if (!is_permitted(was, c))
			continue;
		if ((kept && cap_set_flag(now, CAP_EFFECTIVE, 1, &c, CAP_SET) < 0) ||
		    ((kept || !forget_others) &&
		     cap_set_flag(now, CAP_PERMITTED, 1, &c, CAP_SET) < 0))
			return error_last();
	}
	return cap_set_proc(now) < 0 ? error_last() : 0;
}

int privilege_lower(uint64_t keep)
{
	return set_effective(keep, false);
}

static bool parse_id(const char *text, unsigned int *ret_id)
{
	char *end;
	unsigned long id;

	if (!text || !*text || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	id = strtoul(text, &end, 10);
	if (errno || id >= UINT_MAX)
		return false;
	*ret_id = (unsigned int)id;
	return true;
}

/* The groups of a user; of one that is not in the user database none but the given one. */
static int become_member(uid_t uid, gid_t gid)
{
	const struct passwd *user = getpwuid(uid);
	gid_t groups[GROUPS_MAX] = {gid};
	int n = GROUPS_MAX;

	if (!user || getgrouplist(user->pw_name, gid, groups, &n) < 0) {
		groups[0] = gid;
		n = 1;
	}
	if (setgroups((size_t)n, groups) < 0 || setresgid(gid, gid, gid) < 0)
		return error_last();
	return 0;
}

/* 0 as well if there is no such user, or the capabilities to become one are not there. */
static int become_invoker(void)
{
	unsigned int uid, gid;
	int r;

	if (geteuid() != 0 || !parse_id(getenv("SUDO_UID"), &uid) ||
	    !parse_id(getenv("SUDO_GID"), &gid) || uid == 0)
		return 0;
	/* Or the capabilities went with root. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return error_last();
	r = become_member(uid, gid);
	if (r == 0 && setresuid(uid, uid, uid) < 0)
		r = error_last();
	return r == -EPERM ? 0 : r;
}

/* No way back. Where it lacks CAP_SETPCAP the first two stay as they are. */
static int close_doors(void)
{
	for (cap_value_t c = 0; c < cap_max_bits(); c++) {
		if (cap_drop_bound(c) < 0 && errno != EPERM)
			return error_last();
	}
	if (cap_set_secbits(NOTHING_BY_BEING_ROOT) < 0 && errno != EPERM)
		return error_last();
	if (cap_reset_ambient() < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_last();
	return 0;
}

int privilege_drop(uint64_t keep)
{
	int r;

	r = set_effective(UINT64_MAX, false);
	if (r == 0)
		r = become_invoker();
	/* Another user ID than root's takes them out of effect. */
	if (r == 0)
		r = set_effective(UINT64_MAX, false);
	if (r == 0)
		r = close_doors();
	return r < 0 ? r : set_effective(keep, true);
}
