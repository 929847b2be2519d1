/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whom the selected service waits for; below, how the selected peer answers with more and more
 * operations in flight: flat up to what it can do at once, rising from there on.
 */
#include <math.h>
#include <stdio.h>

#include "kind.h"
#include "status.h"
#include "view_draw.h"

#define CURVE_LEAST 6	  /* rows a curve is readable in */
#define SLOWER 1.1	  /* times as long, from which on an operation counts as slower */
#define OPERATIONS_FEW 20 /* below so many the mean of a bin says little */

enum field { ADDRESS, OPERATIONS, WAIT, P99, PER_REQUEST, SHARE, IN_FLIGHT, OUTSIDE, FIELD_COUNT };

static const struct column columns[FIELD_COUNT] = {
	[ADDRESS] = {"PEER", 12, 56, 100, true},       [OPERATIONS] = {"OPS/REQ", 7, 0, 80, false},
	[WAIT] = {"WAIT/OP", 8, 0, 70, false},	       [P99] = {"P99", 8, 0, 60, false},
	[PER_REQUEST] = {"WAIT/REQ", 8, 0, 50, false}, [SHARE] = {"SHARE", 7, 0, 90, false},
	[IN_FLIGHT] = {"FLIGHT", 7, 0, 40, false},     [OUTSIDE] = {"OUTSIDE", 8, 0, 10, false},
};

static const struct peer *peer_at(const struct view_input *input, const struct view_state *state,
				  size_t i)
{
	return &status_service(input, state)->peers[i];
}

static size_t count(const struct view_input *input, const struct view_state *state)
{
	const struct service *service = status_service(input, state);

	return service ? service->n_peers : 0;
}

static const char *name(const struct view_input *input, const struct view_state *state, size_t i)
{
	return peer_at(input, state, i)->address;
}

/* Operations in flight on average: the time they took together over the time that passed. */
static double in_flight(const struct snapshot *s, const struct peer *peer)
{
	double sum = 0, operations = 0;

	for (unsigned int bin = 0; bin < IOP_IN_FLIGHT_BINS; bin++) {
		sum += (double)peer->loads[bin].sum_ns;
		operations += (double)peer->loads[bin].operations;
	}
	return operations > 0 ? sum / (double)s->duration_ns : NAN;
}

static double value(const struct view_input *input, const struct view_state *state, size_t i,
		    size_t field)
{
	const struct service *service = status_service(input, state);
	const struct peer *peer = &service->peers[i];
	double completed = (double)service->requests.completed;
	double per_request = completed > 0 ? (double)peer->wait.sum_ns / 1e9 / completed : NAN;

	switch (field) {
	case OPERATIONS:
		return completed > 0 ? (double)peer->operations / completed : NAN;
	case WAIT:
		return peer->wait.count ? dist_mean_s(&peer->wait) : NAN;
	case P99:
		return peer->wait.count ? dist_quantile_s(&peer->wait, 0.99) : NAN;
	case PER_REQUEST:
		return per_request;
	case SHARE:
		return per_request / kind_whole_s(service);
	case IN_FLIGHT:
		return in_flight(input->s, peer);
	default:
		return (double)peer->operations_outside;
	}
}

/* In at most 6 characters. */
static struct figure count_of(uint64_t n)
{
	return n < 100000 ? figure_count(n) : figure_short((double)n);
}

static struct figure text(const struct view_input *input, const struct view_state *state, size_t i,
			  size_t field)
{
	double x = value(input, state, i, field);

	switch (field) {
	case OPERATIONS:
	case IN_FLIGHT:
		return figure_short(x);
	case SHARE:
		return figure_percent(x);
	case OUTSIDE:
		return count_of(peer_at(input, state, i)->operations_outside);
	default:
		return figure_duration(x);
	}
}

const struct listing view_peers_listing = {columns, FIELD_COUNT, count, name, value, text, NULL};

/* ---- the curve of the selected peer ---- */

static double mean_of(const struct peer_load *load)
{
	return load->operations ? (double)load->sum_ns / 1e9 / (double)load->operations : NAN;
}

