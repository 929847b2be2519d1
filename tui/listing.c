/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "listing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct order {
	const struct listing *listing;
	const struct view_input *input;
	const struct view_state *state;
	size_t column; /* 0: names */
	bool reversed;
};

/* Largest first; NAN after all else either way, equals as they come. */
static int compare_values(double x, double y, bool reversed)
{
	if (isnan(x) || isnan(y))
		return isnan(x) - isnan(y);
	if (x == y)
		return 0;
	return (x > y) != reversed ? -1 : 1;
}

static int compare(const void *left, const void *right, void *context)
{
	const struct order *o = context;
	size_t a = *(const size_t *)left, b = *(const size_t *)right;
	int r;

	if (o->column == 0) {
		r = strcmp(o->listing->name(o->input, o->state, a),
			   o->listing->name(o->input, o->state, b));
		r = o->reversed ? -r : r;
	} else {
		r = compare_values(o->listing->value(o->input, o->state, a, o->column),
				   o->listing->value(o->input, o->state, b, o->column),
				   o->reversed);
	}
	return r ? r : (a > b) - (a < b);
}

size_t listing_rows(const struct listing *listing, enum view view, const struct view_input *input,
		    const struct view_state *state, size_t *ret_rows, size_t most)
{
	size_t count = input->s ? listing->count(input, state) : 0, n = 0;
	struct order order = {listing, input, state, 0, state->reversed[view]};

	for (size_t i = 0; i < count && n < most; i++) {
		if (strcasestr(listing->name(input, state, i), state->filter))
			ret_rows[n++] = i;
	}
	if (state->sort[view] == 0 || state->sort[view] > listing->n_columns || n == 0)
		return n;
	order.column = state->sort[view] - 1;
	qsort_r(ret_rows, n, sizeof(*ret_rows), compare, &order);
	return n;
}

size_t listing_selected(enum view view, const struct view_state *state, const size_t *rows,
			size_t n)
{
	if (view == VIEW_OVERVIEW) {
		for (size_t i = 0; i < n; i++) {
			if (rows[i] == state->service)
				return i;
		}
		return n;
	}
	return state->row[view] < n ? state->row[view] : n - (n > 0);
}

void listing_draw(const struct listing *listing, enum view view, const struct pane *pane,
		  const struct view_input *input, const struct view_state *state)
{
	struct table table = table_fit(listing->columns, listing->n_columns, pane->width);
	size_t rows[LISTING_MOST];
	size_t n = listing_rows(listing, view, input, state, rows, LISTING_MOST);
	size_t selected = listing_selected(view, state, rows, n);
	int height = pane->height - 1;
	size_t last = listing->n_columns - 1;
	size_t first = table_first(selected, n, height);

	table_header(&table, pane, 0, (size_t)state->sort[view] - 1, state->reversed[view]);
	if (n == 0)
		(void)pane_print(pane, 1, 1, ROLE_DIM, *state->filter ? "nothing matches /%s" : "-",
				 state->filter);
	for (size_t i = first; i < n && i - first < (size_t)(height > 0 ? height : 0); i++) {
		enum role role = i == selected ? ROLE_SELECTED : ROLE_PLAIN;
		int row = (int)(i - first) + 1;

		if (i == selected)
			pane_fill(pane, row, 0, pane->width, role, " ", " ");
		if (i == selected)
			pane_fill(pane, row, 0, 1, role, "\xe2\x96\xb8", ">");
		table_foreign(&table, pane, row, 0, role, listing->name(input, state, rows[i]));
		for (size_t c = 1; c < listing->n_columns; c++)
			table_cell(&table, pane, row, c, role,
				   listing->text(input, state, rows[i], c).text);
		if (listing->draw)
			listing->draw(pane, row, table.at[last], table.width[last], input, state,
				      rows[i]);
		pane_target(pane, row, 0, pane->width, (int)i + 1);
	}
}
