/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample_service.h"

#include <math.h>
#include <stdlib.h>

#include "advise/prng.h"

#define OPERATIONS_PER_LEVEL 200

static void *zeroed(size_t n, size_t size)
{
	void *memory = calloc(n + 1, size); /* not of no bytes */

	if (!memory)
		abort();
	return memory;
}

static uint64_t nanoseconds(double s)
{
	return (uint64_t)(s * 1e9);
}

static uint32_t least_in_flight(const struct sample_model *m)
{
	return m->least_in_flight ? m->least_in_flight : 1;
}

static uint32_t levels(const struct sample_model *m)
{
	return (m->most_in_flight ? m->most_in_flight : m->workers) - least_in_flight(m) + 1;
}

/* Of an operation with so many in flight, over wait_s. */
static double slowdown(const struct sample_model *m, uint32_t in_flight)
{
	return m->servers && in_flight > m->servers ? (double)in_flight / m->servers : 1;
}

static double mean_slowdown(const struct sample_model *m)
{
	double sum = 0;

	for (uint32_t i = 0; i < levels(m); i++)
		sum += slowdown(m, least_in_flight(m) + i);
	return sum / levels(m);
}

static void fill_trace(const struct sample_model *m, struct prng *prng, double pace,
		       struct trace_segment *segments)
{
	for (uint32_t i = 0; i < 2 * m->operations + 1; i++) {
		double s = i % 2 ? prng_lognormal(prng, m->wait_s, m->cv_wait) * pace
				 : prng_lognormal(prng, m->cpu_s / (m->operations + 1), m->cv_cpu);

		segments[i] = (struct trace_segment){
			.ns = nanoseconds(s),
			.part = i % 2 ? m->part : PART_CPU,
			.peer = i % 2 && m->part == PART_NETWORK ? 0 : TRACE_NO_PEER,
		};
	}
}

static struct trace *make_traces(const struct sample_model *m)
{
	struct trace *traces = zeroed(m->requests, sizeof(*traces));
	size_t width = 2 * m->operations + 1, second = 0;
	struct prng prng, pace_prng;
	double pace = 1, slow = mean_slowdown(m);

	prng_seed(&prng, m->seed);
	prng_seed(&pace_prng, ~m->seed);
	for (size_t i = 0; i < m->requests; i++) {
		struct trace_segment *segments = zeroed(width, sizeof(*segments));
		double at_s = m->duration_s * (double)i / (double)m->requests;

		if (i == 0 || (size_t)at_s != second)
			pace = prng_lognormal(&pace_prng, 1, m->cv_second);
		second = (size_t)at_s;
		fill_trace(m, &prng, pace * slow, segments);
		traces[i] = (struct trace){.start_ns = (int64_t)nanoseconds(at_s),
					   .segments = segments,
					   .n_segments = width};
	}
	return traces;
}

void sample_loads(const struct sample_model *m, struct peer_load loads[IOP_IN_FLIGHT_BINS])
{
	for (uint32_t i = 0; i < levels(m); i++) {
		uint32_t in_flight = least_in_flight(m) + i;
		struct peer_load *load = &loads[in_flight_bin(in_flight)];

		load->operations += OPERATIONS_PER_LEVEL;
		load->sum_ns +=
			OPERATIONS_PER_LEVEL * nanoseconds(m->wait_s * slowdown(m, in_flight));
	}
}

struct peer_fit sample_fit(const struct sample_model *m)
{
	struct peer_load loads[IOP_IN_FLIGHT_BINS] = {{0}};

	sample_loads(m, loads);
	return peer_fit(loads, m->most_in_flight ? m->most_in_flight : m->workers, INFINITY);
}

struct evidence_sample sample_service(const struct sample_model *m)
{
	return (struct evidence_sample){
		.duration_ns = nanoseconds(m->duration_s),
		.traces = make_traces(m),
		.n_traces = m->requests,
		.n_peers = 1,
		.processes = m->workers,
		.threads = 1,
		.cpus = m->cpus,
	};
}

void sample_free(struct evidence_sample *e)
{
	for (size_t i = 0; i < e->n_traces; i++)
		free((void *)e->traces[i].segments);
	free((void *)e->traces);
	*e = (struct evidence_sample){0};
}
