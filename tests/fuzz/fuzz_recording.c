/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recordings: the bytes as a file; and the bytes as what a sound gzip member holds, or changing
 * bytes would hardly ever get past its checksum. The first byte says which, and whether the first
 * interval is passed by. What is intact is compared, every other interval with the rest.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "model/gather.h"
#include "record/recording.h"
#include "report/diff.h"

#define GZIP_WINDOW (15 + 16)

static int compress_into(int fd, const uint8_t *bytes, size_t size)
{
	z_stream stream = {0};
	size_t room;
	uint8_t *out;
	ssize_t n;

	FUZZ_ASSERT(deflateInit2(&stream, 1, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) ==
		    Z_OK);
	room = deflateBound(&stream, size);
	out = malloc(room);
	FUZZ_ASSERT(out);
	stream.next_in = (uint8_t *)bytes;
	stream.avail_in = (unsigned int)size;
	stream.next_out = out;
	stream.avail_out = (unsigned int)room;
	FUZZ_ASSERT(deflate(&stream, Z_FINISH) == Z_STREAM_END);
	n = write(fd, out, stream.total_out);
	FUZZ_ASSERT(n == (ssize_t)stream.total_out);
	free(out);
	(void)deflateEnd(&stream);
	return 0;
}

/* As text and as JSON, and both are nothing that a terminal or a parser takes amiss. */
static void compare(const struct gathering *before, const struct gathering *after)
{
	const struct report_opts opts = {.columns = 80, .utf8 = true};
	_cleanup_(diff_done) struct diff diff = {0};
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	FUZZ_ASSERT(out && diff_match(before, after, &diff) == 0);
	FUZZ_ASSERT(report_diff_text(out, &diff, &opts) == 0 &&
		    report_diff_json(out, &diff, NULL) == 0 && fclose(out) == 0);
	for (size_t i = 0; i < size; i++)
		FUZZ_ASSERT((unsigned char)text[i] >= ' ' || text[i] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_(recording_closep) struct recording *recording = NULL;
	_cleanup_close_ int fd = memfd_create("recording", MFD_CLOEXEC);
	_cleanup_(gathering_done) struct gathering before = {0}, after = {0};
	struct snapshot *s;

	FUZZ_ASSERT(fd >= 0);
	if (size == 0)
		return 0;
	if (bytes[0] & 1)
		FUZZ_ASSERT(write(fd, bytes + 1, size - 1) == (ssize_t)size - 1);
	else
		(void)compress_into(fd, bytes + 1, size - 1);
	FUZZ_ASSERT(recording_open(fd, &recording) == 0);
	if (bytes[0] & 2)
		(void)recording_skip(recording);
	for (unsigned int i = 0; recording_next(recording, &s) == 1; i++)
		(void)gathering_add(i % 2 ? &after : &before, s);
	compare(&before, after.n_hosts ? &after : &before);
	FUZZ_ASSERT(memchr(recording_damage(recording)->first, 0,
			   sizeof(recording_damage(recording)->first)));
	return 0;
}
