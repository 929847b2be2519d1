/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: what do peers on this machine take of the service's processors, and is their queue one
 * for these?
 *
 * Method, for n completed requests in t seconds by W workers on C processors:
 *
 *	CPU of peers	o = min(what their threads that its operations woke, and that have no other
 *			processors, ran; waits for peers) / n per request
 *	their queue	R, what a request and its peers would be on or wait for the processors if
 *			that were all: the network of one station of C servers with c + o each and
 *			a delay, with W customers and the delay that gives n / t. What of R is
 *			neither CPU nor in the service's own run queue, R - (c + o) - run queue, is
 *			the peers' wait for processors. Where that is half or more of what rises in
 *			a peer's R(n), the processors are its limit and not its own servers: they
 *			are in the model already, and the peer has no other limit that was seen.
 *
 * Assumptions: as of closed_network.h; a peer hands what it is asked to no further threads or
 * processes, whose CPU is not in o.
 */
#include <math.h>
#include <string.h>

#include "advise/closed_network.h"
#include "advise/subject.h"

#define NS_PER_S 1e9
#define OTHERS_MATTER .05 /* of a request's CPU */
#define MUCH .2		  /* of its processors */
#define EXPLAINED .5	  /* of what rises in R(n) */
#define BISECTIONS 40

static double seconds(uint64_t ns)
{
	return (double)ns / NS_PER_S;
}

static bool on_this_machine(const struct peer *peer)
{
	const char *address = peer->address;

	if (strncmp(address, "udp:", 4) == 0)
		address += 4;
	return strncmp(address, "unix:", 5) == 0 || strncmp(address, "127.", 4) == 0 ||
	       strncmp(address, "[::1]:", 6) == 0;
}

/* Under a quota others have their own. */
static double find_other_s(const struct subject *s)
{
	double n = s->evidence.exact.requests, waits_s = 0, other_s;

	if (!(n > 0) || s->service->surroundings.quota_periods)
		return 0;
	for (size_t i = 0; i < s->service->n_peers; i++)
		waits_s += s->exact_peer_s[i] / n;
	other_s = fmin(seconds(s->service->peer_cpu_ns) / n, waits_s);
	return other_s > OTHERS_MATTER * s->evidence.exact.cpu_s / n ? other_s : 0;
}

/* What is left of its processors under full load, others may want. */
static void tell_strangers(struct subject *s)
{
	double others_s = seconds(s->service->surroundings.other_cpu_ns);
	double strangers = (others_s - seconds(s->service->peer_cpu_ns)) / s->duration_s;

	if (strangers > MUCH * s->evidence.cpus)
		sentences_add(&s->assumptions,
			      "Others on this machine, but for its peers, used %.2g of its "
			      "processors meanwhile: under full load it may be left less than "
			      "is reckoned with.",
			      strangers);
}

/*
 * How long a request is on processors or waits for them, with its peers, where `customers` make
 * per_s of them: by Little, what is not the delay. All of the time, if even no delay is too long.
 */
static double residence_s(double cpu_s, double cpus, uint32_t customers, double per_s)
{
	double all_s = customers / per_s, low_s = 0, high_s = all_s, found;

	for (int i = 0; i < BISECTIONS; i++) {
		double delay_s = (low_s + high_s) / 2;
		const struct station stations[] = {{cpu_s, ceil(cpus), 0}, {delay_s, INFINITY, 0}};

		if (closed_network_throughput(stations, 2, customers, &found) < 0)
			return 0;
		if (found < per_s)
			high_s = delay_s;
		else
			low_s = delay_s;
	}
	return all_s - high_s;
}

static double wait_for_processors_s(const struct subject *s)
{
	const struct evidence_sample *e = &s->evidence;
	double n = e->exact.requests, cpu_s = e->exact.cpu_s / n + e->other_s;
	double queue_s = seconds(s->service->parts[PART_RUN_QUEUE].sum_ns) / n;
	uint32_t workers = e->processes * e->threads;

	if (!(e->cpus > 0) || !workers || workers > CLOSED_NETWORK_MAX_CUSTOMERS ||
	    !(s->duration_s > 0))
		return 0;
	return fmax(residence_s(cpu_s, e->cpus, workers, n / s->duration_s) - cpu_s - queue_s, 0);
}

/* Of what a request waits for the peer, that beyond the latency its fit calls the peer's own. */
static double risen_s(const struct peer_fit *fit, double peer_s)
{
	return fit->mean_latency_s > 0 ? peer_s * (1 - fit->service_s / fit->mean_latency_s) : 0;
}

/* A peer with a limit, which may be that of the processors it shares. */
static bool limited_here(const struct subject *s, size_t peer)
{
	return on_this_machine(&s->service->peers[peer]) && isfinite(s->fits[peer].capacity_per_s);
}

static void lift_limits(struct subject *s)
{
	double wait_s = wait_for_processors_s(s), n = s->evidence.exact.requests, risen = 0;

	for (size_t i = 0; i < s->service->n_peers; i++) {
		if (limited_here(s, i))
			risen += risen_s(&s->fits[i], s->exact_peer_s[i] / n);
	}
	if (!(risen > 0) || wait_s < EXPLAINED * risen)
		return;
	for (size_t i = 0; i < s->service->n_peers; i++) {
		struct peer_fit *fit = &s->fits[i];

		if (!limited_here(s, i))
			continue;
		fit->kind = PEER_FIT_FLAT;
		fit->servers = fit->most_in_flight;
		fit->capacity_per_s = INFINITY;
		fit->regularity = 0;
	}
}

void subject_beside(struct subject *s)
{
	tell_strangers(s);
	s->evidence.other_s = find_other_s(s);
	if (!(s->evidence.other_s > 0))
		return;
	sentences_add(&s->assumptions,
		      "Peers on this machine take %.0f us of its processors' time per request: "
		      "less is left for it the more it serves.",
		      s->evidence.other_s * 1e6);
	if (!s->loops)
		lift_limits(s);
}
