/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that ioprof writes where the user says: recordings, saved snapshots, metrics. Whatever name
 * is given, by whomever, this cannot be made to write to something else:
 *
 * - Under sudo everything is done as the user who called it (SUDO_UID, SUDO_GID and that user's
 *   groups), so the kernel allows what it would allow that user, and the file is theirs.
 * - The name itself is never a symbolic link, and what is opened is a regular file with one name.
 *
 * Only the calling thread changes its identity, and only during the call. It takes CAP_SETUID and
 * CAP_SETGID; a process that has given these up should have become the user before.
 */
#ifndef IOPROF_APP_OUTPUT_FILE_H
#define IOPROF_APP_OUTPUT_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* What only its owner may read, and what everybody may. The umask takes away from both. */
#define OUTPUT_FILE_PRIVATE 0600
#define OUTPUT_FILE_PUBLIC 0644

/* Makes a new file, open for writing. 0; -EEXIST if there is anything of that name; -errno. */
int output_file_create(const char *path, mode_t mode, int *ret_fd);

/*
 * Opens a file to read it and to add to its end, made if it is missing. 0; -ELOOP for a symbolic
 * link, -EINVAL for what is no regular file, -EMLINK for a file with other names too; -errno.
 */
int output_file_append(const char *path, mode_t mode, int *ret_fd);

/*
 * Puts a file with this content in the place of what is there, or nothing: readers see the old or
 * the new one, whole, and a failure leaves the old one. 0 or -errno.
 */
int output_file_replace(const char *path, mode_t mode, const void *content, size_t size);

/* Removes it, whatever it is. 0 or -errno. */
int output_file_remove(const char *path);

/* Makes the directories that path lies in, those that are missing, for their owner only. 0 or
 * -errno. */
int output_file_make_folders(const char *path);

/*
 * Reads all of a file that ioprof wrote, with a terminator behind it; the caller frees. 0; errors
 * as of output_file_append(), but -ENOENT where there is none, and -EFBIG above most bytes.
 */
int output_file_read(const char *path, size_t most, char **ret_bytes, size_t *ret_size);

/* Writes all of it. 0 or -errno. */
int output_file_write(int fd, const void *bytes, size_t size);

/* The cause of an error of these functions and what to do about it, "cause: fix". */
const char *output_file_explain(int error);

#endif
