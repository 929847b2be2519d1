/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define GROUPS_MAX 256
#define FLAGS_ALWAYS (O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

/* Who this thread was before it became the invoking user. */
struct identity {
	bool changed;
	uid_t uid;
	gid_t gid;
	int n_groups;
	gid_t groups[GROUPS_MAX];
};

static bool parse_id(const char *text, uint32_t *ret_id)
{
	char *end;
	unsigned long id;

	if (!text || !*text || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	id = strtoul(text, &end, 10);
	if (errno || id >= UINT32_MAX)
		return false;
	*ret_id = (uint32_t)id;
	return true;
}

/* glibc's setgroups() is for all threads, the system call for this one. */
static void set_groups(int n, const gid_t *groups)
{
	(void)syscall(SYS_setgroups, (size_t)n, groups);
}

/* The groups of a user; of one that is not in the user database none but the given one. */
static void become_member(uid_t uid, gid_t gid)
{
	char buffer[4096];
	struct passwd entry;
	struct passwd *found = NULL;
	gid_t groups[GROUPS_MAX] = {gid};
	int n = GROUPS_MAX;

	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) || !found ||
	    getgrouplist(found->pw_name, gid, groups, &n) < 0)
		n = 1;
	set_groups(n, groups);
}

/* From here on file systems see the user who called sudo. Leaving UID 0 takes with it the
 * capabilities that override permissions. */
static void become_invoker(struct identity *ret_was)
{
	struct identity was = {0};
	uint32_t uid, gid;

	*ret_was = was;
	if (geteuid() != 0 || !parse_id(getenv("SUDO_UID"), &uid) ||
	    !parse_id(getenv("SUDO_GID"), &gid) || uid == 0)
		return;
	was.n_groups = getgroups(GROUPS_MAX, was.groups);
	if (was.n_groups < 0)
		return;
	was.changed = true;
	become_member(uid, gid);
	was.gid = (gid_t)setfsgid(gid);
	was.uid = (uid_t)setfsuid(uid);
	*ret_was = was;
}

static void become_again(struct identity *was)
{
	if (!was->changed)
		return;
	(void)setfsuid(was->uid);
	(void)setfsgid(was->gid);
	set_groups(was->n_groups, was->groups);
}

#define AS_INVOKER                                   \
	_cleanup_(become_again) struct identity was; \
	become_invoker(&was)

int output_file_create(const char *path, mode_t mode, int *ret_fd)
{
	AS_INVOKER;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | FLAGS_ALWAYS, mode);

	if (fd < 0)
		return error_last();
	*ret_fd = fd;
	return 0;
}

static int check_regular(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_last();
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return st.st_nlink > 1 ? -EMLINK : 0;
}

int output_file_append(const char *path, mode_t mode, int *ret_fd)
{
	AS_INVOKER;
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | FLAGS_ALWAYS, mode), r;

	if (fd < 0)
		return error_last();
	r = check_regular(fd);
	if (r < 0)
		(void)close(fd);
	else
		*ret_fd = fd;
	return r;
}

int output_file_make_folders(const char *path)
{
	AS_INVOKER;
	_cleanup_free_ char *folder = strdup(path);

	if (!folder)
		return -ENOMEM;
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, 0700) < 0 && errno != EEXIST)
			return error_last();
		*slash = '/';
	}
	return 0;
}

int output_file_read(const char *path, size_t most, char **ret_bytes, size_t *ret_size)
{
	AS_INVOKER;
	_cleanup_close_ int fd = open(path, O_RDONLY | FLAGS_ALWAYS);
	_cleanup_free_ char *bytes = NULL;
	size_t size = 0;
	ssize_t n;
	int r = fd < 0 ? error_last() : check_regular(fd);

	if (r < 0)
		return r;
	bytes = malloc(most + 1);
	if (!bytes)
		return -ENOMEM;
	while ((n = read(fd, bytes + size, most + 1 - size)) > 0)
		size += (size_t)n;
	if (n < 0)
		return error_last();
	if (size > most)
		return -EFBIG;
	bytes[size] = '\0';
	*ret_size = size;
	*ret_bytes = TAKE(bytes);
	return 0;
}

int output_file_write(int fd, const void *bytes, size_t size)
{
	const char *rest = bytes;

	while (size > 0) {
		ssize_t n = write(fd, rest, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_last();
		rest += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Content that must survive a crash of the machine is on disk before its name is. */
static int write_whole(int fd, mode_t mode, const void *content, size_t size)
{
	mode_t mask = umask(0);
	int r;

	(void)umask(mask);
	if (fchmod(fd, mode & ~mask) < 0)
		return error_last();
	r = output_file_write(fd, content, size);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? error_last() : 0;
}

int output_file_replace(const char *path, mode_t mode, const void *content, size_t size)
{
	AS_INVOKER;
	_cleanup_free_ char *temporary = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return error_last();
	r = write_whole(fd, mode, content, size);
	/* A link in its place is replaced, not followed. */
	if (r == 0 && rename(temporary, path) < 0)
		r = error_last();
	if (r < 0)
		(void)unlink(temporary);
	return r;
}

int output_file_remove(const char *path)
{
	AS_INVOKER;

	return unlink(path) < 0 ? error_last() : 0;
}

const char *output_file_explain(int error)
{
	switch (error) {
	case -EEXIST:
		return "it exists already: give another name";
	case -ELOOP:
		return "it is a symbolic link: name the file itself";
	case -EINVAL:
	case -EISDIR:
	case -ENXIO:
		return "it is not a regular file: give another name";
	case -EMLINK:
		return "it has other names (hard links): give another name";
	case -ENOENT:
		return "there is no such directory: make it first";
	case -EACCES:
	case -EPERM:
		return "the user who called ioprof may not write there: choose another directory";
	case -EROFS:
		return "the file system is read-only: choose another directory";
	case -ENOSPC:
	case -EDQUOT:
		return "the disk is full: make room or choose another one";
	default:
		return strerror(-error);
	}
}
