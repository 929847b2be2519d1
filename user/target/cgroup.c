/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/cgroup.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/procfs.h"

#define FILE_PATH_BYTES 4096

/* Where a hierarchy is mounted, and which part of it. */
struct mounted {
	char *root; /* of the hierarchy, that the mount shows: "/" or a container's group */
	char *at;
	bool unified;
};

static void mounted_done(struct mounted *mounted)
{
	free(mounted->root);
	free(mounted->at);
}

void cgroup_set_done(struct cgroup_set *set)
{
	free(set->mount);
	for (size_t i = 0; i < set->n; i++)
		free(set->dirs[i]);
	free(set->dirs);
	*set = (struct cgroup_set){0};
}

/* Whether a word is in a list of words between commas. */
static bool lists(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += length) {
		if ((at == list || at[-1] == ',') &&
		    (at[length] == ',' || at[length] == '\0' || at[length] == '\n'))
			return true;
	}
	return false;
}

/* "36 35 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu": whether it is the hierarchy of the
 * controller; NULL: the one of version 2. */
static bool is_hierarchy(char *line, const char *controller, char **ret_root, char **ret_at)
{
	char *fields[6], *rest = line, *type, *options;

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		fields[i] = strsep(&rest, " ");
	if (!rest)
		return false;
	type = strstr(rest, "- cgroup");
	if (!type || (type != rest && type[-1] != ' '))
		return false;
	type += 2;
	options = strrchr(type, ' ');
	*ret_root = fields[3];
	*ret_at = fields[4];
	if (!controller)
		return strncmp(type, "cgroup2 ", strlen("cgroup2 ")) == 0;
	return strncmp(type, "cgroup ", strlen("cgroup ")) == 0 && options &&
	       lists(options + 1, controller);
}

static int find_mount(const char *root, const char *controller, struct mounted *ret_mounted)
{
	_cleanup_fclose_ FILE *mounts = procfs_open("%s/proc/self/mountinfo", root);
	_cleanup_free_ char *line = NULL;
	char *hierarchy_root, *at;
	size_t size = 0;

	if (!mounts)
		return -ENOENT;
	while (getline(&line, &size, mounts) > 0) {
		struct mounted found = {.unified = !controller};

		if (!is_hierarchy(line, controller, &hierarchy_root, &at))
			continue;
		if (asprintf(&found.at, "%s%s", root, at) < 0)
			return -ENOMEM;
		found.root = strdup(hierarchy_root);
		if (!found.root) {
			mounted_done(&found);
			return -ENOMEM;
		}
		*ret_mounted = found;
		return 0;
	}
	return -ENOENT;
}

/* The path behind the line of a controller in a /proc/PID/cgroup; NULL: that of version 2. */
static const char *find_path(char *text, const char *controller)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		char *controllers, *path;

		(void)strsep(&line, ":");
		controllers = line ? strsep(&line, ":") : NULL;
		path = line;
		if (!path)
			continue;
		if (controller ? lists(controllers, controller) : *controllers == '\0')
			return path;
	}
	return NULL;
}

/* The group's path below the mount: "" for the top, "/a/b"; NULL if the mount does not show it. */
static const char *below(const struct mounted *mounted, const char *path)
{
	size_t length = strcmp(mounted->root, "/") == 0 ? 0 : strlen(mounted->root);

	if (strncmp(path, mounted->root, length) != 0 || strncmp(path, "/..", 3) == 0)
		return NULL;
	path += length;
	if (strcmp(path, "/") == 0)
		return "";
	return *path == '\0' || *path == '/' ? path : NULL;
}

/* Adds a folder unless it is there. Takes it in any case. */
static int add_dir(struct cgroup_set *set, char *dir)
{
	char **dirs;

	for (size_t i = 0; i < set->n; i++) {
		if (strcmp(set->dirs[i], dir) == 0) {
			free(dir);
			return 0;
		}
	}
	dirs = reallocarray(set->dirs, set->n + 1, sizeof(*dirs));
	if (!dirs) {
		free(dir);
		return -ENOMEM;
	}
	set->dirs = dirs;
	dirs[set->n++] = dir;
	return 0;
}

static int add_group_of(const char *root, const char *controller, const struct mounted *mounted,
			pid_t pid, struct cgroup_set *set)
{
	_cleanup_free_ char *text = NULL;
	const char *path;
	size_t length;
	char *dir;

	if (procfs_read_of(root, pid, "cgroup", &text, &length) < 0)
		return 0;
	path = find_path(text, mounted->unified ? NULL : controller);
	path = path ? below(mounted, path) : NULL;
	if (!path)
		return 0;
	if (asprintf(&dir, "%s%s", mounted->at, path) < 0)
		return -ENOMEM;
	return add_dir(set, dir);
}

