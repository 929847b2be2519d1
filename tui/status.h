/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far to trust a view, in its last line; and what to do where it has nothing to show. */
#ifndef IOPROF_TUI_STATUS_H
#define IOPROF_TUI_STATUS_H

#include "view.h"

/* Losses and failed checks before all else. Draws into the pane's last row; service may be NULL. */
void status_draw(const struct pane *pane, const struct view_input *input,
		 const struct service *service);

/* The service selected, NULL before the first snapshot. */
const struct service *status_service(const struct view_input *input,
				     const struct view_state *state);

/*
 * The service selected if it completed requests. Otherwise says in the pane from row on why there
 * are none and what to do, and returns NULL.
 */
const struct service *status_expect_requests(const struct pane *pane, int row,
					     const struct view_input *input,
					     const struct view_state *state);

#endif
