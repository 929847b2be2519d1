/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Views: pure functions of what was observed and of what the user chose to look at, to cells. Each
 * draws something legal at any size, keeps its last line for losses and weak evidence, and says
 * what to do where there is nothing to show. No file but term.c knows a terminal.
 */
#ifndef IOPROF_TUI_VIEW_H
#define IOPROF_TUI_VIEW_H

#include "advise/advice.h"
#include "model/history.h"
#include "model/snapshot.h"
#include "pane.h"

/* clang-format off */
enum view {
#define VIEW(id, name, title) id,
#include "view.def"
#undef VIEW
	VIEW_COUNT
};
/* clang-format on */

/* What views show. Borrowed; none is changed. */
struct view_input {
	const struct snapshot *s;      /* the figures; NULL before the first */
	const struct history *history; /* of the same services; NULL: none */
	/* of each service, NULL: not yet; the array may be NULL too */
	const struct advice *const *advice;
	const struct advice_curve *curve; /* of the service selected; NULL: not yet */
};

#define VIEW_FILTER_BYTES 64

/* What the user chose. All zero: the start. */
struct view_state {
	size_t service;		/* selected: position in the snapshot */
	size_t row[VIEW_COUNT]; /* selected in the other tables; beyond their end: the last */
	unsigned int sort[VIEW_COUNT]; /* column of the table, see view_columns(); 0: as it comes */
	bool reversed[VIEW_COUNT];     /* smallest first */
	char filter[VIEW_FILTER_BYTES]; /* rows whose name holds this, in any case; "": all */
	struct advice_opts what_if;	/* what the advice was asked with, for the advice view */
};

const char *view_title(enum view view);

/*
 * Draws a view into all of the pane, over whatever stands there. The target of a cell in a row of
 * its table is the row's number in view_rows(), counted from 1; of a column's title the column's
 * for view_state.sort, below zero.
 */
void view_draw(enum view view, const struct pane *pane, const struct view_input *input,
	       const struct view_state *state);

/*
 * The rows of the view's table that pass the filter, in the order on screen: positions in the
 * snapshot's services, peers or lanes. Returns their number, at most `most`; 0 for views without a
 * table.
 */
size_t view_rows(enum view view, const struct view_input *input, const struct view_state *state,
		 size_t *ret_rows, size_t most);

/* How many columns a view's table can be sorted by, and their titles from 1 on; NULL: none such. */
unsigned int view_columns(enum view view);
const char *view_column(enum view view, unsigned int column);

#endif
