/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAST_CHUNK "\r\n0\r\n\r\n"
#define LAST_CHUNK_LEN 7

static void read_head(struct http_message *m)
{
	const char *length = strcasestr(m->head, "\r\ncontent-length:");

	m->head_done = true;
	m->chunked = strcasestr(m->head, "\r\ntransfer-encoding: chunked");
	m->close = strcasestr(m->head, "\r\nconnection: close");
	if (length)
		m->body_len = strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
}

/* Takes bytes of the head; returns how many belonged to it, or -errno. */
static long feed_head(struct http_message *m, const char *data, size_t len)
{
	size_t old = m->head_len;
	size_t room = sizeof(m->head) - 1 - old;
	size_t n = len < room ? len : room;
	const char *end;

	memcpy(m->head + old, data, n);
	m->head[old + n] = '\0';
	end = strstr(m->head, "\r\n\r\n");
	if (!end && n < len)
		return -EMSGSIZE;
	if (!end) {
		m->head_len += n;
		return (long)n;
	}
	m->head_len = (size_t)(end - m->head) + 4;
	/* Keep one line end in the head, so that each field ends like any other. */
	m->head[m->head_len - 2] = '\0';
	read_head(m);
	return (long)(m->head_len - old);
}

static void keep_tail(struct http_message *m, const char *data, size_t len)
{
	char joined[2 * LAST_CHUNK_LEN];
	size_t n = len < LAST_CHUNK_LEN ? len : LAST_CHUNK_LEN;

	memcpy(joined, m->tail, LAST_CHUNK_LEN);
	memcpy(joined + LAST_CHUNK_LEN, data + len - n, n);
	memcpy(m->tail, joined + n, LAST_CHUNK_LEN);
}

int http_feed(struct http_message *m, const char *data, size_t len)
{
	if (!m->head_done) {
		long n = feed_head(m, data, len);

		if (n < 0)
			return (int)n;
		data += n;
		len -= (size_t)n;
	}
	if (!m->head_done)
		return 0;
	m->body_seen += len;
	if (m->chunked) {
		keep_tail(m, data, len);
		return !memcmp(m->tail, LAST_CHUNK, LAST_CHUNK_LEN);
	}
	if (m->body_seen > m->body_len)
		return -EBADMSG;
	return m->body_seen == m->body_len;
}

size_t http_response_head(char *ret_head, size_t size, size_t body_len, bool chunked, bool close)
{
	const char *connection = close ? "close" : "keep-alive";

	if (chunked)
		return (size_t)snprintf(ret_head, size,
					"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
					"Transfer-Encoding: chunked\r\nConnection: %s\r\n\r\n",
					connection);
	return (size_t)snprintf(
		ret_head, size,
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
		"Connection: %s\r\n\r\n",
		body_len, connection);
}

size_t http_request_head(char *ret_head, size_t size, size_t body_len, bool close)
{
	const char *connection = close ? "close" : "keep-alive";

	if (body_len)
		return (size_t)snprintf(
			ret_head, size,
			"POST / HTTP/1.1\r\nHost: known\r\nContent-Length: %zu\r\nConnection: %s\r\n\r\n",
			body_len, connection);
	return (size_t)snprintf(ret_head, size,
				"GET / HTTP/1.1\r\nHost: known\r\nConnection: %s\r\n\r\n",
				connection);
}
