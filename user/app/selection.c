/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One look: list the processes and, where it matters, who listens; give each process to the first
 * selector that wants it; let those join that are not followed yet. What forks while that goes on
 * is found by looking again until nothing new turns up.
 */
#include "app/selection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/group.h"
#include "target/target.h"

#define NOBODY (-1)
#define EXCLUDED (-2)
#define LOOKS_MAX 3
#define ID_SHOWN 12 /* of a container's ID, as Docker shows it */

/* A service of SELECTOR_ALL. */
struct found {
	char *key;  /* the unit, or the container's ID; of a process tree: what it is called */
	pid_t root; /* of a process tree; else 0 */
	size_t service;
	bool alive; /* in this look */
};

struct selection {
	const struct selectors *selectors;
	struct probe *probe;
	struct surroundings_reader *surroundings;
	const char **cgroups; /* of the selectors of that kind, their paths without mount */
	size_t *services;     /* of the selectors but SELECTOR_ALL */
	bool *matched;	      /* by selector: it has selected something */
	struct found *found;
	size_t n_found;
	uint64_t left_out; /* most services at once for which there was no room */
};

/* What one look sees. */
struct look {
	struct target_processes processes;
	struct probe_listener *listeners;
	size_t n_listeners;
	long *owners; /* by process: the service, NOBODY or EXCLUDED */
	bool *seeds;  /* by process: what descends from it belongs to its owner */
	char **keys;  /* by process: its container or unit; NULL: none, or not asked */
};

static void look_done(struct look *look)
{
	for (size_t i = 0; look->keys && i < look->processes.n; i++)
		free(look->keys[i]);
	free(look->keys);
	free(look->seeds);
	free(look->owners);
	free(look->listeners);
	target_processes_done(&look->processes);
}

void selection_free(struct selection *selection)
{
	if (!selection)
		return;
	for (size_t i = 0; i < selection->n_found; i++)
		free(selection->found[i].key);
	free(selection->found);
	free(selection->cgroups);
	free(selection->services);
	free(selection->matched);
	free(selection);
}

static void cleanup_selection(struct selection **selection)
{
	selection_free(*selection);
}

unsigned int selection_services(const struct selectors *selectors, unsigned int max_services)
{
	size_t n = selectors->n;

	if (n > 0 && selectors->items[n - 1].kind == SELECTOR_ALL)
		n += max_services - 1;
	return (unsigned int)n;
}

static bool needs_listeners(const struct selectors *selectors)
{
	for (size_t i = 0; i < selectors->n; i++) {
		if (selectors->items[i].kind == SELECTOR_PORT ||
		    selectors->items[i].kind == SELECTOR_ALL)
			return true;
	}
	return false;
}

static bool takes_all(const struct selectors *selectors)
{
	return selectors->n > 0 && selectors->items[selectors->n - 1].kind == SELECTOR_ALL;
}

int selection_new(const struct selectors *selectors, struct probe *probe,
		  struct surroundings_reader *surroundings, struct selection **ret_selection)
{
	_cleanup_(cleanup_selection) struct selection *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->selectors = selectors;
	s->probe = probe;
	s->surroundings = surroundings;
	s->cgroups = calloc(selectors->n, sizeof(*s->cgroups));
	s->services = calloc(selectors->n, sizeof(*s->services));
	s->matched = calloc(selectors->n, sizeof(*s->matched));
	if (!s->cgroups || !s->services || !s->matched)
		return -ENOMEM;
	for (size_t i = 0; i < selectors->n; i++) {
		const struct selector *selector = &selectors->items[i];
		int r;

		if (selector->kind == SELECTOR_ALL)
			continue;
		if (selector->kind == SELECTOR_CGROUP)
			s->cgroups[i] = target_cgroup_path(TARGET_HERE, selector->text);
		r = probe_add_service(probe, selector->text, &s->services[i]);
		if (r < 0)
			return r;
	}
	*ret_selection = TAKE(s);
	return 0;
}

