/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/json_write.h"

#include <errno.h>
#include <float.h>

/* Longer than any number, and than any number may grow to: "-2.2250738585072014e-308". */
#define NUMBER_MAX 32

static int put(FILE *out, const char *text)
{
	return fputs(text, out) == EOF ? -EIO : 0;
}

/* jansson prints and reads numbers alike in every locale, which printf does not. */
static int write_real(FILE *out, const json_t *value)
{
	for (size_t digits = DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
		char text[NUMBER_MAX];
		size_t length = json_dumpb(value, text, sizeof(text),
					   JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
		json_t *copy;
		int same;

		if (length == 0 || length > sizeof(text))
			return -ENOMEM;
		copy = json_loadb(text, length, JSON_DECODE_ANY, NULL);
		if (!copy)
			return -ENOMEM;
		same = json_equal(copy, value);
		json_decref(copy);
		if (same || digits == DBL_DECIMAL_DIG)
			return fwrite(text, 1, length, out) == length ? 0 : -EIO;
	}
	return 0;
}

static int write_array(FILE *out, const json_t *array)
{
	size_t n = json_array_size(array);
	int r = put(out, "[");

	for (size_t i = 0; r >= 0 && i < n; i++) {
		r = put(out, i ? "," : "");
		if (r >= 0)
			r = json_write(out, json_array_get(array, i));
	}
	return r < 0 ? r : put(out, "]");
}

int json_write_members(FILE *out, json_t *object)
{
	const char *separator = "";
	const char *key;
	json_t *value;
	int r = 0;

	json_object_foreach(object, key, value) {
		if (r >= 0 && fprintf(out, "%s\"%s\":", separator, key) < 0)
			r = -EIO;
		if (r >= 0)
			r = json_write(out, value);
		separator = ",";
	}
	return r;
}

static int write_object(FILE *out, json_t *object)
{
	int r = put(out, "{");

	if (r >= 0)
		r = json_write_members(out, object);
	return r < 0 ? r : put(out, "}");
}

int json_write(FILE *out, json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return write_object(out, value);
	case JSON_ARRAY:
		return write_array(out, value);
	case JSON_REAL:
		return write_real(out, value);
	default:
		return json_dumpf(value, out, JSON_ENCODE_ANY) < 0 ? -EIO : 0;
	}
}
