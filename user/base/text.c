/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decodes UTF-8 as the Unicode standard defines it (table 3-7): shortest forms only, no surrogates,
 * nothing above U+10FFFF. A byte that starts no such sequence is taken alone, so decoding always
 * advances and never skips.
 */
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/cleanup.h"

/* What one decoded character can grow to: "\U000e0001". */
#define ESCAPE_MAX 10
/* U+FFFD, the replacement character. */
#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS "\xe2\x80\xa6"

struct character {
	uint32_t code;
	size_t length; /* in bytes */
	bool valid;
};

/* The length a sequence has by its first byte, 0 if none starts with it, and the range its second
 * byte lies in. */
static size_t sequence_length(unsigned char first, unsigned char *ret_low, unsigned char *ret_high)
{
	*ret_low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	*ret_high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return 0;
}

/* Reads the first character of a string that is not empty. The terminator is no continuation byte,
 * so it stops there. */
static struct character decode(const char *bytes)
{
	const unsigned char *b = (const unsigned char *)bytes;
	struct character c = {.code = b[0], .length = 1};
	unsigned char low, high;
	size_t length = sequence_length(b[0], &low, &high);

	if (length < 2) {
		c.valid = length == 1;
		return c;
	}
	c.code = b[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if (b[i] < low || b[i] > high)
			return (struct character){.code = b[0], .length = 1};
		c.code = c.code << 6 | (b[i] & 0x3fu);
		low = 0x80;
		high = 0xbf;
	}
	c.length = length;
	c.valid = true;
	return c;
}

/* Characters that draw nothing, change the direction of what follows, or are not characters at all.
 */
static bool is_deceptive(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x0000, 0x001f}, /* controls: C0, with tab, newline and escape */
		{0x007f, 0x009f}, /* delete and the controls C1, of which some terminals obey U+009B
				     as escape */
		{0x00ad, 0x00ad}, /* soft hyphen */
		{0x034f, 0x034f}, /* grapheme joiner */
		{0x061c, 0x061c}, /* Arabic letter mark */
		{0x115f, 0x1160}, /* Hangul fillers */
		{0x17b4, 0x17b5}, /* Khmer inherent vowels */
		{0x180b, 0x180f}, /* Mongolian selectors */
		{0x200b, 0x200f}, /* zero width, directional marks */
		{0x2028,
		 0x202e}, /* line and paragraph separators, directional embeddings and overrides */
		{0x2060, 0x206f},    /* invisible operators, directional isolates */
		{0x3164, 0x3164},    /* Hangul filler */
		{0xe000, 0xf8ff},    /* private use */
		{0xfdd0, 0xfdef},    /* noncharacters */
		{0xfe00, 0xfe0f},    /* variation selectors */
		{0xfeff, 0xfeff},    /* byte order mark */
		{0xffa0, 0xffa0},    /* Hangul filler */
		{0xfff0, 0xfffb},    /* interlinear annotations */
		{0xfffe, 0xffff},    /* noncharacters */
		{0xe0000, 0x10ffff}, /* tags, selectors, private use */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	}
	return false;
}

/* Writes the visible form of a character that cannot be shown; returns its length. */
static size_t write_escape(char *out, struct character c)
{
	static const char *const names[] = {['\t'] = "\\t", ['\n'] = "\\n", ['\r'] = "\\r"};
	const char *name = c.code < sizeof(names) / sizeof(names[0]) ? names[c.code] : NULL;
	int n;

	if (name)
		n = snprintf(out, ESCAPE_MAX + 1, "%s", name);
	else if (!c.valid || c.code < 0x80)
		n = snprintf(out, ESCAPE_MAX + 1, "\\x%02x", c.code & 0xff);
	else if (c.code <= 0xffff)
		n = snprintf(out, ESCAPE_MAX + 1, "\\u%04x", c.code);
	else
		n = snprintf(out, ESCAPE_MAX + 1, "\\U%08x", c.code);
	return n > 0 ? (size_t)n : 0;
}

char *text_sanitize(const char *bytes)
{
	size_t length = strlen(bytes);
	/* Nothing grows more than a lone byte: "\x1b" is 4 for 1, "\U000e0001" only 10 for 4. */
	char *text = malloc(length * 4 + ESCAPE_MAX + 1);
	char *out = text;

	if (!text)
		return NULL;
	while (*bytes) {
		struct character c = decode(bytes);

		if (!c.valid || is_deceptive(c.code))
			out += write_escape(out, c);
		else
			out = mempcpy(out, bytes, c.length);
		bytes += c.length;
	}
	*out = '\0';
	return text;
}

char *text_utf8(const char *bytes)
{
	size_t length = strlen(bytes);
	char *text = malloc(length * strlen(REPLACEMENT) + 1);
	char *out = text;

	if (!text)
		return NULL;
	while (*bytes) {
		struct character c = decode(bytes);

		if (c.valid)
			out = mempcpy(out, bytes, c.length);
		else
			out = mempcpy(out, REPLACEMENT, strlen(REPLACEMENT));
		bytes += c.length;
	}
	*out = '\0';
	return text;
}

/* glibc's wide characters are Unicode in every locale; where the locale does not know one it takes
 * one column. */
static size_t character_width(uint32_t code)
{
	int width = wcwidth((wchar_t)code);

	return width < 0 ? 1 : (size_t)width;
}

size_t text_width(const char *text)
{
	size_t width = 0;

	while (*text) {
		struct character c = decode(text);

		width += character_width(c.code);
		text += c.length;
	}
	return width;
}

char *text_truncate(const char *text, size_t columns)
{
	size_t width = 0, kept = 0;
	char *cut;

	if (columns == 0)
		return strdup("");
	if (text_width(text) <= columns)
		return strdup(text);
	for (;;) {
		struct character c = decode(text + kept);

		width += character_width(c.code);
		if (width > columns - 1)
			break;
		kept += c.length;
	}
	cut = malloc(kept + sizeof(ELLIPSIS));
	if (!cut)
		return NULL;
	memcpy(mempcpy(cut, text, kept), ELLIPSIS, sizeof(ELLIPSIS));
	return cut;
}
