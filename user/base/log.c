/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/text.h"

static bool progress_shown;

static void print_line(const char *before, const char *format, va_list args, const char *after)
{
	_cleanup_free_ char *raw = NULL;
	_cleanup_free_ char *line = NULL;

	if (vasprintf(&raw, format, args) < 0)
		raw = NULL;
	else
		line = text_sanitize(raw);
	/* One write: a message stays whole beside those of others. If stderr fails there is nobody
	 * left to tell. */
	(void)fprintf(stderr, "%s%s%s", before, line ? line : "out of memory", after);
	(void)fflush(stderr);
}

void log_error(const char *format, ...)
{
	va_list args;

	log_progress_end();
	va_start(args, format);
	print_line("ioprof: ", format, args, "\n");
	va_end(args);
}

void log_progress(const char *format, ...)
{
	va_list args;

	progress_shown = true;
	va_start(args, format);
	print_line("\r", format, args, "\x1b[K");
	va_end(args);
}

void log_progress_end(void)
{
	if (!progress_shown)
		return;
	progress_shown = false;
	(void)fputs("\r\x1b[K", stderr);
	(void)fflush(stderr);
}
