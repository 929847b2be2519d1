/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pane.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static int at_least_0(int x)
{
	return x > 0 ? x : 0;
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

struct pane pane_part(const struct pane *pane, int row, int column, int height, int width)
{
	return (struct pane){
		.canvas = pane->canvas,
		.row = pane->row + row,
		.column = pane->column + column,
		.height = at_least_0(smaller(height, pane->height - row)),
		.width = at_least_0(smaller(width, pane->width - column)),
	};
}

/* Sanitized text at a place, in at most so many columns. Returns the column after it. */
static int draw(const struct pane *pane, int row, int column, int columns, enum role role,
		const char *text)
{
	if (row < 0 || row >= pane->height || column < 0)
		return column;
	columns = at_least_0(smaller(columns, pane->width - column));
	return column + canvas_text(pane->canvas, pane->row + row, pane->column + column, columns,
				    role, text);
}

int pane_print(const struct pane *pane, int row, int column, enum role role, const char *format,
	       ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return draw(pane, row, column, pane->width, role, text);
}

int pane_whole(const struct pane *pane, int row, int column, enum role role, const char *format,
	       ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (column + (int)strlen(text) > pane->width)
		return column;
	return draw(pane, row, column, pane->width, role, text);
}

void pane_field(const struct pane *pane, int row, int column, int width, enum role role,
		const char *text)
{
	int length = (int)strlen(text), columns = abs(width);

	if (width < 0 && length < columns)
		column += columns - length;
	draw(pane, row, column, columns, role, text);
	if (length > columns && columns > 0)
		pane_fill(pane, row, column + columns - 1, 1, role, "\xe2\x80\xa6", "~");
}

int pane_foreign(const struct pane *pane, int row, int column, int width, enum role role,
		 const char *bytes)
{
	_cleanup_free_ char *text = text_sanitize(bytes ? bytes : "");
	_cleanup_free_ char *cut = NULL;
	int room = at_least_0(smaller(width, pane->width - column));

	/* Out of memory: the name stays away. */
	cut = text ? text_truncate(text, (size_t)room) : NULL;
	if (!cut)
		return column;
	if (!pane->canvas->utf8 && strcmp(cut, text) != 0 && room > 0) {
		draw(pane, row, column, room - 1, role, cut);
		return draw(pane, row, column + room - 1, 1, role, "~");
	}
	return draw(pane, row, column, room, role, cut);
}

void pane_fill(const struct pane *pane, int row, int column, int width, enum role role,
	       const char *utf8, const char *ascii)
{
	for (int i = 0; i < width; i++)
		draw(pane, row, column + i, 1, role, pane->canvas->utf8 ? utf8 : ascii);
}

void pane_target(const struct pane *pane, int row, int column, int width, int target)
{
	if (row < 0 || row >= pane->height || column < 0)
		return;
	width = at_least_0(smaller(width, pane->width - column));
	canvas_target(pane->canvas, pane->row + row, pane->column + column, width, (int16_t)target);
}

int pane_wrapped(const struct pane *pane, int row, enum role role, const char *text)
{
	_cleanup_free_ char *copy = text_sanitize(text ? text : "");
	int column = 0;
	char *rest = NULL;

	if (!copy)
		return row;
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		int width = (int)text_width(word);

		if (column > 0 && column + 1 + width > pane->width) {
			row++;
			column = 0;
		}
		if (column > 0)
			column++;
		(void)pane_foreign(pane, row, column, pane->width, role, word);
		column += width;
	}
	return row + (column > 0);
}

void pane_rule(const struct pane *pane, int row, const char *title)
{
	int column = pane_print(pane, row, 1, ROLE_TITLE, "%s", title);

	pane_fill(pane, row, column + 1, pane->width - column - 1, ROLE_DIM, "\xe2\x94\x80", "-");
}
