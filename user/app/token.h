/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The secret that readers of the exporter must show, kept in a file. */
#ifndef IOPROF_APP_TOKEN_H
#define IOPROF_APP_TOKEN_H

#include <stdbool.h>

#define TOKEN_BYTES_MIN 16
#define TOKEN_BYTES_MAX 512

/*
 * Reads the token: the first line of a regular file that nobody but its owner, who is root or this
 * user, can read or write. The caller frees. 0; -EINVAL for what is no such file, -EPERM for one
 * that others have access to, -EBADMSG for a token that is too short, too long or not of visible
 * ASCII characters; -errno.
 */
int token_read(const char *path, char **ret_token);

/* The cause of an error of token_read() and what to do about it, "cause: fix". */
const char *token_explain(int error);

/* Whether two strings are the same. How long it takes says nothing about where they differ. */
bool token_equal(const char *token, const char *shown);

#endif
