/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"

#define MAPPED_FROM_BYTES (64 << 10)

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"calibrate", calibrate_run},
	{"diff", diff_run},
	{"doctor", doctor_run},
	{"record", record_run},
	{"report", report_run},
	{"export", export_run},
	{"top", top_run},
};

/* Closed standard streams would be reopened as whatever comes next, and reports written into it. */
static void open_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* The lowest free number is this one. The wrong way round, so that using it is an
		 * error. */
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
	}
}

/* Help is longer than what the C library buffers, and libc's argp does not tell that writing
 * failed: written as a whole, output_end() sees it. */
static void hold_output(void)
{
	static char buffer[1 << 16];

	if (!isatty(STDOUT_FILENO))
		(void)setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
}

int main(int argc, char **argv)
{
	open_standard_streams();
	hold_output();
	/* Snapshots of many services are large and live for an interval: mapped, they leave no
	 * holes. Without this, glibc takes to the heap for them: 200 MB instead of 30 for 200
	 * services. */
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
	/* Only characters follow the locale: numbers are the same everywhere. */
	(void)setlocale(LC_CTYPE, "");
	/* A reader that is gone shows as EPIPE where the report is written. */
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	return observe_run(argc, argv);
}
