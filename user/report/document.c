/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/document.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/document_service.h"
#include "report/json_cursor.h"
#include "report/json_value.h"
#include "report/report.h"

/* The year 2116: differences of two such times fit an int64_t. */
#define START_MOST (INT64_C(1) << 62)

/*
 * How many values the text can hold at most: each but the first follows one of these signs. A value
 * takes up to a hundred times the memory of its text, so it is counted before it is parsed.
 */
static size_t count_values(const char *text, size_t size)
{
	bool in_string = false;
	size_t n = 1;

	for (size_t i = 0; i < size; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (!in_string)
			n += text[i] == '[' || text[i] == '{' || text[i] == ',';
	}
	return n;
}

static void read_interval(const struct json_cursor *from, struct snapshot *s)
{
	struct json_cursor at = json_cursor_member(from, "interval");
	struct json_cursor start = json_cursor_member(&at, "start_unix_ns");

	s->start_unix_ns = json_cursor_integer(&start, -START_MOST, START_MOST);
	s->duration_ns = json_cursor_count(&at, "duration_ns");
	/* An earlier version took in every request. */
	s->sampled_ns = json_cursor_has(&at, "sampled_ns") ? json_cursor_count(&at, "sampled_ns")
							   : s->duration_ns;
}

/* What an earlier version did not count it did not lose either: it could not do it at all. */
static void read_losses(const struct json_cursor *from, struct snapshot *s)
{
	struct json_cursor at = json_cursor_member(from, "losses");

	for (enum loss i = 0; i < LOSS_COUNT; i++) {
		if (json_cursor_has(&at, loss_name(i)))
			s->losses[i] = json_cursor_count(&at, loss_name(i));
	}
}

static void read_overhead(const struct json_cursor *from, struct snapshot *s)
{
	struct json_cursor overhead = json_cursor_member(from, "overhead");
	struct json_cursor array = json_cursor_member(&overhead, "programs");
	size_t n = json_cursor_length(&array, DOCUMENT_LIST_MOST);

	s->cost_known = json_cursor_flag(&overhead, "known");
	/* A power of two, as where it grows by doubling. */
	s->programs = n ? calloc(DOCUMENT_LIST_MOST, sizeof(*s->programs)) : NULL;
	if (n && !s->programs) {
		json_cursor_out_of_memory(&array);
		return;
	}
	for (size_t i = 0; i < n && json_cursor_sound(&array); i++) {
		struct json_cursor at = json_cursor_element(&array, i);
		struct program_cost *cost = &s->programs[s->n_programs++];

		cost->name = document_read_string(&at, "name");
		cost->runs = json_cursor_count(&at, "runs");
		cost->run_ns = json_cursor_count(&at, "run_ns");
	}
}

static int add_note(void *snapshot, const char *note)
{
	return snapshot_add_note(snapshot, note);
}

static void read_members(const struct json_cursor *from, const struct json_cursor *services,
			 struct snapshot *s)
{
	size_t peers_left = DOCUMENT_PEERS_MOST;

	s->host = document_read_string_or_null(from, "host");
	read_interval(from, s);
	for (size_t i = 0; i < s->n_services && json_cursor_sound(from); i++) {
		struct json_cursor at = json_cursor_element(services, i);

		document_read_service(&at, &s->services[i], &peers_left);
	}
	read_losses(from, s);
	read_overhead(from, s);
	document_read_strings(from, "notes", add_note, s);
}

static int fail(struct document_error *ret_error, int error, const char *text)
{
	(void)snprintf(ret_error->text, sizeof(ret_error->text), "%s", text);
	return error;
}

static int check_schema(const json_t *document, struct document_error *ret_error)
{
	const char *schema = json_string_value(json_object_get(document, "schema"));

	if (!schema || strncmp(schema, "ioprof/", 7) != 0)
		return fail(ret_error, -EBADMSG, "it is no document of ioprof");
	if (strcmp(schema, REPORT_JSON_SCHEMA) == 0)
		return 0;
	(void)snprintf(ret_error->text, sizeof(ret_error->text),
		       "its format is %.32s, this ioprof reads %s: use an ioprof that reads it",
		       schema, REPORT_JSON_SCHEMA);
	return -ENOTSUP;
}

static int read_document(const json_t *document, struct snapshot **ret_snapshot,
			 struct document_error *ret_error)
{
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	struct json_error error = {0};
	struct json_cursor at = json_cursor_document(document, &error);
	struct json_cursor services = json_cursor_member(&at, "services");
	size_t n = json_cursor_length(&services, DOCUMENT_SERVICES_MOST);

	s = snapshot_new(n);
	if (!s)
		return fail(ret_error, -ENOMEM, "out of memory");
	read_members(&at, &services, s);
	if (error.code)
		return fail(ret_error, error.code, error.text);
	*ret_snapshot = TAKE(s);
	return 0;
}

int document_parse(const char *text, size_t size, struct snapshot **ret_snapshot,
		   struct document_error *ret_error)
{
	_cleanup_(json_value_freep) json_t *document = NULL;
	json_error_t error;
	int r;

	if (size > DOCUMENT_BYTES_MOST || count_values(text, size) > DOCUMENT_VALUES_MOST)
		return fail(ret_error, -EBADMSG, "it is larger than any document of ioprof");
	document = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (!document && json_error_code(&error) == json_error_out_of_memory)
		return fail(ret_error, -ENOMEM, "out of memory");
	if (!document) {
		(void)snprintf(ret_error->text, sizeof(ret_error->text),
			       "it is no JSON: %.160s, at byte %d", error.text, error.position);
		return -EBADMSG;
	}
	r = check_schema(document, ret_error);
	return r < 0 ? r : read_document(document, ret_snapshot, ret_error);
}
