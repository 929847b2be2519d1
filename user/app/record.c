/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "ioprof record -o FILE": every interval is written as it ends, so that whatever happens, what was
 * recorded before is on disk and whole. A file that is there is left alone, or added to if asked.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "app/command.h"
#include "app/exit_status.h"
#include "app/observation.h"
#include "app/output.h"
#include "app/output_file.h"
#include "app/schedule.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "record/recording_writer.h"

#define DEFAULT_INTERVAL_NS (10 * CLOCK_NS_PER_S)
/* The kernel's table of sampled requests is emptied so often at least. */
#define UNSEEN_NS (10 * CLOCK_NS_PER_S)
#define HOW_TO_SHOW 3 /* groups of options.def that are about reports */
#define WHAT_IF 4

enum { KEY_OUTPUT = 'o', KEY_APPEND = 0x200, KEY_NO_TRACES };

static const struct argp_option own_options[] = {
	{NULL, 0, NULL, 0, "What to write:", HOW_TO_SHOW},
	{"output", KEY_OUTPUT, "FILE", 0, "The recording; - is standard output", 0},
	{"append", KEY_APPEND, NULL, 0, "Add to a recording that is there", 0},
	{"no-traces", KEY_NO_TRACES, NULL, 0,
	 "Leave sampled requests out, without which there is no advice", 0},
	{0},
};

static const char doc[] =
	"Observes services and writes what it sees to a file, an interval at a time (-i, 10 seconds if not given). 'ioprof report' reads it, on any machine. Ends with the service, by -d or by a signal."
	"\v"
	"Examples:\n"
	"  sudo ioprof record -p 1234 -o monday.ioprof\n"
	"  sudo ioprof record -p 1234 -d 3600 -i 60 -o hour.ioprof\n"
	"  sudo ioprof record -p 1234 -d 60 -o - | ioprof report -\n"
	"\n"
	"Exit status: as of ioprof. More: man ioprof-record";

struct recorder {
	struct options options;
	const char *path;
	bool append, no_traces;
	struct observation observation;
	struct schedule schedule;
	bool shows_progress;
	int fd;
	bool created;
	uint64_t intervals;
	int output_error; /* of writing the recording: 0 or -errno */
};

static void recorder_end(struct recorder *o)
{
	observation_end(&o->observation);
	options_free(&o->options);
	if (o->fd > STDERR_FILENO)
		(void)close(o->fd);
}

