/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pushes documents to an OTLP receiver over HTTP; the only file that knows libcurl is push.c.
 *
 * It has no thread of its own: it runs when its descriptor is readable or its deadline has come.
 * Documents go one after the other. One that could not be delivered is tried again, after 1, 2, 4
 * up to 64 seconds or when the receiver says; at most PUSH_QUEUE_MOST wait, then the oldest is
 * dropped. What a receiver refuses for good (status 400 and such) is dropped at once. Figures are
 * cumulative, so what is dropped costs resolution, not counts.
 */
#ifndef IOPROF_APP_PUSH_H
#define IOPROF_APP_PUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUSH_QUEUE_MOST 16
#define PUSH_SECONDS_MOST 10 /* for one document */

struct push;

/* Whether a URL can be pushed to: HTTP or HTTPS with a host. */
bool push_takes(const char *url);

/*
 * To this URL; without a path to /v1/metrics there. headers: more of them, as in
 * OTEL_EXPORTER_OTLP_HEADERS, "name=value,name=value" with values percent-encoded; or NULL. 0 or
 * -errno.
 */
int push_open(const char *url, const char *headers, struct push **ret_push);

/* Takes NULL. What is not delivered is dropped. */
void push_close(struct push *push);

/* Takes a document over, whatever comes of it. */
void push_add(struct push *push, char *body, size_t size);

int push_fd(const struct push *push);
uint64_t push_deadline_ns(const struct push *push);

/* Does what there is to do, without waiting. Says when it stops or starts to get through. */
void push_run(struct push *push, uint64_t now_ns);

/* Documents not yet delivered. */
size_t push_pending(const struct push *push);

/* So many have been delivered; dropped. */
uint64_t push_sent(const struct push *push);
uint64_t push_dropped(const struct push *push);

#endif
