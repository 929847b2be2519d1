/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Foreign strings: names of processes and addresses of peers are chosen by whoever runs them and
 * may hold any bytes. They are kept as they are and pass through here on their way out.
 */
#ifndef IOPROF_BASE_TEXT_H
#define IOPROF_BASE_TEXT_H

#include <stddef.h>

/*
 * For people: valid UTF-8 without anything that could steer a terminal or disguise what stands
 * there. Control characters, bytes that are not UTF-8, and invisible or direction-changing
 * characters become visible escapes
 * ("\n", "\x1b", "\u202e"). The caller frees; NULL when out of memory.
 */
char *text_sanitize(const char *bytes);

/*
 * For machines: valid UTF-8, each byte that is not part of any becomes U+FFFD. All else, control
 * characters too, is kept for the encoder to escape. The caller frees; NULL when out of memory.
 */
char *text_utf8(const char *bytes);

/* How many terminal columns sanitized text takes. */
size_t text_width(const char *text);

/* Sanitized text cut to at most so many columns; what was cut ends in "…". The caller frees; NULL
 * when out of memory. */
char *text_truncate(const char *text, size_t columns);

#endif
