/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the calibration is kept: ioprof/calibration.json in the XDG config folder of the invoking
 * user, who under sudo is the one who called it. Read and written as that user.
 */
#ifndef IOPROF_APP_CALIBRATION_FILE_H
#define IOPROF_APP_CALIBRATION_FILE_H

#include "advise/advice.h"
#include "report/calibration.h"

/* The file's path, there or not. The caller frees. 0, -ENOENT: the user has no home, or -errno. */
int calibration_file_path(char **ret_path);

/*
 * Reads it. 0; -ENOENT: there is none; -EXDEV: of another kind of processor; -EBADMSG or another
 * -errno: it cannot be used. In ret_why (static), for all errors but -ENOENT, what is wrong.
 */
int calibration_file_read(const char *path, struct calibration *ret_calibration,
			  const char **ret_why);

/* Puts it in the place of the old one. 0 or -errno, which output_file_explain() explains. */
int calibration_file_write(const char *path, const struct calibration *c);

/*
 * For a command that uses it if it is there: 0 and the calibration; else -ENOENT, and when there is
 * one that cannot be used the user has been told why, and that the defaults are used. Sets
 * advice->calibrated, which is valid as long as the calibration.
 */
int calibration_file_use(struct calibration *ret_calibration, struct advice_opts *advice);

#endif
