/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Documents read back: what is written is read, what is written again is the same, and whatever
 * else is read is refused. Memory is checked by the sanitizers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cases.h"
#include "report/document.h"
#include "report/report.h"

#define OWNED _cleanup_(snapshot_freep)
#define MUTATIONS 20000

static char *write_document(const struct snapshot *s)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(report_json(out, s, NULL), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static char *write_text(const struct snapshot *s)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(report_text(out, s, &(struct report_opts){.utf8 = true}), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static struct snapshot *read_document(const char *text)
{
	struct document_error error = {0};
	struct snapshot *s = NULL;

	if (document_parse(text, strlen(text), &s, &error) < 0)
		fail_msg("%s", error.text);
	return s;
}

/* Snapshot to document to snapshot to document. */
static void test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_golden_cases; i++) {
		OWNED struct snapshot *made = golden_cases[i].make();
		_cleanup_free_ char *first = write_document(made);
		OWNED struct snapshot *read = read_document(first);
		_cleanup_free_ char *second = write_document(read);

		assert_string_equal(first, second);
	}
}

/* The text report does not tell whether a snapshot was read back, but for bytes that are no UTF-8.
 */
static void test_same_report(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_golden_cases; i++) {
		OWNED struct snapshot *made = golden_cases[i].make();
		_cleanup_free_ char *document = write_document(made), *text = write_text(made);
		OWNED struct snapshot *read = read_document(document);
		_cleanup_free_ char *again = write_text(read);

		if (strcmp(golden_cases[i].name, "hostile") != 0)
			assert_string_equal(text, again);
	}
}

static struct snapshot *make(const char *name)
{
	for (size_t i = 0; i < n_golden_cases; i++) {
		if (strcmp(golden_cases[i].name, name) == 0)
			return golden_cases[i].make();
	}
	fail_msg("no case %s", name);
	return NULL;
}

/* Two documents read back and merged are the document of the sum. */
static void test_merges(void **state)
{
	OWNED struct snapshot *a = make("merge-first"), *b = make("merge-second");
	OWNED struct snapshot *sum = make("merge-sum");
	_cleanup_free_ char *text_a = write_document(a), *text_b = write_document(b);
	_cleanup_free_ char *expected = write_document(sum), *merged = NULL;
	OWNED struct snapshot *read_a = read_document(text_a), *read_b = read_document(text_b);

	(void)state;
	assert_int_equal(snapshot_merge(read_a, read_b), 0);
	merged = write_document(read_a);
	assert_string_equal(merged, expected);
}

/* A name full of bytes that are no UTF-8 still has room. */
static void test_lane_name(void **state)
{
	OWNED struct snapshot *s = golden_cases[0].make();
	_cleanup_free_ char *first = NULL, *second = NULL;
	OWNED struct snapshot *read = NULL;

	(void)state;
	memset(s->services[0].lanes[0].name, 0xfe, 15);
	first = write_document(s);
	read = read_document(first);
	second = write_document(read);
	assert_string_equal(first, second);
	assert_int_equal(strlen(read->services[0].lanes[0].name), 15);
}

/* Without samples: as if none had been taken. */
static void test_no_traces(void **state)
{
	OWNED struct snapshot *s = golden_cases[0].make();
	OWNED struct snapshot *read = NULL;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(report_json(out, s, &(struct json_opts){.no_traces = true}), 0);
	assert_int_equal(fclose(out), 0);
	read = read_document(text);
	free(text);
	assert_int_equal(read->services[0].traces.n, 0);
	assert_int_equal(read->services[0].traces.limit, 0);
	assert_int_equal(snapshot_merge(s, read), 0);
	assert_int_equal(s->services[0].traces.n, 0);
}

static int parse(const char *text, size_t size, struct document_error *ret_error)
{
	OWNED struct snapshot *s = NULL;

	return document_parse(text, size, &s, ret_error);
}

static void expect_refusal(const char *text, int code, const char *words)
{
	struct document_error error = {0};
	int r = parse(text, strlen(text), &error);

	if (r != code || !strstr(error.text, words))
		fail_msg("%.80s: %d, '%s' instead of %d, '%s'", text, r, error.text, code, words);
}

