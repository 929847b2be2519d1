/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/accept.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct choice {
	const char *type, *version; /* version NULL: not said */
	double quality;
};

static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t");
	end = text + strlen(text);
	while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return text;
}

/* "type/subtype;name=value;q=0.5", which it cuts up. */
static struct choice parse_choice(char *text)
{
	struct choice choice = {.type = trim(strsep(&text, ";")), .quality = 1};
	char *parameter;

	while ((parameter = strsep(&text, ";"))) {
		char *value = trim(parameter);
		const char *name = strsep(&value, "=");

		if (!value)
			continue;
		if (strcasecmp(name, "q") == 0)
			choice.quality = strtod(value, NULL);
		else if (strcasecmp(name, "version") == 0)
			choice.version = value;
	}
	return choice;
}

static void take_better(double *best, double quality)
{
	if (quality > *best)
		*best = quality;
}

bool accept_prefers_openmetrics(const char *accept)
{
	_cleanup_free_ char *copy = strdup(accept ? accept : "");
	double openmetrics = 0, text = 0;
	char *rest = copy;
	char *item;

	while (rest && (item = strsep(&rest, ","))) {
		const struct choice choice = parse_choice(item);

		if (strcasecmp(choice.type, "application/openmetrics-text") == 0 &&
		    (!choice.version || strcmp(choice.version, "1.0.0") == 0))
			take_better(&openmetrics, choice.quality);
		else if (strcasecmp(choice.type, "text/plain") == 0)
			take_better(&text, choice.quality);
	}
	return openmetrics > text;
}
