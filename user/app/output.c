/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/output.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/exit_status.h"
#include "base/error.h"
#include "base/log.h"

struct report_opts output_describe_terminal(void)
{
	struct report_opts opts = {.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
	const char *type = getenv("TERM");
	const char *no_color = getenv("NO_COLOR"); /* https://no-color.org */
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return opts;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		opts.columns = size.ws_col;
	opts.color = type && strcmp(type, "dumb") != 0 && !(no_color && *no_color);
	return opts;
}

int output_report(const struct snapshot *s, const struct json_opts *json,
		  const struct advice_opts *advice)
{
	struct report_opts opts = output_describe_terminal();
	int r;

	opts.advice = advice;
	r = json ? report_json(stdout, s, json) : report_text(stdout, s, &opts);
	if (r < 0)
		return r;
	if (fflush(stdout) != 0)
		return error_last();
	return 0;
}

int output_end(int error, int done)
{
	if (!error && fflush(stdout) != 0)
		error = error_last();
	/* Some file systems, NFS for one, say only now that there was no room. */
	if (!error && close(STDOUT_FILENO) != 0)
		error = error_last();
	if (!error)
		return done;
	if (error != -EPIPE)
		log_error("cannot write the report: %s", strerror(-error));
	return EXIT_STATUS_FAILED;
}
