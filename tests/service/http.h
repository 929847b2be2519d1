/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As much of HTTP/1.1 as the known-answer service and its load need: one message at a time, no
 * pipelining. */
#ifndef IOPROF_SERVICE_HTTP_H
#define IOPROF_SERVICE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEAD_SIZE 2048

/* A message that is being received, request or response. All zero to begin with. */
struct http_message {
	char head[HTTP_HEAD_SIZE];
	size_t head_len; /* bytes of head seen so far */
	bool head_done;
	bool chunked; /* ends with an empty chunk, otherwise after body_len bytes */
	bool close;   /* the sender closes, or wants it closed, afterwards */
	size_t body_len, body_seen;
	char tail[8]; /* the last bytes seen of a chunked body */
};

/* Takes the next bytes. Returns 1 when the message is complete, 0 when not yet, -EBADMSG or
 * -EMSGSIZE. */
int http_feed(struct http_message *message, const char *data, size_t len);

/* Writes the head of a response. Returns its length. */
size_t http_response_head(char *ret_head, size_t size, size_t body_len, bool chunked, bool close);

/* Writes the head of a request. Returns its length. */
size_t http_request_head(char *ret_head, size_t size, size_t body_len, bool close);

#endif
