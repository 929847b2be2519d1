/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/selector.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

#define PORT_MAX 65535
#define CONTAINER_ID_LEAST 4

const char *selector_option(enum selector_kind kind)
{
	static const char *const options[SELECTOR_KIND_COUNT] = {
		[SELECTOR_COMM] = "comm", [SELECTOR_CGROUP] = "cgroup",
		[SELECTOR_UNIT] = "unit", [SELECTOR_CONTAINER] = "container",
		[SELECTOR_PORT] = "port", [SELECTOR_ALL] = "all",
	};

	return options[kind];
}

static error_t check_port(const char *text, unsigned int *ret_port)
{
	unsigned long port;

	errno = 0;
	port = strtoul(text, NULL, 10);
	if (!*text || text[strspn(text, "0123456789")] || errno || port < 1 || port > PORT_MAX) {
		log_error("'%s' is not a port: use 1 to %d", text, PORT_MAX);
		return CLI_TOLD;
	}
	*ret_port = (unsigned int)port;
	return 0;
}

static error_t check_text(enum selector_kind kind, const char *text)
{
	if (!*text) {
		log_error("--%s names nothing: see 'ioprof --help'", selector_option(kind));
		return CLI_TOLD;
	}
	if (kind == SELECTOR_CGROUP && text[0] != '/') {
		log_error(
			"'%s' is not the path of a control group: it begins with '/', as in /proc/PID/cgroup",
			text);
		return CLI_TOLD;
	}
	if (kind == SELECTOR_CONTAINER && strlen(text) < CONTAINER_ID_LEAST) {
		log_error("'%s' could be any container: use at least %d characters of its ID", text,
			  CONTAINER_ID_LEAST);
		return CLI_TOLD;
	}
	return 0;
}

static bool same(const struct selector *a, const struct selector *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == SELECTOR_ALL)
		return true;
	return a->kind == SELECTOR_PORT ? a->port == b->port : strcmp(a->text, b->text) == 0;
}

static bool is_there(const struct selectors *selectors, const struct selector *selector)
{
	for (size_t i = 0; i < selectors->n; i++) {
		if (same(&selectors->items[i], selector))
			return true;
	}
	return false;
}

error_t selectors_add(struct selectors *selectors, enum selector_kind kind, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	struct selector selector = {.kind = kind, .text = copy};
	struct selector *items;
	size_t at = selectors->n;
	error_t error = 0;

	if (!copy)
		return ENOMEM;
	if (kind == SELECTOR_PORT)
		error = check_port(text, &selector.port);
	else if (kind != SELECTOR_ALL)
		error = check_text(kind, text);
	if (error || is_there(selectors, &selector))
		return error;
	items = reallocarray(selectors->items, selectors->n + 1, sizeof(*items));
	if (!items)
		return ENOMEM;
	selectors->items = items;
	if (at > 0 && items[at - 1].kind == SELECTOR_ALL) {
		items[at] = items[at - 1];
		at--;
	}
	selector.text = TAKE(copy);
	items[at] = selector;
	selectors->n++;
	return 0;
}

void selectors_free(struct selectors *selectors)
{
	for (size_t i = 0; i < selectors->n; i++)
		free(selectors->items[i].text);
	free(selectors->items);
	*selectors = (struct selectors){0};
}