static void test_foreign(void **state)
{
	(void)state;
	expect_refusal("", -EBADMSG, "no JSON");
	expect_refusal("hello", -EBADMSG, "no JSON");
	expect_refusal("{", -EBADMSG, "no JSON");
	expect_refusal("[1]", -EBADMSG, "no document of ioprof");
	expect_refusal("{\"schema\": 1}", -EBADMSG, "no document of ioprof");
	expect_refusal("{\"schema\": \"prometheus/1\"}", -EBADMSG, "no document of ioprof");
	expect_refusal("{\"schema\": \"ioprof/2\"}", -ENOTSUP, "its format is ioprof/2");
	expect_refusal("{\"schema\": \"ioprof/1\"}", -EBADMSG, "services: is missing");
	expect_refusal("{\"schema\": \"ioprof/1\", \"schema\": 1}", -EBADMSG, "duplicate");
	expect_refusal("{\"schema\": \"ioprof/1\", \"x\": \"\\u0000\"}", -EBADMSG, "no JSON");
	expect_refusal("{\"schema\": \"ioprof/1\", \"x\": \"\xff\"}", -EBADMSG, "no JSON");
}

/* Brackets take a hundred times their size in memory once they are values. */
static void test_bombs(void **state)
{
	size_t size = DOCUMENT_BYTES_MOST + 1;
	_cleanup_free_ char *text = malloc(size);
	struct document_error error;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', size);
	assert_int_equal(parse(text, size, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "larger"));
	memset(text, '[', DOCUMENT_VALUES_MOST);
	assert_int_equal(parse(text, DOCUMENT_VALUES_MOST, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "larger"));
	assert_int_equal(parse(text, 100000, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "depth"));
}

/* ---- every field, wrong in every way ---- */

/* Fields that are computed anew and not read. */
static bool is_derived(const char *name)
{
	static const char *const derived[] = {
		"advice",
		"start",
		"duration_s",
		"rate_per_s",
		"in_flight_mean",
		"busy_fraction",
		"per_request",
		"cpu_s",
		"wait_s_per_request",
		"operations_per_request",
		"ratio",
		"fraction",
		"ci95",
		"ratio_loose",
		"closure",
		"quality",
		"probe_cpu_s",
		"concurrency_model",
		"cpu_total_s",
		"mean",
		"p50",
		"p90",
		"p99",
		"max",
	};

	for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++) {
		if (strcmp(derived[i], name) == 0)
			return true;
	}
	return false;
}

static int parse_json(const json_t *document, struct document_error *ret_error)
{
	char *text = json_dumps(document, JSON_COMPACT);
	int r;

	assert_non_null(text);
	r = parse(text, strlen(text), ret_error);
	free(text);
	return r;
}

/* What no field may be: every one of them is wrong for every field that is read. */
static json_t *wrong_value(unsigned int i)
{
	switch (i) {
	case 0:
		return json_object();
	case 1:
		return json_pack("[[[]]]");
	case 2:
		return json_integer(-1);
	case 3:
		return json_real(-1e300);
	default:
		return NULL;
	}
}

/* An empty object where one is expected lacks what it needs; a foreign one is refused. */
static void break_members(json_t *document, json_t *object);

static void expect_broken(json_t *document, const char *key)
{
	struct document_error error = {0};
	int r = parse_json(document, &error);

	if (r != -EBADMSG || !*error.text)
		fail_msg("%s broken: %d, '%s'", key, r, error.text);
}

static void break_member(json_t *document, json_t *object, const char *key)
{
	json_t *value = json_incref(json_object_get(object, key));
	json_t *wrong;

	for (unsigned int i = 0; (wrong = wrong_value(i)); i++) {
		json_object_set_new(object, key, wrong);
		expect_broken(document, key);
	}
	/* Documents of before there was such a field lack it. */
	if (strcmp(key, "modules_seen") != 0 && strcmp(key, "environment_variables") != 0 &&
	    strcmp(key, "other_cpu_ns") != 0 && strcmp(key, "connections") != 0 &&
	    strcmp(key, "pauses") != 0 && strcmp(key, "peer_cpu_ns") != 0) {
		json_object_del(object, key);
		expect_broken(document, key);
	}
	json_object_set_new(object, key, value);
}

static void break_inside(json_t *document, json_t *value)
{
	json_t *element;
	size_t i;

	if (json_is_object(value))
		break_members(document, value);
	if (!json_is_array(value))
		return;
	json_array_foreach(value, i, element)
		break_inside(document, element);
}

