/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A grid of cells to draw on: what stands where, and in which role. Plain memory: what knows the
 * terminal copies cells to it, tests write them to files. Whatever bytes text holds, a cell holds
 * one visible character, with what combines with it.
 */
#ifndef IOPROF_TUI_CANVAS_H
#define IOPROF_TUI_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a cell means, for whoever knows colours; never the only carrier of a meaning. */
enum role {
	ROLE_PLAIN,
	ROLE_DIM,
	ROLE_TITLE,
	ROLE_HEADER, /* of a table */
	ROLE_SELECTED,
	ROLE_KEY,
	ROLE_GOOD,
	ROLE_WARN,
	ROLE_BAD,
	ROLE_RUN,   /* on a processor */
	ROLE_WAIT,  /* for others: what an event loop could use */
	ROLE_BLOCK, /* for this machine: disk, locks */
	ROLE_QUEUE, /* for a free worker or processor */
	ROLE_NOW,   /* the ways to run the service that are compared */
	ROLE_TUNED,
	ROLE_ASYNC,
	ROLE_COUNT
};

#define CELL_BYTES 16

struct cell {
	char text[CELL_BYTES]; /* UTF-8, terminated: a character and what combines with it */
	uint8_t role;	       /* enum role */
	uint8_t columns;       /* 1, 2 for wide characters, 0 for the cell a wide one covers */
	int16_t target;	       /* what a click there means, to whoever drew it; 0: nothing */
};

struct canvas {
	int height, width;
	bool utf8; /* the terminal shows UTF-8; otherwise cells are plain ASCII */
	struct cell *cells;
};

/* A canvas full of spaces. NULL when out of memory. */
struct canvas *canvas_new(int height, int width, bool utf8);

/* Takes NULL. */
void canvas_free(struct canvas *canvas);
void canvas_freep(struct canvas **canvas);

void canvas_clear(struct canvas *canvas);

/* The cell at a place, which must lie on the canvas. */
const struct cell *canvas_cell(const struct canvas *canvas, int row, int column);

/*
 * Sanitized UTF-8 (text_sanitize()) in at most so many columns; what does not fit, there or on the
 * canvas, is left out. Returns how many columns it took.
 */
int canvas_text(struct canvas *canvas, int row, int column, int columns, enum role role,
		const char *text);

/* Gives cells a target. Drawing over them takes it away. */
void canvas_target(struct canvas *canvas, int row, int column, int columns, int16_t target);

#endif