static error_t parse_own(int key, const char *value, void *input)
{
	struct recorder *o = input;

	switch (key) {
	case KEY_OUTPUT:
		o->path = value;
		return 0;
	case KEY_APPEND:
		o->append = true;
		return 0;
	case KEY_NO_TRACES:
		o->no_traces = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static enum cli_result parse(int argc, char **argv, struct recorder *o)
{
	const struct options_command command = {
		.name = "ioprof record",
		.usage = "ioprof record -p PID[,PID...] -o FILE [OPTION...]",
		.doc = doc,
		.more = own_options,
		.parse = parse_own,
		.input = o,
		.left_out = 1u << HOW_TO_SHOW | 1u << WHAT_IF,
	};
	enum cli_result result = options_parse_command(&command, argc, argv, &o->options);

	if (result != CLI_PARSED)
		return result;
	if (!o->path) {
		log_error("no file to write to: use -o FILE");
		return CLI_WRONG;
	}
	if (!o->options.interval_ns)
		o->options.interval_ns = DEFAULT_INTERVAL_NS;
	return CLI_PARSED;
}

/* ---- the file ---- */

static bool is_stdout(const struct recorder *o)
{
	return strcmp(o->path, "-") == 0;
}

static int open_standard_output(struct recorder *o)
{
	if (isatty(STDOUT_FILENO)) {
		log_error("a recording is not for a terminal: use -o FILE, or a pipe");
		return EXIT_STATUS_USAGE;
	}
	o->fd = STDOUT_FILENO;
	return EXIT_STATUS_DONE;
}

/* Makes sure that nobody else writes, and that what is there is a recording, whole. */
static int prepare_to_append(struct recorder *o)
{
	int64_t cut;

	if (flock(o->fd, LOCK_EX | LOCK_NB) < 0) {
		log_error("cannot add to '%s': %s", o->path,
			  errno == EWOULDBLOCK ? "another ioprof writes to it: give another name"
					       : strerror(errno));
		return EXIT_STATUS_FAILED;
	}
	cut = recording_mend(o->fd);
	if (cut == -EBADMSG) {
		log_error(
			"cannot add to '%s': it is no recording, or damaged: give another name, and 'ioprof report' reads what is intact",
			o->path);
		return EXIT_STATUS_FAILED;
	}
	if (cut < 0) {
		log_error("cannot read '%s': %s", o->path, strerror((int)-cut));
		return EXIT_STATUS_FAILED;
	}
	if (cut > 0)
		log_error("warning: '%s' ended in an interval that was never completed: removed",
			  o->path);
	return EXIT_STATUS_DONE;
}

/* Before privileges are given up: it takes some to become the user who called sudo. */
static int open_output(struct recorder *o)
{
	int r;

	if (is_stdout(o))
		return open_standard_output(o);
	r = output_file_create(o->path, OUTPUT_FILE_PRIVATE, &o->fd);
	o->created = r == 0;
	if (r == -EEXIST && o->append)
		r = output_file_append(o->path, OUTPUT_FILE_PRIVATE, &o->fd);
	if (r < 0) {
		log_error("cannot write to '%s': %s%s", o->path, output_file_explain(r),
			  r == -EEXIST ? ", or --append" : "");
		return EXIT_STATUS_FAILED;
	}
	return prepare_to_append(o);
}

/* ---- the observation ---- */

/* Writes what is unreported. */
static void write_interval(struct recorder *o)
{
	const struct json_opts json = {.no_traces = o->no_traces};

	log_progress_end();
	o->output_error = recording_write(o->fd, o->observation.unreported, &json);
	o->intervals += o->output_error == 0;
	snapshot_free(TAKE(o->observation.unreported));
}

static void show_progress(const struct recorder *o)
{
	uint64_t seconds = (clock_monotonic_ns() - o->schedule.start_ns) / CLOCK_NS_PER_S;

	log_progress("%s: %" PRIu64 " s, %" PRIu64 " requests, %" PRIu64
		     " intervals written; Ctrl-C ends",
		     o->observation.name ? o->observation.name : "?", seconds,
		     o->observation.completed, o->intervals);
}

/* Acts on an event. Returns 1 if the observation goes on, 0 if it is over, -errno. */
static int handle_event(struct recorder *o, enum watch_event event, enum due due)
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
		write_interval(o);
	else if (o->shows_progress)
		show_progress(o);
	return o->output_error || o->observation.too_costly ? 0 : 1;
}

/* Until the observation is over. 0 or -errno. */
static int observe(struct recorder *o)
{
	struct watch *watch = &o->observation.watch;
	int r;

	if (!is_stdout(o))
		watch_forget_reader(watch);
	o->shows_progress = isatty(STDERR_FILENO);
	o->schedule = (struct schedule){
		.start_ns = clock_monotonic_ns(),
		.duration_ns = o->options.duration_ns,
		.interval_ns = o->options.interval_ns,
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

/* Writes what is left to write. error: 0, or the -errno the observation failed with. Returns the
 * exit status. */
static int finish(struct recorder *o, int error)
{
	if (!error)
		error = observation_read_last(&o->observation);
	observation_stop(&o->observation);
	if (observation_has_rest(&o->observation, o->intervals > 0) && !o->output_error)
		write_interval(o);
	log_progress_end();
	if (error < 0)
		log_error(
			"cannot read what was measured: %s: 'ioprof doctor' shows what this kernel allows",
			strerror(-error));
	if (!o->output_error && close(o->fd) < 0)
		o->output_error = error_last();
	o->fd = -1;
	if (o->output_error && o->output_error != -EPIPE)
		log_error("cannot write to '%s': %s; the %" PRIu64 " intervals before are whole",
			  o->path, output_file_explain(o->output_error), o->intervals);
	return error < 0 || o->output_error ? EXIT_STATUS_FAILED : EXIT_STATUS_DONE;
}

int record_run(int argc, char **argv)
{
	_cleanup_(recorder_end) struct recorder o = {.observation = OBSERVATION_NONE, .fd = -1};
	int status;

	switch (parse(argc, argv, &o)) {
	case CLI_PARSED:
		break;
	case CLI_ANSWERED:
		return output_end(0, EXIT_STATUS_DONE);
	case CLI_WRONG:
		return EXIT_STATUS_USAGE;
	}
	status = open_output(&o);
	if (status != EXIT_STATUS_DONE)
		return status;
	status = observation_start(&o.observation, &o.options);
	if (status != EXIT_STATUS_DONE) {
		/* An empty file would be in the way of the next attempt. */
		if (o.created)
			(void)output_file_remove(o.path);
		return status;
	}
	return finish(&o, observe(&o));
}
