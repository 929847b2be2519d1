/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/sampler.h"

#include <errno.h>
#include <sys/sysinfo.h>

#include "base/clock.h"

#define MS CLOCK_NS_PER_S / 1000

#define CHECK_NS CLOCK_NS_PER_S	 /* how often to look at the cost of observing everything */
#define PERIOD_NS CLOCK_NS_PER_S /* at least: opening a window costs something, too */
#define PERIODS 4		 /* between decisions: their lengths vary */
#define SAMPLE_NS (125 * MS)	 /* at least */
#define WARM_LEAST_NS (20 * MS)	 /* before a sample begins */
#define WARM_MOST_NS CLOCK_NS_PER_S
#define POLL_NS (5 * MS) /* for its requests to end; then twice as long each time */
#define POLL_MOST_NS (100 * MS)
#define PATIENCE_NS (5 * CLOCK_NS_PER_S) /* with those that do not */

int sampler_begin(struct sampler *sampler, struct probe *probe, double limit, uint64_t kept_ns)
{
	uint64_t now_ns = clock_monotonic_ns(), cost_ns;
	int r;

	r = probe_cost_ns(probe, &cost_ns);
	if (r < 0)
		return r;
	*sampler = (struct sampler){.probe = probe, .state = SAMPLER_WHOLE};
	sampler->due_ns = now_ns + CHECK_NS;
	backoff_begin(&sampler->backoff, limit * get_nprocs(), kept_ns, now_ns, cost_ns);
	prng_seed(&sampler->prng, now_ns);
	return 0;
}

/* Fewer traces first, then fewer requests. 0 or -EBUSY. */
static int decide(struct sampler *sampler, uint64_t now_ns, uint64_t cost_ns)
{
	unsigned int one_in = backoff_decide(&sampler->backoff, now_ns, cost_ns);

	probe_sample_traces(sampler->probe, backoff_is_strained(&sampler->backoff));
	return one_in ? 0 : -EBUSY;
}

static int decide_whole(struct sampler *sampler, uint64_t now_ns)
{
	uint64_t cost_ns;
	int r;

	r = probe_cost_ns(sampler->probe, &cost_ns);
	return r < 0 ? r : decide(sampler, now_ns, cost_ns);
}

/* After some periods. What a whole window cost says nothing of what a sample will. */
static int decide_sample(struct sampler *sampler, uint64_t now_ns)
{
	uint64_t cost_ns;
	int r;

	r = probe_cost_ns(sampler->probe, &cost_ns);
	if (r < 0)
		return r;
	if (sampler->periods == 0)
		backoff_skip(&sampler->backoff, now_ns, cost_ns);
	if (sampler->periods++ < PERIODS)
		return 0;
	sampler->periods = 1;
	return decide(sampler, now_ns, cost_ns);
}

static void choose_sample(struct sampler *sampler)
{
	uint64_t ns = PERIOD_NS / sampler->backoff.one_in;

	sampler->sample_ns = ns > SAMPLE_NS ? ns : SAMPLE_NS;
}

static void finish_sample(struct sampler *sampler, uint64_t now_ns)
{
	sampler->state = SAMPLER_FINISHING;
	sampler->poll_ns = POLL_NS;
	sampler->patience_ns = now_ns + PATIENCE_NS;
	sampler->due_ns = now_ns;
}

static int check_whole(struct sampler *sampler, uint64_t now_ns)
{
	int r;

	sampler->due_ns = now_ns + CHECK_NS;
	r = decide_whole(sampler, now_ns);
	if (r < 0 || sampler->backoff.one_in == 1)
		return r;
	probe_window_end_sample(sampler->probe);
	sampler->opened_ns = now_ns;
	sampler->periods = 0;
	choose_sample(sampler);
	finish_sample(sampler, now_ns);
	return 0;
}

/* So that requests that wait as long as any did are seen to arrive. */
static uint64_t warm_ns(const struct sampler *sampler)
{
	uint64_t ns = sampler->queue_wait_ns + sampler->queue_wait_ns / 4;

	if (ns < WARM_LEAST_NS)
		return WARM_LEAST_NS;
	return ns < WARM_MOST_NS ? ns : WARM_MOST_NS;
}

static int open_window(struct sampler *sampler, uint64_t now_ns)
{
	unsigned int one_in;
	uint64_t warm;
	int r;

	r = decide_sample(sampler, now_ns);
	if (r < 0)
		return r;
	one_in = sampler->backoff.one_in;
	warm = warm_ns(sampler);
	choose_sample(sampler);
	r = probe_window_open(sampler->probe, warm, one_in > 1 ? sampler->sample_ns : 0);
	if (r < 0)
		return r;
	sampler->opened_ns = now_ns;
	sampler->state = one_in > 1 ? SAMPLER_TAKING : SAMPLER_WHOLE;
	sampler->due_ns = now_ns + (one_in > 1 ? warm + sampler->sample_ns : CHECK_NS);
	return 0;
}

/* The next one opens within half a pause of when it is due. */
static void pause_sampling(struct sampler *sampler, uint64_t now_ns)
{
	uint64_t period_ns = sampler->sample_ns * sampler->backoff.one_in, spent_ns, pause_ns;

	if (period_ns < PERIOD_NS)
		period_ns = PERIOD_NS;
	spent_ns = now_ns - sampler->opened_ns;
	pause_ns = spent_ns < period_ns ? period_ns - spent_ns : 0;
	sampler->state = SAMPLER_PAUSING;
	sampler->due_ns = now_ns + pause_ns / 2 + prng_below(&sampler->prng, pause_ns + 1);
}

static int await_requests(struct sampler *sampler, uint64_t now_ns)
{
	int r = probe_window_ended(sampler->probe);

	if (r < 0)
		return r;
	if (r == 0 && now_ns < sampler->patience_ns) {
		sampler->due_ns = now_ns + sampler->poll_ns;
		sampler->poll_ns =
			sampler->poll_ns * 2 < POLL_MOST_NS ? sampler->poll_ns * 2 : POLL_MOST_NS;
		return 0;
	}
	r = probe_window_close(sampler->probe);
	pause_sampling(sampler, now_ns);
	return r < 0 ? r : 1;
}

int sampler_run(struct sampler *sampler)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (!sampler->due_ns || now_ns < sampler->due_ns)
		return 0;
	switch (sampler->state) {
	case SAMPLER_WHOLE:
		return check_whole(sampler, now_ns);
	case SAMPLER_TAKING:
		finish_sample(sampler, now_ns);
		return 0;
	case SAMPLER_FINISHING:
		return await_requests(sampler, now_ns);
	case SAMPLER_PAUSING:
		return open_window(sampler, now_ns);
	default:
		return 0;
	}
}

bool sampler_samples(const struct sampler *sampler)
{
	return sampler->state > SAMPLER_WHOLE;
}

void sampler_take(struct sampler *sampler, const struct snapshot *s)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < s->n_services; i++) {
		if (s->services[i].queue_wait.max_ns > longest)
			longest = s->services[i].queue_wait.max_ns;
	}
	sampler->queue_wait_ns = longest;
}
