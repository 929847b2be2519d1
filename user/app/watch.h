/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an observation waits for: the next alarm, the end of processes, a signal to end, and the end
 * of whoever reads the output. Everything arrives through one epoll; between events nothing runs.
 */
#ifndef IOPROF_APP_WATCH_H
#define IOPROF_APP_WATCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WATCH_OTHERS_MOST 4

struct watch {
	int epoll, signals, alarm;
	int look;	/* -1 until watch_look_every() */
	int sample;	/* -1 until watch_set_sample() */
	int *processes; /* pidfds of those that still run */
	size_t n_processes;
	int others[WATCH_OTHERS_MOST]; /* not owned */
	size_t n_others;
};

/* A watch that owns nothing yet. */
#define WATCH_NONE \
	((struct watch){.epoll = -1, .signals = -1, .alarm = -1, .look = -1, .sample = -1})

enum watch_event {
	WATCH_ALARM,
	WATCH_PROCESS_ENDED,
	WATCH_SIGNAL,	     /* SIGINT, SIGTERM or SIGHUP */
	WATCH_READER_CLOSED, /* of the pipe that standard output is */
	WATCH_LOOK,	     /* at the pace of watch_look_every() */
	WATCH_SAMPLE,	     /* at the time of watch_set_sample() */
	WATCH_OTHER,	     /* something added by watch_add_other() is ready */
};

/* From here on the signals arrive as events; a SIGHUP that was ignored, as under nohup, stays so. 0
 * or -errno. */
int watch_open(struct watch *watch);

/* Frees, and lets the next SIGINT or SIGTERM end this process at once. */
void watch_close(struct watch *watch);

/* Also waits for the end of a process. 0, -ESRCH when it has ended already, -errno. */
int watch_add_process(struct watch *watch, pid_t pid);

/* Also waits until a descriptor that stays the caller's is readable. Level triggered. 0 or -errno.
 */
int watch_add_other(struct watch *watch, int fd);

/* No longer tells of the end of standard output's reader. */
void watch_forget_reader(const struct watch *watch);

/* From here on tells every so often to look for what has changed. 0 or -errno. */
int watch_look_every(struct watch *watch, uint64_t period_ns);

/* Sets the alarm to a time of the monotonic clock; 0 takes it back. 0 or -errno. */
int watch_set_alarm(struct watch *watch, uint64_t at_ns);

/* The same as watch_set_alarm() for WATCH_SAMPLE. */
int watch_set_sample(struct watch *watch, uint64_t at_ns);

/* Waits for the next event. 0 or -errno. */
int watch_wait(struct watch *watch, enum watch_event *ret_event);

#endif
