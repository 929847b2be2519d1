/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot as text for the owner of a slow service, read from the top: who was observed, where a
 * request's time went, whom it waited for, what that means, and how far to trust it.
 */
#include "report/report.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "model/check.h"
#include "model/derive.h"
#include "report/absence.h"
#include "report/figure.h"
#include "report/page.h"
#include "report/text_advice.h"
#include "report/text_surroundings.h"

#define NS_PER_S 1000000000
#define PEERS_SHOWN 8
#define DISK_MATTERS 0.01
#define OPENED_MATTERS 0.1 /* connections per request */

static double seconds(uint64_t ns)
{
	return (double)ns / NS_PER_S;
}

static double quotient(double a, double b)
{
	return b > 0 ? a / b : NAN;
}

static double mean(const struct dist *d)
{
	return d->count ? dist_mean_s(d) : NAN;
}

static double quantile(const struct dist *d, double q)
{
	return d->count ? dist_quantile_s(d, q) : NAN;
}

/* ---- who was observed ---- */

static void show_title(struct page *page, const struct snapshot *s, const struct service *service)
{
	time_t start = (time_t)(s->start_unix_ns / NS_PER_S);
	char when[40] = "?", right[80];
	struct tm tm;

	if (gmtime_r(&start, &tm))
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	(void)snprintf(right, sizeof(right), "%s from %s",
		       figure_duration(seconds(s->duration_ns)).text, when);
	page_rule(page, service->name, right);
	if (s->sampled_ns < s->duration_ns)
		page_line(page, "measured", "%s of these %s; the rest is estimated from it",
			  figure_duration(seconds(s->sampled_ns)).text,
			  figure_duration(seconds(s->duration_ns)).text);
}

static void show_processes(struct page *page, const struct service *service)
{
	if (service->n_pids == 0)
		page_line(page, "processes", "all have ended");
	else if (service->n_pids == 1)
		page_line(page, "process", "%d", (int)service->pids[0]);
	else
		page_line(page, "processes", "%zu: %d and those it started", service->n_pids,
			  (int)service->pids[0]);
}

static void show_requests(struct page *page, const struct snapshot *s,
			  const struct service *service)
{
	const struct requests *r = &service->requests;
	char aborted[64] = "";

	if (r->aborted)
		(void)snprintf(aborted, sizeof(aborted), "; %s given up",
			       figure_count(r->aborted).text);
	if (!r->completed)
		page_line(page, "requests", "none completed%s", aborted);
	else
		page_line(page, "requests", "%s, %s per second, %s in flight%s",
			  figure_count(r->completed).text,
			  figure_number(derive_rate_per_s(s, service)).text,
			  figure_number(derive_in_flight(s, service)).text, aborted);
}

static void show_workers(struct page *page, const struct service *service)
{
	const struct workers *w = &service->workers;

	if (w->wall_ns)
		page_line(page, "workers", "%u in %u process%s, busy %s of their time", w->count,
			  w->processes, w->processes == 1 ? "" : "es",
			  figure_percent(derive_busy_fraction(service)).text);
}

static void show_cpu(struct page *page, const struct snapshot *s, const struct service *service)
{
	double cpu = seconds(service->cpu_ns);
	double within = quotient(seconds(service->parts[PART_CPU].sum_ns), cpu);
	char share[64] = "";

	/* A request that ends in this interval may have had its CPU in the last one. */
	if (service->requests.completed && within <= 1)
		(void)snprintf(share, sizeof(share), ", %s of it within requests",
			       figure_percent(within).text);
	page_line(page, "CPU", "%s: %s of one processor%s", figure_duration(cpu).text,
		  figure_percent(quotient(cpu, seconds(s->duration_ns))).text, share);
}

/* ---- where the time went ---- */

static enum style part_style(enum part part)
{
	switch (part) {
	case PART_CPU:
		return STYLE_RUN;
	case PART_RUN_QUEUE:
		return STYLE_QUEUE;
	case PART_NETWORK:
	case PART_CLIENT:
	case PART_SLEEP:
	case PART_CHILD:
	case PART_OVERLAPPED:
		return STYLE_WAIT;
	case PART_UNATTRIBUTED:
		return STYLE_ALARM;
	default:
		return STYLE_BLOCK;
	}
}

