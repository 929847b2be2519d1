/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/json_cursor.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

struct json_cursor json_cursor_document(const json_t *document, struct json_error *error)
{
	return (struct json_cursor){.name = "document", .value = document, .error = error};
}

bool json_cursor_sound(const struct json_cursor *at)
{
	return at->error->code == 0;
}

/* "services[0].workers.count" into text; returns how long it is. */
static size_t print_place(const struct json_cursor *at, char *text, size_t size)
{
	size_t length = at->outer && at->outer->outer ? print_place(at->outer, text, size) : 0;
	int n;

	if (length >= size)
		return length;
	if (at->name)
		n = snprintf(text + length, size - length, "%s%s", length ? "." : "", at->name);
	else
		n = snprintf(text + length, size - length, "[%zu]", at->index);
	return n < 0 ? length : length + (size_t)n;
}

void json_cursor_fail(const struct json_cursor *at, const char *what)
{
	char place[120];

	if (!json_cursor_sound(at))
		return;
	(void)print_place(at, place, sizeof(place));
	at->error->code = -EBADMSG;
	(void)snprintf(at->error->text, sizeof(at->error->text), "%s: %s", place, what);
}

void json_cursor_out_of_memory(const struct json_cursor *at)
{
	if (!json_cursor_sound(at))
		return;
	at->error->code = -ENOMEM;
	(void)snprintf(at->error->text, sizeof(at->error->text), "out of memory");
}

struct json_cursor json_cursor_member(const struct json_cursor *object, const char *name)
{
	struct json_cursor member = {.outer = object, .name = name, .error = object->error};

	if (!json_cursor_sound(object))
		return member;
	if (!json_is_object(object->value)) {
		json_cursor_fail(object, "is not an object");
		return member;
	}
	member.value = json_object_get(object->value, name);
	if (!member.value)
		json_cursor_fail(&member, "is missing");
	return member;
}

bool json_cursor_has(const struct json_cursor *object, const char *name)
{
	return json_cursor_sound(object) && json_object_get(object->value, name);
}

struct json_cursor json_cursor_element(const struct json_cursor *array, size_t index)
{
	struct json_cursor element = {.outer = array, .index = index, .error = array->error};

	if (!json_cursor_sound(array))
		return element;
	element.value = json_array_get(array->value, index);
	if (!element.value)
		json_cursor_fail(&element, "is missing");
	return element;
}

size_t json_cursor_length(const struct json_cursor *array, size_t most)
{
	if (!json_cursor_sound(array))
		return 0;
	if (!json_is_array(array->value)) {
		json_cursor_fail(array, "is not an array");
		return 0;
	}
	if (json_array_size(array->value) > most) {
		json_cursor_fail(array, "has too many elements");
		return 0;
	}
	return json_array_size(array->value);
}

bool json_cursor_is_null(const struct json_cursor *at)
{
	return json_cursor_sound(at) && json_is_null(at->value);
}

bool json_cursor_boolean(const struct json_cursor *at)
{
	if (!json_cursor_sound(at))
		return false;
	if (!json_is_boolean(at->value))
		json_cursor_fail(at, "is neither true nor false");
	return json_is_true(at->value);
}

int64_t json_cursor_integer(const struct json_cursor *at, int64_t least, int64_t most)
{
	json_int_t n;

	if (!json_cursor_sound(at))
		return 0;
	if (!json_is_integer(at->value)) {
		json_cursor_fail(at, "is not a whole number");
		return 0;
	}
	n = json_integer_value(at->value);
	if (n >= least && n <= most)
		return n;
	json_cursor_fail(at, "is out of range");
	return 0;
}

double json_cursor_real(const struct json_cursor *at, double least)
{
	double x;

	if (!json_cursor_sound(at))
		return 0;
	if (json_is_null(at->value))
		return NAN;
	if (!json_is_number(at->value)) {
		json_cursor_fail(at, "is not a number");
		return 0;
	}
	x = json_number_value(at->value);
	if (x >= least)
		return x;
	json_cursor_fail(at, "is out of range");
	return 0;
}

const char *json_cursor_string(const struct json_cursor *at, size_t most)
{
	if (!json_cursor_sound(at))
		return "";
	if (!json_is_string(at->value)) {
		json_cursor_fail(at, "is not a string");
		return "";
	}
	if (json_string_length(at->value) > most) {
		json_cursor_fail(at, "is too long");
		return "";
	}
	return json_string_value(at->value);
}

uint64_t json_cursor_count(const struct json_cursor *object, const char *name)
{
	struct json_cursor at = json_cursor_member(object, name);

	return (uint64_t)json_cursor_integer(&at, 0, INT64_MAX);
}

uint32_t json_cursor_count32(const struct json_cursor *object, const char *name)
{
	struct json_cursor at = json_cursor_member(object, name);

	return (uint32_t)json_cursor_integer(&at, 0, UINT32_MAX);
}

bool json_cursor_flag(const struct json_cursor *object, const char *name)
{
	struct json_cursor at = json_cursor_member(object, name);

	return json_cursor_boolean(&at);
}
