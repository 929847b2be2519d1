/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts compared with files in this folder. */
#ifndef IOPROF_TESTS_GOLDEN_FILE_H
#define IOPROF_TESTS_GOLDEN_FILE_H

/*
 * Fails the test unless the file <name><suffix> holds exactly this text. With IOPROF_BLESS in the
 * environment it is written instead.
 */
void golden_file_expect(const char *name, const char *suffix, const char *text);

#endif
