/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the calling process run as soon as it can: it stands for a machine elsewhere, which does
 * not queue for the processors of this one. It waits nearly all the time, so nobody starves. Where
 * not permitted, it stays as it is.
 */
#ifndef IOPROF_SERVICE_PROMPT_H
#define IOPROF_SERVICE_PROMPT_H

#include <sched.h>

static inline void prompt_process(void)
{
	struct sched_param param = {.sched_priority = 1};

	(void)sched_setscheduler(0, SCHED_FIFO, &param);
}

#endif
