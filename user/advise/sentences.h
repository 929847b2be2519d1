/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list of sentences that grows. The first failure sticks in error; later calls do nothing. */
#ifndef IOPROF_ADVISE_SENTENCES_H
#define IOPROF_ADVISE_SENTENCES_H

#include <stddef.h>

struct sentences {
	char **list;
	size_t n;
	int error; /* 0 or -ENOMEM */
};

__attribute__((format(printf, 2, 3))) void sentences_add(struct sentences *s, const char *format,
							 ...);
void sentences_done(struct sentences *s);

/* One of its own, for the caller to free; NULL when out of memory, which s->error then says. */
__attribute__((format(printf, 2, 3))) char *sentence_new(struct sentences *s, const char *format,
							 ...);

#endif
