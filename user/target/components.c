/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process is made of, by what can be seen of it without touching it: the program it runs,
 * its command line, and the files it has mapped or open. Code that leaves no such trace (packages
 * of pure JavaScript, Ruby, PHP) is not told: that it is installed proves nothing. For packages of
 * pure Python there is modules.c.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "target/procfs.h"
#include "target/target.h"

#define PATH_BYTES 4096
#define FILES_MAX 1024
#define VERSION "0123456789."

enum evidence { PROGRAM, NAMED, WORKER, MAPPED, JAR };

static const struct component {
	enum evidence evidence;
	const char *pattern, *name;
} components[] = {
#define COMPONENT(evidence, pattern, name) {evidence, pattern, name},
#include "target/component.def"
#undef COMPONENT
};

/* A look at one process. */
struct look {
	const char *root;
	pid_t pid;
	target_component_fn found;
	void *ctx;
	bool python, free_threaded, java, locked;
};

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool begins(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* Whether a program goes by this name, whatever version is behind it; "t": without interpreter
 * lock. */
static bool is_program(const char *program, const char *name)
{
	if (!begins(program, name))
		return false;
	program += strlen(name);
	program += strspn(program, VERSION);
	return *program == '\0' || strcmp(program, "t") == 0;
}

static bool proves(const struct component *component, const char *text)
{
	size_t length = strlen(component->pattern);

	switch (component->evidence) {
	case PROGRAM:
		return is_program(text, component->pattern);
	case NAMED:
		return begins(text, component->pattern) && strchr(" :", text[length]);
	case MAPPED:
		return strstr(text, component->pattern);
	default:
		return begins(text, component->pattern);
	}
}

/* Reports what a piece of evidence proves. 0, or what the callback returned. */
static int judge(const struct look *look, enum evidence evidence, const char *text)
{
	int r = 0;

	for (size_t i = 0; i < sizeof(components) / sizeof(components[0]) && r == 0; i++) {
		if (components[i].evidence == evidence && proves(&components[i], text))
			r = look->found(look->ctx, components[i].name);
	}
	return r;
}

/* "python3.13t": built without the interpreter lock. name begins behind "python". */
static bool is_free_threaded(const char *version)
{
	return *version != '\0' && version[strspn(version, VERSION)] == 't';
}

static int look_at_program(struct look *look)
{
	char path[PATH_BYTES], file[PATH_BYTES];
	const char *program;
	ssize_t length;
	char *deleted;

	if (snprintf(path, sizeof(path), "%s/proc/%d/exe", look->root, (int)look->pid) >=
	    PATH_BYTES)
		return -ENAMETOOLONG;
	length = readlink(path, file, sizeof(file) - 1);
	if (length < 0)
		return errno == ENOENT ? -ESRCH : error_last();
	file[length] = '\0';
	deleted = strstr(file, " (deleted)");
	if (deleted)
		*deleted = '\0';
	program = last_part(file);
	look->python = is_program(program, "python");
	look->free_threaded = look->python && is_free_threaded(program + strlen("python"));
	look->java = is_program(program, "java");
	look->locked = is_program(program, "ruby") || is_program(program, "pypy");
	if (target_schedules_goroutines(look->root, look->pid)) {
		int r = look->found(look->ctx, "go");

		if (r)
			return r;
	}
	return judge(look, PROGRAM, program);
}

/* The value of gunicorn's option -k, --worker-class; NULL: none. Words end in zero bytes. */
static const char *worker_class(const char *words, size_t length)
{
	static const char option[] = "--worker-class=";
	const char *end = words + length, *word = words;

	while (word < end) {
		const char *next = word + strlen(word) + 1;

		if (begins(word, option))
			return word + strlen(option);
		if (next < end && (!strcmp(word, "-k") || !strcmp(word, "--worker-class")))
			return next;
		word = next;
	}
	return NULL;
}

static int look_at_command_line(const struct look *look)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_free_ char *words = NULL;
	const char *class;
	size_t length;
	int r;

	r = target_process_name_in(look->root, look->pid, &name);
	if (r < 0)
		return r;
	r = judge(look, NAMED, name);
	if (r || !begins(name, "gunicorn"))
		return r;
	if (procfs_read_of(look->root, look->pid, "cmdline", &words, &length) < 0)
		return 0;
	class = worker_class(words, length);
	/* "egg:gunicorn#gevent" is the long form of "gevent". */
	if (class && strchr(class, '#'))
		class = strchr(class, '#') + 1;
	return class ? judge(look, WORKER, class) : 0;
}

static int look_at_file(struct look *look, const char *path)
{
	static const char library[] = "/libpython", tag[] = ".cpython-";
	const char *at = strstr(path, library);
	int r;

	if (at) {
		look->python = true;
		look->free_threaded |= is_free_threaded(at + strlen(library));
	}
	at = strstr(path, tag);
	if (at)
		look->free_threaded |= is_free_threaded(at + strlen(tag));
	look->locked |= strstr(path, "/libruby") || strstr(path, "/libpypy");
	r = judge(look, MAPPED, path);
	return r || !strstr(path, ".jar") ? r : judge(look, JAR, last_part(path));
}

/* Each mapped file once per run of its mappings, which lie next to each other. */
static int look_at_mappings(struct look *look)
{
	_cleanup_fclose_ FILE *maps = procfs_open("%s/proc/%d/maps", look->root, (int)look->pid);
	_cleanup_free_ char *last = strdup("");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int r = 0;

	if (!last)
		return -ENOMEM;
	if (!maps)
		return errno == ENOENT ? -ESRCH : error_last();
	while (r == 0 && getline(&line, &size, maps) > 0) {
		const char *path = strchr(line, '/');

		if (!path || strcmp(path, last) == 0)
			continue;
		r = look_at_file(look, path);
		free(last);
		last = strdup(path);
		if (!last)
			return -ENOMEM;
	}
	return r;
}

static int look_at_open_files(struct look *look)
{
	char path[PATH_BYTES], file[PATH_BYTES];
	_cleanup_closedir_ DIR *fds = NULL;
	const struct dirent *entry;
	int r = 0;

	if (snprintf(path, sizeof(path), "%s/proc/%d/fd", look->root, (int)look->pid) >= PATH_BYTES)
		return -ENAMETOOLONG;
	fds = opendir(path);
	for (int i = 0; fds && i < FILES_MAX && r == 0 && (entry = readdir(fds)); i++) {
		ssize_t length = readlinkat(dirfd(fds), entry->d_name, file, sizeof(file) - 1);

		if (length <= 0)
			continue;
		file[length] = '\0';
		r = look_at_file(look, file);
	}
	return r;
}

int target_components(const char *root, pid_t pid, target_component_fn found, void *ctx,
		      bool *ret_locked)
{
	struct look look = {.root = root, .pid = pid, .found = found, .ctx = ctx};
	int r;

	r = look_at_program(&look);
	if (r)
		return r;
	r = look_at_command_line(&look);
	if (r)
		return r;
	r = look_at_mappings(&look);
	/* Java reads its archives without mapping them. */
	if (!r && look.java)
		r = look_at_open_files(&look);
	if (r)
		return r;
	*ret_locked = look.locked || (look.python && !look.free_threaded);
	return 0;
}
