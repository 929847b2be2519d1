/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/figure.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Digits after the point that make three significant ones, judged after rounding: 9.996 is 10.0. */
static int decimals(double x)
{
	if (x >= 99.95)
		return 0;
	if (x >= 9.995)
		return 1;
	return x >= 0.9995 ? 2 : 3;
}

static struct figure undefined(void)
{
	return (struct figure){.text = "-"};
}

struct figure figure_duration(double s)
{
	static const struct {
		double s;
		const char *name;
	} units[] = {{1e-9, "ns"}, {1e-6, "us"}, {1e-3, "ms"}, {1, "s"}};
	struct figure f = undefined();
	size_t i = 0;
	double x;

	if (!isfinite(s))
		return f;
	if (s <= 0)
		return (struct figure){.text = "0"};
	while (i < 3 && s / units[i].s >= 999.5)
		i++;
	x = s / units[i].s;
	/* The kernel counts whole nanoseconds. */
	(void)snprintf(f.text, sizeof(f.text), "%.*f %s", i ? decimals(x) : 0, x, units[i].name);
	return f;
}

struct figure figure_count(uint64_t n)
{
	char digits[24];
	struct figure f;
	size_t length = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n);
	char *out = f.text;

	for (size_t i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return f;
}

struct figure figure_number(double x)
{
	struct figure f = undefined();

	if (!isfinite(x))
		return f;
	if (x >= 99.95 && x < 1e18)
		return figure_count((uint64_t)llround(x));
	if (x <= 0)
		return (struct figure){.text = "0"};
	if (x < 0.0005)
		return (struct figure){.text = "<0.001"};
	(void)snprintf(f.text, sizeof(f.text), "%.*f", decimals(x), x);
	return f;
}

struct figure figure_bytes(uint64_t n)
{
	static const char *const names[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	struct figure f;
	double x = (double)n;
	size_t i = 0;

	for (; i < 4 && x >= 999.5; i++)
		x /= 1024;
	(void)snprintf(f.text, sizeof(f.text), "%.*f %s", i ? decimals(x) : 0, x, names[i]);
	return f;
}

struct figure figure_short(double x)
{
	static const char *const names = "kMGTP";
	struct figure f;
	int i = 0;

	if (!isfinite(x) || x < 99999.5)
		return figure_number(x);
	for (x /= 1000; i < 4 && x >= 999.5; i++)
		x /= 1000;
	(void)snprintf(f.text, sizeof(f.text), "%.*f%c", decimals(x), x, names[i]);
	return f;
}

struct figure figure_percent(double share)
{
	struct figure f = undefined();
	double percent = share * 100;

	if (!isfinite(share))
		return f;
	if (percent > 0 && percent < 0.05)
		return (struct figure){.text = "<0.1 %"};
	(void)snprintf(f.text, sizeof(f.text), "%.*f %%", percent >= 99.95 || percent <= 0 ? 0 : 1,
		       percent);
	return f;
}
