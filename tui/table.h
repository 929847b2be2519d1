/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Columns that make room for each other: the least important go first, none is cut in half. */
#ifndef IOPROF_TUI_TABLE_H
#define IOPROF_TUI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "pane.h"

#define TABLE_MOST 16

struct column {
	const char *title;
	int width;	/* at least */
	int most;	/* up to which it takes what is left; 0: fixed */
	int importance; /* the column with the least goes first */
	bool left;	/* flush left, otherwise right */
};

struct table {
	const struct column *columns;
	size_t n;
	int at[TABLE_MOST], width[TABLE_MOST]; /* where each begins; width 0: not shown */
};

/* Lays n <= TABLE_MOST columns out, a space between them, after a margin of one. */
struct table table_fit(const struct column *columns, size_t n, int width);

/* The titles; the one sorted by is marked (sorted >= n: none), largest or smallest first. The
 * target of a title is its column, counted from 1, below zero. */
void table_header(const struct table *table, const struct pane *pane, int row, size_t sorted,
		  bool reversed);

/* Nothing if the column is not shown. */
void table_cell(const struct table *table, const struct pane *pane, int row, size_t column,
		enum role role, const char *text);
void table_foreign(const struct table *table, const struct pane *pane, int row, size_t column,
		   enum role role, const char *bytes);

/* Of n rows, the first to show so that the selected one is in sight. */
size_t table_first(size_t selected, size_t n, int height);

#endif
