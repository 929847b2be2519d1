/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/accept.h"
#include "app/token.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "report/prometheus.h"

/* Ends at this, which MHD closes by itself; SERVE_CONNECTIONS_MOST is what we see to. */
#define HARD_LIMIT (2 * SERVE_CONNECTIONS_MOST)
#define BEARER "Bearer "

/* An open connection; they are listed from the oldest to the newest. */
struct connection {
	int fd;
	bool cut; /* shut down, MHD has yet to notice */
	uint64_t end_ns;
	struct connection *older, *newer;
};

struct server {
	struct MHD_Daemon *daemon;
	struct serve_opts opts;
	int fd;
	struct MHD_Response *pages[SERVE_PAGE_COUNT];
	struct connection *oldest, *newest;
	size_t n_connections; /* that are not cut */
};

static const char *const page_types[SERVE_PAGE_COUNT] = {
	[SERVE_METRICS] = PROMETHEUS_TEXT_TYPE,
	[SERVE_OPENMETRICS] = PROMETHEUS_OPENMETRICS_TYPE,
	[SERVE_SNAPSHOT] = "application/json",
};

/* ---- connections ---- */

static void cut(struct server *server, struct connection *c)
{
	if (c->cut)
		return;
	c->cut = true;
	server->n_connections--;
	(void)shutdown(c->fd, SHUT_RDWR);
}

static void cut_oldest(struct server *server)
{
	struct connection *c = server->oldest;

	while (c && c->cut)
		c = c->newer;
	if (c)
		cut(server, c);
}

static struct connection *add_connection(struct server *server, int fd)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	if (server->n_connections == SERVE_CONNECTIONS_MOST)
		cut_oldest(server);
	c->fd = fd;
	c->end_ns = clock_monotonic_ns() + SERVE_SECONDS_MOST * CLOCK_NS_PER_S;
	c->older = server->newest;
	*(c->older ? &c->older->newer : &server->oldest) = c;
	server->newest = c;
	server->n_connections++;
	return c;
}

static void remove_connection(struct server *server, struct connection *c)
{
	*(c->older ? &c->older->newer : &server->oldest) = c->newer;
	*(c->newer ? &c->newer->older : &server->newest) = c->older;
	if (!c->cut)
		server->n_connections--;
	free(c);
}

static void notify_connection(void *ctx, struct MHD_Connection *connection, void **socket_ctx,
			      enum MHD_ConnectionNotificationCode code)
{
	struct server *server = ctx;

	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*socket_ctx = add_connection(
			server,
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
				->connect_fd);
	else if (*socket_ctx)
		remove_connection(server, *socket_ctx);
}

/* ---- answers ---- */

/* A response of our own words; NULL when out of memory. */
static struct MHD_Response *note(const char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);

	if (response)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
					      "text/plain; charset=utf-8");
	return response;
}

/* Sends a response, which stays the caller's. */
static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned int status,
				     struct MHD_Response *response)
{
	/* Once, and not by name: a header that is there already stays. */
	if (!MHD_get_response_header(response, MHD_HTTP_HEADER_CONNECTION)) {
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
		(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	}
	return MHD_queue_response(connection, status, response);
}

/* Sends a note, with one more header unless its name is NULL. */
static enum MHD_Result send_note(struct MHD_Connection *connection, unsigned int status,
				 const char *text, const char *header, const char *value)
{
	struct MHD_Response *response = note(text);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	if (header)
		(void)MHD_add_response_header(response, header, value);
	result = send_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* The page, made if need be. 0 or -errno. */
static int get_page(struct server *server, enum serve_page page, struct MHD_Response **ret_response)
{
	struct MHD_Response *response = server->pages[page];
	char *text;
	size_t size;
	int r;

	if (!response) {
		r = server->opts.make(server->opts.ctx, page, &text, &size);
		if (r < 0)
			return r;
		response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
		if (!response) {
			free(text);
			return -ENOMEM;
		}
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
					      page_types[page]);
		server->pages[page] = response;
	}
	*ret_response = response;
	return 0;
}

static enum MHD_Result send_page(struct server *server, struct MHD_Connection *connection,
				 enum serve_page page)
{
	struct MHD_Response *response;
	int r;

	r = get_page(server, page, &response);
	if (r == -EAGAIN)
		return send_note(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				 "The first interval is not over yet.\n",
				 MHD_HTTP_HEADER_RETRY_AFTER, "1");
	if (r < 0)
		return send_note(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "Out of memory.\n",
				 NULL, NULL);
	return send_response(connection, MHD_HTTP_OK, response);
}

static const char *request_header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static bool may_read(const struct server *server, struct MHD_Connection *connection)
{
	const char *shown = request_header(connection, MHD_HTTP_HEADER_AUTHORIZATION);

	if (!server->opts.token)
		return true;
	return shown && strncasecmp(shown, BEARER, strlen(BEARER)) == 0 &&
	       token_equal(server->opts.token, shown + strlen(BEARER));
}

/* An address, or localhost. What a web page makes a browser ask for has the page's name. */
static bool is_own_name(const char *host)
{
	struct in6_addr in6;
	struct in_addr in;
	char name[64] = "";
	size_t length = *host == '[' ? strcspn(host, "]") : strcspn(host, ":");

	if (length >= sizeof(name))
		return false;
	memcpy(name, host, length);
	return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &in) == 1 ||
	       (*name == '[' && inet_pton(AF_INET6, name + 1, &in6) == 1);
}

