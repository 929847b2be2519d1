/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/watch.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"

static int add_fd(const struct watch *watch, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return epoll_ctl(watch->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? error_last() : 0;
}

static int block_signals(sigset_t *ret_signals)
{
	struct sigaction hangup;

	(void)sigemptyset(ret_signals);
	(void)sigaddset(ret_signals, SIGINT);
	(void)sigaddset(ret_signals, SIGTERM);
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		(void)sigaddset(ret_signals, SIGHUP);
	return sigprocmask(SIG_BLOCK, ret_signals, NULL) < 0 ? error_last() : 0;
}

int watch_open(struct watch *watch)
{
	sigset_t signals;
	int r;

	r = block_signals(&signals);
	if (r < 0)
		return r;
	watch->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (watch->epoll < 0)
		return error_last();
	watch->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (watch->signals < 0)
		return error_last();
	watch->alarm = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (watch->alarm < 0)
		return error_last();
	r = add_fd(watch, watch->signals, EPOLLIN);
	if (r < 0)
		return r;
	/* Asked for nothing, epoll still tells of a closed pipe. A file cannot be watched and need
	 * not be. */
	(void)add_fd(watch, STDOUT_FILENO, 0);
	return add_fd(watch, watch->alarm, EPOLLIN);
}

static void close_fd(int *fd)
{
	cleanup_close(fd);
	*fd = -1;
}

void watch_close(struct watch *watch)
{
	sigset_t at_once;

	close_fd(&watch->epoll);
	close_fd(&watch->signals);
	close_fd(&watch->alarm);
	close_fd(&watch->look);
	close_fd(&watch->sample);
	while (watch->n_processes > 0)
		close_fd(&watch->processes[--watch->n_processes]);
	free(watch->processes);
	watch->processes = NULL;
	/* Not SIGHUP: a terminal that closes sends more than one. */
	(void)sigemptyset(&at_once);
	(void)sigaddset(&at_once, SIGINT);
	(void)sigaddset(&at_once, SIGTERM);
	(void)sigprocmask(SIG_UNBLOCK, &at_once, NULL);
}

static void remove_process(struct watch *watch, int fd)
{
	for (size_t i = 0; i < watch->n_processes; i++) {
		if (watch->processes[i] != fd)
			continue;
		watch->processes[i] = watch->processes[--watch->n_processes];
		(void)close(fd);
		return;
	}
}

int watch_add_process(struct watch *watch, pid_t pid)
{
	int *processes = reallocarray(watch->processes, watch->n_processes + 1, sizeof(*processes));
	int fd, r;

	if (!processes)
		return -ENOMEM;
	watch->processes = processes;
	fd = pidfd_open(pid, 0);
	if (fd < 0)
		return error_last();
	processes[watch->n_processes++] = fd;
	r = add_fd(watch, fd, EPOLLIN);
	if (r < 0)
		remove_process(watch, fd);
	return r;
}

void watch_forget_reader(const struct watch *watch)
{
	(void)epoll_ctl(watch->epoll, EPOLL_CTL_DEL, STDOUT_FILENO, NULL);
}

int watch_add_other(struct watch *watch, int fd)
{
	int r;

	if (watch->n_others == WATCH_OTHERS_MOST)
		return -ENOSPC;
	r = add_fd(watch, fd, EPOLLIN);
	if (r < 0)
		return r;
	watch->others[watch->n_others++] = fd;
	return 0;
}

static bool is_other(const struct watch *watch, int fd)
{
	for (size_t i = 0; i < watch->n_others; i++) {
		if (watch->others[i] == fd)
			return true;
	}
	return false;
}

int watch_look_every(struct watch *watch, uint64_t period_ns)
{
	const struct itimerspec every = {.it_interval = clock_timespec(period_ns),
					 .it_value = clock_timespec(period_ns)};

	watch->look = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (watch->look < 0 || timerfd_settime(watch->look, 0, &every, NULL) < 0)
		return error_last();
	return add_fd(watch, watch->look, EPOLLIN);
}

static int set_timer(int fd, uint64_t at_ns)
{
	const struct itimerspec at = {.it_value = clock_timespec(at_ns)};

	return timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL) < 0 ? error_last() : 0;
}

int watch_set_alarm(struct watch *watch, uint64_t at_ns)
{
	return set_timer(watch->alarm, at_ns);
}

int watch_set_sample(struct watch *watch, uint64_t at_ns)
{
	int r;

	if (watch->sample < 0) {
		watch->sample = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		if (watch->sample < 0)
			return error_last();
		r = add_fd(watch, watch->sample, EPOLLIN);
		if (r < 0)
			return r;
	}
	return set_timer(watch->sample, at_ns);
}

int watch_wait(struct watch *watch, enum watch_event *ret_event)
{
	struct signalfd_siginfo signal;
	struct epoll_event event;
	uint64_t expirations;
	int n;

	do {
		n = epoll_wait(watch->epoll, &event, 1, -1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_last();
	if (event.data.fd == watch->signals) {
		(void)!read(watch->signals, &signal, sizeof(signal));
		*ret_event = WATCH_SIGNAL;
	} else if (event.data.fd == watch->alarm) {
		(void)!read(watch->alarm, &expirations, sizeof(expirations));
		*ret_event = WATCH_ALARM;
	} else if (event.data.fd == watch->look) {
		(void)!read(watch->look, &expirations, sizeof(expirations));
		*ret_event = WATCH_LOOK;
	} else if (event.data.fd == watch->sample) {
		(void)!read(watch->sample, &expirations, sizeof(expirations));
		*ret_event = WATCH_SAMPLE;
	} else if (event.data.fd == STDOUT_FILENO) {
		*ret_event = WATCH_READER_CLOSED;
	} else if (is_other(watch, event.data.fd)) {
		*ret_event = WATCH_OTHER;
	} else {
		remove_process(watch, event.data.fd);
		*ret_event = WATCH_PROCESS_ENDED;
	}
	return 0;
}
