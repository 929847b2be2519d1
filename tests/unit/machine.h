/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine on paper: a folder with what its /proc and /sys would hold. */
#ifndef IOPROF_TESTS_MACHINE_H
#define IOPROF_TESTS_MACHINE_H

/* Makes an empty one; machine_free() removes it with all it holds. */
char *machine_new(void);
void machine_free(char *root);

/* Writes a file of it, or a symbolic link; the folders on the way are made. */
void machine_write(const char *root, const char *path, const char *text);
void machine_link(const char *root, const char *path, const char *target);

#endif
