/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define FILE_MAX_BYTES 65536
#define FIRST_BYTES 1024 /* most files of /proc are shorter */
#define PATH_BYTES 4096

/* Makes room for more, and for a terminator behind it. */
static int make_room(char **bytes, size_t *room)
{
	size_t larger = *room ? 2 * *room : FIRST_BYTES;
	char *moved = realloc(*bytes, larger + 1);

	if (!moved)
		return -ENOMEM;
	*bytes = moved;
	*room = larger;
	return 0;
}

int procfs_read(const char *path, char **ret_bytes, size_t *ret_length)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *bytes = NULL;
	size_t length = 0, room = 0;
	ssize_t n = 1;

	if (fd < 0)
		return error_last();
	while (n > 0 && length < FILE_MAX_BYTES) {
		if (length == room && make_room(&bytes, &room) < 0)
			return -ENOMEM;
		do {
			n = read(fd, bytes + length, room - length);
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			return error_last();
		length += (size_t)n;
	}
	bytes[length] = '\0';
	*ret_bytes = TAKE(bytes);
	*ret_length = length;
	return 0;
}

int procfs_read_of(const char *root, pid_t pid, const char *name, char **ret_bytes,
		   size_t *ret_length)
{
	char path[PATH_BYTES];
	int r;

	if (snprintf(path, sizeof(path), "%s/proc/%d/%s", root, (int)pid, name) >= PATH_BYTES)
		return -ENAMETOOLONG;
	r = procfs_read(path, ret_bytes, ret_length);
	return r == -ENOENT ? -ESRCH : r;
}

int procfs_read_stat(const char *root, pid_t pid, struct procfs_stat *ret_stat)
{
	_cleanup_free_ char *text = NULL;
	struct procfs_stat stat = {0};
	const char *name, *after_name;
	int parent;
	size_t length;
	int r;

	r = procfs_read_of(root, pid, "stat", &text, &length);
	if (r < 0)
		return r;
	/* "PID (name) state ppid pgrp session tty tpgid flags": the name may hold anything,
	 * parentheses too. */
	name = text ? strchr(text, '(') : NULL;
	after_name = name ? strrchr(name, ')') : NULL;
	if (!after_name || sscanf(after_name + 1, " %c %d %*d %*d %*d %*d %lu", &stat.state,
				  &parent, &stat.flags) != 3)
		return -EIO;
	stat.parent = parent;
	(void)snprintf(stat.name, sizeof(stat.name), "%.*s", (int)(after_name - name - 1),
		       name + 1);
	*ret_stat = stat;
	return 0;
}

const char *procfs_field(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			return line + length + 1 + strspn(line + length + 1, " \t");
	}
	return NULL;
}

FILE *procfs_open(const char *format, ...)
{
	char path[PATH_BYTES];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	if (length < 0 || length >= PATH_BYTES) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return fopen(path, "re");
}
