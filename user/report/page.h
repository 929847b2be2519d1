/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The paper of the text report: its width, its character set, its colours. Foreign strings reach it
 * only through page_foreign and page_wrapped. The first failure sticks in page.error and later
 * calls do nothing visible.
 */
#ifndef IOPROF_REPORT_PAGE_H
#define IOPROF_REPORT_PAGE_H

#include "report/report.h"

enum style {
	STYLE_PLAIN,
	STYLE_TITLE,
	STYLE_DIM,
	STYLE_ALARM,
	STYLE_RUN,   /* on a processor */
	STYLE_WAIT,  /* for others: what an event loop could use */
	STYLE_BLOCK, /* for this machine: disk, locks */
	STYLE_QUEUE, /* for a free worker or processor */
	STYLE_COUNT
};

struct page {
	FILE *out;
	unsigned int columns;
	bool utf8, color;
	int error; /* 0 or -errno */
};

/* The page the options ask for, its width within reason. */
struct page page_new(FILE *out, const struct report_opts *opts);

/* Notes a failure, -errno. */
void page_fail(struct page *page, int error);

void page_style(struct page *page, enum style style);
__attribute__((format(printf, 2, 3))) void page_print(struct page *page, const char *format, ...);

/* A foreign string made harmless, cut to and padded to so many columns. */
void page_foreign(struct page *page, const char *bytes, unsigned int columns);

/* "── name ───── right ──", the name foreign. */
void page_rule(struct page *page, const char *name, const char *right);

/*
 * A label, then text broken between words to lines that start where its first does. Label and text
 * begin at fixed columns, so that calls one after the other form a table.
 */
void page_wrapped(struct page *page, enum style style, const char *label, const char *text);

/* page_wrapped with a format. */
__attribute__((format(printf, 3, 4))) void page_line(struct page *page, const char *label,
						     const char *format, ...);

/* Two spaces and a bar of share times so many columns; nothing for zero, but something for a trace.
 */
void page_bar(struct page *page, enum style style, double share, unsigned int columns);

#endif