/* ---- who there is ---- */

/* The position of a process; NOBODY if it is not there. */
static long position(const struct look *look, pid_t pid)
{
	const struct target_process *process = target_processes_find(&look->processes, pid);

	return process ? process - look->processes.items : NOBODY;
}

static long position_of_parent(const struct look *look, long at)
{
	pid_t parent = look->processes.items[at].parent;

	return parent > 0 ? position(look, parent) : NOBODY;
}

/* Gives processes that nobody has to the owner of the nearest ancestor that anybody has, if what
 * descends from that belongs to it. */
static void inherit(struct look *look)
{
	for (size_t i = 0; i < look->processes.n; i++) {
		long up = (long)i;

		while (up >= 0 && look->owners[up] == NOBODY)
			up = position_of_parent(look, up);
		if (up >= 0 && look->seeds[up] && look->owners[i] == NOBODY) {
			look->owners[i] = look->owners[up];
			look->seeds[i] = true;
		}
	}
}

static void own(struct look *look, size_t at, long owner, bool seed)
{
	look->owners[at] = owner;
	look->seeds[at] = seed;
}

/* The processes, who listens, and whom they belong to already. 0 or -errno. */
static int look_begin(const struct selection *s, struct look *look)
{
	int r;

	/* Listeners first: a process among them that is not listed has ended. */
	if (needs_listeners(s->selectors)) {
		r = probe_listeners(s->probe, &look->listeners, &look->n_listeners);
		if (r < 0)
			return r;
	}
	r = target_processes_read(TARGET_HERE, &look->processes);
	if (r < 0)
		return r;
	look->owners = calloc(look->processes.n + 1, sizeof(*look->owners));
	look->seeds = calloc(look->processes.n + 1, sizeof(*look->seeds));
	if (!look->owners || !look->seeds)
		return -ENOMEM;
	for (size_t i = 0; i < look->processes.n; i++) {
		pid_t pid = look->processes.items[i].pid;
		long service = probe_service_of(s->probe, pid);

		own(look, i, service >= 0 ? service : NOBODY, true);
		if (pid == getpid())
			own(look, i, EXCLUDED, true);
	}
	inherit(look);
	return 0;
}

/* ---- selectors of one service ---- */

static bool listens(const struct look *look, pid_t pid, unsigned int port)
{
	for (size_t i = 0; i < look->n_listeners; i++) {
		if (look->listeners[i].pid == pid && look->listeners[i].port == port)
			return true;
	}
	return false;
}

static bool wants(const struct selection *s, size_t selector, const struct look *look,
		  const struct target_process *process)
{
	const struct selector *by = &s->selectors->items[selector];

	switch (by->kind) {
	case SELECTOR_COMM:
		return target_is_called(TARGET_HERE, process, by->text);
	case SELECTOR_CGROUP:
		return target_in_cgroup(process, s->cgroups[selector]);
	case SELECTOR_UNIT:
		return target_in_unit(process, by->text);
	case SELECTOR_CONTAINER:
		return target_in_container(process, by->text);
	case SELECTOR_PORT:
		return listens(look, process->pid, by->port);
	default:
		return false;
	}
}

static void select_by(struct selection *s, size_t selector, struct look *look)
{
	enum selector_kind kind = s->selectors->items[selector].kind;
	bool seed = kind == SELECTOR_COMM || kind == SELECTOR_PORT;

	for (size_t i = 0; i < look->processes.n; i++) {
		if (look->owners[i] != EXCLUDED &&
		    wants(s, selector, look, &look->processes.items[i])) {
			s->matched[selector] = true;
			if (look->owners[i] == NOBODY)
				own(look, i, (long)s->services[selector], seed);
		}
	}
	inherit(look);
}

/* ---- every service there is ---- */

