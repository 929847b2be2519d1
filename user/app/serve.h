/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exporter's HTTP server; the only file that knows libmicrohttpd is serve.c.
 *
 * It has no thread: it runs when its descriptor is readable or its deadline has come. Pages are
 * made when first asked for and shared by all who ask until serve_refresh().
 *
 * What clients can do to it is bounded: GET and HEAD only, one request to a connection, which ends
 * after SERVE_SECONDS_MOST whatever it does; where more than SERVE_CONNECTIONS_MOST are open the
 * oldest goes, so that slow ones do not keep others out; SERVE_REQUEST_BYTES_MOST of memory each.
 */
#ifndef IOPROF_APP_SERVE_H
#define IOPROF_APP_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVE_CONNECTIONS_MOST 32
#define SERVE_SECONDS_MOST 10
#define SERVE_REQUEST_BYTES_MOST 8192

struct server;

enum serve_page {
	SERVE_METRICS,	   /* /metrics as Prometheus' text */
	SERVE_OPENMETRICS, /* /metrics for those who prefer OpenMetrics */
	SERVE_SNAPSHOT,	   /* /snapshot, JSON */
	SERVE_PAGE_COUNT
};

/*
 * Makes a page: the caller frees it. 0; -EAGAIN if there is nothing to show yet; -errno.
 */
typedef int (*serve_make_fn)(void *ctx, enum serve_page page, char **ret_text, size_t *ret_size);

struct serve_opts {
	int listen_fd; /* becomes the server's */
	/* only names of this machine are answered to: no web page may read through a browser here
	 */
	bool loopback;
	const char *token; /* what readers must show, /healthz excepted; NULL: nothing */
	serve_make_fn make;
	void *ctx; /* for make */
};

/* opts' token must outlive the server. 0 or -errno; the descriptor is closed then too. */
int serve_open(const struct serve_opts *opts, struct server **ret_server);

/* Takes NULL. */
void serve_close(struct server *server);

/* Readable when there is something to do. */
int serve_fd(const struct server *server);

/* When to run at the latest, by the monotonic clock; 0: only when readable. */
uint64_t serve_deadline_ns(const struct server *server);

/* Does what there is to do, without waiting. */
void serve_run(struct server *server, uint64_t now_ns);

/* From here on pages are made anew. */
void serve_refresh(struct server *server);

#endif
