/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recordings written and read: whole, cut off at any byte, damaged at any byte, and files that are
 * none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "cases.h"
#include "record/recording.h"
#include "record/recording_writer.h"
#include "report/document.h"

#define OWNED _cleanup_(snapshot_freep)

/* A file in memory. */
static int new_file(void)
{
	int fd = memfd_create("recording", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int file_of(const void *bytes, size_t size)
{
	int fd = new_file();

	assert_int_equal(write(fd, bytes, size), size);
	return fd;
}

static int64_t size_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size;
}

/* The cases from first on, n of them, an interval each. */
static int record(size_t first, size_t n)
{
	int fd = new_file();

	for (size_t i = first; i < first + n; i++) {
		OWNED struct snapshot *s = golden_cases[i].make();

		assert_int_equal(recording_write(fd, s, NULL), 0);
	}
	return fd;
}

static unsigned char *content(int fd, size_t *ret_size)
{
	size_t size = (size_t)size_of(fd);
	unsigned char *bytes = malloc(size + 1);

	assert_non_null(bytes);
	assert_int_equal(pread(fd, bytes, size, 0), size);
	*ret_size = size;
	return bytes;
}

static char *document(const struct snapshot *s)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(report_json(out, s, NULL), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* Reads all of it: how many intervals, and what was wrong. */
static size_t read_all(int fd, struct recording_damage *ret_damage)
{
	_cleanup_(recording_closep) struct recording *recording = NULL;
	size_t n = 0;
	int r;

	assert_int_equal(recording_open(fd, &recording), 0);
	for (;;) {
		OWNED struct snapshot *s = NULL;

		r = recording_next(recording, &s);
		if (r <= 0)
			break;
		n++;
	}
	assert_int_equal(r, 0);
	*ret_damage = *recording_damage(recording);
	return n;
}

static void test_round_trip(void **state)
{
	_cleanup_close_ int fd = record(0, n_golden_cases);
	_cleanup_(recording_closep) struct recording *recording = NULL;

	(void)state;
	assert_int_equal(recording_open(fd, &recording), 0);
	for (size_t i = 0; i < n_golden_cases; i++) {
		OWNED struct snapshot *read = NULL, *made = golden_cases[i].make();
		_cleanup_free_ char *expected = document(made), *text = NULL;

		assert_int_equal(recording_next(recording, &read), 1);
		text = document(read);
		assert_string_equal(text, expected);
	}
	{
		OWNED struct snapshot *none = NULL;

		assert_int_equal(recording_next(recording, &none), 0);
		assert_int_equal(recording_next(recording, &none), 0);
	}
	assert_int_equal(recording_damage(recording)->parts, 0);
}

/* What gunzip makes of it, and "ioprof --json" prints, is read the same. */
static void test_plain(void **state)
{
	OWNED struct snapshot *s = golden_cases[0].make();
	_cleanup_free_ char *line = document(s), *lines = NULL;
	struct recording_damage damage;
	size_t length = strlen(line);

	(void)state;
	assert_true(asprintf(&lines, "%s\n \r\n%s", line, line) > 0);
	{
		_cleanup_close_ int fd = file_of(lines, strlen(lines));

		assert_int_equal(read_all(fd, &damage), 2);
		assert_int_equal(damage.parts, 0);
	}
	{
		_cleanup_close_ int fd = file_of(lines, strlen(lines) - 1); /* no newline */

		assert_int_equal(read_all(fd, &damage), 2);
		assert_int_equal(damage.parts, 0);
	}
	{
		_cleanup_close_ int fd = file_of(lines, strlen(lines) - length / 2);

		assert_int_equal(read_all(fd, &damage), 1);
		assert_int_equal(damage.parts, 1);
	}
}

/* Cut off anywhere, all intervals before are there. */
static void test_cut_off(void **state)
{
	_cleanup_close_ int first = record(0, 1), both = record(0, 2);
	int64_t boundary = size_of(first);
	size_t size;
	_cleanup_free_ unsigned char *bytes = content(both, &size);

	(void)state;
	for (size_t length = 1; length <= size; length += length < 40 ? 1 : 37) {
		_cleanup_close_ int fd = file_of(bytes, length);
		bool whole = (int64_t)length == boundary || length == size;
		struct recording_damage damage;
		size_t n = read_all(fd, &damage);

		assert_int_equal(n, ((int64_t)length >= boundary) + (length == size));
		assert_int_equal(damage.cut_off, !whole && length > 1);
	}
}

/* A byte wrong anywhere: at most the interval it lies in is lost, and it is told. */
static void test_damage(void **state)
{
	_cleanup_close_ int file = record(0, 3), first = record(0, 1), two = record(0, 2);
	int64_t begin = size_of(first), end = size_of(two);
	size_t size;
	_cleanup_free_ unsigned char *bytes = content(file, &size);

	(void)state;
	for (int64_t at = begin; at < end; at += at < begin + 20 || at > end - 12 ? 1 : 29) {
		struct recording_damage damage;
		size_t n;
		int fd;

		bytes[at] ^= 0x55;
		fd = file_of(bytes, size);
		n = read_all(fd, &damage);
		bytes[at] ^= 0x55;
		assert_int_equal(close(fd), 0);
		/* Time, file system: bytes of the header that mean nothing. */
		if (at >= begin + 4 && at < begin + 10)
			assert_true(n == 3);
		else if (n < 2 || damage.parts == 0 || !*damage.first)
			fail_msg("byte %lld (from %lld to %lld): %zu read, %llu damaged",
				 (long long)at, (long long)begin, (long long)end, n,
				 (unsigned long long)damage.parts);
	}
}

/* Bytes missing or added between two members. */
static void test_garbage(void **state)
{
	_cleanup_close_ int first = record(0, 1), second = record(1, 1);
	size_t size_a, size_b;
	_cleanup_free_ unsigned char *a = content(first, &size_a), *b = content(second, &size_b);
	_cleanup_close_ int fd = new_file();
	struct recording_damage damage;

	(void)state;
	assert_int_equal(write(fd, a, size_a), size_a);
	assert_int_equal(write(fd, a, size_a / 2), size_a / 2);
	assert_int_equal(write(fd, "\x1f\x8b\x08", 3), 3);
	assert_int_equal(write(fd, b, size_b), size_b);
	assert_int_equal(write(fd, "\0\0\0\0\0\0\0\0", 8), 8);
	assert_int_equal(read_all(fd, &damage), 2);
	assert_true(damage.parts >= 2);
	assert_false(damage.cut_off);
}

/* Members of any size of output, also such that fill the buffers exactly. */
static void test_many_intervals(void **state)
{
	_cleanup_close_ int fd = new_file();
	struct recording_damage damage;

	(void)state;
	for (unsigned int i = 0; i < 300; i++) {
		OWNED struct snapshot *s = snapshot_new(i % 5);

		for (size_t k = 0; k < s->n_services; k++)
			s->services[k].name = strdup("s");
		for (unsigned int k = 0; k < i && k < 256; k++)
			assert_int_equal(snapshot_add_note(s, "x"), 0);
		assert_int_equal(recording_write(fd, s, NULL), 0);
	}
	assert_int_equal(read_all(fd, &damage), 300);
	assert_int_equal(damage.parts, 0);
}

static void expect_foreign(const void *bytes, size_t size, const char *words)
{
	_cleanup_close_ int fd = file_of(bytes, size);
	struct recording_damage damage;

	assert_int_equal(read_all(fd, &damage), 0);
	if (!strstr(damage.first, words))
		fail_msg("'%s' instead of '%s'", damage.first, words);
	assert_int_equal(recording_mend(fd), -EBADMSG);
	assert_int_equal(size_of(fd), size);
}

static void test_foreign(void **state)
{
	unsigned char compressed[64];
	uLongf size = sizeof(compressed);

	(void)state;
	expect_foreign("hello\nworld\n", 12, "no JSON");
	expect_foreign("\n", 1, "");
	expect_foreign("\x1f\x8b", 2, "");
	expect_foreign("\x7f"
		       "ELF",
		       4, "no JSON");
	assert_int_equal(compress(compressed, &size, (const Bytef *)"hello", 5), Z_OK);
	expect_foreign(compressed, size, "no JSON");
}

/* A gzip file of zeros: a thousandth of what it becomes. */
static void test_bomb(void **state)
{
	z_stream stream = {0};
	unsigned char out[4096], *zeros = calloc(1, 1 << 20);
	_cleanup_close_ int fd = new_file();
	struct recording_damage damage;

	(void)state;
	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	for (unsigned int i = 0; i <= 100; i++) {
		stream.next_in = zeros;
		stream.avail_in = 1 << 20;
		do {
			stream.next_out = out;
			stream.avail_out = sizeof(out);
			assert_true(deflate(&stream, i == 100 ? Z_FINISH : Z_NO_FLUSH) >= 0);
			assert_true(write(fd, out, sizeof(out) - stream.avail_out) >= 0);
		} while (!stream.avail_out);
	}
	assert_int_equal(deflateEnd(&stream), Z_OK);
	free(zeros);
	assert_true(size_of(fd) < 1 << 20);
	assert_int_equal(read_all(fd, &damage), 0);
	assert_true(damage.too_large);
}

/* Adding to a recording that a crash cut off. */
static void test_mend(void **state)
{
	_cleanup_close_ int file = record(0, 2), first = record(0, 1);
	int64_t boundary = size_of(first);
	size_t size;
	_cleanup_free_ unsigned char *bytes = content(file, &size);
	struct recording_damage damage;

	(void)state;
	assert_int_equal(recording_mend(file), 0);
	for (size_t cut = 1; cut < 30; cut++) {
		_cleanup_close_ int fd = file_of(bytes, size - cut);
		OWNED struct snapshot *s = golden_cases[2].make();

		assert_int_equal(recording_mend(fd), (int64_t)(size - cut) - boundary);
		assert_int_equal(size_of(fd), boundary);
		assert_int_equal(lseek(fd, 0, SEEK_END), boundary);
		assert_int_equal(recording_write(fd, s, NULL), 0);
		assert_int_equal(read_all(fd, &damage), 2);
		assert_int_equal(damage.parts, 0);
	}
	{
		_cleanup_close_ int fd = file_of(bytes, (size_t)boundary / 2);

		assert_int_equal(recording_mend(fd), boundary / 2);
		assert_int_equal(size_of(fd), 0);
	}
	bytes[boundary / 2] ^= 1;
	{
		_cleanup_close_ int fd = file_of(bytes, size);

		assert_int_equal(recording_mend(fd), -EBADMSG);
		assert_int_equal(size_of(fd), size);
	}
}

/* A disk that is full: what was there stays. */
static void test_full_disk(void **state)
{
	_cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	OWNED struct snapshot *s = golden_cases[0].make();

	(void)state;
	assert_int_equal(recording_write(full, s, NULL), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_plain),
		cmocka_unit_test(test_cut_off),	   cmocka_unit_test(test_damage),
		cmocka_unit_test(test_garbage),	   cmocka_unit_test(test_many_intervals),
		cmocka_unit_test(test_foreign),	   cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_mend),	   cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