/* The container or unit of each process. 0 or -ENOMEM. */
static int find_keys(struct look *look)
{
	look->keys = calloc(look->processes.n + 1, sizeof(*look->keys));
	if (!look->keys)
		return -ENOMEM;
	for (size_t i = 0; i < look->processes.n; i++) {
		int r = target_container_of(&look->processes.items[i], &look->keys[i]);

		if (r == -ENOENT)
			r = target_unit_of(&look->processes.items[i], &look->keys[i]);
		if (r == -ENOMEM)
			return r;
	}
	return 0;
}

/* The first process of the machine listens for others, and everything descends from it. */
static bool is_init(const struct target_process *process)
{
	return process->pid == 1 &&
	       (strcmp(process->comm, "systemd") == 0 || strcmp(process->comm, "init") == 0);
}

static bool holds(const struct look *look, pid_t pid, uint64_t socket)
{
	for (size_t i = 0; i < look->n_listeners; i++) {
		if (look->listeners[i].pid == pid && look->listeners[i].socket == socket)
			return true;
	}
	return false;
}

/* The first process of a tree: as far up as the listening socket came down from. */
static long find_root(const struct look *look, long at, uint64_t socket)
{
	for (long up = at; up >= 0; up = position_of_parent(look, up)) {
		const struct target_process *process = &look->processes.items[up];

		if ((look->owners[up] != NOBODY && !look->seeds[up]) || is_init(process) ||
		    !holds(look, process->pid, socket))
			break;
		at = up;
	}
	return at;
}

/* A service seen before: by its key; of a process tree by its root, or one that has ended and was
 * called the same. NULL: none. */
static struct found *find_found(struct selection *s, const char *key, pid_t root)
{
	for (size_t i = 0; i < s->n_found; i++) {
		if (root ? s->found[i].root == root
			 : !s->found[i].root && strcmp(s->found[i].key, key) == 0)
			return &s->found[i];
	}
	for (size_t i = 0; i < s->n_found && root; i++) {
		if (s->found[i].root && !s->found[i].alive && strcmp(s->found[i].key, key) == 0) {
			s->found[i].root = root;
			return &s->found[i];
		}
	}
	return NULL;
}

/* Takes the key in any case. 0, -ENOSPC, -ENOMEM. */
static int add_found(struct selection *s, char *key, pid_t root, struct found **ret_found)
{
	_cleanup_free_ char *owned = key;
	_cleanup_free_ char *shown = NULL;
	struct found *found = reallocarray(s->found, s->n_found + 1, sizeof(*found));
	bool unit = strchr(key, '.');
	size_t service;
	int r;

	if (!found)
		return -ENOMEM;
	s->found = found;
	shown = root || unit ? strdup(key) : strndup(key, ID_SHOWN);
	if (!shown)
		return -ENOMEM;
	r = probe_add_service(s->probe, shown, &service);
	if (r < 0)
		return r;
	found = &found[s->n_found++];
	*found = (struct found){.key = TAKE(owned), .root = root, .service = service};
	*ret_found = found;
	return 0;
}

/* What a process that listens belongs to is found, and gets all its processes. 0, -ENOSPC, -ENOMEM.
 */
static int take_listener(struct selection *s, struct look *look, long at, uint64_t socket)
{
	const char *group = look->keys[at];
	long root = group ? NOBODY : find_root(look, at, socket);
	pid_t root_pid = group ? 0 : look->processes.items[root].pid;
	struct found *found = NULL;
	char *key = NULL;
	long owner;
	int r = 0;

	/* Its root has been found by another of its processes: it inherits. */
	if (root >= 0 && look->owners[root] != NOBODY)
		return 0;
	if (group)
		key = strdup(group);
	else if (target_process_name(root_pid, &key) < 0)
		return 0;
	if (!key)
		return -ENOMEM;
	found = find_found(s, key, root_pid);
	if (found)
		free(key);
	else
		r = add_found(s, key, root_pid, &found);
	if (r == -ENOMEM)
		return r;
	/* Those there is no room for are nobody else's. */
	owner = found ? (long)found->service : EXCLUDED;
	if (found)
		found->alive = true;
	if (root >= 0)
		own(look, (size_t)root, owner, true);
	for (size_t i = 0; i < look->processes.n && group; i++) {
		if (look->owners[i] == NOBODY && look->keys[i] && strcmp(look->keys[i], group) == 0)
			own(look, i, owner, false);
	}
	return r;
}

