/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document of "ioprof diff --json": docs/json.md. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "advise/delivery.h"
#include "base/cleanup.h"
#include "model/derive.h"
#include "report/diff.h"
#include "report/json_value.h"
#include "report/json_write.h"

/* From here on one key and its value per line. */
/* clang-format off */

static json_t *comparison(const struct comparison *c)
{
	return json_pack("{s:o, s:o, s:o, s:[oo], s:s}",
			 "before", json_value_real(c->before.value),
			 "after", json_value_real(c->after.value),
			 "difference", json_value_real(c->difference),
			 "ci99", json_value_real(c->lo), json_value_real(c->hi),
			 "change", change_name(c->change));
}

static json_t *measures(const struct diff_pair *pair)
{
	_cleanup_(json_value_freep) json_t *object = json_object();

	for (enum measure i = 0; i < MEASURE_COUNT; i++) {
		struct comparison c = diff_compare(pair, i);

		if (json_object_set_new(object, measure_name(i), comparison(&c)) < 0)
			return NULL;
	}
	return TAKE(object);
}

static json_t *peers(const struct diff_pair *pair)
{
	const struct service *before = diff_service(&pair->before);
	const struct service *after = diff_service(&pair->after);
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (size_t i = 0; i < before->n_peers; i++) {
		const struct peer *was = &before->peers[i];
		struct comparison c;
		json_t *peer;
		size_t k = 0;

		while (k < after->n_peers && strcmp(after->peers[k].address, was->address) != 0)
			k++;
		if (k == after->n_peers)
			continue;
		c = measure_compare(measure_dist(&was->wait), measure_dist(&after->peers[k].wait));
		peer = json_pack("{s:o, s:o}",
				 "address", json_value_string(was->address),
				 "wait_s.mean", comparison(&c));
		if (json_array_append_new(array, peer) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *side(const struct diff_side *side)
{
	const struct snapshot *s = side->host->sum;
	const struct service *service = diff_service(side);
	_cleanup_(json_value_freep) json_t *losses = json_object();

	for (enum loss i = 0; i < LOSS_COUNT; i++) {
		if (json_object_set_new(losses, loss_name(i), json_value_integer(s->losses[i])) < 0)
			return NULL;
	}
	return json_pack("{s:o, s:o, s:I, s:o, s:o, s:o, s:s, s:O}",
			 "host", json_value_string_or_null(s->host),
			 "name", json_value_string(service->name),
			 "start_unix_ns", (json_int_t)s->start_unix_ns,
			 "duration_ns", json_value_integer(s->duration_ns),
			 "intervals", json_value_integer(side->host->intervals),
			 "completed", json_value_integer(service->requests.completed),
			 "concurrency_model", concurrency_name(derive_concurrency(service)),
			 "losses", losses);
}

static json_t *sides(const struct diff_side *list, size_t n)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(array, side(&list[i])) < 0)
			return NULL;
	}
	return TAKE(array);
}

static json_t *interval(const struct interval *interval)
{
	return json_pack("{s:o, s:o, s:o}",
			 "estimate", json_value_real(interval->estimate),
			 "lo", json_value_real(interval->lo),
			 "hi", json_value_real(interval->hi));
}

static json_t *delivered(const struct delivered *delivered)
{
	return json_pack("{s:o, s:o, s:s}",
			 "predicted", interval(&delivered->predicted),
			 "found", interval(&delivered->found),
			 "outcome", delivery_outcome_name(delivered->outcome));
}

static json_t *delivery(const struct diff_pair *pair, const struct advice_opts *advice)
{
	struct delivery delivery;

	if (!advice)
		return json_null();
	if (delivery_judge(pair, advice, &delivery) < 0)
		return NULL;
	return json_pack("{s:o, s:o, s:o}",
			 "async_over_now", delivered(&delivery.gain),
			 "kappa", delivered(&delivery.cpu),
			 "why_unknown", json_value_string_or_null(delivery.why));
}

static json_t *pairs(const struct diff *diff, const struct advice_opts *advice)
{
	_cleanup_(json_value_freep) json_t *array = json_array();

	for (size_t i = 0; i < diff->n_pairs; i++) {
		const struct diff_pair *pair = &diff->pairs[i];
		json_t *json = json_pack("{s:o, s:o, s:o, s:o, s:o}",
					 "before", side(&pair->before),
					 "after", side(&pair->after),
					 "figures", measures(pair),
					 "peers", peers(pair),
					 "delivery", delivery(pair, advice));

		if (json_array_append_new(array, json) < 0)
			return NULL;
	}
	return TAKE(array);
}

/* clang-format on */

int report_diff_json(FILE *out, const struct diff *diff, const struct advice_opts *advice)
{
	_cleanup_(json_value_freep) json_t *json = json_pack(
		"{s:s, s:o, s:o, s:o}", "schema", "ioprof-diff/1", "services", pairs(diff, advice),
		"only_before", sides(diff->only_before, diff->n_only_before), "only_after",
		sides(diff->only_after, diff->n_only_after));
	int r;

	if (!json)
		return -ENOMEM;
	errno = 0;
	r = json_write(out, json);
	(void)fputs("\n", out);
	if (ferror(out))
		return errno ? -errno : -EIO;
	return r;
}