/* One row: a part of a request, its share of whole_s. */
static void show_part(struct page *page, const char *label, enum style style, const struct dist *d,
		      double whole_s)
{
	double share = quotient(mean(d), whole_s);

	page_print(page, "  %-13s %9s %9s %9s %8s", label, figure_duration(mean(d)).text,
		   figure_duration(quantile(d, 0.5)).text, figure_duration(quantile(d, 0.99)).text,
		   figure_percent(share).text);
	page_bar(page, style, share, page->columns - 56);
	page_print(page, "\n");
}

/* The share of the requests' time that lies in several parts but passed once; 0 where it would not
 * show. */
static double parallel_share(const struct service *service)
{
	double whole_ns = (double)service->service_time.sum_ns + (double)service->queue_wait.sum_ns;
	double share = quotient((double)service->requests.parallel_ns, whole_ns);

	return share >= 0.0005 ? share : 0;
}

static void show_parallel(struct page *page, const struct service *service)
{
	double s = seconds(service->requests.parallel_ns) / (double)service->requests.completed;
	char value[40], share[40];

	if (parallel_share(service) <= 0)
		return;
	(void)snprintf(value, sizeof(value), "-%s", figure_duration(s).text);
	(void)snprintf(share, sizeof(share), "-%s", figure_percent(parallel_share(service)).text);
	page_print(page, "  %-13s %9s %9s %9s %8s\n", "side by side", value, "", "", share);
}

static void show_parts(struct page *page, const struct service *service)
{
	/* CPU, then the waits, then what is neither: the order in which a reader asks. */
	static const enum part order[PART_COUNT] = {
		PART_CPU,	PART_NETWORK,	 PART_CLIENT,	    PART_DISK,
		PART_LOCK,	PART_SLEEP,	 PART_CHILD,	    PART_OTHER,
		PART_RUN_QUEUE, PART_OVERLAPPED, PART_UNATTRIBUTED,
	};
	bool has_latency = service->latency.count > 0;
	const struct dist *whole = has_latency ? &service->latency : &service->service_time;
	double whole_s =
		mean(&service->service_time) + (has_latency ? mean(&service->queue_wait) : 0);

	page_style(page, STYLE_DIM);
	page_print(page, "\n  %-13s %9s %9s %9s %8s\n", "per request", "mean", "p50", "p99",
		   "share");
	page_style(page, STYLE_PLAIN);
	show_part(page, "queue wait", STYLE_QUEUE, &service->queue_wait, whole_s);
	for (int i = 0; i < PART_COUNT; i++) {
		const struct dist *d = &service->parts[order[i]];
		bool always = order[i] == PART_CPU || order[i] == PART_RUN_QUEUE ||
			      order[i] == PART_UNATTRIBUTED;

		if (always || d->sum_ns)
			show_part(page, part_label(order[i]), part_style(order[i]), d, whole_s);
	}
	show_parallel(page, service);
	page_style(page, STYLE_TITLE);
	page_print(page, "  %-13s %9s %9s %9s %8s\n", has_latency ? "latency" : "service time",
		   figure_duration(mean(whole)).text, figure_duration(quantile(whole, 0.5)).text,
		   figure_duration(quantile(whole, 0.99)).text, "100 %");
	page_style(page, STYLE_PLAIN);
}

/* ---- whom it waited for ---- */

static void show_peer(struct page *page, const struct peer *p, uint64_t completed)
{
	double n = (double)completed;

	page_print(page, "  ");
	page_foreign(page, p->address, page->columns - 45);
	page_print(page, " %10s %9s %9s %11s\n", figure_number((double)p->operations / n).text,
		   figure_duration(mean(&p->wait)).text,
		   figure_duration(quantile(&p->wait, 0.99)).text,
		   figure_duration(seconds(p->wait.sum_ns) / n).text);
}

