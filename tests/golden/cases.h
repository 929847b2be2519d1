/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots made by hand, each with a report worth reading. */
#ifndef IOPROF_TESTS_CASES_H
#define IOPROF_TESTS_CASES_H

#include "model/snapshot.h"

struct golden_case {
	const char *name; /* of its golden files */
	struct snapshot *(*make)(void);
};

extern const struct golden_case golden_cases[];
extern const size_t n_golden_cases;

#endif