int cgroup_set_read(const char *root, const char *controller, const pid_t *pids, size_t n,
		    struct cgroup_set *ret_set)
{
	_cleanup_(cgroup_set_done) struct cgroup_set set = {0};
	_cleanup_(mounted_done) struct mounted mounted = {0};
	int r;

	/* A controller that version 1 has, version 2 has not. */
	r = find_mount(root, controller, &mounted);
	if (r == -ENOENT)
		r = find_mount(root, NULL, &mounted);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_group_of(root, controller, &mounted, pids[i], &set);
	if (r < 0)
		return r;
	if (set.n == 0)
		return -ENOENT;
	set.mount = TAKE(mounted.at);
	set.unified = mounted.unified;
	*ret_set = set;
	set = (struct cgroup_set){0};
	return 0;
}

/* A level of the hierarchy on the way up. */
struct level {
	char *dir;
	double sum;    /* what those below it may have */
	bool occupied; /* by processes of its own: what lies below does not bound it */
};

struct levels {
	struct level *items;
	size_t n;
};

static void levels_done(struct levels *levels)
{
	for (size_t i = 0; i < levels->n; i++)
		free(levels->items[i].dir);
	free(levels->items);
}

/* Adds to a level, which is made if there is none. */
static int levels_add(struct levels *levels, const char *dir, double sum, bool occupied)
{
	struct level *items;
	size_t at = 0;

	while (at < levels->n && strcmp(levels->items[at].dir, dir) != 0)
		at++;
	if (at == levels->n) {
		items = reallocarray(levels->items, levels->n + 1, sizeof(*items));
		if (!items)
			return -ENOMEM;
		levels->items = items;
		items[at] = (struct level){.dir = strdup(dir)};
		if (!items[at].dir)
			return -ENOMEM;
		levels->n++;
	}
	levels->items[at].sum += sum;
	levels->items[at].occupied |= occupied;
	return 0;
}

/* Takes out the level with the longest path, which has none below it any more. */
static struct level levels_take_deepest(struct levels *levels)
{
	struct level taken;
	size_t deepest = 0;

	for (size_t i = 1; i < levels->n; i++) {
		if (strlen(levels->items[i].dir) > strlen(levels->items[deepest].dir))
			deepest = i;
	}
	taken = levels->items[deepest];
	levels->items[deepest] = levels->items[--levels->n];
	return taken;
}

int cgroup_bound(const struct cgroup_set *set, cgroup_bound_fn bound_of, void *ctx,
		 double *ret_bound)
{
	_cleanup_(levels_done) struct levels levels = {0};
	size_t top = strlen(set->mount);
	int r = 0;

	for (size_t i = 0; i < set->n && r == 0; i++)
		r = levels_add(&levels, set->dirs[i], 0, true);
	while (r == 0 && levels.n > 0) {
		struct level level = levels_take_deepest(&levels);
		_cleanup_free_ char *dir = level.dir;
		double bound = bound_of(ctx, dir, set->unified);

		if (!level.occupied)
			bound = fmin(bound, level.sum);
		if (strlen(dir) <= top) {
			*ret_bound = bound;
			return 0;
		}
		*strrchr(dir, '/') = '\0';
		r = levels_add(&levels, dir, bound, false);
	}
	return r < 0 ? r : -ENOENT;
}

static int read_file(const char *dir, const char *file, char **ret_text)
{
	char path[FILE_PATH_BYTES];
	size_t length;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return procfs_read(path, ret_text, &length);
}

static double number(const char *word)
{
	char *end;
	double value;

	if (strncmp(word, "max", 3) == 0)
		return INFINITY;
	value = strtod(word, &end);
	if (end == word)
		return NAN;
	return value < 0 ? INFINITY : value;
}

double cgroup_number(const char *dir, const char *file)
{
	_cleanup_free_ char *text = NULL;

	return read_file(dir, file, &text) < 0 ? NAN : number(text);
}

double cgroup_second_number(const char *dir, const char *file)
{
	_cleanup_free_ char *text = NULL;
	const char *space;

	if (read_file(dir, file, &text) < 0)
		return NAN;
	space = strchr(text, ' ');
	return space ? number(space + 1) : NAN;
}

uint64_t cgroup_count(const char *dir, const char *file, const char *name)
{
	_cleanup_free_ char *text = NULL;
	size_t length = strlen(name);

	if (read_file(dir, file, &text) < 0)
		return 0;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			return strtoull(line + length, NULL, 10);
	}
	return 0;
}
