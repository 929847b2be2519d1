/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"

static void assert_sanitized(const char *bytes, const char *expected)
{
	_cleanup_free_ char *text = text_sanitize(bytes);

	assert_string_equal(text, expected);
}

static void assert_utf8(const char *bytes, const char *expected)
{
	_cleanup_free_ char *text = text_utf8(bytes);

	assert_string_equal(text, expected);
}

static void assert_truncated(const char *text, size_t columns, const char *expected)
{
	_cleanup_free_ char *cut = text_truncate(text, columns);

	assert_string_equal(cut, expected);
	assert_true(text_width(cut) <= columns);
}

static void sanitize_keeps_what_is_harmless(void **state)
{
	(void)state;
	assert_sanitized("", "");
	assert_sanitized("gunicorn: worker [app]", "gunicorn: worker [app]");
	assert_sanitized("it's \"quoted\" \\ back", "it's \"quoted\" \\ back");
	assert_sanitized("caf\u00e9 \u65e5\u672c \U0001f40d", "caf\u00e9 \u65e5\u672c \U0001f40d");
}

static void sanitize_shows_controls(void **state)
{
	(void)state;
	assert_sanitized("a\nb\rc\td", "a\\nb\\rc\\td");
	assert_sanitized("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07");
	assert_sanitized("\x01\x7f", "\\x01\\x7f");
	/* C1, encoded as UTF-8: some terminals take U+009B for escape and bracket. */
	assert_sanitized("\xc2\x9b"
			 "31m",
			 "\\u009b31m");
}

static void sanitize_shows_what_hides(void **state)
{
	(void)state;
	assert_sanitized("a\u202eb\u2066c\u200bd\ufeff", "a\\u202eb\\u2066c\\u200bd\\ufeff");
	assert_sanitized("\u2028\u2029", "\\u2028\\u2029");
	assert_sanitized("\U000e0041", "\\U000e0041");
}

static void sanitize_shows_bytes_that_are_no_text(void **state)
{
	(void)state;
	assert_sanitized("\x80\xff", "\\x80\\xff");
	/* Overlong, surrogate, beyond Unicode, cut short. */
	assert_sanitized("\xc0\xaf", "\\xc0\\xaf");
	assert_sanitized("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	assert_sanitized("\xed\xa0\x80", "\\xed\\xa0\\x80");
	assert_sanitized("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	assert_sanitized("x\xe2\x82", "x\\xe2\\x82");
	assert_sanitized("\xf0\x9f\x90", "\\xf0\\x9f\\x90");
	assert_sanitized("\xe2\x82"
			 "A",
			 "\\xe2\\x82"
			 "A");
}

static void utf8_replaces_only_what_is_not(void **state)
{
	(void)state;
	assert_utf8("plain \n\x1b \u202e", "plain \n\x1b \u202e");
	assert_utf8("a\x80z", "a\ufffdz");
	assert_utf8("\xed\xa0\x80", "\ufffd\ufffd\ufffd");
	assert_utf8("end\xe2\x82", "end\ufffd\ufffd");
}

/* An independent check: a strict decoder written the long way accepts everything that comes out. */
static size_t strict_length(const unsigned char *b)
{
	uint32_t code;

	if (b[0] < 0x80)
		return 1;
	if ((b[0] & 0xe0) == 0xc0 && (b[1] & 0xc0) == 0x80)
		return (b[0] & 0x1f) >= 2 ? 2 : 0;
	if ((b[0] & 0xf0) == 0xe0 && (b[1] & 0xc0) == 0x80 && (b[2] & 0xc0) == 0x80) {
		code = (b[0] & 0xfu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
		return code >= 0x800 && (code < 0xd800 || code > 0xdfff) ? 3 : 0;
	}
	if ((b[0] & 0xf8) == 0xf0 && (b[1] & 0xc0) == 0x80 && (b[2] & 0xc0) == 0x80 &&
	    (b[3] & 0xc0) == 0x80) {
		code = (b[0] & 7u) << 18 | (b[1] & 0x3fu) << 12 | (b[2] & 0x3fu) << 6 |
		       (b[3] & 0x3fu);
		return code >= 0x10000 && code <= 0x10ffff ? 4 : 0;
	}
	return 0;
}

static void assert_strict(const char *text, bool printable)
{
	const unsigned char *b = (const unsigned char *)text;
	size_t length;

	for (; *b; b += length) {
		length = strict_length(b);
		assert_true(length > 0);
		if (printable)
			assert_true(*b >= 0x20 && *b != 0x7f);
	}
}

static void any_bytes_become_text(void **state)
{
	static const unsigned char alphabet[] = {'a',  0x1b, 0x80, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2,
						 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff, 0x90};
	char bytes[5] = {0};

	(void)state;
	for (unsigned int i = 0; i < 1u << 16; i++) {
		_cleanup_free_ char *sane = NULL;
		_cleanup_free_ char *valid = NULL;

		for (unsigned int k = 0; k < 4; k++)
			bytes[k] = (char)alphabet[i >> (4 * k) & 15];
		sane = text_sanitize(bytes);
		valid = text_utf8(bytes);
		assert_strict(sane, true);
		assert_strict(valid, false);
	}
}

static void width_counts_columns(void **state)
{
	(void)state;
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("abc"), 3);
	assert_int_equal(text_width("caf\u00e9"), 4);
	assert_int_equal(text_width("e\u0301"), 1);
	assert_int_equal(text_width("\u65e5\u672c"), 4);
}

static void truncate_keeps_to_columns(void **state)
{
	(void)state;
	assert_truncated("gunicorn", 8, "gunicorn");
	assert_truncated("gunicorn", 7, "gunico\u2026");
	assert_truncated("gunicorn", 1, "\u2026");
	assert_truncated("gunicorn", 0, "");
	assert_truncated("\u65e5\u672c\u8a9e", 4, "\u65e5\u2026");
	assert_truncated("\u65e5\u672c\u8a9e", 5, "\u65e5\u672c\u2026");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sanitize_keeps_what_is_harmless),
		cmocka_unit_test(sanitize_shows_controls),
		cmocka_unit_test(sanitize_shows_what_hides),
		cmocka_unit_test(sanitize_shows_bytes_that_are_no_text),
		cmocka_unit_test(utf8_replaces_only_what_is_not),
		cmocka_unit_test(any_bytes_become_text),
		cmocka_unit_test(width_counts_columns),
		cmocka_unit_test(truncate_keeps_to_columns),
	};

	/* Widths are the locale's business; this one every glibc has. */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
