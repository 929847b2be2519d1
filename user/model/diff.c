/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* The services of a gathering that have not found their other one yet. */
struct unmatched {
	struct diff_side *sides;
	size_t n;
};

static int list_services(const struct gathering *gathering, struct unmatched *ret_list)
{
	size_t n = 0;

	for (size_t i = 0; i < gathering->n_hosts; i++)
		n += gathering->hosts[i].sum->n_services;
	ret_list->sides = calloc(n + 1, sizeof(*ret_list->sides));
	if (!ret_list->sides)
		return -ENOMEM;
	for (size_t i = 0; i < gathering->n_hosts; i++) {
		for (size_t k = 0; k < gathering->hosts[i].sum->n_services; k++)
			ret_list->sides[ret_list->n++] =
				(struct diff_side){&gathering->hosts[i], k};
	}
	return 0;
}

static void remove_at(struct unmatched *list, size_t at)
{
	list->n--;
	memmove(&list->sides[at], &list->sides[at + 1], (list->n - at) * sizeof(*list->sides));
}

const struct service *diff_service(const struct diff_side *side)
{
	return &side->host->sum->services[side->service];
}

static bool same_name(const struct diff_side *a, const struct diff_side *b)
{
	return strcmp(diff_service(a)->name, diff_service(b)->name) == 0;
}

static bool same_place(const struct diff_side *a, const struct diff_side *b)
{
	const char *x = a->host->sum->host, *y = b->host->sum->host;

	return same_name(a, b) && (x && y ? strcmp(x, y) == 0 : x == y);
}

static bool any(const struct diff_side *a, const struct diff_side *b)
{
	(void)a;
	(void)b;
	return true;
}

/* Those that belong together become pairs. Both lists are in order, so the second of a name meets
 * the second. */
static void match(struct diff *diff, struct unmatched *before, struct unmatched *after,
		  bool (*together)(const struct diff_side *, const struct diff_side *))
{
	for (size_t i = 0; i < before->n;) {
		size_t k = 0;

		while (k < after->n && !together(&before->sides[i], &after->sides[k]))
			k++;
		if (k == after->n) {
			i++;
			continue;
		}
		diff->pairs[diff->n_pairs++] =
			(struct diff_pair){before->sides[i], after->sides[k]};
		remove_at(before, i);
		remove_at(after, k);
	}
}

int diff_match(const struct gathering *before, const struct gathering *after, struct diff *ret_diff)
{
	_cleanup_(diff_done) struct diff diff = {0};
	struct unmatched left = {0}, right = {0};
	int r;

	r = list_services(before, &left);
	diff.only_before = left.sides;
	if (r == 0)
		r = list_services(after, &right);
	diff.only_after = right.sides;
	if (r < 0)
		return r;
	diff.pairs = calloc(left.n + 1, sizeof(*diff.pairs));
	if (!diff.pairs)
		return -ENOMEM;
	match(&diff, &left, &right, same_place);
	if (before->n_hosts == 1 && after->n_hosts == 1)
		match(&diff, &left, &right, same_name);
	if (left.n == 1 && right.n == 1)
		match(&diff, &left, &right, any);
	diff.n_only_before = left.n;
	diff.n_only_after = right.n;
	*ret_diff = diff;
	diff = (struct diff){0};
	return 0;
}

void diff_done(struct diff *diff)
{
	free(diff->pairs);
	free(diff->only_before);
	free(diff->only_after);
	*diff = (struct diff){0};
}

struct comparison diff_compare(const struct diff_pair *pair, enum measure measure)
{
	struct measured side[2];
	const struct diff_side *sides[] = {&pair->before, &pair->after};

	for (unsigned int i = 0; i < 2; i++)
		side[i] = measure_service(measure, sides[i]->host->sum, diff_service(sides[i]),
					  &sides[i]->host->spreads[sides[i]->service]);
	return measure_compare(side[0], side[1]);
}
