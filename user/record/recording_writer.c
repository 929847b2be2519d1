/* SPDX-License-Identifier: GPL-2.0-or-later */
#define ZLIB_CONST /* zlib takes its input as const only if asked to */
#include "record/recording_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "record/recording_input.h"

#define GZIP_WINDOW (15 + 16) /* zlib's way of asking for gzip instead of its own format */
#define GZIP_MEMORY 8	      /* zlib's default */

/* What is written to it is compressed: of a document only the compressed form is ever whole in
 * memory. */
struct member {
	z_stream stream;
	unsigned char *bytes;
	size_t size, room;
};

static void member_done(struct member *member)
{
	(void)deflateEnd(&member->stream);
	free(member->bytes);
}

/* Room for some more bytes at least. */
static int member_grow(struct member *member)
{
	size_t room = member->room ? 2 * member->room : 64u << 10;
	unsigned char *bytes;

	if (member->room - member->size >= 256)
		return 0;
	bytes = realloc(member->bytes, room);
	if (!bytes)
		return -ENOMEM;
	member->bytes = bytes;
	member->room = room;
	return 0;
}

static int member_add(struct member *member, const char *text, size_t size, int flush)
{
	z_stream *stream = &member->stream;
	int r;

	stream->next_in = (const Bytef *)text;
	stream->avail_in = (uInt)size;
	do {
		uInt room;

		if (member_grow(member) < 0)
			return -ENOMEM;
		room = (uInt)(member->room - member->size);
		stream->next_out = member->bytes + member->size;
		stream->avail_out = room;
		r = deflate(stream, flush);
		if (r == Z_STREAM_ERROR)
			return -EIO;
		member->size += room - stream->avail_out;
	} while (stream->avail_out == 0 || (flush == Z_FINISH && r != Z_STREAM_END));
	return 0;
}

static ssize_t write_cookie(void *cookie, const char *text, size_t size)
{
	int r = member_add(cookie, text, size, Z_NO_FLUSH);

	if (r == 0)
		return (ssize_t)size;
	errno = -r;
	return 0;
}

static int compress_document(struct member *member, const struct snapshot *s,
			     const struct json_opts *opts)
{
	const cookie_io_functions_t functions = {.write = write_cookie};
	FILE *out = fopencookie(member, "w", functions);
	int r;

	if (!out)
		return -ENOMEM;
	r = report_json(out, s, opts);
	if (fclose(out) != 0 && r == 0)
		r = error_last();
	return r < 0 ? r : member_add(member, "", 0, Z_FINISH);
}

static int write_all(int fd, const unsigned char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_last();
		bytes += n;
		size -= (size_t)n;
	}
	/* What cannot be synchronized, a pipe, has no disk to be on. */
	return fdatasync(fd) < 0 && errno != EINVAL && errno != EROFS ? error_last() : 0;
}

int recording_write(int fd, const struct snapshot *s, const struct json_opts *opts)
{
	_cleanup_(member_done) struct member member = {0};
	struct stat before;
	int r;

	if (deflateInit2(&member.stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW,
			 GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	r = compress_document(&member, s, opts);
	if (r < 0)
		return r;
	if (fstat(fd, &before) < 0)
		return error_last();
	r = write_all(fd, member.bytes, member.size);
	/* Of the two errors the first one tells more. */
	if (r < 0 && S_ISREG(before.st_mode) && ftruncate(fd, before.st_size) < 0)
		return r;
	return r;
}

/* Reads to the end. Returns how far the file is whole, or -errno. */
static int64_t measure(struct recording_input *input)
{
	static const char beginning[] = "{\"schema\":\"" REPORT_JSON_SCHEMA "\"";
	enum recording_event event = RECORDING_DATA;
	bool first = true;
	int64_t whole = 0;

	while (event != RECORDING_END && event != RECORDING_CUT_OFF) {
		size_t n;
		const char *bytes;
		int r = recording_input_fill(input, &event);

		if (r < 0)
			return r;
		bytes = recording_input_bytes(input, &n);
		if (first && (n < sizeof(beginning) - 1 ||
			      memcmp(bytes, beginning, sizeof(beginning) - 1) != 0))
			return -EBADMSG;
		first = false;
		if (event == RECORDING_DAMAGED || recording_input_plain(input))
			return -EBADMSG;
		if (event == RECORDING_MEMBER_END)
			whole = recording_input_position(input);
		recording_input_take(input, n);
	}
	return whole;
}

int64_t recording_mend(int fd)
{
	_cleanup_(recording_input_freep) struct recording_input *input = NULL;
	struct stat st;
	int64_t whole;
	int r;

	if (fstat(fd, &st) < 0)
		return error_last();
	if (st.st_size == 0)
		return 0;
	r = recording_input_new(fd, &input);
	if (r < 0)
		return r;
	whole = measure(input);
	if (whole < 0)
		return whole;
	if (whole < st.st_size && ftruncate(fd, whole) < 0)
		return error_last();
	return st.st_size - whole;
}
