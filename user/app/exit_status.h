/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the command ends. Part of its interface: scripts depend on it, ioprof(8) documents it. */
#ifndef IOPROF_APP_EXIT_STATUS_H
#define IOPROF_APP_EXIT_STATUS_H

enum exit_status {
	EXIT_STATUS_DONE = 0,
	EXIT_STATUS_FAILED = 1,
	EXIT_STATUS_USAGE = 2,
	EXIT_STATUS_NOT_PERMITTED = 3,
	EXIT_STATUS_NOT_SUPPORTED = 4, /* the kernel lacks a feature */
};

#endif