static void show_peers(struct page *page, const struct service *service)
{
	uint64_t completed = service->requests.completed, outside = 0, opened = 0;
	size_t shown = 0, hidden = 0;
	double hidden_s = 0;
	char more[40];

	for (size_t i = 0; i < service->n_peers; i++) {
		const struct peer *p = &service->peers[i];

		outside += p->operations_outside;
		opened += p->connections;
		if (!p->operations)
			continue;
		if (shown == PEERS_SHOWN) {
			hidden++;
			hidden_s += seconds(p->wait.sum_ns);
			continue;
		}
		if (shown++ == 0) {
			page_style(page, STYLE_DIM);
			page_print(page, "\n  %-*s %10s %9s %9s %11s\n", (int)page->columns - 45,
				   "network by peer", "operations", "mean", "p99", "per request");
			page_style(page, STYLE_PLAIN);
		}
		show_peer(page, p, completed);
	}
	if (hidden) {
		(void)snprintf(more, sizeof(more), "%zu more", hidden);
		page_print(page, "  %-*s %10s %9s %9s %11s\n", (int)page->columns - 45, more, "",
			   "", "", figure_duration(hidden_s / (double)completed).text);
	}
	if (completed && (double)opened >= OPENED_MATTERS * (double)completed)
		page_print(page, "  connections opened: %s per request\n",
			   figure_number((double)opened / (double)completed).text);
	if (outside)
		page_print(page, "  outside requests: %s operation%s\n", figure_count(outside).text,
			   outside == 1 ? "" : "s");
}

/* ---- what that means ---- */

static double fraction_of(double ratio)
{
	return ratio / (1 + ratio);
}

static void show_ratio(struct page *page, const char *label, const char *meaning, double value,
		       double lo, double hi)
{
	struct figure figure = figure_number(value);
	char between[80] = "";
	bool has_room;

	if (isfinite(lo))
		(void)snprintf(between, sizeof(between), "95 %%: %s to %s", figure_number(lo).text,
			       figure_number(hi).text);
	page_print(page, "  %-16s %5s", label, figure.text);
	has_room = page->columns >= 80 && strlen(figure.text) <= 5 && strlen(between) <= 20;
	if (has_room) {
		page_print(page, "  %-20s  ", between);
		page_style(page, STYLE_DIM);
		page_print(page, "%s", meaning);
		page_style(page, STYLE_PLAIN);
	} else if (*between) {
		page_print(page, "  %s", between);
	}
	page_print(page, "\n");
}

static void show_blocking(struct page *page, const struct service *service)
{
	struct blocking b;

	derive_blocking(service, &b);
	page_print(page, "\n");
	show_ratio(page, "blocking ratio", "network+sleep+child waits / CPU", b.ratio, b.lo, b.hi);
	show_ratio(page, "blocked fraction", "the same waits / (waits + CPU)", b.fraction,
		   fraction_of(b.lo), fraction_of(b.hi));
	if (b.ratio_loose > b.ratio + DISK_MATTERS * (1 + b.ratio))
		show_ratio(page, "ratio with disk", "disk waits added", b.ratio_loose, NAN, NAN);
}

/* ---- what a reader must know ---- */

static void show_hints(struct page *page, const struct service *service)
{
	const struct requests *r = &service->requests;
	const struct dist *overlapped = &service->parts[PART_OVERLAPPED];

	if (overlapped->sum_ns)
		page_line(
			page, "overlapped",
			"meanwhile the event loop served others or slept; %s of it with an operation outstanding",
			figure_percent(quotient((double)service->overlapped_io_ns,
						(double)overlapped->sum_ns))
				.text);
	if (parallel_share(service) > 0)
		page_line(
			page, "side by side",
			"several threads worked on one request at once: the parts count that time for each");
	if (r->arrival_unknown)
		page_line(page, "note",
			  "%s request%s arrived unseen: counted, but not in queue wait and latency",
			  figure_count(r->arrival_unknown).text,
			  r->arrival_unknown == 1 ? "" : "s");
	if (r->at_attach)
		page_line(page, "note",
			  "%s response%s to requests begun before ioprof attached: not counted",
			  figure_count(r->at_attach).text, r->at_attach == 1 ? "" : "s");
	for (size_t i = 0; i < service->n_notes; i++)
		page_wrapped(page, STYLE_PLAIN, "note", service->notes[i]);
}

