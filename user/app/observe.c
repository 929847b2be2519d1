/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "ioprof -p PID": opens the probe, waits, reports. The kernel does the counting; this process runs
 * when a report is due, once a second for the progress line if a terminal shows it (else every ten,
 * to make room in the kernel's table of sampled requests), and at the end.
 * However the observation ends, what was seen so far is reported.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/calibration_file.h"
#include "app/command.h"
#include "app/dashboard.h"
#include "app/exit_status.h"
#include "app/observation.h"
#include "app/options.h"
#include "app/output.h"
#include "app/schedule.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

/* Without a progress line, the probe is read so often. */
#define UNSEEN_NS (10 * CLOCK_NS_PER_S)

struct reporting {
	const struct options *options;
	struct observation observation;
	struct schedule schedule;
	bool shows_progress;
	bool reported;	  /* at least once */
	int output_error; /* of writing a report: 0 or -errno */
};

/* Writes the report of what is unreported. */
static void report(struct reporting *o)
{
	struct advice_opts what_if;
	bool wanted = what_if_opts(&o->options->what_if, o->observation.unreported->n_services,
				   o->options->interval_ns, &what_if);
	const struct advice_opts *advice = wanted ? &what_if : NULL;
	const struct json_opts json = {.advice = advice, .no_traces = o->options->no_traces};

	log_progress_end();
	if (o->reported && !o->options->json)
		(void)putchar('\n');
	o->output_error =
		output_report(o->observation.unreported, o->options->json ? &json : NULL, advice);
	o->reported = true;
	snapshot_free(TAKE(o->observation.unreported));
}

static void show_progress(const struct reporting *o)
{
	uint64_t seconds = (clock_monotonic_ns() - o->schedule.start_ns) / CLOCK_NS_PER_S;
	size_t more = probe_services(o->observation.probe) - 1;
	char others[32] = "";

	if (more > 0)
		(void)snprintf(others, sizeof(others), " and %zu more", more);
	log_progress("%s%s: %llu s, %llu requests; Ctrl-C ends with the report",
		     o->observation.name ? o->observation.name : "?", others,
		     (unsigned long long)seconds, (unsigned long long)o->observation.completed);
}

/* Acts on an event. Returns 1 if the observation goes on, 0 if it is over, -errno. */
static int handle_event(struct reporting *o, enum watch_event event, enum due due)
{
	int r;

	if (event == WATCH_SIGNAL)
		return 0;
	if (event == WATCH_READER_CLOSED) {
		o->output_error = -EPIPE;
		return 0;
	}
	if (event == WATCH_PROCESS_ENDED)
		return observation_process_ended(&o->observation);
	if (due == DUE_END)
		return 0;
	r = observation_read(&o->observation);
	if (r < 0)
		return r;
	if (due == DUE_REPORT && o->observation.unreported)
		report(o);
	else if (o->shows_progress)
		show_progress(o);
	return o->output_error || o->observation.too_costly ? 0 : 1;
}

/* Until the observation is over. 0 or -errno. */
static int observe(struct reporting *o)
{
	struct watch *watch = &o->observation.watch;
	int r;

	o->shows_progress = isatty(STDERR_FILENO);
	o->schedule = (struct schedule){
		.start_ns = clock_monotonic_ns(),
		.duration_ns = o->options->duration_ns,
		.interval_ns = o->options->interval_ns,
		.progress_ns = o->shows_progress ? CLOCK_NS_PER_S : UNSEEN_NS,
	};
	do {
		enum watch_event event;
		uint64_t due_ns;
		enum due due = schedule_next(&o->schedule, clock_monotonic_ns(), &due_ns);

		r = watch_set_alarm(watch, due_ns);
		if (r < 0)
			return r;
		r = observation_wait(&o->observation, &event);
		if (r < 0)
			return r;
		r = handle_event(o, event, due);
	} while (r > 0);
	return r;
}

/* Reports what is left to report. error: 0, or the -errno the observation failed with. Returns the
 * exit status. */
static int finish(struct reporting *o, int error)
{
	if (!error)
		error = observation_read_last(&o->observation);
	/* The service is set free, and the next Ctrl-C heard, before anything is written. */
	observation_stop(&o->observation);
	if (observation_has_rest(&o->observation, o->reported) && !o->output_error)
		report(o);
	log_progress_end();
	if (error < 0)
		log_error(
			"cannot read what was measured: %s: 'ioprof doctor' shows what this kernel allows",
			strerror(-error));
	return output_end(o->output_error, error < 0 ? EXIT_STATUS_FAILED : EXIT_STATUS_DONE);
}

/* 0, or -errno having said why. */
static int show_dashboard(struct reporting *o)
{
	const struct dashboard_opts opts = {
		.observation = &o->observation,
		.interval_ns = o->options->interval_ns,
		.what_if = &o->options->what_if,
	};
	const char *cause = NULL;
	int r = dashboard_run(&opts, &cause);

	if (r < 0)
		log_error("%s: %s: use --text", cause, strerror(-r));
	return r;
}

static void reporting_end(struct reporting *o)
{
	observation_end(&o->observation);
}

int observe_run(int argc, char **argv)
{
	_cleanup_(options_free) struct options options = {0};
	_cleanup_(reporting_end) struct reporting o = {.options = &options,
						       .observation = OBSERVATION_NONE};
	struct calibration calibration;
	int status;

	switch (options_parse(argc, argv, &options)) {
	case CLI_PARSED:
		break;
	case CLI_ANSWERED:
		return output_end(0, EXIT_STATUS_DONE);
	case CLI_WRONG:
		return EXIT_STATUS_USAGE;
	}
	(void)calibration_file_use(&calibration, &options.what_if.opts);
	status = observation_start(&o.observation, &options);
	if (status != EXIT_STATUS_DONE)
		return status;
	if (!options.json && !options.text && !options.duration_ns && dashboard_possible())
		return finish(&o, show_dashboard(&o));
	return finish(&o, observe(&o));
}
