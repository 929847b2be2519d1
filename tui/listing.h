/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A view's table of services, peers or threads: filtered, sorted, one row selected. */
#ifndef IOPROF_TUI_LISTING_H
#define IOPROF_TUI_LISTING_H

#include "report/figure.h"
#include "table.h"
#include "view.h"

/* What a view knows of its rows. Rows are positions in the snapshot; column 0 holds the name. */
struct listing {
	const struct column *columns;
	size_t n_columns;
	size_t (*count)(const struct view_input *input, const struct view_state *state);
	const char *(*name)(const struct view_input *input, const struct view_state *state,
			    size_t i); /* any bytes */
	/* what rows are sorted by; NAN comes last. By name where value is NULL or column 0 */
	double (*value)(const struct view_input *input, const struct view_state *state, size_t i,
			size_t column);
	/* the value as shown */
	struct figure (*text)(const struct view_input *input, const struct view_state *state,
			      size_t i, size_t column);
	/* draws into the last column instead of text; NULL: it is as the others */
	void (*draw)(const struct pane *pane, int row, int column, int width,
		     const struct view_input *input, const struct view_state *state, size_t i);
};

#define LISTING_MOST 512

/* As view_rows(). */
size_t listing_rows(const struct listing *listing, enum view view, const struct view_input *input,
		    const struct view_state *state, size_t *ret_rows, size_t most);

/* Which of n rows is selected; n if there is none. In the overview that of the service selected. */
size_t listing_selected(enum view view, const struct view_state *state, const size_t *rows,
			size_t n);

/* Header and as many rows as the pane has, among them the selected one. Targets: see view_draw().
 */
void listing_draw(const struct listing *listing, enum view view, const struct pane *pane,
		  const struct view_input *input, const struct view_state *state);

#endif
