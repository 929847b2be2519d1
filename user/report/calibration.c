/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cost is what the median of its runs says; its 90 % interval is from the lowest to the highest
 * of them, and a tenth of the estimate further on either side: a loop that does nothing else runs
 * from warm caches, a service does not. That tenth is assumed.
 */
#include "report/calibration.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/json_write.h"

#define FORMAT "ioprof-calibration"
#define VERSION 1
#define WIDER 0.1 /* of the estimate, on either side of the runs */
#define MOST_RUNS 9
#define MOST_COST_S 0.1 /* no operation takes as long */
#define US 1e-6

static void json_put(json_t **json)
{
	json_decref(*json);
}

#define _cleanup_json_ _cleanup_(json_put)

void calibration_init(struct calibration *c, const char *processor, int64_t unix_s)
{
	*c = (struct calibration){.unix_s = unix_s};
	(void)snprintf(c->processor, sizeof(c->processor), "%s", processor);
	for (enum cost cost = 0; cost < COST_COUNT; cost++)
		c->costs[cost] = cost_default(cost);
}

size_t calibration_count(const struct calibration *c)
{
	size_t n = 0;

	for (enum cost cost = 0; cost < COST_COUNT; cost++)
		n += c->measured[cost];
	return n;
}

/* Factors are no costs, and what is not recognised cannot be measured. COST_COUNT: no such cost. */
static enum cost cost_named(const char *name)
{
	for (enum cost cost = 0; cost < COST_COUNT; cost++) {
		if (cost != COST_FACTOR_UNKNOWN && cost != COST_FACTOR_LANGUAGE &&
		    cost != COST_FACTOR_KNOWN && cost != COST_FACTOR_IN_SITU &&
		    cost != COST_CLIENT_UNKNOWN && strcmp(name, cost_name(cost)) == 0)
			return cost;
	}
	return COST_COUNT;
}

static bool is_cost(double s)
{
	return isfinite(s) && fabs(s) <= MOST_COST_S;
}

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static int take_cost(struct calibration *c, const char *name, const json_t *runs)
{
	enum cost cost = cost_named(name);
	size_t n = json_array_size(runs);
	double us[MOST_RUNS];
	double estimate;
	struct prior prior;

	if (cost == COST_COUNT || n == 0 || n > MOST_RUNS)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		us[i] = json_number_value(json_array_get(runs, i));
		if (!json_is_number(json_array_get(runs, i)))
			return -EBADMSG;
	}
	qsort(us, n, sizeof(*us), by_value);
	estimate = (us[(n - 1) / 2] + us[n / 2]) / 2;
	prior = (struct prior){
		.estimate = estimate * US,
		.lo = (us[0] - WIDER * fabs(estimate)) * US,
		.hi = (us[n - 1] + WIDER * fabs(estimate)) * US,
	};
	/* The whole interval, as it is what the file holds and what is read back. */
	if (!is_cost(prior.lo) || !is_cost(prior.hi))
		return -EBADMSG;
	c->costs[cost] = prior;
	c->measured[cost] = true;
	return 0;
}

/* Text that is not empty and fits. */
static bool copy_text(char to[static CALIBRATION_TEXT], const json_t *from)
{
	size_t len = json_string_length(from);

	if (!json_is_string(from) || len == 0 || len >= CALIBRATION_TEXT)
		return false;
	memcpy(to, json_string_value(from), len + 1);
	return true;
}

static int take_component(struct calibration *c, const json_t *name, const json_t *version)
{
	struct calibration_component component;

	if (c->n_components == CALIBRATION_COMPONENTS || !copy_text(component.name, name) ||
	    !copy_text(component.version, version))
		return -EBADMSG;
	c->components[c->n_components++] = component;
	return 0;
}

int calibration_take(struct calibration *c, const char *line, size_t len)
{
	_cleanup_json_ json_t *fact = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *cost = json_string_value(json_object_get(fact, "cost"));

	if (!fact || json_object_size(fact) != 2)
		return -EBADMSG;
	if (!cost)
		return take_component(c, json_object_get(fact, "component"),
				      json_object_get(fact, "version"));
	return take_cost(c, cost, json_object_get(fact, "us"));
}

