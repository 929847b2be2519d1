/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each view by itself: view_<name>.c, as listed in view.def. */
#ifndef IOPROF_TUI_VIEW_DRAW_H
#define IOPROF_TUI_VIEW_DRAW_H

#include "listing.h"

/* Draws the view but for its last line. */
typedef void view_drawing(const struct pane *pane, const struct view_input *input,
			  const struct view_state *state);

/* clang-format off */
#define VIEW(id, name, title) view_drawing view_##name##_draw;
#include "view.def"
#undef VIEW
/* clang-format on */

extern const struct listing view_overview_listing, view_peers_listing, view_workers_listing;

#endif
