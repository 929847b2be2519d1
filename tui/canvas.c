/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "canvas.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

struct canvas *canvas_new(int height, int width, bool utf8)
{
	struct canvas *canvas = calloc(1, sizeof(*canvas));

	if (!canvas)
		return NULL;
	*canvas = (struct canvas){.height = height, .width = width, .utf8 = utf8};
	canvas->cells = calloc((size_t)height * (size_t)width + 1, sizeof(*canvas->cells));
	if (!canvas->cells) {
		free(canvas);
		return NULL;
	}
	canvas_clear(canvas);
	return canvas;
}

void canvas_free(struct canvas *canvas)
{
	if (!canvas)
		return;
	free(canvas->cells);
	free(canvas);
}

void canvas_freep(struct canvas **canvas)
{
	canvas_free(*canvas);
}

static struct cell *cell_at(struct canvas *canvas, int row, int column)
{
	return &canvas->cells[(size_t)row * (size_t)canvas->width + (size_t)column];
}

const struct cell *canvas_cell(const struct canvas *canvas, int row, int column)
{
	return &canvas->cells[(size_t)row * (size_t)canvas->width + (size_t)column];
}

static const struct cell space = {.text = " ", .columns = 1};

void canvas_clear(struct canvas *canvas)
{
	for (int row = 0; row < canvas->height; row++) {
		for (int column = 0; column < canvas->width; column++)
			*cell_at(canvas, row, column) = space;
	}
}

/* The length and width of the character that valid UTF-8 begins with. */
static size_t measure(const char *text, int *ret_columns)
{
	unsigned char first = (unsigned char)*text;
	size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint32_t code = length == 1 ? first : first & (0x7fu >> length);
	int columns;

	for (size_t i = 1; i < length; i++)
		code = code << 6 | ((unsigned char)text[i] & 0x3f);
	columns = wcwidth((wchar_t)code);
	*ret_columns = columns < 0 ? 1 : columns;
	return length;
}

/* Puts a cell over others; of a wide character that loses a half the other becomes a space. */
static void put(struct canvas *canvas, int row, int column, const struct cell *cell)
{
	struct cell *first = cell_at(canvas, row, column);
	struct cell *after = first + cell->columns;

	if (first->columns == 0)
		first[-1] = space;
	if (column + cell->columns < canvas->width && after->columns == 0)
		*after = space;
	*first = *cell;
	if (cell->columns == 2)
		first[1] = (struct cell){.role = cell->role};
}

static void combine(struct cell *cell, const char *mark, size_t length)
{
	size_t used = strlen(cell->text);

	/* More marks than a character can have are no text. */
	if (used + length < sizeof(cell->text))
		memcpy(mempcpy(cell->text + used, mark, length), "", 1);
}

int canvas_text(struct canvas *canvas, int row, int column, int columns, enum role role,
		const char *text)
{
	struct cell *last = NULL;
	int used = 0;

	if (row < 0 || row >= canvas->height || column < 0)
		return 0;
	if (columns > canvas->width - column)
		columns = canvas->width - column;
	while (*text) {
		struct cell cell = {.role = (uint8_t)role};
		int width;
		size_t length = measure(text, &width);

		if (width == 0 && last && canvas->utf8)
			combine(last, text, length);
		if (used + width > columns)
			break;
		if (width > 0) {
			cell.columns = canvas->utf8 ? (uint8_t)width : 1;
			memcpy(cell.text, canvas->utf8 || length == 1 ? text : "?",
			       canvas->utf8 ? length : 1);
			last = cell_at(canvas, row, column + used);
			put(canvas, row, column + used, &cell);
			used += cell.columns;
		}
		text += length;
	}
	return used;
}

void canvas_target(struct canvas *canvas, int row, int column, int columns, int16_t target)
{
	if (row < 0 || row >= canvas->height || column < 0)
		return;
	for (int i = column; i < column + columns && i < canvas->width; i++)
		cell_at(canvas, row, i)->target = target;
}