static bool is_addressed(const struct server *server, struct MHD_Connection *connection)
{
	const char *host = request_header(connection, MHD_HTTP_HEADER_HOST);

	return !server->opts.loopback || !host || is_own_name(host);
}

static enum MHD_Result answer_path(struct server *server, struct MHD_Connection *connection,
				   const char *path)
{
	const char *wanted = request_header(connection, MHD_HTTP_HEADER_ACCEPT);

	if (strcmp(path, "/metrics") == 0)
		return send_page(server, connection,
				 accept_prefers_openmetrics(wanted) ? SERVE_OPENMETRICS
								    : SERVE_METRICS);
	if (strcmp(path, "/snapshot") == 0)
		return send_page(server, connection, SERVE_SNAPSHOT);
	if (strcmp(path, "/") == 0)
		return send_note(connection, MHD_HTTP_OK, "ioprof: /metrics /snapshot /healthz\n",
				 NULL, NULL);
	return send_note(connection, MHD_HTTP_NOT_FOUND,
			 "There are /metrics, /snapshot and /healthz.\n", NULL, NULL);
}

/* Called once for a request's header: all answers are given before a body is read. */
/* NOLINTBEGIN(readability-non-const-parameter): MHD says what a handler looks like */
static enum MHD_Result answer(void *ctx, struct MHD_Connection *connection, const char *path,
			      const char *method, const char *version, const char *body,
			      size_t *body_size, void **request_ctx)
{
	struct server *server = ctx;

	(void)version;
	(void)body;
	(void)body_size;
	(void)request_ctx;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return send_note(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD.\n",
				 MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (!is_addressed(server, connection))
		return send_note(connection, MHD_HTTP_MISDIRECTED_REQUEST,
				 "Ask for localhost or an address.\n", NULL, NULL);
	if (strcmp(path, "/healthz") == 0)
		return send_note(connection, MHD_HTTP_OK, "ok\n", NULL, NULL);
	if (!may_read(server, connection))
		return send_note(connection, MHD_HTTP_UNAUTHORIZED, "A token is needed.\n",
				 MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	return answer_path(server, connection, path);
}
/* NOLINTEND(readability-non-const-parameter) */

/* ---- the server ---- */

static struct MHD_Daemon *start_daemon(struct server *server)
{
	/* One event loop, ours: no thread of its own. */
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, answer, server,
				MHD_OPTION_LISTEN_SOCKET, server->opts.listen_fd,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned int)HARD_LIMIT,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)SERVE_SECONDS_MOST,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				(size_t)SERVE_REQUEST_BYTES_MOST, MHD_OPTION_NOTIFY_CONNECTION,
				notify_connection, server, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
				MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

int serve_open(const struct serve_opts *opts, struct server **ret_server)
{
	struct server *server = calloc(1, sizeof(*server));
	const union MHD_DaemonInfo *info;

	if (server) {
		server->opts = *opts;
		server->daemon = start_daemon(server);
	}
	if (!server || !server->daemon) {
		(void)close(opts->listen_fd);
		free(server);
		return -ENOMEM;
	}
	info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	server->fd = info->epoll_fd;
	*ret_server = server;
	return 0;
}

void serve_refresh(struct server *server)
{
	for (int i = 0; i < SERVE_PAGE_COUNT; i++) {
		if (server->pages[i])
			MHD_destroy_response(TAKE(server->pages[i]));
	}
}

void serve_close(struct server *server)
{
	if (!server)
		return;
	MHD_stop_daemon(server->daemon);
	serve_refresh(server);
	free(server);
}

int serve_fd(const struct server *server)
{
	return server->fd;
}

uint64_t serve_deadline_ns(const struct server *server)
{
	MHD_UNSIGNED_LONG_LONG ms;
	uint64_t deadline_ns = 0;

	for (const struct connection *c = server->oldest; c && !deadline_ns; c = c->newer)
		deadline_ns = c->cut ? 0 : c->end_ns;
	if (MHD_get_timeout(server->daemon, &ms) == MHD_YES) {
		uint64_t timeout_ns = clock_monotonic_ns() + ms * 1000000 + 1;

		if (!deadline_ns || timeout_ns < deadline_ns)
			deadline_ns = timeout_ns;
	}
	return deadline_ns;
}

void serve_run(struct server *server, uint64_t now_ns)
{
	for (struct connection *c = server->oldest; c && c->end_ns <= now_ns; c = c->newer)
		cut(server, c);
	(void)MHD_run(server->daemon);
}
