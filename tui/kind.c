/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kind.h"

#include <math.h>

#include "model/derive.h"

struct look {
	enum part part;
	enum role role;
	const char *utf8, *ascii;
};

/* clang-format off */
static const struct look looks[KIND_COUNT] = {
	{PART_COUNT, ROLE_QUEUE, "\xe2\x96\x91", "q"},
#define KIND(part, role, utf8, ascii) {part, role, utf8, ascii},
#include "kind.def"
#undef KIND
};
/* clang-format on */

const char *kind_label(unsigned int kind)
{
	return kind == KIND_QUEUE ? "queue wait" : part_label(looks[kind].part);
}

struct chart_piece kind_piece(unsigned int kind, double amount)
{
	const struct look *look = &looks[kind];

	return (struct chart_piece){amount, look->role, look->utf8, look->ascii};
}

unsigned int kind_of_part(enum part part)
{
	for (unsigned int kind = 1; kind < KIND_COUNT; kind++) {
		if (looks[kind].part == part)
			return kind;
	}
	return KIND_COUNT - 1;
}

const struct dist *kind_dist(const struct service *service, unsigned int kind)
{
	return kind == KIND_QUEUE ? &service->queue_wait : &service->parts[looks[kind].part];
}

double kind_mean_s(const struct service *service, unsigned int kind)
{
	const struct dist *d = kind_dist(service, kind);

	return d->count ? dist_mean_s(d) : NAN;
}

double kind_whole_s(const struct service *service)
{
	const struct dist *d = &service->service_time;

	return d->count ? dist_mean_s(d) + dist_mean_s(&service->queue_wait) : NAN;
}

int kind_draw_name(const struct pane *pane, int row, int column, unsigned int kind)
{
	const struct look *look = &looks[kind];

	pane_fill(pane, row, column, 1, look->role, look->utf8, look->ascii);
	return pane_print(pane, row, column + 2, ROLE_PLAIN, "%s", kind_label(kind));
}

void kind_draw_stack(const struct pane *pane, int row, int column, int width,
		     const struct service *service)
{
	struct chart_piece pieces[KIND_COUNT];

	for (unsigned int kind = 0; kind < KIND_COUNT; kind++)
		pieces[kind] = kind_piece(kind, kind_mean_s(service, kind));
	chart_stack(pane, row, column, width, pieces, KIND_COUNT);
}
