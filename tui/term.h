/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal: shows a canvas, hands out what the user does. The only door to curses.
 *
 * While it is open the terminal is in its alternate screen, and what others write to standard error
 * is kept for a line of the screen. It is restored when it is closed, when the process is stopped,
 * and when it crashes. Writing never waits for a terminal that does not read.
 */
#ifndef IOPROF_TUI_TERM_H
#define IOPROF_TUI_TERM_H

#include <stdbool.h>
#include <stdint.h>

#include "canvas.h"

struct term;

/* Keys that are no character; below them are Unicode code points. */
enum term_key {
	TERM_UP = 0x110000,
	TERM_DOWN,
	TERM_LEFT,
	TERM_RIGHT,
	TERM_PAGE_UP,
	TERM_PAGE_DOWN,
	TERM_HOME,
	TERM_END,
	TERM_BACKSPACE,
	TERM_ENTER,
	TERM_TAB,
	TERM_BACK_TAB,
	TERM_ESCAPE,
	TERM_CLICK, /* row and column say where */
	TERM_WHEEL_UP,
	TERM_WHEEL_DOWN,
};

struct term_event {
	uint32_t key; /* a code point, or an enum term_key */
	int row, column;
};

/*
 * Takes over the terminal that standard input and output are. Signals to stop and of a new size
 * arrive through it from then on. Only one can be open. Returns 0; -ENOTTY where they are no
 * terminal, -ENOENT for one that terminfo does not know, -errno.
 */
int term_open(struct term **ret_term);

/* Restores the terminal, prints what standard error got meanwhile. Takes NULL. */
void term_close(struct term *term);
void term_closep(struct term **term);

/* True if it shows UTF-8; its size in cells. */
bool term_utf8(const struct term *term);
void term_size(const struct term *term, int *ret_height, int *ret_width);

/* Descriptors that become readable when there is something for term_event() to do. */
#define TERM_FDS 3
void term_fds(const struct term *term, int ret_fds[TERM_FDS]);

/*
 * The next thing the user did, if any. Also takes in a new size, and stops the process where that
 * is wished: so draw anew after it. Returns 1, 0 when there is nothing (more), -EIO when the
 * terminal is gone.
 */
int term_event(struct term *term, struct term_event *ret_event);

/* The last line that standard error got, sanitized; "" if none since the last call. Valid until the
 * next call. */
const char *term_message(struct term *term);

/*
 * Shows a canvas: writes what differs from what is there. Where the terminal has not yet read the
 * last one, nothing is drawn: returns false, and the caller tries again with its next state.
 */
bool term_show(struct term *term, const struct canvas *canvas);

/* Draws all of the screen anew with the next canvas. */
void term_redraw(struct term *term);

#endif
