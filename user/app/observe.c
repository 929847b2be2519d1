/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "ioprof -p PID": opens the probe, waits, reports. The kernel does the counting; this process runs
 * when a report is due, once a second for the progress line if a terminal shows it, and at the end.
 * However the observation ends, what was seen so far is reported.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/exit_status.h"
#include "app/options.h"
#include "app/output.h"
#include "app/schedule.h"
#include "app/targets.h"
#include "app/watch.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "probe/probe.h"
#include "target/target.h"

/* Of a service whose first process is gone, so many processes are waited for at a time. */
#define WATCHED_MAX 64
/* How much of the service's name the progress line shows. */
#define NAME_COLUMNS 24

struct observation {
	const struct options *options;
	char *name; /* of the first service, for the progress line */
	struct watch watch;
	struct probe *probe;
	struct schedule schedule;
	struct snapshot
		*unreported; /* read from the probe since the last report; NULL if nothing */
	uint64_t completed;  /* requests of all services since the start */
	bool reported;	     /* at least once */
	int output_error;    /* of writing a report: 0 or -errno */
};

static void observation_end(struct observation *o)
{
	free(o->name);
	watch_close(&o->watch);
	probe_close(o->probe);
	snapshot_free(o->unreported);
}

/* Takes in what the probe saw since the last time. 0 or -errno. */
static int read_probe(struct observation *o)
{
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	int r;

	r = probe_read(o->probe, &s);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n_services; i++)
		o->completed += s->services[i].requests.completed;
	if (o->unreported)
		return snapshot_merge(o->unreported, s);
	o->unreported = TAKE(s);
	return 0;
}

/* Writes the report of what is unreported. */
static void report(struct observation *o)
{
	const struct json_opts json = {.no_traces = o->options->no_traces};

	log_progress_end();
	if (o->reported && !o->options->json)
		(void)putchar('\n');
	o->output_error = output_report(o->unreported, o->options->json ? &json : NULL);
	o->reported = true;
	snapshot_free(TAKE(o->unreported));
}

static void show_progress(const struct observation *o)
{
	uint64_t seconds = (clock_monotonic_ns() - o->schedule.start_ns) / CLOCK_NS_PER_S;
	size_t more = o->options->n_pids - 1;
	char others[32] = "";

	if (more > 0)
		(void)snprintf(others, sizeof(others), " and %zu more", more);
	log_progress("%s%s: %llu s, %llu requests; Ctrl-C ends with the report",
		     o->name ? o->name : "?", others, (unsigned long long)seconds,
		     (unsigned long long)o->completed);
}

/*
 * Once all processes waited for have ended: waits for those that they left behind, as a program
 * does that moves to the background. Returns how many that are, or -errno.
 */
static int watch_remaining(struct observation *o)
{
	int n = 0, r;

	if (probe_ended(o->probe))
		return 0;
	r = read_probe(o);
	if (r < 0)
		return r;
	for (size_t i = 0; i < o->unreported->n_services; i++) {
		const struct service *service = &o->unreported->services[i];

		for (size_t k = 0; k < service->n_pids && n < WATCHED_MAX; k++) {
			r = watch_add_process(&o->watch, service->pids[k]);
			if (r < 0 && r != -ESRCH)
				return r;
			n += r == 0;
		}
	}
	return n;
}

/* Acts on an event. Returns 1 if the observation goes on, 0 if it is over, -errno. */
static int handle_event(struct observation *o, enum watch_event event, enum due due)
{
	int r;

	if (event == WATCH_SIGNAL)
		return 0;
	if (event == WATCH_READER_CLOSED) {
		o->output_error = -EPIPE;
		return 0;
	}
	if (event == WATCH_PROCESS_ENDED)
		return o->watch.n_processes > 0 ? 1 : watch_remaining(o);
	if (due == DUE_END)
		return 0;
	r = read_probe(o);
	if (r < 0)
		return r;
	if (due == DUE_REPORT)
		report(o);
	else
		show_progress(o);
	return o->output_error ? 0 : 1;
}

