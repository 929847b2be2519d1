/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/iterate.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"

#define CHUNK_BYTES ((size_t)64 << 10)

static void cleanup_link(struct bpf_link **link)
{
	(void)bpf_link__destroy(*link);
}

int iterate_read(struct bpf_program *program, void **ret_bytes, size_t *ret_size)
{
	_cleanup_(cleanup_link) struct bpf_link *link = NULL;
	_cleanup_free_ char *bytes = NULL;
	_cleanup_close_ int fd = -1;
	size_t size = 0, room = 0;
	char *larger;
	ssize_t n;

	link = bpf_program__attach_iter(program, NULL);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return -errno;
	for (;;) {
		if (room - size < CHUNK_BYTES) {
			room += room / 2 + CHUNK_BYTES;
			larger = realloc(bytes, room);
			if (!larger)
				return -ENOMEM;
			bytes = larger;
		}
		n = read(fd, bytes + size, room - size);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n == 0)
			break;
		size += n > 0 ? (size_t)n : 0;
	}
	*ret_bytes = TAKE(bytes);
	*ret_size = size;
	return 0;
}

int iterate(struct bpf_program *program)
{
	_cleanup_free_ void *bytes = NULL;
	size_t size;

	return iterate_read(program, &bytes, &size);
}
