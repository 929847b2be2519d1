/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "advise/sentences.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void sentences_add(struct sentences *s, const char *format, ...)
{
	char **list = s->error ? NULL : reallocarray(s->list, s->n + 1, sizeof(*list));
	va_list args;
	int n;

	if (!list) {
		s->error = -ENOMEM;
		return;
	}
	s->list = list;
	va_start(args, format);
	n = vasprintf(&s->list[s->n], format, args);
	va_end(args);
	if (n < 0)
		s->error = -ENOMEM;
	else
		s->n++;
}

char *sentence_new(struct sentences *s, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n >= 0)
		return text;
	s->error = -ENOMEM;
	return NULL;
}

void sentences_done(struct sentences *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->list[i]);
	free(s->list);
	*s = (struct sentences){.n = 0};
}