/* How much longer operations take with many in flight than with few, in words. */
static void draw_reading(const struct pane *pane, int row, const struct peer *peer)
{
	int first = -1, last = -1;
	double slower;

	for (int bin = 0; bin < IOP_IN_FLIGHT_BINS; bin++) {
		if (peer->loads[bin].operations < OPERATIONS_FEW)
			continue;
		first = first < 0 ? bin : first;
		last = bin;
	}
	if (first < 0 || first == last) {
		(void)pane_print(pane, row, 1, ROLE_DIM,
				 "Seen at one load only: how it takes more cannot be told.");
		return;
	}
	slower = mean_of(&peer->loads[last]) / mean_of(&peer->loads[first]);
	(void)pane_print(pane, row, 1, ROLE_PLAIN,
			 slower < SLOWER ? "No slower with %u in flight than with %u: %sx."
					 : "Slower with %u in flight than with %u: %sx.",
			 in_flight_floor((unsigned int)last), in_flight_floor((unsigned int)first),
			 figure_number(slower).text);
}
/* A column per load that was seen: its mean as height, the number in flight below. */
static void draw_loads(const struct pane *pane, const struct peer *peer)
{
	double most = 0;
	int n = 0, slot, at;

	for (unsigned int bin = 0; bin < IOP_IN_FLIGHT_BINS; bin++) {
		n += peer->loads[bin].operations > 0;
		most = fmax(most,
			    n && peer->loads[bin].operations ? mean_of(&peer->loads[bin]) : 0);
	}
	if (!n || pane->height < 4 || pane->width < 20)
		return;
	at = 10;
	slot = (pane->width - at) / n;
	slot = slot > 10 ? 10 : slot < 1 ? 1 : slot;
	pane_field(pane, 0, 0, -9, ROLE_DIM, figure_duration(most).text);
	pane_field(pane, pane->height - 3, 0, -9, ROLE_DIM, "0");
	pane_field(pane, pane->height - 2, 0, -9, ROLE_DIM, "in flight");
	if (slot >= 7)
		pane_field(pane, pane->height - 1, 0, -9, ROLE_DIM, "seen");
	for (unsigned int bin = 0; bin < IOP_IN_FLIGHT_BINS; bin++) {
		const struct peer_load *load = &peer->loads[bin];
		int width = slot > 2 ? slot - 1 : 1;
		struct pane bar = pane_part(pane, 0, at, pane->height - 2, width);
		double values[10];

		if (!load->operations)
			continue;
		for (int i = 0; i < width; i++)
			values[i] = mean_of(load);
		chart_columns(&bar, ROLE_WAIT, values, (size_t)width, most);
		if (slot >= 7)
			pane_field(pane, pane->height - 1, at, width, ROLE_DIM,
				   count_of(load->operations).text);
		if (slot >= 4 || (slot >= 3 && in_flight_floor(bin) < 100))
			(void)pane_print(pane, pane->height - 2, at, ROLE_DIM, "%u",
					 in_flight_floor(bin));
		at += slot;
	}
}

static void draw_curve(const struct pane *pane, const struct peer *peer)
{
	struct pane loads = pane_part(pane, 2, 1, pane->height, pane->width - 2);
	int at;

	if (loads.height > 16)
		loads.height = 16;
	at = pane_print(pane, 0, 1, ROLE_TITLE, "time of an operation at ");
	(void)pane_foreign(pane, 0, at, pane->width - at, ROLE_TITLE, peer->address);
	draw_reading(pane, 1, peer);
	draw_loads(&loads, peer);
}

void view_peers_draw(const struct pane *pane, const struct view_input *input,
		     const struct view_state *state)
{
	const struct service *service = status_expect_requests(pane, 0, input, state);
	size_t rows[LISTING_MOST], n, selected;
	struct pane table = *pane, curve;

	if (!service)
		return;
	if (!service->n_peers) {
		struct pane words = pane_part(pane, 0, 1, pane->height, pane->width - 2);

		(void)pane_wrapped(
			&words, 0, ROLE_PLAIN,
			"No peers: this service asked nobody over a socket. Its waits, if "
			"any, are in the request view.");
		return;
	}
	n = listing_rows(&view_peers_listing, VIEW_PEERS, input, state, rows, LISTING_MOST);
	selected = listing_selected(VIEW_PEERS, state, rows, n);
	if (pane->height >= CURVE_LEAST + 5 && selected < n) {
		int half = pane->height / 2;

		table.height = (int)n + 1 < half ? (int)n + 1 : half;
		curve = pane_part(pane, table.height + 1, 0, pane->height, pane->width);
		draw_curve(&curve, &service->peers[rows[selected]]);
	}
	listing_draw(&view_peers_listing, VIEW_PEERS, &table, input, state);
}
