/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * observe SERVICE CLIENT REQUESTS: starts the known-answer service, observes it while the client
 * sends it so many requests, and prints the document. What a guest without any user land can run.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "probe/probe.h"
#include "report/report.h"

#define LINE_BYTES 128

static pid_t start(const char *const argv[], int out)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(out, STDOUT_FILENO) >= 0)
		(void)execv(argv[0], (char *const *)argv);
	_exit(127);
}

/* The service says where it listens once it does. */
static bool read_address(int fd, char address[LINE_BYTES])
{
	static const char prefix[] = "listening on ";
	_cleanup_fclose_ FILE *in = fdopen(fd, "r");
	char line[LINE_BYTES];

	if (!in || !fgets(line, sizeof(line), in) || strncmp(line, prefix, strlen(prefix)) != 0)
		return false;
	line[strcspn(line, "\n")] = '\0';
	(void)snprintf(address, LINE_BYTES, "%s", line + strlen(prefix));
	return true;
}

static int observe(pid_t service, const char *const client[])
{
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	_cleanup_(probe_closep) struct probe *probe = NULL;
	const struct probe_opts opts = {.pids = &service, .n_pids = 1};
	struct probe_error error = {0};
	int status;

	if (probe_open(&opts, &probe, &error) < 0) {
		(void)fprintf(stderr, "%s: %s\n", error.cause, error.fix);
		return 1;
	}
	if (waitpid(start(client, STDERR_FILENO), &status, 0) < 0 || status != 0)
		return 1;
	if (probe_read(probe, &s) < 0)
		return 1;
	return report_json(stdout, s, NULL) < 0 || fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
	char address[LINE_BYTES], requests[LINE_BYTES];
	int pipe_fds[2], status = 1;
	pid_t service;

	if (argc != 4 || pipe(pipe_fds) < 0)
		return 2;
	(void)snprintf(requests, sizeof(requests), "--requests=%s", argv[3]);
	service = start((const char *[]){argv[1], "--listen=127.0.0.1:0", "--processes=2",
					 "--cpu=500", NULL},
			pipe_fds[1]);
	(void)close(pipe_fds[1]);
	if (service > 0 && read_address(pipe_fds[0], address))
		status = observe(service, (const char *[]){argv[2], address, requests,
							   "--connections=2", NULL});
	(void)kill(service, SIGTERM);
	return status;
}
