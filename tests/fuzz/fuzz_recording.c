/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recordings: the bytes as a file; and the bytes as what a sound gzip member holds, or changing
 * bytes would hardly ever get past its checksum. The first byte says which.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "record/recording.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_(recording_closep) struct recording *recording = NULL;
	_cleanup_close_ int fd = memfd_create("recording", MFD_CLOEXEC);
	struct snapshot *s;

	FUZZ_ASSERT(fd >= 0);
	if (size == 0)
		return 0;
	if (bytes[0] & 1)
		FUZZ_ASSERT(write(fd, bytes + 1, size - 1) == (ssize_t)size - 1);
	else
		(void)compress_into(fd, bytes + 1, size - 1);
	FUZZ_ASSERT(recording_open(fd, &recording) == 0);
	while (recording_next(recording, &s) == 1)
		snapshot_free(s);
	FUZZ_ASSERT(memchr(recording_damage(recording)->first, 0,
			   sizeof(recording_damage(recording)->first)));
	return 0;
}
