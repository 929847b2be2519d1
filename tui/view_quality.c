/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far to trust all of it: what closes, what was lost, what observing costs, and what this
 * kernel or this service does not show.
 */
#include <math.h>
#include <stdio.h>

#include "chart.h"
#include "model/check.h"
#include "model/derive.h"
#include "report/figure.h"
#include "status.h"
#include "table.h"
#include "view_draw.h"

/* A line "mark label words", the words wrapped. Returns the row after it. */
static int draw_item(const struct pane *pane, int row, enum role role, const char *label,
		     const char *words)
{
	int indent = pane->width >= 60 ? 17 : 3;
	struct pane body = pane_part(pane, 0, indent, pane->height, pane->width - indent - 1);
	char labelled[512];

	if (row >= pane->height)
		return row;
	(void)pane_print(pane, row, 1, role,
			 role == ROLE_BAD    ? "!"
			 : role == ROLE_WARN ? "-"
					     : "+");
	if (indent > 3)
		pane_field(pane, row, 3, indent - 4, ROLE_DIM, label);
	(void)snprintf(labelled, sizeof(labelled), "%s: %s", label, words);
	return pane_wrapped(&body, row, role == ROLE_GOOD ? ROLE_PLAIN : role,
			    indent > 3 ? words : labelled);
}

static int draw_checks(const struct pane *pane, int row, const struct snapshot *s,
		       const struct service *service)
{
	bool closes = check_closure(service) == CHECK_HOLDS;
	bool agrees = check_cpu(s, service) == CHECK_HOLDS;
	char words[256];

	if (!service->requests.completed)
		(void)snprintf(words, sizeof(words), "no request: nothing to close");
	else
		(void)snprintf(words, sizeof(words), "%s of the requests' time is accounted for%s",
			       figure_percent(derive_closure(service)).text,
			       closes ? "" : ", but it must be 100 % within 1 %");
	row = draw_item(pane, row,
			!closes			      ? ROLE_BAD
			: service->requests.completed ? ROLE_GOOD
						      : ROLE_WARN,
			"closure", words);
	(void)snprintf(words, sizeof(words), "%s seen, %s by the scheduler's account%s",
		       figure_duration((double)service->cpu_observed_ns / 1e9).text,
		       figure_duration((double)service->cpu_ns / 1e9).text,
		       agrees ? "" : ": they must agree within 1 %");
	return draw_item(pane, row, agrees ? ROLE_GOOD : ROLE_BAD, "CPU", words);
}

static int draw_losses(const struct pane *pane, int row, const struct snapshot *s)
{
	if (!check_losses(s))
		return draw_item(pane, row, ROLE_GOOD, "losses", "none");
	for (enum loss i = 0; i < LOSS_COUNT; i++) {
		char words[256];

		if (!s->losses[i])
			continue;
		(void)snprintf(words, sizeof(words), "LOST %s: %s", figure_count(s->losses[i]).text,
			       loss_label(i));
		row = draw_item(pane, row, ROLE_BAD, "losses", words);
	}
	return row;
}

static int draw_sample(const struct pane *pane, int row, const struct snapshot *s)
{
	char words[256];

	if (s->sampled_ns >= s->duration_ns)
		return row;
	(void)snprintf(
		words, sizeof(words),
		"requests of %s in %s were measured, to keep the probes within --max-overhead",
		figure_duration((double)s->sampled_ns / 1e9).text,
		figure_duration((double)s->duration_ns / 1e9).text);
	return draw_item(pane, row, ROLE_WARN, "sample", words);
}

static int draw_requests(const struct pane *pane, int row, const struct service *service)
{
	const struct requests *r = &service->requests;
	char words[256];

	(void)snprintf(words, sizeof(words), "%s completed, %s of them sampled step by step",
		       figure_count(r->completed).text, figure_count(service->traces.n).text);
	row = draw_item(pane, row, r->completed ? ROLE_GOOD : ROLE_WARN, "requests", words);
	if (r->arrival_unknown + r->at_attach + r->aborted == 0)
		return row;
	(void)snprintf(words, sizeof(words),
		       "%s arrived unseen, %s begun before attach, %s given up",
		       figure_count(r->arrival_unknown).text, figure_count(r->at_attach).text,
		       figure_count(r->aborted).text);
	return draw_item(pane, row, ROLE_WARN, "requests", words);
}