/* ---- how far to trust it ---- */

static void show_checks(struct page *page, const struct snapshot *s, const struct service *service)
{
	double closure = derive_closure(service);
	enum check check = check_closure(service);

	if (check == CHECK_TOO_LITTLE)
		page_line(
			page, "check failed",
			"only %s of the time of requests is accounted for: each part may be larger than shown",
			figure_percent(closure).text);
	if (check == CHECK_TOO_MUCH)
		page_line(
			page, "check failed",
			"the parts sum to %s of the time of requests: some are larger than they were",
			figure_percent(closure).text);
	if (check_cpu(s, service) != CHECK_HOLDS)
		page_line(page, "check failed",
			  "ioprof saw %s of CPU, the scheduler accounts for %s",
			  figure_duration(seconds(service->cpu_observed_ns)).text,
			  figure_duration(seconds(service->cpu_ns)).text);
}

static void show_service(struct page *page, const struct snapshot *s, const struct service *service)
{
	show_title(page, s, service);
	show_processes(page, service);
	page_line(page, "concurrency", "%s", concurrency_label(derive_concurrency(service)));
	show_requests(page, s, service);
	show_workers(page, service);
	show_cpu(page, s, service);
	text_surroundings(page, service);
	if (service->requests.completed) {
		show_parts(page, service);
		show_peers(page, service);
		show_blocking(page, service);
		page_print(page, "\n");
	} else {
		page_wrapped(page, STYLE_PLAIN, "why", report_absence(service));
	}
	show_hints(page, service);
	show_checks(page, s, service);
}

static void show_losses(struct page *page, const struct snapshot *s)
{
	for (enum loss i = 0; i < LOSS_COUNT; i++) {
		_cleanup_free_ char *text = NULL;

		if (!s->losses[i])
			continue;
		if (asprintf(&text, "%s: %s", figure_count(s->losses[i]).text, loss_label(i)) < 0)
			text = NULL;
		page_wrapped(page, STYLE_ALARM, "LOST", text ? text : loss_label(i));
	}
}

static void show_quality(struct page *page, const struct snapshot *s)
{
	double cost = derive_probe_cpu_s(s), cpus = quotient(cost, seconds(s->duration_ns));
	uint64_t completed = 0;
	bool lost = check_losses(s) > 0;
	char probes[128];

	for (size_t i = 0; i < s->n_services; i++)
		completed += s->services[i].requests.completed;
	for (size_t i = 0; i < s->n_notes; i++)
		page_wrapped(page, STYLE_PLAIN, "note", s->notes[i]);
	if (isnan(cost))
		(void)snprintf(probes, sizeof(probes), "cost of the probes unknown");
	else if (!completed)
		(void)snprintf(probes, sizeof(probes), "probes %s CPU", figure_percent(cpus).text);
	else
		(void)snprintf(probes, sizeof(probes), "probes %s CPU, %s/request",
			       figure_percent(cpus).text,
			       figure_duration(cost / (double)completed).text);
	page_line(page, "quality", "closure %s, %s, %s",
		  figure_percent(derive_snapshot_closure(s)).text,
		  lost ? "LOSSES (below)" : "no losses", probes);
	show_losses(page, s);
	if (lost)
		page_wrapped(page, STYLE_ALARM, "",
			     "What was lost is missing from the figures above.");
}

static void show_advice(struct page *page, const struct snapshot *s, size_t service,
			const struct advice_opts *opts)
{
	_cleanup_(advice_freep) struct advice *advice = NULL;
	int r = advice_service(s, service, opts, &advice);

	if (r < 0) {
		page->error = page->error ? page->error : r;
		return;
	}
	text_advice(page, s->n_services > 1 ? s->services[service].name : NULL, advice);
}

int report_text(FILE *out, const struct snapshot *s, const struct report_opts *opts)
{
	struct page page = page_new(out, opts);

	for (size_t i = 0; i < s->n_services; i++)
		show_service(&page, s, &s->services[i]);
	show_quality(&page, s);
	for (size_t i = 0; opts->advice && i < s->n_services; i++)
		show_advice(&page, s, i, opts->advice);
	return page.error;
}
