/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/surroundings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "target/target.h"

#define READ_EVERY_NS (5 * CLOCK_NS_PER_S)
#define SERVICE_PROCESSES_MAX 64
#define ALL_PROCESSES_MAX 256
/* Processes of a service whose program and mapped files are looked at. */
#define MADE_OF_MAX 8
#define COMPONENTS_MAX 64
/* Programs of a service whose modules are looked for, in one process of each. */
#define PROGRAMS_MAX 4
#define SCAN_BYTES (256ull << 20)
#define SCAN_CPU_NS (CLOCK_NS_PER_S / 10)

/* What is known of one service. */
struct place {
	struct target_quotas *quotas;
	struct target_cpus cpus;
	struct target_idle idle;  /* at the end of the last interval */
	struct surroundings last; /* but for the components, which are here: */
	const char *components[COMPONENTS_MAX];
	size_t n_components;
	uint64_t read_ns; /* when last; 0: only at its beginning */
	uint64_t begun_ns, modules_due_ns;
};

struct surroundings_reader {
	struct place **places; /* by service; NULL: not begun */
	size_t n;
	size_t turn; /* whose processes are read first */
	bool no_modules;
	struct target_scan scan; /* what is left of it until the next filling in */
};

/* Some of a service's processes, those that serve requests apart. */
struct sample {
	pid_t pids[SERVICE_PROCESSES_MAX];
	size_t n;
	size_t of; /* so many in all */
	pid_t workers[SERVICE_PROCESSES_MAX];
	size_t n_workers;
};

static const struct target_scan whole_scan = {SCAN_BYTES, SCAN_CPU_NS};

struct surroundings_reader *surroundings_new(bool no_modules)
{
	struct surroundings_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->no_modules = no_modules;
	reader->scan = whole_scan;
	return reader;
}

static void place_free(struct place *place)
{
	if (!place)
		return;
	target_quotas_free(place->quotas);
	target_idle_done(&place->idle);
	free(place);
}

void surroundings_free(struct surroundings_reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < reader->n; i++)
		place_free(reader->places[i]);
	free(reader->places);
	free(reader);
}

static bool serves(const struct service *service, pid_t pid)
{
	for (size_t i = 0; i < service->n_lanes; i++) {
		if (service->lanes[i].pid == pid && service->lanes[i].serving)
			return true;
	}
	return false;
}

/* At most so many processes, evenly over all of them, the first included. */
static void sample_take(struct sample *sample, const pid_t *pids, size_t n, size_t most)
{
	sample->of = n;
	sample->n = n < most ? n : most;
	for (size_t i = 0; i < sample->n; i++)
		sample->pids[i] = pids[i * n / sample->n];
}

/* Those that read requests. Where none is known to: all, but for a master that does not. */
static void sample_find_workers(struct sample *sample, const struct service *service)
{
	size_t processes = service->workers.processes;
	bool has_master = sample->of > 1 && processes > 0 && processes < sample->of;

	for (size_t i = 0; i < sample->n; i++) {
		if (serves(service, sample->pids[i]))
			sample->workers[sample->n_workers++] = sample->pids[i];
	}
	for (size_t i = has_master; i < sample->n && !sample->n_workers; i++)
		sample->workers[i - has_master] = sample->pids[i];
	if (!sample->n_workers)
		sample->n_workers = sample->n - has_master;
}

static bool is_worker(const struct sample *sample, pid_t pid)
{
	for (size_t i = 0; i < sample->n_workers; i++) {
		if (sample->workers[i] == pid)
			return true;
	}
	return false;
}

static void read_processes(struct place *place, const struct sample *sample)
{
	uint64_t unique = 0, shared = 0, workers = 0, n = 0;

	for (size_t i = 0; i < sample->n; i++) {
		struct target_memory memory;

		if (target_memory_read(TARGET_HERE, sample->pids[i], &memory) < 0)
			continue;
		n++;
		if (memory.share > memory.unique)
			shared += memory.share - memory.unique;
		if (!is_worker(sample, sample->pids[i]))
			continue;
		workers++;
		unique += memory.unique;
	}
	if (workers)
		place->last.process_bytes = unique / workers;
	if (n)
		place->last.shared_bytes = shared * sample->of / n;
	for (size_t i = 0; i < sample->n_workers && i < MADE_OF_MAX; i++) {
		uint64_t bytes = target_stack_bytes(TARGET_HERE, sample->workers[i]);

		if (!bytes)
			continue;
		place->last.thread_bytes = bytes;
		break;
	}
}

/* Of the system's names, each once; more than there is room for there are not. */
static int add_component(void *ctx, const char *name)
{
	struct place *place = ctx;

	for (size_t i = 0; i < place->n_components; i++) {
		if (place->components[i] == name || strcmp(place->components[i], name) == 0)
			return 0;
	}
	if (place->n_components < COMPONENTS_MAX)
		place->components[place->n_components++] = name;
	return 0;
}

