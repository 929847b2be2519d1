/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading foreign JSON: a cursor is a value and how one got there. Whatever is asked of it, it
 * answers; what is not there or not as it should be is remembered in the error that all cursors of
 * a document share, the first one, with its place: "services[0].workers.count: is missing". Once
 * there is one, every answer is nothing: false, 0, NULL, "".
 *
 * Cursors live on the stack: each refers to the one it came from.
 */
#ifndef IOPROF_REPORT_JSON_CURSOR_H
#define IOPROF_REPORT_JSON_CURSOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_error {
	int code; /* 0: none yet; -EBADMSG or -ENOMEM */
	char text[200];
};

struct json_cursor {
	const struct json_cursor *outer; /* NULL: the document */
	const char *name;		 /* NULL: an element */
	size_t index;
	const json_t *value; /* NULL after an error */
	struct json_error *error;
};

struct json_cursor json_cursor_document(const json_t *document, struct json_error *error);

/* A member of an object, an element of an array. */
struct json_cursor json_cursor_member(const struct json_cursor *object, const char *name);
struct json_cursor json_cursor_element(const struct json_cursor *array, size_t index);

/* Whether an object has such a member. */
bool json_cursor_has(const struct json_cursor *object, const char *name);

/* How many elements an array has, at most so many. */
size_t json_cursor_length(const struct json_cursor *array, size_t most);

/* True while nothing has gone wrong. */
bool json_cursor_sound(const struct json_cursor *at);

/* Remembers that the value is wrong. */
void json_cursor_fail(const struct json_cursor *at, const char *what);

/* An error that is not the document's. */
void json_cursor_out_of_memory(const struct json_cursor *at);

bool json_cursor_is_null(const struct json_cursor *at);
bool json_cursor_boolean(const struct json_cursor *at);

/* A whole number between least and most. */
int64_t json_cursor_integer(const struct json_cursor *at, int64_t least, int64_t most);

/* A finite number not below least; null is NAN. */
double json_cursor_real(const struct json_cursor *at, double least);

/* At most so many bytes; belongs to the document. */
const char *json_cursor_string(const struct json_cursor *at, size_t most);

/* The same of a member of an object. */
uint64_t json_cursor_count(const struct json_cursor *object, const char *name);
uint32_t json_cursor_count32(const struct json_cursor *object, const char *name);
bool json_cursor_flag(const struct json_cursor *object, const char *name);

#endif
