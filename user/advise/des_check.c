/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which scenarios make sense: all that would crash, hang or divide by zero is turned away here. */
#include <math.h>

#include "advise/des_sim.h"

#define MAX_PROCESSES 65536 /* of the server, of each service */
#define LONGEST_S 1e6	    /* more than eleven days is no duration of a request */

static bool is_time(double s)
{
	return s >= 0 && s <= LONGEST_S;
}

/* Is the fork at step i closed by a join, with no fork in between? */
static bool fork_closed(const struct des_trace *t, size_t i)
{
	for (i++; i < t->n_steps; i++) {
		if (t->steps[i].kind == DES_JOIN)
			return true;
		if (t->steps[i].kind == DES_FORK)
			return false;
	}
	return false;
}

static bool step_valid(const struct des_machine *m, const struct des_trace *t, size_t i, bool *open)
{
	const struct des_step *step = &t->steps[i];
	bool was_open = *open;

	switch (step->kind) {
	case DES_CPU:
	case DES_BLOCK:
		return is_time(step->s);
	case DES_PEER:
		return is_time(step->s) && step->index < m->n_peers;
	case DES_SERVICE:
		return is_time(step->s) && step->index < m->n_services;
	case DES_RESPONSE:
		return !was_open;
	case DES_FORK:
		*open = true;
		return fork_closed(t, i);
	case DES_BRANCH:
		return was_open;
	case DES_JOIN:
		*open = false;
		return was_open;
	}
	return false;
}

/* There is something to do, and it can be done. */
static bool traces_valid(const struct des_scenario *s)
{
	double total_s = 0;

	for (size_t i = 0; i < s->n_traces; i++) {
		const struct des_trace *t = &s->traces[i];
		bool open = false;

		for (size_t j = 0; j < t->n_steps; j++) {
			if (!step_valid(&s->machine, t, j, &open))
				return false;
			total_s += t->steps[j].s;
		}
	}
	return total_s > 0;
}

static bool machine_valid(const struct des_machine *m)
{
	for (size_t i = 0; i < m->n_services; i++) {
		if (m->services[i] == 0 || m->services[i] > MAX_PROCESSES)
			return false;
	}
	return m->cores > 0 && is_time(m->quantum_s) && is_time(m->switch_s) &&
	       is_time(m->quota_s) && is_time(m->period_s);
}

static bool server_valid(const struct des_server *s, const struct des_machine *m)
{
	if (s->processes == 0 || s->processes > MAX_PROCESSES || s->max_in_flight == 0 ||
	    s->accept_batch == 0 || !(s->local_quantum_s > 0))
		return false;
	if (s->blocking == DES_BLOCK_OFFLOADED && s->offload_threads == 0)
		return false;
	/* What stops is an event loop; of threads, others go on. */
	if (s->blocking == DES_BLOCK_STOPS && !isinf(s->local_quantum_s))
		return false;
	if (s->front_s > 0 && s->front_service >= m->n_services)
		return false;
	return is_time(s->hand_over_s) && is_time(s->cpu_factor) && is_time(s->request_s) &&
	       is_time(s->operation_s) && is_time(s->offload_s) && is_time(s->gil_split_s) &&
	       is_time(s->front_s);
}

static bool load_valid(const struct des_load *l)
{
	if (l->clients > 0)
		return l->clients <= DES_MAX_IN_SYSTEM && is_time(l->think_s);
	return isfinite(l->rate_per_s) && l->rate_per_s > 0;
}

bool des_scenario_valid(const struct des_scenario *s)
{
	return s->n_traces > 0 && s->requests > 0 && machine_valid(&s->machine) &&
	       server_valid(&s->server, &s->machine) && load_valid(&s->load) && traces_valid(s);
}
