/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clients send to the exporter: a connection each, through libmicrohttpd; with a token and
 * without one, by the first byte. And the file the token comes from. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/serve.h"
#include "app/token.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "fuzz.h"
#include "report/otlp.h"

#define ROUNDS_MAX 64

static struct server *servers[2];
static struct sockaddr_un addresses[2];
static char token_path[] = "/dev/shm/ioprof-fuzz-XXXXXX";
static int token_fd;

static int make(void *ctx, enum serve_page page, char **ret_text, size_t *ret_size)
{
	(void)ctx;
	*ret_text = strdup(page == SERVE_SNAPSHOT ? "{}" : "ioprof_up 1\n");
	FUZZ_ASSERT(*ret_text);
	*ret_size = strlen(*ret_text);
	return 0;
}

static void remove_token(void)
{
	(void)unlink(token_path);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libFuzzer says what it looks like */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	token_fd = mkstemp(token_path);
	FUZZ_ASSERT(token_fd >= 0 && atexit(remove_token) == 0);
	for (size_t i = 0; i < 2; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		const struct serve_opts opts = {
			.listen_fd = fd,
			.loopback = true,
			.token = i ? "0123456789abcdef" : NULL,
			.make = make,
		};

		addresses[i].sun_family = AF_UNIX;
		(void)snprintf(addresses[i].sun_path + 1, sizeof(addresses[i].sun_path) - 1,
			       "ioprof-fuzz-%d-%zu", (int)getpid(), i);
		FUZZ_ASSERT(bind(fd, (const struct sockaddr *)&addresses[i],
				 sizeof(addresses[i])) == 0 &&
			    listen(fd, 16) == 0);
		FUZZ_ASSERT(serve_open(&opts, &servers[i]) == 0);
	}
	return 0;
}

static void read_token(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *token = NULL;

	FUZZ_ASSERT(ftruncate(token_fd, 0) == 0 &&
		    pwrite(token_fd, bytes, size, 0) == (ssize_t)size);
	if (token_read(token_path, &token) < 0)
		return;
	FUZZ_ASSERT(token_equal(token, token) && strlen(token) >= TOKEN_BYTES_MIN &&
		    strlen(token) <= TOKEN_BYTES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	size_t which = size ? bytes[0] & 1 : 0;
	char answer[4096];
	ssize_t n = -1;

	(void)otlp_rejected((const char *)bytes, size);
	read_token(bytes, size);
	if (size == 0)
		return 0;
	FUZZ_ASSERT(fd >= 0 && connect(fd, (const struct sockaddr *)&addresses[which],
				       sizeof(addresses[which])) == 0);
	(void)send(fd, bytes + 1, size - 1, MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	for (int i = 0; i < ROUNDS_MAX && n != 0; i++) {
		serve_run(servers[which], clock_monotonic_ns());
		n = read(fd, answer, sizeof(answer));
		if (n > 0 && i == 0)
			FUZZ_ASSERT(n >= 5 && memcmp(answer, "HTTP/", 5) == 0);
	}
	return 0;
}
