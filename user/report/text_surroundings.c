/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/text_surroundings.h"

#include <errno.h>
#include <math.h>

#include "base/cleanup.h"
#include "report/figure.h"

#define NS_PER_S 1e9

static struct figure figure_processors(double n)
{
	return n == floor(n) ? figure_count((uint64_t)n) : figure_number(n);
}

/* What the clauses begin with, by how many there are already. */
static const char *separator(int *n)
{
	return (*n)++ ? "; " : "";
}

static void write_clauses(FILE *out, const struct surroundings *on)
{
	int n = 0;

	for (size_t i = 0; i < on->n_components; i++)
		(void)fprintf(out, "%s%s", i ? ", " : separator(&n), on->components[i]);
	if (on->modules_seen == MODULES_PART)
		(void)fprintf(out, " (not all of its memory was looked at for more)");
	if (on->cpus > 0 && on->host_cpus > 0)
		(void)fprintf(out, "%s%s of %s processor%s", separator(&n),
			      figure_processors(on->cpus).text,
			      figure_processors(on->host_cpus).text, on->host_cpus > 1 ? "s" : "");
	if (on->quota_throttled)
		(void)fprintf(out, "%sits quota cut %s of %s periods short, %s lost", separator(&n),
			      figure_count(on->quota_throttled).text,
			      figure_count(on->quota_periods).text,
			      figure_duration((double)on->throttled_ns / NS_PER_S).text);
	if (on->process_bytes)
		(void)fprintf(out, "%s%s memory per worker process", separator(&n),
			      figure_bytes(on->process_bytes).text);
	if (on->memory_limit_bytes)
		(void)fprintf(out, "%s%s left of %s", separator(&n),
			      figure_bytes(on->memory_available_bytes).text,
			      figure_bytes(on->memory_limit_bytes).text);
}

void text_surroundings(struct page *page, const struct service *service)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out) {
		page_fail(page, -ENOMEM);
		return;
	}
	write_clauses(out, &service->surroundings);
	if (fclose(out)) {
		page_fail(page, -ENOMEM);
		return;
	}
	if (length > 0)
		page_wrapped(page, STYLE_PLAIN, "runs on", text);
}