/* Until the observation is over. 0 or -errno. */
static int observe(struct observation *o)
{
	int r;

	do {
		enum watch_event event;
		uint64_t due_ns;
		enum due due = schedule_next(&o->schedule, clock_monotonic_ns(), &due_ns);

		r = watch_set_alarm(&o->watch, due_ns);
		if (r < 0)
			return r;
		r = watch_wait(&o->watch, &event);
		if (r < 0)
			return r;
		r = handle_event(o, event, due);
	} while (r > 0);
	return r;
}

/* The name the progress line shows. Without one it does without. */
static char *short_name(pid_t pid)
{
	_cleanup_free_ char *bytes = NULL;
	_cleanup_free_ char *text = NULL;

	if (target_name(pid, &bytes) < 0)
		return NULL;
	text = text_sanitize(bytes);
	return text ? text_truncate(text, NAME_COLUMNS) : NULL;
}

static int wait_for_processes(struct observation *o)
{
	int r;

	r = watch_open(&o->watch);
	for (size_t i = 0; i < o->options->n_pids && r == 0; i++)
		r = watch_add_process(&o->watch, o->options->pids[i]);
	return r;
}

/* The watch before the probe, so that no end goes unseen. 0, or -errno and why. */
static int start(struct observation *o, struct probe_error *ret_error)
{
	const struct options *options = o->options;
	const struct probe_opts opts = {
		.pids = options->pids,
		.n_pids = options->n_pids,
		.max_peers = options->max_peers,
		.max_processes = options->max_processes,
		.socket_set = options->socket_set,
		.no_task_storage = options->no_task_storage,
	};
	int r;

	o->name = short_name(options->pids[0]);
	r = wait_for_processes(o);
	if (r < 0) {
		ret_error->exit_status = EXIT_STATUS_FAILED;
		(void)snprintf(ret_error->cause, sizeof(ret_error->cause),
			       "cannot wait for the service to end: %s", strerror(-r));
		(void)snprintf(ret_error->fix, sizeof(ret_error->fix), "%s",
			       r == -ESRCH ? "look its PID up again" : "Linux 5.3 or later can");
		return r;
	}
	r = probe_open(&opts, &o->probe, ret_error);
	if (r < 0)
		return r;
	o->schedule = (struct schedule){
		.start_ns = clock_monotonic_ns(),
		.duration_ns = options->duration_ns,
		.interval_ns = options->interval_ns,
		.progress_ns = isatty(STDERR_FILENO) ? CLOCK_NS_PER_S : 0,
	};
	return 0;
}

/* Reports what is left to report. error: 0, or the -errno the observation failed with. Returns the
 * exit status. */
static int finish(struct observation *o, int error)
{
	if (!error)
		error = read_probe(o);
	/* The service is set free, and the next Ctrl-C heard, before anything is written. */
	probe_close(TAKE(o->probe));
	watch_close(&o->watch);
	if (o->unreported && !o->output_error)
		report(o);
	log_progress_end();
	if (error < 0)
		log_error(
			"cannot read what was measured: %s: 'ioprof doctor' shows what this kernel allows",
			strerror(-error));
	return output_end(o->output_error, error < 0 ? EXIT_STATUS_FAILED : EXIT_STATUS_DONE);
}

int observe_run(int argc, char **argv)
{
	_cleanup_(options_free) struct options options = {0};
	_cleanup_(observation_end) struct observation o = {.options = &options,
							   .watch = WATCH_NONE};
	struct probe_error error = {0};

	switch (options_parse(argc, argv, &options)) {
	case CLI_PARSED:
		break;
	case CLI_ANSWERED:
		return output_end(0, EXIT_STATUS_DONE);
	case CLI_WRONG:
		return EXIT_STATUS_USAGE;
	}
	if (!targets_check(options.pids, options.n_pids))
		return EXIT_STATUS_FAILED;
	if (start(&o, &error) < 0) {
		log_error("%s: %s", error.cause, error.fix);
		return error.exit_status;
	}
	return finish(&o, observe(&o));
}
