/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/backoff.h"

#include <math.h>

#define SPARE 0.4 /* of what is allowed; twice of it then leaves a fifth */

void backoff_begin(struct backoff *b, double limit, uint64_t kept_ns, uint64_t now_ns,
		   uint64_t cost_ns)
{
	*b = (struct backoff){
		.limit = limit,
		.balance_ns = limit * (double)kept_ns,
		.most_ns = limit * (double)kept_ns,
		.at_ns = now_ns,
		.cost_ns = cost_ns,
		.one_in = 1,
	};
}

/* So many times less. */
static void observe_less(struct backoff *b, double times)
{
	do {
		b->one_in *= 2;
		times /= 2;
	} while (times > 1 && b->one_in <= BACKOFF_MOST);
	if (b->one_in > BACKOFF_MOST)
		b->one_in = 0;
}

void backoff_skip(struct backoff *b, uint64_t now_ns, uint64_t cost_ns)
{
	b->at_ns = now_ns;
	b->cost_ns = cost_ns;
}

unsigned int backoff_decide(struct backoff *b, uint64_t now_ns, uint64_t cost_ns)
{
	double allowed_ns = b->limit * (double)(now_ns - b->at_ns);
	double taken_ns = (double)(cost_ns - b->cost_ns);

	if (now_ns <= b->at_ns || !b->one_in)
		return b->one_in;
	backoff_skip(b, now_ns, cost_ns);
	b->balance_ns = fmin(b->balance_ns + allowed_ns - taken_ns, b->most_ns);
	if (b->one_in > 1 && taken_ns < SPARE * allowed_ns)
		b->one_in /= 2;
	else if (taken_ns > allowed_ns && (b->one_in > 1 || b->balance_ns < 0))
		observe_less(b, taken_ns / allowed_ns);
	b->balance_ns = fmax(b->balance_ns, 0);
	return b->one_in;
}

bool backoff_is_strained(const struct backoff *b)
{
	return b->one_in != 1 || b->balance_ns < b->most_ns / 2;
}