static void find_alive(struct selection *s, const struct look *look)
{
	for (size_t k = 0; k < s->n_found; k++) {
		s->found[k].alive = false;
		for (size_t i = 0; i < look->processes.n && !s->found[k].alive; i++)
			s->found[k].alive = look->owners[i] == (long)s->found[k].service;
	}
}

/* All that listens and is not selected yet. 0 or -errno. */
static int select_all(struct selection *s, struct look *look)
{
	uint64_t left_out = 0;
	int r;

	r = find_keys(look);
	if (r < 0)
		return r;
	find_alive(s, look);
	for (size_t i = 0; i < look->n_listeners; i++) {
		long at = position(look, look->listeners[i].pid);

		if (at < 0 || look->owners[at] == EXCLUDED || is_init(&look->processes.items[at]))
			continue;
		s->matched[s->selectors->n - 1] = true;
		if (look->owners[at] != NOBODY)
			continue;
		r = take_listener(s, look, at, look->listeners[i].socket);
		if (r == -ENOMEM)
			return r;
		left_out += r == -ENOSPC;
	}
	inherit(look);
	if (left_out > s->left_out) {
		probe_note_loss(s->probe, LOSS_SERVICES, left_out - s->left_out);
		s->left_out = left_out;
	}
	return 0;
}

/* ---- joining ---- */

static int begin_surroundings(struct selection *s, const struct look *look, long service)
{
	_cleanup_free_ pid_t *pids = calloc(look->processes.n + 1, sizeof(*pids));
	size_t n = 0;

	if (!pids)
		return -ENOMEM;
	for (size_t i = 0; i < look->processes.n; i++) {
		if (look->owners[i] == service)
			pids[n++] = look->processes.items[i].pid;
	}
	return surroundings_begin(s->surroundings, (size_t)service, pids, n);
}

/* Returns how many joined, or -errno. */
static int join(struct selection *s, const struct look *look)
{
	int joined = 0;

	for (size_t i = 0; i < look->processes.n; i++) {
		long service = look->owners[i];
		int r;

		if (service < 0)
			continue;
		r = probe_join(s->probe, (size_t)service, look->processes.items[i].pid);
		if (r == -E2BIG)
			probe_note_loss(s->probe, LOSS_PROCESSES, 1);
		else if (r < 0)
			return r;
		if (r <= 0)
			continue;
		joined++;
		if (surroundings_known(s->surroundings, (size_t)service))
			continue;
		r = begin_surroundings(s, look, service);
		if (r < 0)
			return r;
	}
	return joined;
}

static int look_once(struct selection *s)
{
	_cleanup_(look_done) struct look look = {0};
	int r;

	r = look_begin(s, &look);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->selectors->n; i++) {
		if (s->selectors->items[i].kind != SELECTOR_ALL)
			select_by(s, i, &look);
	}
	if (takes_all(s->selectors))
		r = select_all(s, &look);
	return r < 0 ? r : join(s, &look);
}

int selection_look(struct selection *selection)
{
	int r = 1;

	for (int i = 0; i < LOOKS_MAX && r > 0; i++) {
		r = look_once(selection);
		if (r > 0) {
			int error = probe_take_stock(selection->probe);

			if (error < 0)
				return error;
		}
	}
	return r < 0 ? r : 0;
}

const struct selector *selection_missing(const struct selection *selection)
{
	for (size_t i = 0; i < selection->selectors->n; i++) {
		if (!selection->matched[i])
			return &selection->selectors->items[i];
	}
	return NULL;
}

bool selection_found(const struct selection *selection)
{
	for (size_t i = 0; i < selection->selectors->n; i++) {
		if (selection->matched[i])
			return true;
	}
	return false;
}
