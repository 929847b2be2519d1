/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rectangle of the canvas that a view draws into, by rows and columns of its own: nothing leaves
 * it. Own words are plain ASCII; foreign bytes (names, addresses) go through pane_foreign only.
 */
#ifndef IOPROF_TUI_PANE_H
#define IOPROF_TUI_PANE_H

#include "canvas.h"

struct pane {
	struct canvas *canvas;
	int row, column, height, width; /* none below zero */
};

/* What of a pane begins at row and column; at most so high and wide. */
struct pane pane_part(const struct pane *pane, int row, int column, int height, int width);

/* Text at a place, cut at the pane's right edge. Returns the column after it. */
__attribute__((format(printf, 5, 6))) int pane_print(const struct pane *pane, int row, int column,
						     enum role role, const char *format, ...);

/* The same, but only if all of it fits; otherwise nothing is drawn and column returned. */
__attribute__((format(printf, 5, 6))) int pane_whole(const struct pane *pane, int row, int column,
						     enum role role, const char *format, ...);

/* Text in so many columns, flush right if width is below zero. What is cut ends in a mark. */
void pane_field(const struct pane *pane, int row, int column, int width, enum role role,
		const char *text);

/* Foreign bytes made harmless, cut to so many columns. Returns the column after them. */
int pane_foreign(const struct pane *pane, int row, int column, int width, enum role role,
		 const char *bytes);

/* Gives cells a target: canvas_target(). */
void pane_target(const struct pane *pane, int row, int column, int width, int target);

/* One glyph so many times: the first where there is UTF-8, else the second. */
void pane_fill(const struct pane *pane, int row, int column, int width, enum role role,
	       const char *utf8, const char *ascii);

/* Text broken between words to the pane's width, from row on. Returns the row after it; draws no
 * more than the pane holds, so that one without height only measures. May hold foreign bytes. */
int pane_wrapped(const struct pane *pane, int row, enum role role, const char *text);

/* A title with a rule to the right edge. */
void pane_rule(const struct pane *pane, int row, const char *title);

#endif
