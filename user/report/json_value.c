/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/json_value.h"

#include <math.h>

#include "base/cleanup.h"
#include "base/text.h"

#define NS_PER_S 1e9

void json_value_freep(json_t **value)
{
	json_decref(*value);
}

json_t *json_value_integer(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

json_t *json_value_real(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

json_t *json_value_per(double x, uint64_t n)
{
	return n ? json_value_real(x / (double)n) : json_null();
}

json_t *json_value_seconds(uint64_t ns)
{
	return json_real((double)ns / NS_PER_S);
}

json_t *json_value_known(uint64_t n)
{
	return n ? json_value_integer(n) : json_null();
}

json_t *json_value_string(const char *bytes)
{
	_cleanup_free_ char *text = text_utf8(bytes ? bytes : "");

	return text ? json_string(text) : NULL;
}

json_t *json_value_string_or_null(const char *bytes)
{
	return bytes ? json_value_string(bytes) : json_null();
}

json_t *json_value_strings(char *const *bytes, size_t n)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(array, json_value_string(bytes[i])) < 0)
			return NULL;
	}
	return TAKE(array);
}

/* [[index, count], ...] of the buckets that are not empty. */
static json_t *buckets(const struct dist *d)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (unsigned int i = 0; i < IOP_BUCKET_COUNT; i++) {
		uint64_t n = dist_bucket(d, i);
		json_t *pair;

		if (!n)
			continue;
		pair = json_pack("[oo]", json_value_integer(i), json_value_integer(n));
		if (json_array_append_new(array, pair) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *quantile(const struct dist *d, double q)
{
	return d->count ? json_value_real(dist_quantile_s(d, q)) : json_null();
}

json_t *json_value_dist(const struct dist *d)
{
	/* One key and its value per line. */
	/* clang-format off */
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "mean", d->count ? json_value_real(dist_mean_s(d)) : json_null(),
			 "p50", quantile(d, 0.5),
			 "p90", quantile(d, 0.9),
			 "p99", quantile(d, 0.99),
			 "max", d->count ? json_value_seconds(d->max_ns) : json_null(),
			 "count", json_value_integer(d->count),
			 "sum_ns", json_value_integer(d->sum_ns),
			 "max_ns", json_value_integer(d->max_ns),
			 "buckets", buckets(d));
	/* clang-format on */
}
