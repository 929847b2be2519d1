/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "ioprof top FILE": the dashboard on a recording, an interval per second. Where it goes back it
 * reads again from the start, past intervals it need not look into.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "app/calibration_file.h"
#include "app/cli.h"
#include "app/command.h"
#include "app/dashboard.h"
#include "app/exit_status.h"
#include "app/output.h"
#include "app/recordings.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "record/recording.h"

static const char doc[] =
	"Shows a recording in the dashboard, an interval per second; the keys of its help (?) go back and forth. Of a live service it is what 'sudo ioprof -p PID' shows on a terminal."
	"\v"
	"Example:\n"
	"  ioprof top monday.ioprof\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage.\n"
	"More: man ioprof-top";

struct replay {
	const char *path;
	int fd;
	struct recording *recording;
	long at;	       /* the position of the next interval, from 0 */
	struct snapshot *head; /* the first interval, until it is asked for */
};

static void replay_end(struct replay *replay)
{
	recording_close(replay->recording);
	snapshot_free(replay->head);
	cleanup_close(&replay->fd);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct replay *replay = state->input;

	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	if (replay->path) {
		log_error("top shows one recording: leave out '%s'", arg);
		return CLI_TOLD;
	}
	replay->path = arg;
	return 0;
}

static int next(void *ctx, struct snapshot **ret_snapshot)
{
	struct replay *replay = ctx;
	int r = 1;

	if (replay->head)
		*ret_snapshot = TAKE(replay->head);
	else
		r = recording_next(replay->recording, ret_snapshot);
	replay->at += r > 0;
	return r;
}

/* Passes by intervals up to a position, or the end. 1 if there is one at the position, 0 if not,
 * -errno. */
static int skip_to(struct replay *replay, long target)
{
	int r = 1;

	while (replay->at < target && (r = recording_skip(replay->recording)) > 0)
		replay->at++;
	return r;
}

static int rewind_recording(struct replay *replay)
{
	struct recording *again;
	int r = recording_open(replay->fd, &again);

	if (r < 0)
		return r;
	recording_close(replay->recording);
	snapshot_free(TAKE(replay->head));
	replay->recording = again;
	replay->at = 0;
	return 0;
}

/* Shown is the interval before the next one: so many on from there. */
static int seek(void *ctx, long by)
{
	struct replay *replay = ctx;
	long target = replay->at - 1 + by, end;
	int r = 0;

	if (target < 0)
		target = 0;
	if (target < replay->at)
		r = rewind_recording(replay);
	if (r == 0)
		r = skip_to(replay, target);
	if (r < 0 || replay->at == target)
		return r < 0 ? r : 0;
	/* Beyond the end: the last one. */
	end = replay->at;
	r = rewind_recording(replay);
	if (r == 0)
		r = skip_to(replay, end > 0 ? end - 1 : 0);
	return r < 0 ? r : 0;
}

/* Opens the recording and reads its first interval. Returns an exit status. */
static int open_recording(struct replay *replay)
{
	int r;

	replay->fd = open(replay->path, O_RDONLY | O_CLOEXEC);
	r = replay->fd < 0 ? error_last() : recording_open(replay->fd, &replay->recording);
	if (r == 0)
		r = recording_next(replay->recording, &replay->head);
	if (r == 0)
		return recordings_tell(replay->path, recording_damage(replay->recording), 0);
	if (r > 0)
		return EXIT_STATUS_DONE;
	log_error("cannot read %s: %s: name a recording", replay->path, strerror(-r));
	return EXIT_STATUS_FAILED;
}

static int show(struct replay *replay)
{
	const struct dashboard_recording recording = {.ctx = replay, .next = next, .seek = seek};
	struct what_if what_if = {0};
	struct calibration calibration;
	const struct dashboard_opts opts = {.recording = &recording, .what_if = &what_if};
	const char *cause = NULL;
	int r;

	(void)calibration_file_use(&calibration, &what_if.opts);
	r = dashboard_run(&opts, &cause);
	if (r < 0) {
		log_error("%s: %s: use 'ioprof report'", cause, strerror(-r));
		return EXIT_STATUS_FAILED;
	}
	return recordings_tell(replay->path, recording_damage(replay->recording), 1);
}

int top_run(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse_option, .args_doc = "ioprof top FILE", .doc = doc};
	_cleanup_(replay_end) struct replay replay = {.fd = -1};
	int status;

	switch (cli_parse("ioprof top", &argp, argc, argv, &replay)) {
	case CLI_PARSED:
		break;
	case CLI_ANSWERED:
		return output_end(0, EXIT_STATUS_DONE);
	case CLI_WRONG:
		return EXIT_STATUS_USAGE;
	}
	if (!replay.path) {
		log_error("no recording to show: use 'ioprof top FILE'");
		return EXIT_STATUS_USAGE;
	}
	if (!dashboard_possible()) {
		log_error("the dashboard needs a terminal: use 'ioprof report %s'", replay.path);
		return EXIT_STATUS_USAGE;
	}
	status = open_recording(&replay);
	return status == EXIT_STATUS_DONE ? show(&replay) : status;
}
