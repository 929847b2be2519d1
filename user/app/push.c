/* SPDX-License-Identifier: GPL-2.0-or-later */
/* https://opentelemetry.io/docs/specs/otlp/#otlphttp: which answers mean what. */
#include "app/push.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "report/otlp.h"

#define CONNECT_SECONDS_MOST 5
#define BACKOFF_MOST_EXPONENT 6 /* 64 s */
#define RETRY_AFTER_MOST 600	/* seconds a receiver may make us wait */
#define ANSWER_MOST 4096	/* bytes of an answer that are kept */

struct document {
	char *body;
	size_t size;
};

struct push {
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	int epoll;
	uint64_t timer_ns; /* when libcurl wants to run; 0: only for its sockets */
	struct document queue[PUSH_QUEUE_MOST]; /* oldest first */
	size_t n;
	bool sending;	       /* the first of them */
	uint64_t retry_ns;     /* not before */
	unsigned int failures; /* in a row */
	uint64_t sent, dropped;
	char answer[ANSWER_MOST];
	size_t answer_size;
	char error[CURL_ERROR_SIZE];
};

/* ---- libcurl's sockets and timer ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	const struct push *push = ctx;
	struct epoll_event event = {.data.fd = fd};

	(void)easy;
	(void)socket_ctx;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(push->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.events =
		(what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
	if (epoll_ctl(push->epoll, EPOLL_CTL_MOD, fd, &event) < 0)
		(void)epoll_ctl(push->epoll, EPOLL_CTL_ADD, fd, &event);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct push *push = ctx;

	(void)multi;
	push->timer_ns = timeout_ms < 0 ? 0 : clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
	return 0;
}

static size_t on_answer(char *bytes, size_t size, size_t n, void *ctx)
{
	struct push *push = ctx;
	size_t room = sizeof(push->answer) - push->answer_size;
	size_t kept = size * n < room ? size * n : room;

	memcpy(push->answer + push->answer_size, bytes, kept);
	push->answer_size += kept;
	return size * n;
}

/* ---- opening ---- */

/* The URL with the path OTLP gives to metrics if it has none; the caller frees with curl_free().
 * NULL if it cannot be pushed to. */
static char *complete_url(const char *url)
{
	CURLU *parts = curl_url();
	char *path = NULL, *scheme = NULL, *complete = NULL;

	if (!parts || curl_url_set(parts, CURLUPART_URL, url, 0) ||
	    curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
		curl_free(scheme);
		curl_url_cleanup(parts);
		return NULL;
	}
	if (!curl_url_get(parts, CURLUPART_PATH, &path, 0) && strcmp(path, "/") == 0)
		(void)curl_url_set(parts, CURLUPART_PATH, "/v1/metrics", 0);
	(void)curl_url_get(parts, CURLUPART_URL, &complete, 0);
	curl_free(path);
	curl_free(scheme);
	curl_url_cleanup(parts);
	return complete;
}

bool push_takes(const char *url)
{
	char *complete = complete_url(url);

	curl_free(complete);
	return complete != NULL;
}

/* Adds a header line. 0 or -ENOMEM. */
static int add_header(struct push *push, const char *line)
{
	struct curl_slist *longer = curl_slist_append(push->headers, line);

	if (!longer)
		return -ENOMEM;
	push->headers = longer;
	return 0;
}

/* Adds "name=value,name=value"; what is no such pair, or would break the header, is left out. */
static int add_headers(struct push *push, const char *list)
{
	_cleanup_free_ char *copy = strdup(list);
	char *rest = copy;
	char *value;
	int r = copy ? 0 : -ENOMEM;

	while (r == 0 && (value = strsep(&rest, ","))) {
		const char *name = strsep(&value, "=");
		_cleanup_free_ char *line = NULL;
		char *decoded = value ? curl_easy_unescape(push->easy, value, 0, NULL) : NULL;

		if (!decoded || !*name || strpbrk(decoded, "\r\n") || strpbrk(name, "\r\n: "))
			r = 0;
		else if (asprintf(&line, "%s: %s", name, decoded) < 0)
			r = -ENOMEM;
		else
			r = add_header(push, line);
		curl_free(decoded);
	}
	return r;
}

static int set_up(struct push *push, const char *url)
{
	CURL *easy = push->easy;
	int failed = 0;

	failed |= curl_multi_setopt(push->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK;
	failed |= curl_multi_setopt(push->multi, CURLMOPT_SOCKETDATA, push) != CURLM_OK;
	failed |= curl_multi_setopt(push->multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK;
	failed |= curl_multi_setopt(push->multi, CURLMOPT_TIMERDATA, push) != CURLM_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, push->headers) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS_MOST) !=
		  CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)PUSH_SECONDS_MOST) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, push) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, push->error) != CURLE_OK;
	return failed ? -ENOMEM : 0;
}

static int open_parts(struct push *push, const char *url, const char *headers)
{
	char *complete = complete_url(url);
	int r;

	push->multi = curl_multi_init();
	push->easy = curl_easy_init();
	if (!complete || !push->multi || !push->easy) {
		curl_free(complete);
		return complete ? -ENOMEM : -EINVAL;
	}
	r = add_header(push, "Content-Type: application/json");
	if (r == 0)
		r = add_header(push, "Expect:"); /* the body goes along at once */
	if (r == 0 && headers)
		r = add_headers(push, headers);
	if (r == 0)
		r = set_up(push, complete);
	curl_free(complete);
	return r;
}