static void break_members(json_t *document, json_t *object)
{
	char *keys[64];
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach(object, key, value) {
		assert_true(n < sizeof(keys) / sizeof(keys[0]));
		if (!is_derived(key))
			keys[n++] = strdup(key);
	}
	for (size_t i = 0; i < n; i++) {
		break_member(document, object, keys[i]);
		break_inside(document, json_object_get(object, keys[i]));
		free(keys[i]);
	}
}

static json_t *load(const struct golden_case *golden)
{
	OWNED struct snapshot *s = golden->make();
	_cleanup_free_ char *text = write_document(s);
	json_t *document = json_loads(text, 0, NULL);

	assert_non_null(document);
	return document;
}

static void test_every_field(void **state)
{
	json_t *document = load(&golden_cases[0]);
	struct document_error error = {0};

	(void)state;
	assert_int_equal(parse_json(document, &error), 0);
	/* start_unix_ns may be negative; peers may not be an object, and so on. */
	break_members(document, json_object_get(document, "overhead"));
	break_members(document, json_array_get(json_object_get(document, "services"), 0));
	break_member(document, document, "services");
	break_member(document, document, "notes");
	break_member(document, document, "host");
	break_member(document, document, "interval");
	json_decref(document);
}

/* Fields that are derived may be anything; unknown ones may come. */
static void test_tolerance(void **state)
{
	json_t *document = load(&golden_cases[0]);
	json_t *service = json_array_get(json_object_get(document, "services"), 0);
	struct document_error error = {0};

	(void)state;
	json_object_set_new(document, "new", json_pack("[i, s]", 1, "x"));
	json_object_set_new(service, "advice", json_pack("{s:s}", "verdict", "?"));
	json_object_set_new(service, "closure", json_string("?"));
	json_object_del(service, "per_request");
	json_object_del(document, "quality");
	json_object_del(json_object_get(document, "losses"), "peers"); /* of an earlier version */
	json_object_del(json_object_get(service, "surroundings"), "modules_seen");
	json_object_del(json_object_get(service, "surroundings"), "environment_variables");
	json_object_del(json_object_get(service, "surroundings"), "other_cpu_ns");
	json_object_del(service, "pauses");
	json_object_del(service, "peer_cpu_ns");
	assert_int_equal(parse_json(document, &error), 0);
	json_decref(document);
}

