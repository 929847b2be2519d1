/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ioprof-demo: something to profile. A synchronous HTTP service of 4 worker processes, each request
 * of which takes 2 ms of CPU and asks its database three times (5 to 8 ms each) and its cache once
 * (1 ms), under a load that makes requests queue for a worker now and then. Database, cache and
 * load run beside it.
 *
 * Prints "service PID", the process to observe, and runs until SIGTERM or SIGINT; then nothing is
 * left behind.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "downstream.h"
#include "serve.h"

#define WORKERS 4

enum part { DATABASE, CACHE, SERVICE, LOAD, N_PARTS };

struct demo {
	pid_t pids[N_PARTS];
	int listen_fd, database_fd, cache_fd;
	struct net_address service;
	struct serve_opts serve;
};

/* Forks a process of that name in that process group (0: one of its own), which ends with this one.
 * Returns its pid, 0 in the process itself, or -errno. */
static pid_t fork_named(const char *name, pid_t group)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	(void)setpgid(pid, group ? group : pid);
	if (!pid) {
		(void)prctl(PR_SET_NAME, name);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_FAILURE);
	}
	return pid;
}

/* A listening socket on a free port of the loopback. Returns it and its address, or -errno. */
static int listen_somewhere(struct net_address *ret_address, char ret_name[static NET_NAME_SIZE])
{
	struct net_address any;
	int fd, r;

	r = net_parse("127.0.0.1:0", &any);
	if (r < 0)
		return r;
	fd = net_listen(&any, 0);
	if (fd < 0)
		return fd;
	r = net_name(fd, ret_name);
	if (!r)
		r = net_parse(ret_name, ret_address);
	return r < 0 ? r : fd;
}

static int add_peer(struct work *work, unsigned int calls, struct span delay)
{
	struct work_peer *peer = &work->peers[work->n_peers++];
	char name[NET_NAME_SIZE];

	peer->calls = calls;
	peer->delay = delay;
	return listen_somewhere(&peer->address, name);
}

static int demo_open(struct demo *demo)
{
	struct work *work = &demo->serve.work;
	char name[NET_NAME_SIZE];
	int truth_fd;
	int r;

	*demo = (struct demo){
		.serve =
			{
				.n_threads = 1,
				.work =
					{
						.cpu = {1500 * CLOCK_NS_PER_US,
							2500 * CLOCK_NS_PER_US},
						.peer_sends = 1,
						.peer_pieces = 1,
						.response_bytes = 2000,
						.close = true,
					},
			},
	};
	demo->database_fd =
		add_peer(work, 3, (struct span){5000 * CLOCK_NS_PER_US, 8000 * CLOCK_NS_PER_US});
	demo->cache_fd =
		add_peer(work, 1, (struct span){800 * CLOCK_NS_PER_US, 1200 * CLOCK_NS_PER_US});
	demo->listen_fd = listen_somewhere(&demo->service, name);
	if (demo->database_fd < 0 || demo->cache_fd < 0 || demo->listen_fd < 0)
		return -EADDRNOTAVAIL;
	demo->serve.listen_fd = demo->listen_fd;
	r = truth_open(-1, &work->truth, &truth_fd);
	return r < 0 ? r : work_prepare(work);
}

static int run_load(const struct demo *demo)
{
	const struct client_opts opts = {
		.address = demo->service,
		.connections = 6,
		.think_ns = 10000 * CLOCK_NS_PER_US,
		.duration_ns = 3600 * CLOCK_NS_PER_S,
		.close = true,
		.body_pieces = 1,
	};
	struct client_result result;
	struct client *client;

	return client_run(&opts, NULL, &client, &result);
}

/* The service: a master that only waits for its workers. */
static int run_service(const struct demo *demo)
{
	for (unsigned int i = 0; i < WORKERS; i++) {
		pid_t pid = fork_named("demo-service", getpgrp());

		if (!pid)
			_exit(serve_blocking(&demo->serve) < 0);
	}
	(void)wait(NULL);
	return -ECHILD;
}

static void run_part(const struct demo *demo, enum part part)
{
	int r = -EINVAL;

	if (part == DATABASE)
		r = downstream_serve(&demo->database_fd, 1);
	else if (part == CACHE)
		r = downstream_serve(&demo->cache_fd, 1);
	else if (part == SERVICE)
		r = run_service(demo);
	else if (part == LOAD)
		r = run_load(demo);
	_exit(r < 0);
}

/* Starts the parts. Returns the service's pid or -errno. */
static pid_t start(struct demo *demo)
{
	static const char *const names[N_PARTS] = {
		[DATABASE] = "demo-database",
		[CACHE] = "demo-cache",
		[SERVICE] = "demo-service",
		[LOAD] = "demo-load",
	};

	for (enum part part = 0; part < N_PARTS; part++) {
		pid_t pid = fork_named(names[part], demo->pids[0]);

		if (pid < 0)
			return pid;
		if (!pid)
			run_part(demo, part);
		demo->pids[part] = pid;
	}
	return demo->pids[SERVICE];
}

/* All at once, the service's workers included, so that none is left to complain of another's end.
 * The workers are then children of this process, the subreaper. */
static void end(const struct demo *demo)
{
	if (demo->pids[0] > 0)
		(void)kill(-demo->pids[0], SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

int main(void)
{
	struct demo demo;
	sigset_t signals;
	pid_t service;
	int r, sig;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	r = demo_open(&demo);
	service = r < 0 ? r : start(&demo);
	if (service < 0) {
		(void)fprintf(stderr, "ioprof-demo: %s\n", strerror(-service));
		end(&demo);
		return EXIT_FAILURE;
	}
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)printf("service %d\n", service);
	(void)fflush(stdout);
	sig = sigwaitinfo(&signals, NULL);
	end(&demo);
	/* A part that ended before it was told to is an error. */
	return sig == SIGCHLD ? EXIT_FAILURE : EXIT_SUCCESS;
}
