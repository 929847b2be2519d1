/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "table.h"

#include <string.h>

/* The columns it takes to show those not yet dropped. */
static int needed(const struct table *table)
{
	int sum = 0;

	for (size_t i = 0; i < table->n; i++)
		sum += table->width[i] ? table->width[i] + 1 : 0;
	return sum;
}

static void drop_least(struct table *table)
{
	size_t least = table->n;

	for (size_t i = 0; i < table->n; i++) {
		if (table->width[i] &&
		    (least == table->n ||
		     table->columns[i].importance < table->columns[least].importance))
			least = i;
	}
	if (least < table->n)
		table->width[least] = 0;
}

struct table table_fit(const struct column *columns, size_t n, int width)
{
	struct table table = {.columns = columns, .n = n};
	int at = 1, spare;

	for (size_t i = 0; i < n; i++)
		table.width[i] = columns[i].width;
	while (needed(&table) > width)
		drop_least(&table);
	spare = width - needed(&table);
	for (size_t i = 0; i < n; i++) {
		if (!table.width[i])
			continue;
		if (columns[i].most > columns[i].width) {
			int room = columns[i].most - columns[i].width;
			int more = room < spare ? room : spare;

			table.width[i] += more;
			spare -= more;
		}
		table.at[i] = at;
		at += table.width[i] + 1;
	}
	return table;
}

static int flush(const struct table *table, size_t column)
{
	return table->columns[column].left ? table->width[column] : -table->width[column];
}

void table_header(const struct table *table, const struct pane *pane, int row, size_t sorted,
		  bool reversed)
{
	pane_fill(pane, row, 0, pane->width, ROLE_HEADER, " ", " ");
	for (size_t i = 0; i < table->n; i++) {
		const char *title = table->columns[i].title;
		int at = table->at[i];

		if (!table->width[i])
			continue;
		pane_field(pane, row, at, flush(table, i), ROLE_HEADER, title);
		pane_target(pane, row, table->at[i], table->width[i], -(int)i - 1);
		if (i != sorted)
			continue;
		at = table->columns[i].left ? at + (int)strlen(title)
					    : at + table->width[i] - (int)strlen(title) - 1;
		pane_fill(pane, row, at, 1, ROLE_HEADER, reversed ? "\xe2\x96\xb4" : "\xe2\x96\xbe",
			  reversed ? "^" : "v");
		pane_target(pane, row, at, 1, -(int)i - 1);
	}
}

void table_cell(const struct table *table, const struct pane *pane, int row, size_t column,
		enum role role, const char *text)
{
	if (table->width[column])
		pane_field(pane, row, table->at[column], flush(table, column), role, text);
}

void table_foreign(const struct table *table, const struct pane *pane, int row, size_t column,
		   enum role role, const char *bytes)
{
	if (table->width[column])
		(void)pane_foreign(pane, row, table->at[column], table->width[column], role, bytes);
}

size_t table_first(size_t selected, size_t n, int height)
{
	size_t rows = height > 0 ? (size_t)height : 1;

	if (n <= rows || selected < rows / 2)
		return 0;
	return selected - rows / 2 < n - rows ? selected - rows / 2 : n - rows;
}