static int draw_notes(const struct pane *pane, int row, const char *label, char *const *notes,
		      size_t n)
{
	for (size_t i = 0; i < n; i++)
		row = draw_item(pane, row, ROLE_WARN, label, notes[i]);
	return row;
}

/* ---- what observing costs ---- */

enum field { PROGRAM, RUNS, MEAN, CPU, BAR, FIELD_COUNT };

static const struct column columns[FIELD_COUNT] = {
	[PROGRAM] = {"PROGRAM", 16, 0, 100, true},
	[RUNS] = {"RUNS/s", 9, 0, 70, false},
	[MEAN] = {"MEAN", 8, 0, 80, false},
	[CPU] = {"CPU", 8, 0, 90, false},
	[BAR] = {"", 4, 120, 10, true},
};

/* The programs by CPU, dearest first, into order[most]. */
static size_t sort_programs(const struct snapshot *s, size_t *order, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_programs; i++) {
		size_t at = n < most ? n++ : most;

		for (; at > 0 && s->programs[order[at - 1]].run_ns < s->programs[i].run_ns; at--) {
			if (at < most)
				order[at] = order[at - 1];
		}
		if (at < most)
			order[at] = i;
	}
	return n;
}

static void draw_programs(const struct pane *pane, const struct snapshot *s)
{
	struct table table = table_fit(columns, FIELD_COUNT, pane->width);
	size_t order[64], n = sort_programs(s, order, sizeof(order) / sizeof(order[0]));
	double duration = (double)s->duration_ns / 1e9;
	double whole = derive_probe_cpu_s(s);

	table_header(&table, pane, 0, FIELD_COUNT, false);
	for (size_t i = 0; i < n && (int)i + 1 < pane->height; i++) {
		const struct program_cost *p = &s->programs[order[i]];
		double cpu = (double)p->run_ns / 1e9;
		int row = (int)i + 1;

		if (row == pane->height - 1 && n - i > 1) {
			(void)pane_print(pane, row, 1, ROLE_DIM, "and %zu more", n - i);
			return;
		}
		table_foreign(&table, pane, row, PROGRAM, ROLE_PLAIN, p->name);
		table_cell(&table, pane, row, RUNS, ROLE_PLAIN,
			   figure_short((double)p->runs / duration).text);
		table_cell(&table, pane, row, MEAN, ROLE_PLAIN,
			   figure_duration(p->runs ? cpu / (double)p->runs : NAN).text);
		table_cell(&table, pane, row, CPU, ROLE_PLAIN, figure_percent(cpu / duration).text);
		if (table.width[BAR])
			chart_bar(pane, row, table.at[BAR], table.width[BAR], ROLE_DIM,
				  cpu / whole);
	}
}

static int draw_cost(const struct pane *pane, int row, const struct snapshot *s)
{
	double cost = derive_probe_cpu_s(s);
	uint64_t completed = 0;
	char words[256];

	for (size_t i = 0; i < s->n_services; i++)
		completed += s->services[i].requests.completed;
	if (isnan(cost))
		return draw_item(pane, row, ROLE_WARN, "cost",
				 "unknown: this kernel keeps no statistics of BPF programs");
	(void)snprintf(words, sizeof(words), "probes take %s of one processor, %s per request",
		       figure_percent(cost / ((double)s->duration_ns / 1e9)).text,
		       figure_duration(completed ? cost / (double)completed : NAN).text);
	return draw_item(pane, row, ROLE_GOOD, "cost", words);
}

void view_quality_draw(const struct pane *pane, const struct view_input *input,
		       const struct view_state *state)
{
	const struct service *service = status_service(input, state);
	struct pane programs;
	int row;

	if (!service) {
		(void)status_expect_requests(pane, 0, input, state);
		return;
	}
	row = draw_losses(pane, 0, input->s);
	row = draw_checks(pane, row, input->s, service);
	row = draw_sample(pane, row, input->s);
	row = draw_requests(pane, row, service);
	row = draw_cost(pane, row, input->s);
	row = draw_notes(pane, row, "note", input->s->notes, input->s->n_notes);
	row = draw_notes(pane, row, "this service", service->notes, service->n_notes);
	programs = pane_part(pane, row + 1, 0, pane->height, pane->width);
	if (input->s->cost_known && programs.height >= 3)
		draw_programs(&programs, input->s);
}
