/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the exporter reads that others write: addresses, token files, Accept headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/accept.h"
#include "app/listen.h"
#include "app/token.h"
#include "base/cleanup.h"

static void test_accept(void **state)
{
	static const char *const openmetrics[] = {
		"application/openmetrics-text",
		"application/openmetrics-text; version=1.0.0; charset=utf-8",
		"Application/OpenMetrics-Text;version=1.0.0;q=0.5,text/plain;q=0.4",
		/* Prometheus 2.42 */
		"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
		"text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
	};
	static const char *const text[] = {
		"",
		"*/*",
		",;=q,",
		"text/plain",
		"application/openmetrics-text;version=0.0.1",
		"application/openmetrics-text;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.7",
		"application/openmetrics-text;q=0",
		"application/openmetrics-text;q=nan",
		"application/openmetrics-textual",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(openmetrics) / sizeof(openmetrics[0]); i++)
		assert_true(accept_prefers_openmetrics(openmetrics[i]));
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		assert_false(accept_prefers_openmetrics(text[i]));
	assert_false(accept_prefers_openmetrics(NULL));
}

static void test_listen_parse(void **state)
{
	static const char *const loopback[] = {"127.0.0.1:9977", "127.1.2.3:0", "[::1]:65535"};
	static const char *const other[] = {"0.0.0.0:1", "[::]:1", "192.0.2.1:80",
					    "[::ffff:127.0.0.1]:80"};
	static const char *const bad[] = {
		"",
		":",
		"9977",
		":9977",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:x",
		"::1:9977",
		"[::1]",
		"[::1:80",
		"127.0.0.1:65536",
		"127.0.0.1:-1",
		"localhost:1",
		"1.2.3:+1",
		"[127.0.0.1:1",
		"]:1",
		"[]:1",
	};
	struct listen_address address;

	(void)state;
	for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++) {
		assert_int_equal(listen_parse(loopback[i], &address), 0);
		assert_true(address.loopback);
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		assert_int_equal(listen_parse(other[i], &address), 0);
		assert_false(address.loopback);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(listen_parse(bad[i], &address), -EINVAL);
}

static void test_listen_open(void **state)
{
	struct listen_address address;
	char text[LISTEN_TEXT_MAX];
	int fd, second;

	(void)state;
	assert_int_equal(listen_parse("127.0.0.1:0", &address), 0);
	assert_int_equal(listen_open(&address, &fd), 0);
	listen_describe(fd, text);
	assert_int_equal(listen_parse(text, &address), 0);
	assert_int_equal(listen_open(&address, &second), -EADDRINUSE);
	(void)close(fd);
}

static void test_token_equal(void **state)
{
	(void)state;
	assert_true(token_equal("0123456789abcdef", "0123456789abcdef"));
	assert_false(token_equal("0123456789abcdef", "0123456789abcdeF"));
	assert_false(token_equal("0123456789abcdef", "0123456789abcde"));
	assert_false(token_equal("0123456789abcdef", "0123456789abcdef0"));
	assert_false(token_equal("0123456789abcdef", ""));
	assert_false(token_equal("aaaaaaaaaaaaaaaa", "a"));
}

/* The result of reading a token from a new file with this content and mode. */
static int read_token(const char *content, mode_t mode, char **ret_token)
{
	char path[] = "/tmp/ioprof-token-XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
	r = token_read(path, ret_token);
	(void)unlink(path);
	return r;
}

static void test_token_read(void **state)
{
	_cleanup_free_ char *token = NULL;
	char endless[2 * TOKEN_BYTES_MAX];

	(void)state;
	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	assert_int_equal(read_token("0123456789abcdef\nmore\n", 0600, &token), 0);
	assert_string_equal(token, "0123456789abcdef");
	assert_int_equal(read_token("0123456789abcdef", 0640, &token), -EPERM);
	assert_int_equal(read_token("0123456789abcdef", 0604, &token), -EPERM);
	assert_int_equal(read_token("", 0600, &token), -EBADMSG);
	assert_int_equal(read_token("short\n", 0600, &token), -EBADMSG);
	assert_int_equal(read_token("0123456789 abcdef\n", 0600, &token), -EBADMSG);
	assert_int_equal(read_token(endless, 0600, &token), -EBADMSG);
	assert_int_equal(token_read("/tmp", &token), -EINVAL);
	assert_int_equal(token_read("/dev/null", &token), -EINVAL);
	assert_int_equal(token_read("/nonexistent", &token), -ENOENT);
	for (int error = -200; error < 0; error++)
		assert_non_null(token_explain(error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept),	    cmocka_unit_test(test_listen_parse),
		cmocka_unit_test(test_listen_open), cmocka_unit_test(test_token_equal),
		cmocka_unit_test(test_token_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