/* The elements of arrays, wrong in ways of their own. */
static void test_arrays(void **state)
{
	static const struct {
		const char *path[6]; /* from services[0]; digits are positions */
		const char *value, *words;
	} cases[] = {
		{{"latency_s", "buckets"}, "[[592, 1010]]", "buckets[0][0]: is out of range"},
		{{"latency_s", "buckets"},
		 "[[5, 10], [5, 1000]]",
		 "buckets[1][0]: is out of range"},
		{{"latency_s", "buckets"}, "[[5, 1009]]", "buckets: holds less than count"},
		{{"latency_s", "buckets"}, "[[5, 1011]]", "buckets: holds more than count"},
		{{"latency_s", "buckets"},
		 "[[5, 9223372036854775807], [6, 9223372036854775807]]",
		 "buckets: holds more than count"},
		{{"latency_s", "buckets"}, "[[5, 0], [6, 1010]]", "buckets[0][1]: is out of range"},
		{{"latency_s", "buckets"}, "[[5]]", "buckets[0]: is not [index, count]"},
		{{"latency_s", "buckets"}, "[5]", "buckets[0]: is not an array"},
		{{"peers", "0", "loads"}, "[[18, 1, 1]]", "loads[0][0]: is not where a row begins"},
		{{"peers", "0", "loads"}, "[[2, 1, 1], [1, 1, 1]]", "loads[1][0]: is out of range"},
		{{"peers", "0", "loads"}, "[[1, 1]]", "loads[0][2]: is missing"},
		{{"pauses"}, "[[-1, 1, 1, 1, 1]]", "pauses[0][0]: is out of range"},
		{{"pauses"}, "[[2, 1, 1, 1, 1]]", "pauses[0][0]: is not where a row begins"},
		{{"pauses"}, "[[268435456, 1, 1, 1, 1]]", "pauses[0][0]: is out of range"},
		{{"pauses"},
		 "[[9223372036854775807, 1, 1, 1, 1]]",
		 "pauses[0][0]: is out of range"},
		{{"pauses"}, "[[1, 1, 1, 1, 1], [0, 1, 1, 1, 1]]", "pauses[1][0]: is out of range"},
		{{"pauses"}, "[[0, -1, 1, 1, 1]]", "pauses[0][1]: is out of range"},
		{{"pauses"}, "[[0, 1, 1, 1, -1]]", "pauses[0][4]: is out of range"},
		{{"pauses"}, "[[0, 1, 1, 1]]", "pauses[0][4]: is missing"},
		{{"pauses"}, "[[0, 1, 1, \"1\", 1]]", "pauses[0][3]: is not a whole number"},
		{{"pids"}, "[0]", "pids[0]: is out of range"},
		{{"pids"}, "[4294967297]", "pids[0]: is out of range"},
		{{"lanes", "0", "name"}, "\"0123456789abcdef\"", "name: is too long"},
		{{"traces", "limit"}, "4294967297", "limit: is out of range"},
		{{"traces", "limit"}, "12345", "kept[0][0]: is out of range"},
		{{"traces", "parts"}, "[]", "[5][0][0]: is out of range"},
		{{"traces", "kept", "0"}, "[1, 0, 0, 1, 0]", "[5]: is missing"},
		{{"traces", "kept", "0"}, "{}", "is not an array"},
		{{"traces", "kept", "0"}, "[1, 0, 0, 1, 0, [[7]]]", "[5][0][1]: is missing"},
		{{"traces", "kept", "0"}, "[1, 0, 0, 1, 0, [[0, 1, 3]]]", "[2]: is out of range"},
		{{"traces", "kept", "0"}, "[1, 9e9, 0, 1, 0, []]", "is not a whole number"},
		{{"surroundings", "cpus"}, "1e999", "no JSON"},
		{{"surroundings", "modules_seen"}, "\"much\"", "is none of none, part, all"},
		{{"name"}, "null", "name: is not a string"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *document = load(&golden_cases[0]);
		json_t *at = json_array_get(json_object_get(document, "services"), 0);
		const char *const *path = cases[i].path;
		_cleanup_free_ char *marked = NULL, *text = NULL;
		char *mark;

		for (; path[1]; path++)
			at = json_is_array(at) ? json_array_get(at, (size_t)atoi(*path))
					       : json_object_get(at, *path);
		if (json_is_array(at))
			json_array_set_new(at, (size_t)atoi(*path), json_string("@@@"));
		else
			json_object_set_new(at, *path, json_string("@@@"));
		marked = json_dumps(document, JSON_COMPACT);
		mark = strstr(marked, "\"@@@\"");
		assert_true(asprintf(&text, "%.*s%s%s", (int)(mark - marked), marked,
				     cases[i].value, mark + 5) > 0);
		expect_refusal(text, -EBADMSG, cases[i].words);
		json_decref(document);
	}
}

/* ---- anything ---- */

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* A few bytes changed, removed or repeated. Most of it is refused, some is not; nothing crashes. */
static size_t mutate(char *text, size_t size, uint32_t *random)
{
	static const char signs[] = "0123456789-.eE[]{},:\"\\nulltruefalse \xff\x01";

	for (unsigned int n = next_random(random) % 4 + 1; n > 0 && size > 64; n--) {
		size_t at = next_random(random) % (size - 32);
		size_t length = next_random(random) % 16 + 1;

		switch (next_random(random) % 3) {
		case 0:
			text[at] = signs[next_random(random) % (sizeof(signs) - 1)];
			break;
		case 1:
			memmove(text + at, text + at + length, size - at - length);
			size -= length;
			break;
		default:
			memmove(text + at, text + next_random(random) % (size - 32), length);
		}
	}
	return size;
}

static void test_mutations(void **state)
{
	OWNED struct snapshot *s = make("merge-second");
	_cleanup_free_ char *text = write_document(s);
	size_t size = strlen(text);
	_cleanup_free_ char *copy = malloc(size + 1);
	uint32_t random = 20261122;
	unsigned int refused = 0;

	(void)state;
	for (unsigned int i = 0; i < MUTATIONS; i++) {
		struct document_error error = {0};
		int r;

		memcpy(copy, text, size + 1);
		r = parse(copy, mutate(copy, size, &random), &error);
		assert_true(r == 0 || ((r == -EBADMSG || r == -ENOTSUP) && *error.text));
		refused += r != 0;
	}
	assert_true(refused > MUTATIONS / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_same_report),
		cmocka_unit_test(test_merges),	   cmocka_unit_test(test_lane_name),
		cmocka_unit_test(test_no_traces),  cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_bombs),	   cmocka_unit_test(test_every_field),
		cmocka_unit_test(test_tolerance),  cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