static bool look_at(struct place *place, pid_t pid, bool *ret_locked)
{
	uint32_t variables = target_environment_variables(TARGET_HERE, pid);

	if (variables > place->last.environment_variables)
		place->last.environment_variables = variables;
	return target_components(TARGET_HERE, pid, add_component, place, ret_locked) == 0;
}

/* The first process, whose command line says what was started, and some workers. */
static void read_components(struct place *place, const struct sample *sample)
{
	bool locked;

	if (!is_worker(sample, sample->pids[0]))
		(void)look_at(place, sample->pids[0], &locked);
	for (size_t i = 0; i < sample->n_workers && i < MADE_OF_MAX; i++) {
		if (look_at(place, sample->workers[i], &locked))
			place->last.interpreter_lock |= locked;
	}
}

static int find_cpython(void *ctx, const char *name)
{
	bool *found = ctx;

	*found |= strcmp(name, "cpython") == 0;
	return 0;
}

static bool runs_cpython(pid_t pid)
{
	bool found = false, locked;

	return target_components(TARGET_HERE, pid, find_cpython, &found, &locked) == 0 && found;
}

/* The programs looked at so far, by what their processes are called. */
struct programs {
	char *names[PROGRAMS_MAX];
	size_t n;
	bool any; /* of Python */
	enum modules_seen seen;
};

static void programs_free(struct programs *programs)
{
	for (size_t i = 0; i < programs->n; i++)
		free(programs->names[i]);
}

/* Whether the process's program is a further one; "gunicorn: worker" is "gunicorn". */
static bool add_program(struct programs *programs, pid_t pid)
{
	char *name;

	if (programs->n == PROGRAMS_MAX || target_process_name(pid, &name) < 0)
		return false;
	name[strcspn(name, " :")] = '\0';
	for (size_t i = 0; i < programs->n; i++) {
		if (strcmp(programs->names[i], name) == 0) {
			free(name);
			return false;
		}
	}
	programs->names[programs->n++] = name;
	return true;
}

static void look_for_modules(struct surroundings_reader *reader, struct place *place, pid_t pid,
			     struct programs *programs)
{
	enum modules_seen seen = MODULES_NONE;
	bool all;

	if (!add_program(programs, pid) || !runs_cpython(pid))
		return;
	if (target_modules(pid, &reader->scan, add_component, place, &all) == 0)
		seen = all ? MODULES_ALL : MODULES_PART;
	/* Of two programs one known and one not: a part. */
	if (programs->any && seen != programs->seen)
		seen = MODULES_PART;
	programs->any = true;
	programs->seen = seen;
}

/* The youngest worker of each program first: of processes not known to be workers one is the
 * master, the oldest, which need not have loaded the application. */
static void read_modules(struct surroundings_reader *reader, struct place *place,
			 const struct sample *sample)
{
	_cleanup_(programs_free) struct programs programs = {0};
	uint64_t now_ns = clock_monotonic_ns();
	bool whole = reader->scan.bytes == SCAN_BYTES;

	if (!place->begun_ns)
		place->begun_ns = now_ns;
	if (reader->no_modules || now_ns < place->modules_due_ns || !reader->scan.bytes ||
	    !reader->scan.cpu_ns)
		return;
	for (size_t i = sample->n_workers; i > 0; i--)
		look_for_modules(reader, place, sample->workers[i - 1], &programs);
	if (!is_worker(sample, sample->pids[0]))
		look_for_modules(reader, place, sample->pids[0], &programs);
	if (programs.seen != MODULES_NONE)
		place->last.modules_seen = programs.seen;
	/* Where other services had left it too little, it comes again as soon as it may. */
	if (whole || programs.seen != MODULES_PART)
		place->modules_due_ns = now_ns + (now_ns - place->begun_ns);
}

/* Processes that end meanwhile are left out; what cannot be read stays as it was. 0 or -ENOMEM. */
static int place_read(struct surroundings_reader *reader, struct place *place,
		      const struct sample *sample)
{
	struct target_room room;
	int r;

	if (!sample->n)
		return 0;
	r = target_cpus_read(TARGET_HERE, sample->workers, sample->n_workers, place->quotas,
			     &place->cpus);
	if (r < 0)
		return r;
	r = target_room_read(TARGET_HERE, sample->workers, sample->n_workers, &room);
	if (r < 0)
		return r;
	if (place->cpus.usable > 0)
		place->last.cpus = place->cpus.usable;
	place->last.host_cpus = place->cpus.host;
	place->last.memory_limit_bytes = room.limit;
	place->last.memory_available_bytes = room.available;
	read_processes(place, sample);
	read_components(place, sample);
	read_modules(reader, place, sample);
	return 0;
}