int push_open(const char *url, const char *headers, struct push **ret_push)
{
	struct push *push;
	int r;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	push = calloc(1, sizeof(*push));
	if (!push)
		return -ENOMEM;
	push->epoll = epoll_create1(EPOLL_CLOEXEC);
	r = push->epoll < 0 ? error_last() : open_parts(push, url, headers);
	if (r < 0)
		push_close(push);
	else
		*ret_push = push;
	return r;
}

void push_close(struct push *push)
{
	if (!push)
		return;
	if (push->sending)
		(void)curl_multi_remove_handle(push->multi, push->easy);
	curl_easy_cleanup(push->easy);
	(void)curl_multi_cleanup(push->multi);
	curl_slist_free_all(push->headers);
	if (push->epoll >= 0)
		(void)close(push->epoll);
	for (size_t i = 0; i < push->n; i++)
		free(push->queue[i].body);
	free(push);
}

/* ---- the queue ---- */

static void remove_document(struct push *push, size_t at)
{
	free(push->queue[at].body);
	push->n--;
	memmove(&push->queue[at], &push->queue[at + 1], (push->n - at) * sizeof(push->queue[0]));
}

/* NOLINTNEXTLINE(readability-non-const-parameter): it is freed here */
void push_add(struct push *push, char *body, size_t size)
{
	if (push->n == PUSH_QUEUE_MOST) {
		/* One that is on its way may still arrive. */
		remove_document(push, push->sending ? 1 : 0);
		push->dropped++;
	}
	push->queue[push->n++] = (struct document){body, size};
}

static void send_first(struct push *push)
{
	const struct document *first = &push->queue[0];

	push->answer_size = 0;
	*push->error = '\0';
	(void)curl_easy_setopt(push->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)first->size);
	(void)curl_easy_setopt(push->easy, CURLOPT_POSTFIELDS, first->body);
	push->sending = curl_multi_add_handle(push->multi, push->easy) == CURLM_OK;
}

/* ---- answers ---- */

static void note_delivered(struct push *push)
{
	uint64_t rejected = otlp_rejected(push->answer, push->answer_size);

	if (push->failures > 0)
		log_error("the OTLP receiver takes metrics again");
	if (rejected > 0)
		log_error(
			"the OTLP receiver rejected %llu data points of a document: its log says why",
			(unsigned long long)rejected);
	push->failures = 0;
	push->sent++;
	remove_document(push, 0);
}

static void note_refused(struct push *push, long status)
{
	if (push->failures == 0)
		log_error(
			"the OTLP receiver refused metrics with status %ld: is it the right URL (--otlp), and are OTEL_EXPORTER_OTLP_HEADERS as it wants them?",
			status);
	push->failures++;
	push->dropped++;
	remove_document(push, 0);
}

static void note_failed(struct push *push, CURLcode code, long status, uint64_t now_ns)
{
	unsigned int exponent =
		push->failures < BACKOFF_MOST_EXPONENT ? push->failures : BACKOFF_MOST_EXPONENT;
	curl_off_t wait_s = 0;

	(void)curl_easy_getinfo(push->easy, CURLINFO_RETRY_AFTER, &wait_s);
	if (wait_s <= 0)
		wait_s = 1 << exponent;
	if (wait_s > RETRY_AFTER_MOST)
		wait_s = RETRY_AFTER_MOST;
	push->retry_ns = now_ns + (uint64_t)wait_s * CLOCK_NS_PER_S;
	if (push->failures++ > 0)
		return;
	if (code == CURLE_OK)
		log_error("the OTLP receiver answered with status %ld: trying again", status);
	else
		log_error("cannot push metrics: %s: trying again",
			  *push->error ? push->error : curl_easy_strerror(code));
}

static bool is_retryable(long status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

static void handle_end(struct push *push, CURLcode code, uint64_t now_ns)
{
	long status = 0;

	(void)curl_easy_getinfo(push->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_multi_remove_handle(push->multi, push->easy);
	push->sending = false;
	if (code != CURLE_OK || is_retryable(status))
		note_failed(push, code, status, now_ns);
	else if (status >= 200 && status < 300)
		note_delivered(push);
	else
		note_refused(push, status);
}

static void run_sockets(struct push *push, uint64_t now_ns)
{
	struct epoll_event events[8];
	int n = epoll_wait(push->epoll, events, 8, 0), running;

	for (int i = 0; i < n; i++) {
		int what = (events[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
			   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			   (events[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0);

		(void)curl_multi_socket_action(push->multi, events[i].data.fd, what, &running);
	}
	if (push->timer_ns && push->timer_ns <= now_ns) {
		push->timer_ns = 0;
		(void)curl_multi_socket_action(push->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
}

void push_run(struct push *push, uint64_t now_ns)
{
	const CURLMsg *message;
	int left;

	if (!push->sending && push->n > 0 && now_ns >= push->retry_ns)
		send_first(push);
	run_sockets(push, now_ns);
	while ((message = curl_multi_info_read(push->multi, &left))) {
		if (message->msg == CURLMSG_DONE)
			handle_end(push, message->data.result, now_ns);
	}
}

/* ---- for the event loop ---- */

int push_fd(const struct push *push)
{
	return push->epoll;
}

uint64_t push_deadline_ns(const struct push *push)
{
	if (push->sending || push->n == 0)
		return push->timer_ns;
	return push->retry_ns ? push->retry_ns : 1;
}

size_t push_pending(const struct push *push)
{
	return push->n;
}

uint64_t push_sent(const struct push *push)
{
	return push->sent;
}

uint64_t push_dropped(const struct push *push)
{
	return push->dropped;
}
