/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/recording_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/error.h"

#define GZIP_WINDOW (15 + 16)
#define CHUNK (64u << 10)
/* Each costs up to the rest of the file once more. */
#define RETURNS_MOST 64

/* How a gzip member begins that has no name in it, as those of a recording. */
static const unsigned char magic[] = {0x1f, 0x8b, Z_DEFLATED, 0};
#define MAGIC_BYTES 2 /* that every gzip file begins with */

enum kind { KIND_UNKNOWN, KIND_PLAIN, KIND_GZIP };

struct recording_input {
	int fd;
	enum kind kind;
	bool file_ended;
	bool in_member;
	int64_t member_start;
	unsigned int returns; /* to behind the beginning of a damaged member */
	enum recording_event
		ending;	 /* how the member ends once bytes are taken; or DATA: it goes on */
	int64_t offset;	 /* in the file, of the end of raw */
	z_stream stream; /* its input lies in raw */
	size_t n, taken; /* of bytes */
	unsigned char raw[CHUNK];
	char bytes[CHUNK];
};

int recording_input_new(int fd, struct recording_input **ret_input)
{
	struct recording_input *input = calloc(1, sizeof(*input));

	if (!input)
		return -ENOMEM;
	if (inflateInit2(&input->stream, GZIP_WINDOW) != Z_OK) {
		free(input);
		return -ENOMEM;
	}
	input->fd = fd;
	(void)lseek(fd, 0, SEEK_SET);
	*ret_input = input;
	return 0;
}

void recording_input_freep(struct recording_input **input)
{
	if (*input)
		(void)inflateEnd(&(*input)->stream);
	free(*input);
	*input = NULL;
}