/* The place of a service, made if there is none; NULL when out of memory. */
static struct place *find_place(struct surroundings_reader *reader, size_t service)
{
	struct place **places, *place;

	if (service >= reader->n) {
		places = reallocarray(reader->places, service + 1, sizeof(struct place *));
		if (!places)
			return NULL;
		memset(places + reader->n, 0, (service + 1 - reader->n) * sizeof(struct place *));
		reader->places = places;
		reader->n = service + 1;
	}
	place = reader->places[service];
	if (place)
		return place;
	place = calloc(1, sizeof(*place));
	if (!place)
		return NULL;
	place->quotas = target_quotas_new();
	if (!place->quotas) {
		free(place);
		return NULL;
	}
	reader->places[service] = place;
	return place;
}

int surroundings_begin(struct surroundings_reader *reader, size_t service, const pid_t *pids,
		       size_t n_pids)
{
	static const struct service unknown;
	_cleanup_(target_idle_done) struct target_idle idle = {0};
	struct place *place = find_place(reader, service);
	struct sample sample = {0};
	int r;

	if (!place)
		return -ENOMEM;
	sample_take(&sample, pids, n_pids, SERVICE_PROCESSES_MAX);
	sample_find_workers(&sample, &unknown);
	r = place_read(reader, place, &sample);
	if (r < 0)
		return r;
	r = target_idle_read(TARGET_HERE, clock_monotonic_ns(), &idle);
	return r < 0 ? r : target_idle_copy(&idle, &place->idle);
}

/* Reads a service if that is due, as far as the budget of processes goes. 0 or -ENOMEM. */
static int read_due(struct surroundings_reader *reader, struct place *place,
		    const struct service *service, uint64_t now_ns, size_t *budget)
{
	struct sample sample = {0};

	if (*budget == 0 || service->n_pids == 0 ||
	    (place->read_ns && now_ns - place->read_ns < READ_EVERY_NS))
		return 0;
	sample_take(&sample, service->pids, service->n_pids,
		    *budget < SERVICE_PROCESSES_MAX ? *budget : SERVICE_PROCESSES_MAX);
	sample_find_workers(&sample, service);
	*budget -= sample.n;
	place->read_ns = now_ns;
	return place_read(reader, place, &sample);
}

bool surroundings_known(const struct surroundings_reader *reader, size_t service)
{
	return service < reader->n && reader->places[service];
}

/* What ran on its processors since the last interval's end and was not the service. 0 or -ENOMEM.
 */
static int take_others(struct place *place, const struct target_idle *now,
		       const struct service *service, uint64_t *ret_ns)
{
	uint64_t busy = target_busy_ns(&place->idle, now, &place->cpus);

	*ret_ns = busy > service->cpu_ns ? busy - service->cpu_ns : 0;
	return target_idle_copy(now, &place->idle);
}

static int copy_to(const struct place *place, const struct target_throttling *throttling,
		   uint64_t other_cpu_ns, struct service *service)
{
	struct surroundings *on = &service->surroundings;
	struct surroundings was = *on;
	int r = 0;

	*on = place->last;
	on->quota_periods = throttling->periods;
	on->quota_throttled = throttling->throttled;
	on->throttled_ns = throttling->throttled_ns;
	on->other_cpu_ns = other_cpu_ns;
	on->backlog = was.backlog;
	on->components = was.components;
	on->n_components = was.n_components;
	for (size_t i = 0; i < place->n_components && r == 0; i++)
		r = service_add_component(service, place->components[i]);
	return r;
}

int surroundings_fill(struct surroundings_reader *reader, struct snapshot *s)
{
	_cleanup_(target_idle_done) struct target_idle idle = {0};
	uint64_t now_ns = clock_monotonic_ns(), other_cpu_ns;
	size_t budget = ALL_PROCESSES_MAX, first = reader->turn;

	reader->scan = whole_scan;
	if (target_idle_read(TARGET_HERE, now_ns, &idle) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_services; i++) {
		struct target_throttling throttling;
		size_t at = (first + i) % s->n_services;
		struct place *place = find_place(reader, at);
		int r;

		if (!place)
			return -ENOMEM;
		/* Before groups that the service has left are forgotten. */
		target_quotas_take(place->quotas, &throttling);
		/* Those the budget is not enough for come first next time. */
		if (budget > 0)
			reader->turn = at + 1;
		r = take_others(place, &idle, &s->services[at], &other_cpu_ns);
		if (r == 0)
			r = read_due(reader, place, &s->services[at], now_ns, &budget);
		if (r == 0)
			r = copy_to(place, &throttling, other_cpu_ns, &s->services[at]);
		if (r < 0)
			return r;
	}
	return 0;
}
