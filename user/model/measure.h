/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Figures with what they may be off, so that two observations can be compared: docs/method.md,
 * "Comparing". Most are a sum over a sum; over how many intervals they were observed tells how far
 * such a quotient strays, whatever makes neighbouring requests alike.
 */
#ifndef IOPROF_MODEL_MEASURE_H
#define IOPROF_MODEL_MEASURE_H

#include <stdbool.h>

#include "model/snapshot.h"

enum unit { UNIT_NUMBER, UNIT_SECONDS, UNIT_SHARE, UNIT_BYTES };

/* clang-format off */
enum measure {
#define MEASURE(id, name, label, unit) id,
#include "model/measure.def"
#undef MEASURE
	MEASURE_COUNT
};
/* clang-format on */

/* The columns of measure.def; "?" and UNIT_NUMBER out of range. */
const char *measure_name(enum measure measure);
const char *measure_label(enum measure measure);
enum unit measure_unit(enum measure measure);

/* Sums over intervals of a quotient's parts, y / x, and of their products. Additive. */
struct measure_sums {
	uint64_t intervals; /* with x above zero */
	double xx, xy, yy;
};

/* How a service's figures vary between intervals. */
struct spread {
	struct measure_sums sums[MEASURE_COUNT];
};

/* Adds what was observed of a service in an interval. */
void spread_add(struct spread *spread, const struct snapshot *s, const struct service *service);

/* A figure and how far it may be off: its standard error and how many degrees of freedom that has.
 * NAN: not defined; not known. */
struct measured {
	double value, error, freedom;
};

struct measured measure_service(enum measure measure, const struct snapshot *s,
				const struct service *service, const struct spread *spread);

/* The mean of a distribution, taking its entries as independent. */
struct measured measure_dist(const struct dist *d);

enum change {
	CHANGE_UNKNOWN, /* there is no telling how far the figures may be off */
	CHANGE_WITHIN,	/* what difference there is may be chance */
	CHANGE_BEYOND,	/* it is not, at 99 % */
};

/* "unknown", "within", "beyond"; "?" out of range. */
const char *change_name(enum change change);

struct comparison {
	struct measured before, after;
	double difference; /* after - before */
	double lo, hi;	   /* its 99 % interval (Welch); NAN: not known */
	enum change change;
};

struct comparison measure_compare(struct measured before, struct measured after);

#endif
