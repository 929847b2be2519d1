/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sampled requests, arrays instead of objects: there are many, and they are for machines. */
#include "report/json_traces.h"

#include "base/cleanup.h"
#include "model/snapshot.h"
#include "report/json_value.h"

/* [part, ns], or [part, ns, peer] of a wait for one; the part by its position in "parts". */
static json_t *segment(const struct trace_segment *segment)
{
	if (segment->peer == TRACE_NO_PEER)
		return json_pack("[io]", (int)segment->part, json_value_integer(segment->ns));
	return json_pack("[ioo]", (int)segment->part, json_value_integer(segment->ns),
			 json_value_integer(segment->peer));
}

static json_t *segments(const struct trace *trace)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (size_t i = 0; i < trace->n_segments; i++) {
		if (json_array_append_new(array, segment(&trace->segments[i])) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *queue_wait(const struct trace *trace)
{
	if (trace->queue_wait_ns == TRACE_NOT_KNOWN)
		return json_null();
	return json_value_integer(trace->queue_wait_ns);
}

/* [key, start_ns, queue_wait_ns, wall_ns, truncated, segments] each. */
static json_t *kept(const struct traces *traces)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (size_t i = 0; i < traces->n; i++) {
		const struct trace *trace = &traces->kept[i];
		json_t *row = json_pack("[oIoooo]", json_value_integer(trace->key),
					(json_int_t)trace->start_ns, queue_wait(trace),
					json_value_integer(trace->wall_ns),
					json_value_integer(trace->truncated), segments(trace));

		if (json_array_append_new(array, row) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *parts(void)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (enum part i = 0; i < PART_COUNT; i++) {
		if (json_array_append_new(array, json_string(part_name(i))) < 0)
			return NULL;
	}
	return TAKE(array);
}

json_t *json_traces(const struct traces *traces)
{
	static const struct traces none = {0};

	if (!traces)
		traces = &none;
	return json_pack("{s:o, s:o, s:o}", "limit", json_value_integer(traces->limit), "parts",
			 parts(), "kept", kept(traces));
}