/* Takes the value, NULL included. */
static int set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new_nocheck(object, key, value) < 0 ? -ENOMEM : 0;
}

static json_t *costs_json(const struct calibration *c)
{
	_cleanup_json_ json_t *costs = json_object();

	for (enum cost cost = 0; costs && cost < COST_COUNT; cost++) {
		const struct prior *p = &c->costs[cost];

		if (c->measured[cost] &&
		    set(costs, cost_name(cost), json_pack("[fff]", p->lo, p->estimate, p->hi)) < 0)
			return NULL;
	}
	return TAKE(costs);
}

static json_t *components_json(const struct calibration *c)
{
	_cleanup_json_ json_t *components = json_array();

	for (size_t i = 0; components && i < c->n_components; i++) {
		const struct calibration_component *component = &c->components[i];

		if (json_array_append_new(
			    components, json_pack("[ss]", component->name, component->version)) < 0)
			return NULL;
	}
	return TAKE(components);
}

int calibration_write(FILE *out, const struct calibration *c)
{
	_cleanup_json_ json_t *document = json_object();
	int r;

	if (!document || set(document, "format", json_string(FORMAT)) < 0 ||
	    set(document, "version", json_integer(VERSION)) < 0 ||
	    set(document, "processor", json_string(c->processor)) < 0 ||
	    set(document, "unix_s", json_integer(c->unix_s)) < 0 ||
	    set(document, "components", components_json(c)) < 0 ||
	    set(document, "costs_s", costs_json(c)) < 0)
		return -ENOMEM;
	r = json_write(out, document);
	if (r == 0 && fputc('\n', out) == EOF)
		r = -EIO;
	return r;
}

static bool read_cost(struct calibration *c, const char *name, const json_t *figures)
{
	enum cost cost = cost_named(name);
	double s[3];

	if (cost == COST_COUNT || json_array_size(figures) != 3)
		return false;
	for (size_t i = 0; i < 3; i++) {
		s[i] = json_number_value(json_array_get(figures, i));
		if (!json_is_number(json_array_get(figures, i)) || !is_cost(s[i]))
			return false;
	}
	if (s[0] > s[1] || s[1] > s[2])
		return false;
	c->costs[cost] = (struct prior){.lo = s[0], .estimate = s[1], .hi = s[2]};
	c->measured[cost] = true;
	return true;
}

static const char *read_costs(struct calibration *c, json_t *costs)
{
	const char *name;
	json_t *figures;

	if (json_object_size(costs) == 0)
		return "it has no costs";
	json_object_foreach(costs, name, figures) {
		if (!read_cost(c, name, figures))
			return "a cost in it is unknown to this version or cannot be";
	}
	return NULL;
}

static const char *read_document(struct calibration *c, const json_t *document)
{
	const json_t *components = json_object_get(document, "components");
	const json_t *when = json_object_get(document, "unix_s");
	const json_t *entry;
	char processor[CALIBRATION_TEXT];
	size_t i;

	if (!json_is_object(document) || json_object_size(document) != 6 ||
	    !json_string_value(json_object_get(document, "format")) ||
	    strcmp(json_string_value(json_object_get(document, "format")), FORMAT) != 0)
		return "it is no calibration";
	if (json_integer_value(json_object_get(document, "version")) != VERSION)
		return "it is of another version";
	if (!copy_text(processor, json_object_get(document, "processor")) ||
	    !json_is_integer(when) || json_integer_value(when) <= 0 || !json_is_array(components))
		return "it lacks where and when it was measured";
	calibration_init(c, processor, json_integer_value(when));
	json_array_foreach(components, i, entry) {
		if (json_array_size(entry) != 2 ||
		    take_component(c, json_array_get(entry, 0), json_array_get(entry, 1)) < 0)
			return "what was found when it was measured is not readable";
	}
	return read_costs(c, json_object_get(document, "costs_s"));
}

int calibration_read(const char *text, size_t len, struct calibration *ret_calibration,
		     const char **ret_why)
{
	_cleanup_json_ json_t *document = NULL;
	struct calibration c;
	const char *why;

	document = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	why = document ? read_document(&c, document) : "it is not JSON";
	if (why) {
		*ret_why = why;
		return -EBADMSG;
	}
	*ret_calibration = c;
	return 0;
}
