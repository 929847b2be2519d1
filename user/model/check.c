/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/check.h"

#include "model/derive.h"

#define CLOSURE_TOLERANCE 0.01
#define CPU_TOLERANCE 0.01
#define CPU_TOLERANCE_NS \
	1e7 /* the account of a thread that runs is up to a tick old, at either end */

enum check check_closure(const struct service *service)
{
	double closure = derive_closure(service); /* NAN compares false */

	if (closure < 1 - CLOSURE_TOLERANCE)
		return CHECK_TOO_LITTLE;
	return closure > 1 + CLOSURE_TOLERANCE ? CHECK_TOO_MUCH : CHECK_HOLDS;
}

enum check check_cpu(const struct snapshot *s, const struct service *service)
{
	double account = (double)service->cpu_ns, seen = (double)service->cpu_observed_ns;
	double allowed = CPU_TOLERANCE_NS + CPU_TOLERANCE * account;

	if (s->sampled_ns < s->duration_ns)
		return CHECK_HOLDS;
	if (account - seen > allowed)
		return CHECK_TOO_LITTLE;
	return seen - account > allowed ? CHECK_TOO_MUCH : CHECK_HOLDS;
}

uint64_t check_losses(const struct snapshot *s)
{
	uint64_t sum = 0;

	for (int i = 0; i < LOSS_COUNT; i++)
		sum += s->losses[i];
	return sum;
}
