/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "report/document.h"
#include "report/document_service.h"

/* Far beyond any interval, and far from what int64_t can hold. */
#define TIME_MOST (INT64_C(1) << 60)

/* What the numbers in segments stand for, and how many peers there are. */
struct legend {
	enum part parts[DOCUMENT_LIST_MOST];
	size_t n_parts;
	size_t n_peers;
};

/* A part that this version does not know is a wait like others it cannot tell. */
static enum part part_of_name(const char *name)
{
	for (enum part i = 0; i < PART_COUNT; i++) {
		if (strcmp(part_name(i), name) == 0)
			return i;
	}
	return PART_OTHER;
}

static void read_legend(const struct json_cursor *from, struct legend *legend)
{
	struct json_cursor array = json_cursor_member(from, "parts");
	size_t n = json_cursor_length(&array, DOCUMENT_LIST_MOST);

	for (size_t i = 0; i < n; i++) {
		struct json_cursor at = json_cursor_element(&array, i);

		legend->parts[i] = part_of_name(json_cursor_string(&at, DOCUMENT_STRING_MOST));
	}
	legend->n_parts = n;
}

static void read_segment(const struct json_cursor *from, const struct legend *legend,
			 struct trace_segment *segment)
{
	size_t n = json_cursor_length(from, 3);
	struct json_cursor part = json_cursor_element(from, 0), ns = json_cursor_element(from, 1);
	int64_t index = json_cursor_integer(&part, 0, (int64_t)legend->n_parts - 1);

	*segment = (struct trace_segment){
		.ns = (uint64_t)json_cursor_integer(&ns, 0, INT64_MAX),
		.part = json_cursor_sound(from) ? legend->parts[index] : 0,
		.peer = TRACE_NO_PEER,
	};
	if (n == 3) {
		struct json_cursor peer = json_cursor_element(from, 2);

		segment->peer =
			(uint32_t)json_cursor_integer(&peer, 0, (int64_t)legend->n_peers - 1);
	}
}

static size_t read_segments(const struct json_cursor *from, const struct legend *legend,
			    struct trace_segment segments[TRACE_MOST_SEGMENTS])
{
	size_t n = json_cursor_length(from, TRACE_MOST_SEGMENTS);

	for (size_t i = 0; i < n && json_cursor_sound(from); i++) {
		struct json_cursor at = json_cursor_element(from, i);

		read_segment(&at, legend, &segments[i]);
	}
	return n;
}

static void read_trace(const struct json_cursor *from, const struct legend *legend,
		       struct service *service)
{
	struct trace_segment segments[TRACE_MOST_SEGMENTS];
	int64_t keys = (int64_t)service->traces.limit - 1;
	struct json_cursor key = json_cursor_element(from, 0);
	struct json_cursor start = json_cursor_element(from, 1);
	struct json_cursor queue = json_cursor_element(from, 2);
	struct json_cursor wall = json_cursor_element(from, 3);
	struct json_cursor truncated = json_cursor_element(from, 4);
	struct json_cursor rows = json_cursor_element(from, 5);
	struct trace trace = {
		.key = (uint32_t)json_cursor_integer(&key, 0, keys),
		.start_ns = json_cursor_integer(&start, -TIME_MOST, TIME_MOST),
		.queue_wait_ns = TRACE_NOT_KNOWN,
		.wall_ns = (uint64_t)json_cursor_integer(&wall, 0, INT64_MAX),
		.truncated = (uint32_t)json_cursor_integer(&truncated, 0, UINT32_MAX),
		.segments = segments,
	};

	if (!json_cursor_is_null(&queue))
		trace.queue_wait_ns = (uint64_t)json_cursor_integer(&queue, 0, INT64_MAX);
	trace.n_segments = read_segments(&rows, legend, segments);
	if (json_cursor_sound(from) && traces_add(&service->traces, &trace, 0, NULL) < 0)
		json_cursor_out_of_memory(from);
}

void document_read_traces(const struct json_cursor *service_from, struct service *service)
{
	struct json_cursor at = json_cursor_member(service_from, "traces");
	struct json_cursor limit = json_cursor_member(&at, "limit");
	struct json_cursor kept = json_cursor_member(&at, "kept");
	size_t n = json_cursor_length(&kept, TRACES_MOST);
	struct legend legend = {.n_peers = service->n_peers};

	read_legend(&at, &legend);
	service->traces.limit = (uint64_t)json_cursor_integer(&limit, 0, (int64_t)TRACE_KEYS);
	for (size_t i = 0; i < n && json_cursor_sound(&kept); i++) {
		struct json_cursor row = json_cursor_element(&kept, i);

		if (!json_is_array(row.value))
			json_cursor_fail(&row, "is not an array");
		read_trace(&row, &legend, service);
	}
}
