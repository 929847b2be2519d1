/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "status.h"

#include <math.h>
#include <stdio.h>

#include "model/check.h"
#include "model/derive.h"
#include "report/absence.h"
#include "report/figure.h"

/* Requests from which on the figures of one interval say something. */
#define REQUESTS_FEW 30

static void draw_alarms(const struct pane *line, const struct view_input *input,
			const struct service *service)
{
	uint64_t lost = check_losses(input->s);
	int at = pane_print(line, 0, 0, ROLE_BAD, "!");

	if (lost) {
		at = pane_whole(line, 0, at, ROLE_BAD, " LOST %s events", figure_count(lost).text);
		at = pane_whole(line, 0, at, ROLE_BAD, ": figures are too small;");
	}
	if (!service)
		return;
	if (check_closure(service) != CHECK_HOLDS)
		at = pane_whole(line, 0, at, ROLE_BAD, " closure %s;",
				figure_percent(derive_closure(service)).text);
	if (check_cpu(input->s, service) != CHECK_HOLDS)
		(void)pane_whole(line, 0, at, ROLE_BAD, " saw %s of %s CPU",
				 figure_duration((double)service->cpu_observed_ns / 1e9).text,
				 figure_duration((double)service->cpu_ns / 1e9).text);
}

static void draw_calm(const struct pane *line, const struct view_input *input,
		      const struct service *service)
{
	double duration = (double)input->s->duration_ns / 1e9;
	uint64_t completed = service ? service->requests.completed : 0;
	double cost = derive_probe_cpu_s(input->s) / duration;
	int at = 0;

	if (completed && completed < REQUESTS_FEW)
		at = pane_whole(line, 0, 0, ROLE_WARN, "! few requests: watch longer; ");
	at = pane_whole(line, 0, at, ROLE_DIM, "no losses");
	if (completed)
		at = pane_whole(line, 0, at, ROLE_DIM, ", closure %s",
				figure_percent(derive_closure(service)).text);
	at = pane_whole(line, 0, at, ROLE_DIM, ", %s request%s in %s", figure_count(completed).text,
			completed == 1 ? "" : "s", figure_duration(duration).text);
	if (isnan(cost))
		(void)pane_whole(line, 0, at, ROLE_DIM, ", cost of the probes unknown");
	else
		(void)pane_whole(line, 0, at, ROLE_DIM, ", probes %s CPU",
				 figure_percent(cost).text);
}

void status_draw(const struct pane *pane, const struct view_input *input,
		 const struct service *service)
{
	struct pane line = pane_part(pane, pane->height - 1, 1, 1, pane->width - 2);

	if (!input->s)
		return;
	if (check_losses(input->s) || (service && (check_closure(service) != CHECK_HOLDS ||
						   check_cpu(input->s, service) != CHECK_HOLDS)))
		draw_alarms(&line, input, service);
	else
		draw_calm(&line, input, service);
}

const struct service *status_service(const struct view_input *input, const struct view_state *state)
{
	if (!input->s || !input->s->n_services)
		return NULL;
	return &input->s->services[state->service < input->s->n_services ? state->service : 0];
}

const struct service *status_expect_requests(const struct pane *pane, int row,
					     const struct view_input *input,
					     const struct view_state *state)
{
	const struct service *service = status_service(input, state);
	struct pane text = pane_part(pane, row, 1, pane->height - row, pane->width - 2);

	if (service && service->requests.completed)
		return service;
	if (!input->s) {
		(void)pane_wrapped(
			&text, 0, ROLE_PLAIN,
			"Nothing observed yet: the first figures come after one interval.");
	} else if (!service) {
		(void)pane_wrapped(&text, 0, ROLE_PLAIN,
				   "No service: name one with -p, --cgroup or --unit.");
	} else {
		row = pane_wrapped(&text, 0, ROLE_TITLE, "No request yet.");
		(void)pane_wrapped(&text, row, ROLE_PLAIN, report_absence(service));
	}
	return NULL;
}
