/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to the person at the terminal: one line each on stderr, "ioprof: " first. Layers below
 * the command return errors; only the command itself logs, so each is said once.
 */
#ifndef IOPROF_BASE_LOG_H
#define IOPROF_BASE_LOG_H

/* "ioprof: <message>". Whatever the arguments contain, it stays one harmless line. */
__attribute__((format(printf, 1, 2))) void log_error(const char *format, ...);

/* Shows a line that the next message or log_progress_end() replaces. Only for a terminal: the
 * caller checks. */
__attribute__((format(printf, 1, 2))) void log_progress(const char *format, ...);
void log_progress_end(void);

#endif
