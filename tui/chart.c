/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chart.h"

#include <math.h>
#include <string.h>

static const char *const eighths_right[] = {
	" ",
	"\xe2\x96\x8f",
	"\xe2\x96\x8e",
	"\xe2\x96\x8d",
	"\xe2\x96\x8c",
	"\xe2\x96\x8b",
	"\xe2\x96\x8a",
	"\xe2\x96\x89",
	"\xe2\x96\x88",
};
static const char *const eighths_up[] = {
	" ",
	"\xe2\x96\x81",
	"\xe2\x96\x82",
	"\xe2\x96\x83",
	"\xe2\x96\x84",
	"\xe2\x96\x85",
	"\xe2\x96\x86",
	"\xe2\x96\x87",
	"\xe2\x96\x88",
};
/* As far as ASCII can tell heights apart. */
static const char *const eighths_ascii[] = {" ", "_", "_", "-", "-", "=", "=", "#", "#"};

static double clamp(double x, double most)
{
	return x < 0 ? 0 : x > most ? most : x;
}

void chart_bar(const struct pane *pane, int row, int column, int width, enum role role,
	       double share)
{
	int eighths;

	if (!(share > 0) || width <= 0)
		return;
	eighths = (int)lround(clamp(share, 1) * width * 8);
	if (eighths == 0)
		eighths = 1;
	for (int i = 0; i * 8 < eighths; i++) {
		int part = eighths - i * 8 > 8 ? 8 : eighths - i * 8;
		const char *ascii = part >= 4 ? "#" : i == 0 ? "." : " ";

		pane_fill(pane, row, column + i, 1, role, eighths_right[part], ascii);
	}
}

void chart_interval(const struct pane *pane, int row, int column, int width, enum role role,
		    const double estimate_lo_hi[3], double most)
{
	bool goes_on;
	int at[3];

	for (int i = 0; i < 3; i++) {
		if (!isfinite(estimate_lo_hi[i]))
			return;
		at[i] = column + (int)lround(clamp(estimate_lo_hi[i] / most, 1) * (width - 1));
	}
	goes_on = estimate_lo_hi[2] > most;
	pane_fill(pane, row, at[1], at[2] - at[1] + 1, role, "\xe2\x94\x80", "-");
	pane_fill(pane, row, at[1], 1, role, "\xe2\x94\x9c", "|");
	pane_fill(pane, row, at[2], 1, role, goes_on ? "\xe2\x96\xb6" : "\xe2\x94\xa4",
		  goes_on ? ">" : "|");
	pane_fill(pane, row, at[0], 1, role, "\xe2\x97\x8f", "o");
}

void chart_columns(const struct pane *pane, enum role role, const double *values, size_t n,
		   double most)
{
	size_t shown = n < (size_t)pane->width ? n : (size_t)pane->width;
	int column = pane->width - (int)shown;

	for (size_t i = n - shown; i < n; i++, column++) {
		double value = values[i];
		int eighths;

		if (!isfinite(value))
			continue;
		eighths = most > 0 ? (int)lround(clamp(value / most, 1) * pane->height * 8) : 0;
		if (value > 0 && eighths == 0)
			eighths = 1;
		if (value <= 0)
			eighths = 0;
		for (int up = 0; up < pane->height; up++) {
			int part = eighths - up * 8;

			if (part <= 0)
				break;
			part = part > 8 ? 8 : part;
			pane_fill(pane, pane->height - 1 - up, column, 1, role, eighths_up[part],
				  eighths_ascii[part]);
		}
	}
}

void chart_stack(const struct pane *pane, int row, int column, int width,
		 const struct chart_piece *pieces, size_t n)
{
	double sum = 0, before = 0;

	for (size_t i = 0; i < n; i++)
		sum += pieces[i].amount > 0 ? pieces[i].amount : 0;
	if (!(sum > 0))
		return;
	for (size_t i = 0; i < n; i++) {
		double after = before + (pieces[i].amount > 0 ? pieces[i].amount : 0);
		int from = (int)lround(before / sum * width), to = (int)lround(after / sum * width);

		pane_fill(pane, row, column + from, to - from, pieces[i].role, pieces[i].utf8,
			  pieces[i].ascii);
		before = after;
	}
}

/* The curve at x, NAN beyond its ends. */
static double curve_at(const struct chart_curve *curve, double x)
{
	for (size_t i = 1; i < curve->n; i++) {
		double x0 = curve->x[i - 1], x1 = curve->x[i];

		if (x < x0 || x > x1)
			continue;
		if (x1 <= x0)
			return curve->y[i];
		return curve->y[i - 1] + (curve->y[i] - curve->y[i - 1]) * (x - x0) / (x1 - x0);
	}
	return curve->n == 1 && curve->x[0] == x ? curve->y[0] : NAN;
}

static void draw_curve(const struct pane *plot, const struct chart_axes *axes,
		       const struct chart_curve *curve)
{
	const char letter[2] = {curve->letter, '\0'};

	for (int column = 0; column < plot->width; column++) {
		double x = axes->x_most * (column + 1) / plot->width;
		double y = curve_at(curve, x);
		int up;

		if (!isfinite(y) || y > axes->y_most || y < 0)
			continue;
		up = (int)floor(clamp(y / axes->y_most * plot->height, plot->height - 1e-9));
		pane_fill(plot, plot->height - 1 - up, column, 1, curve->role, letter, letter);
	}
}

void chart_curves(const struct pane *pane, const struct chart_axes *axes,
		  const struct chart_curve *curves, size_t n)
{
	int margin = (int)strlen(axes->y_most_text);
	struct pane plot = pane_part(pane, 1, margin + 1, pane->height - 3, pane->width);
	int base = plot.height + 1;

	if (plot.height < 1 || plot.width < 8 || !(axes->x_most > 0) || !(axes->y_most > 0))
		return;
	pane_field(pane, 0, 0, pane->width, ROLE_DIM, axes->y_label);
	pane_field(pane, 1, 0, margin, ROLE_DIM, axes->y_most_text);
	pane_field(pane, base - 1, margin - 1, 1, ROLE_DIM, "0");
	for (int row = 1; row < base; row++)
		pane_fill(pane, row, margin, 1, ROLE_DIM, "\xe2\x94\x82", "|");
	pane_fill(pane, base, margin, 1, ROLE_DIM, "\xe2\x94\x94", "+");
	pane_fill(pane, base, margin + 1, plot.width, ROLE_DIM, "\xe2\x94\x80", "-");
	pane_field(pane, base + 1, margin + 1, plot.width, ROLE_DIM, axes->x_label);
	pane_field(pane, base + 1, margin + 1, -plot.width, ROLE_DIM, axes->x_most_text);
	while (n-- > 0)
		draw_curve(&plot, axes, &curves[n]);
}
