/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reports: a snapshot as text for a person, or as one JSON document for a machine. Both only
 * read the snapshot and write to out; neither flushes nor closes it.
 */
#ifndef IOPROF_REPORT_REPORT_H
#define IOPROF_REPORT_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "advise/advice.h"
#include "model/snapshot.h"

struct report_opts {
	/* width of the terminal; 0: 80. Lines keep to it between 60 and 120 */
	unsigned int columns;
	bool utf8; /* the terminal shows UTF-8; otherwise plain ASCII */
	/* the terminal shows colours: ANSI sequences, never the only carrier of a meaning */
	bool color;
	const struct advice_opts *advice; /* NULL: no advice */
};

/*
 * Writes the report for people. What is undefined (no requests, no CPU) shows as "-".
 * Returns 0, -ENOMEM, or -errno of the write that failed (-EPIPE, -ENOSPC).
 */
int report_text(FILE *out, const struct snapshot *s, const struct report_opts *opts);

/* The format of the documents; it changes when a reader of this one would be misled. */
#define REPORT_JSON_SCHEMA "ioprof/1"

struct json_opts {
	const struct advice_opts *advice; /* NULL: "advice" is null */
	bool no_traces; /* leave the sampled requests out: the larger part of most documents */
};

/*
 * Writes the document of docs/json.md: one line. It holds everything the snapshot holds; what is
 * undefined is null. opts may be NULL: the whole document. Returns as report_text does.
 */
int report_json(FILE *out, const struct snapshot *s, const struct json_opts *opts);

#endif