/* Moves what is left of raw to its front and reads behind it. 0, with file_ended at the end. */
static int read_raw(struct recording_input *input)
{
	z_stream *stream = &input->stream;
	ssize_t n;

	memmove(input->raw, stream->next_in ? stream->next_in : input->raw, stream->avail_in);
	stream->next_in = input->raw;
	do {
		n = read(input->fd, input->raw + stream->avail_in, CHUNK - stream->avail_in);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_last();
	input->file_ended = n == 0;
	input->offset += n;
	stream->avail_in += (uInt)n;
	return 0;
}

/* At least so many raw bytes, if the file has them. */
static int need_raw(struct recording_input *input, size_t n)
{
	int r = 0;

	while (r == 0 && input->stream.avail_in < n && !input->file_ended)
		r = read_raw(input);
	return r;
}

static int find_kind(struct recording_input *input)
{
	int r = need_raw(input, MAGIC_BYTES);

	if (r < 0)
		return r;
	input->kind = input->stream.avail_in >= MAGIC_BYTES &&
				      memcmp(input->stream.next_in, magic, MAGIC_BYTES) == 0
			      ? KIND_GZIP
			      : KIND_PLAIN;
	return 0;
}

/* Moves on to what looks like the beginning of a member, or to the end of the file. */
static int find_member(struct recording_input *input)
{
	z_stream *stream = &input->stream;
	int r;

	while ((r = need_raw(input, sizeof(magic))) == 0 && stream->avail_in >= sizeof(magic)) {
		const unsigned char *found =
			memmem(stream->next_in, stream->avail_in, magic, sizeof(magic));
		size_t skip = found ? (size_t)(found - stream->next_in)
				    : stream->avail_in - sizeof(magic) + 1;

		stream->next_in += skip;
		stream->avail_in -= (uInt)skip;
		if (found)
			return 0;
	}
	if (r == 0)
		stream->avail_in = 0;
	return r;
}

static int fill_plain(struct recording_input *input, enum recording_event *ret_event)
{
	z_stream *stream = &input->stream;
	int r = need_raw(input, 1);

	if (r < 0)
		return r;
	memcpy(input->bytes, stream->next_in, stream->avail_in);
	input->n = stream->avail_in;
	stream->avail_in = 0;
	*ret_event = input->n ? RECORDING_DATA : RECORDING_END;
	return 0;
}

/* Back to behind the beginning of the member, where the file allows it. */
static void go_back(struct recording_input *input)
{
	int64_t to = input->member_start + (int64_t)sizeof(magic);

	if (input->returns == RETURNS_MOST || lseek(input->fd, to, SEEK_SET) < 0)
		return;
	input->returns++;
	input->stream.avail_in = 0;
	input->offset = to;
	input->file_ended = false;
}

/*
 * Says how the member ended. Behind one that was not whole the next one is looked for: a wrong bit
 * may have made what follows look as if it belonged to this one, up to the end of the file.
 */
static int end_member(struct recording_input *input, enum recording_event how,
		      enum recording_event *ret_event)
{
	int r = 0;

	input->in_member = false;
	input->ending = RECORDING_DATA;
	if (how != RECORDING_MEMBER_END) {
		go_back(input);
		r = find_member(input);
	}
	*ret_event = how == RECORDING_CUT_OFF && input->stream.avail_in ? RECORDING_DAMAGED : how;
	return r;
}

/* Uncompresses until there are bytes or the member ends. Returns what inflate() said last, or
 * Z_BUF_ERROR where the file ended. */
static int inflate_some(struct recording_input *input, int *ret_said)
{
	z_stream *stream = &input->stream;
	int said, r;

	stream->next_out = (Bytef *)input->bytes;
	stream->avail_out = CHUNK;
	for (;;) {
		/* It may hold bytes back that it has read already. */
		said = inflate(stream, Z_NO_FLUSH);
		if (stream->avail_out < CHUNK || (said != Z_OK && said != Z_BUF_ERROR))
			break;
		r = need_raw(input, 1);
		if (r < 0)
			return r;
		if (!stream->avail_in) {
			said = Z_BUF_ERROR;
			break;
		}
	}
	input->n = CHUNK - stream->avail_out;
	*ret_said = said;
	return said == Z_MEM_ERROR ? -ENOMEM : 0;
}

static int fill_gzip(struct recording_input *input, enum recording_event *ret_event)
{
	int said, r;

	if (input->ending != RECORDING_DATA)
		return end_member(input, input->ending, ret_event);
	if (!input->in_member) {
		r = need_raw(input, 1);
		if (r < 0)
			return r;
		if (!input->stream.avail_in) {
			*ret_event = RECORDING_END;
			return 0;
		}
		(void)inflateReset(&input->stream);
		input->member_start = recording_input_position(input);
		input->in_member = true;
	}
	r = inflate_some(input, &said);
	if (r < 0)
		return r;
	if (said == Z_STREAM_END)
		input->ending = RECORDING_MEMBER_END;
	else if (said == Z_BUF_ERROR && !input->n)
		input->ending = RECORDING_CUT_OFF;
	else if (said != Z_OK && said != Z_BUF_ERROR)
		input->ending = RECORDING_DAMAGED;
	return input->n ? 0 : end_member(input, input->ending, ret_event);
}

int recording_input_fill(struct recording_input *input, enum recording_event *ret_event)
{
	int r = 0;

	*ret_event = RECORDING_DATA;
	if (input->taken < input->n)
		return 0;
	input->n = input->taken = 0;
	if (input->kind == KIND_UNKNOWN)
		r = find_kind(input);
	if (r < 0)
		return r;
	return input->kind == KIND_PLAIN ? fill_plain(input, ret_event)
					 : fill_gzip(input, ret_event);
}

const char *recording_input_bytes(const struct recording_input *input, size_t *ret_n)
{
	*ret_n = input->n - input->taken;
	return input->bytes + input->taken;
}

void recording_input_take(struct recording_input *input, size_t n)
{
	size_t left = input->n - input->taken;

	input->taken += n < left ? n : left;
}

bool recording_input_plain(const struct recording_input *input)
{
	return input->kind == KIND_PLAIN;
}

int64_t recording_input_position(const struct recording_input *input)
{
	return input->offset - input->stream.avail_in;
}
