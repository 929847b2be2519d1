/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dashboard as a whole: tabs above, the view, a line of hints or input below. What keys do to
 * it and how it looks are pure functions; who reads keys and shows canvases stands elsewhere.
 */
#ifndef IOPROF_TUI_SCREEN_H
#define IOPROF_TUI_SCREEN_H

#include <stdbool.h>

#include "canvas.h"
#include "term.h"
#include "view.h"

/* Smaller than this, the screen only says so. */
#define SCREEN_LEAST_HEIGHT 10
#define SCREEN_LEAST_WIDTH 40

struct screen {
	enum view view;
	struct view_state state;
	unsigned int help; /* its page, from 1 on; 0: not shown */
	bool filtering, paused;
	char filter_before[VIEW_FILTER_BYTES]; /* what Esc goes back to */
	char message[160];		       /* in the last line until the next key */
	const char *about; /* right of the tabs: "last 10 s"; any text of ours */
	bool ended;	   /* the services are gone: nothing changes any more */
	bool seekable;	   /* a recording */
};

/* What the screen cannot do itself. */
enum screen_request {
	SCREEN_NOTHING, /* but draw anew */
	SCREEN_QUIT,
	SCREEN_SAVE,
	SCREEN_FASTER,
	SCREEN_SLOWER,
	SCREEN_SEEK_FORWARD,
	SCREEN_SEEK_BACK,
	SCREEN_ADVISE, /* what-if or the service has changed: the advice shown is of another */
};

/* Something the user did, on a screen of this size. */
enum screen_request screen_handle(struct screen *screen, const struct view_input *input,
				  const struct term_event *event, int height, int width);

/* Draws all of it. */
void screen_draw(const struct screen *screen, const struct view_input *input,
		 struct canvas *canvas);

#endif
