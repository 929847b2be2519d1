/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/page.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

#define COLUMNS_DEFAULT 80
#define COLUMNS_MIN 60
#define COLUMNS_MAX 120
#define INDENT 2
#define LABEL_COLUMNS 14

struct page page_new(FILE *out, const struct report_opts *opts)
{
	unsigned int columns = opts->columns ? opts->columns : COLUMNS_DEFAULT;

	if (columns < COLUMNS_MIN)
		columns = COLUMNS_MIN;
	if (columns > COLUMNS_MAX)
		columns = COLUMNS_MAX;
	return (struct page){
		.out = out, .columns = columns, .utf8 = opts->utf8, .color = opts->color};
}

void page_fail(struct page *page, int error)
{
	if (!page->error)
		page->error = error;
}

void page_print(struct page *page, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!page->error && vfprintf(page->out, format, args) < 0)
		page_fail(page, errno ? -errno : -EIO);
	va_end(args);
}

void page_style(struct page *page, enum style style)
{
	static const char *const codes[STYLE_COUNT] = {
		[STYLE_PLAIN] = "0",	[STYLE_TITLE] = "1",  [STYLE_DIM] = "2",
		[STYLE_ALARM] = "1;31", [STYLE_RUN] = "32",   [STYLE_WAIT] = "36",
		[STYLE_BLOCK] = "35",	[STYLE_QUEUE] = "33",
	};

	if (page->color)
		page_print(page, "\033[%sm", codes[style]);
}

static void repeat(struct page *page, const char *glyph, unsigned int n)
{
	while (n-- > 0)
		page_print(page, "%s", glyph);
}

/* In place: each character beyond ASCII becomes '?', the mark of a cut '~'. */
static void fold_to_ascii(char *text)
{
	const char *ellipsis = "\xe2\x80\xa6";
	const char *in = text;
	char *out = text;

	while (*in) {
		bool cut = strncmp(in, ellipsis, strlen(ellipsis)) == 0;

		if (!(*in & 0x80)) {
			*out++ = *in++;
			continue;
		}
		*out++ = cut ? '~' : '?';
		do
			in++;
		while ((*in & 0xc0) == 0x80);
	}
	*out = '\0';
}

/* A foreign string as this page can show it; NULL, and the page failed, when out of memory. */
static char *showable(struct page *page, const char *bytes, size_t columns)
{
	_cleanup_free_ char *text = text_sanitize(bytes ? bytes : "");
	char *cut = text ? text_truncate(text, columns) : NULL;

	if (!cut)
		page_fail(page, -ENOMEM);
	else if (!page->utf8)
		fold_to_ascii(cut);
	return cut;
}

void page_foreign(struct page *page, const char *bytes, unsigned int columns)
{
	_cleanup_free_ char *text = showable(page, bytes, columns);
	size_t width = text ? text_width(text) : 0;

	if (text)
		page_print(page, "%s%*s", text, width < columns ? (int)(columns - width) : 0, "");
}

void page_rule(struct page *page, const char *name, const char *right)
{
	const char *glyph = page->utf8 ? "\xe2\x94\x80" : "-";
	/* Two glyphs and a space at either end, a space, at least two glyphs and a space between.
	 */
	unsigned int room = page->columns - (unsigned int)strlen(right) - 10;
	_cleanup_free_ char *text = showable(page, name, room);

	if (!text)
		return;
	page_style(page, STYLE_TITLE);
	repeat(page, glyph, 2);
	page_print(page, " %s ", text);
	repeat(page, glyph, room + 2 - (unsigned int)text_width(text));
	page_print(page, " %s ", right);
	repeat(page, glyph, 2);
	page_style(page, STYLE_PLAIN);
	page_print(page, "\n");
}

/* Puts down one word, on the next line where this one is full. */
static void print_word(struct page *page, const char *word, size_t start, size_t *column)
{
	/* A word longer than a line is no prose: cut it. */
	_cleanup_free_ char *shown = showable(page, word, page->columns - start);
	size_t width = shown ? text_width(shown) : 0;

	if (*column > start && *column + 1 + width > page->columns) {
		page_print(page, "\n%*s", (int)start, "");
		*column = start;
	} else if (*column > start) {
		page_print(page, " ");
		(*column)++;
	}
	page_print(page, "%s", shown ? shown : "");
	*column += width;
}

void page_wrapped(struct page *page, enum style style, const char *label, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	size_t start = INDENT + LABEL_COLUMNS, column = start;
	char *rest = NULL;

	if (!copy) {
		page_fail(page, -ENOMEM);
		return;
	}
	page_print(page, "%*s", INDENT, "");
	page_style(page, style == STYLE_PLAIN ? STYLE_DIM : style);
	page_print(page, "%-*s", LABEL_COLUMNS, label);
	if (style == STYLE_PLAIN)
		page_style(page, STYLE_PLAIN);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		print_word(page, word, start, &column);
	if (style != STYLE_PLAIN)
		page_style(page, STYLE_PLAIN);
	page_print(page, "\n");
}

void page_line(struct page *page, const char *label, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		text = NULL;
		page_fail(page, -ENOMEM);
		return;
	}
	page_wrapped(page, STYLE_PLAIN, label, text);
}

void page_bar(struct page *page, enum style style, double share, unsigned int columns)
{
	static const char *const eighths[] = {"",
					      "\xe2\x96\x8f",
					      "\xe2\x96\x8e",
					      "\xe2\x96\x8d",
					      "\xe2\x96\x8c",
					      "\xe2\x96\x8b",
					      "\xe2\x96\x8a",
					      "\xe2\x96\x89"};
	unsigned int length;

	if (!(share > 0))
		return;
	length = (unsigned int)lround(fmin(share, 1) * columns * 8);
	if (length == 0)
		length = 1;
	page_print(page, "  ");
	page_style(page, style);
	if (page->utf8) {
		repeat(page, "\xe2\x96\x88", length / 8);
		page_print(page, "%s", eighths[length % 8]);
	} else {
		repeat(page, "#", length / 8 + (length % 8 >= 4));
		if (length < 4)
			page_print(page, ".");
	}
	page_style(page, STYLE_PLAIN);
}
