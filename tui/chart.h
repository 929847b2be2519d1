/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Figures as shapes. Each draws within its pane, in eighths of a cell where there is UTF-8. NAN is
 * a gap, never zero.
 */
#ifndef IOPROF_TUI_CHART_H
#define IOPROF_TUI_CHART_H

#include <stddef.h>

#include "pane.h"

/* A bar of share times width; nothing for zero, but something for a trace. */
void chart_bar(const struct pane *pane, int row, int column, int width, enum role role,
	       double share);

/* An interval on a scale from 0 to most: "|---o---|", ending in ">" if it goes on beyond; nothing
 * if any of it is NAN. */
void chart_interval(const struct pane *pane, int row, int column, int width, enum role role,
		    const double estimate_lo_hi[3], double most);

/* Columns side by side from the pane's bottom, the last value in its last column; those that do not
 * fit on the left are left out. Full height is most. */
void chart_columns(const struct pane *pane, enum role role, const double *values, size_t n,
		   double most);

/* Something in a row of cells: how much, and how it looks. */
struct chart_piece {
	double amount;
	enum role role;
	const char *utf8, *ascii;
};

/* Pieces end to end, all together so many cells; rounded so that the sum holds. */
void chart_stack(const struct pane *pane, int row, int column, int width,
		 const struct chart_piece *pieces, size_t n);

/* Points of a curve, drawn with a letter; points between them lie on straight lines. */
struct chart_curve {
	const double *x, *y;
	size_t n;
	enum role role;
	char letter;
};

struct chart_axes {
	double x_most, y_most; /* the axes begin at zero */
	/* Labels in the top left and bottom right corner */
	const char *y_label, *x_label;
	const char *y_most_text, *x_most_text; /* at the ends of the axes */
};

/* Axes and curves; where two meet the first is seen. */
void chart_curves(const struct pane *pane, const struct chart_axes *axes,
		  const struct chart_curve *curves, size_t n);

#endif
