/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/absence.h"

const char *report_absence(const struct service *service)
{
	const struct evidence *e = &service->evidence;

	if (e->opened_by_loop || e->opened_by_worker || service->requests.at_attach)
		return "Requests were being worked on, but none that began under observation was completed: "
		       "observe for longer than one request takes (-d).";
	if (e->listens)
		return "The service listens, but no request arrived: send it load while ioprof observes, or name "
		       "the process that answers the requests (-p).";
	return "The service holds no listening socket and answered nobody: a batch job, or not the "
	       "process that serves (-p takes a server's first process and follows those it starts).";
}
