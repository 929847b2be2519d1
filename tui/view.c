/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "view.h"

#include "status.h"
#include "view_draw.h"

static const struct {
	const char *title;
	view_drawing *draw;
} views[VIEW_COUNT] = {
/* clang-format off */
#define VIEW(id, name, title) [id] = {title, view_##name##_draw},
#include "view.def"
#undef VIEW
	/* clang-format on */
};

static const struct listing *listing_of(enum view view)
{
	switch (view) {
	case VIEW_OVERVIEW:
		return &view_overview_listing;
	case VIEW_PEERS:
		return &view_peers_listing;
	case VIEW_WORKERS:
		return &view_workers_listing;
	default:
		return NULL;
	}
}

const char *view_title(enum view view)
{
	return (unsigned int)view < VIEW_COUNT ? views[view].title : "?";
}

void view_draw(enum view view, const struct pane *pane, const struct view_input *input,
	       const struct view_state *state)
{
	struct pane body = pane_part(pane, 0, 0, pane->height - 1, pane->width);

	for (int row = 0; row < pane->height; row++)
		pane_fill(pane, row, 0, pane->width, ROLE_PLAIN, " ", " ");
	if ((unsigned int)view >= VIEW_COUNT)
		return;
	views[view].draw(&body, input, state);
	status_draw(pane, input, status_service(input, state));
}

size_t view_rows(enum view view, const struct view_input *input, const struct view_state *state,
		 size_t *ret_rows, size_t most)
{
	const struct listing *listing = listing_of(view);

	return listing ? listing_rows(listing, view, input, state, ret_rows, most) : 0;
}

unsigned int view_columns(enum view view)
{
	const struct listing *listing = listing_of(view);

	return listing ? (unsigned int)listing->n_columns : 0;
}

const char *view_column(enum view view, unsigned int column)
{
	const struct listing *listing = listing_of(view);

	return listing && column > 0 && column <= listing->n_columns
		       ? listing->columns[column - 1].title
		       : NULL;
}
