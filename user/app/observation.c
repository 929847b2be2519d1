/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/observation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/exit_status.h"
#include "app/privileges.h"
#include "app/targets.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "model/derive.h"
#include "target/target.h"

/* Of a service whose first process is gone, so many processes are waited for at a time. */
#define WATCHED_MAX 64
/* How often selectors look for new processes. */
#define LOOK_EVERY_NS CLOCK_NS_PER_S
#define DEFAULT_MAX_SERVICES 256
/* How much of the service's name the progress line shows. */
#define NAME_COLUMNS 24

/* How long the probes may take what they were allowed before and did not take. */
#define KEPT_NS (10 * CLOCK_NS_PER_S)
#define DEFAULT_KEPT_NS (300 * CLOCK_NS_PER_S)
#define DEFAULT_MAX_OVERHEAD 0.01

static int note_sample(const struct observation *o, struct snapshot *s)
{
	if (s->sampled_ns < s->duration_ns &&
	    snapshot_add_note(s,
			      "Requests were measured part of the time, to keep the probes within "
			      "--max-overhead: counts and sums are estimates from these."))
		return -ENOMEM;
	if (o->too_costly &&
	    snapshot_add_note(s, "The observation ended early: the probes took more of the "
				 "machine's processors than --max-overhead allows."))
		return -ENOMEM;
	return 0;
}

int observation_read_last(struct observation *o)
{
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	int r;

	r = probe_read(o->probe, &s);
	if (r < 0)
		return r;
	r = surroundings_fill(o->surroundings, s);
	if (r < 0)
		return r;
	r = note_sample(o, s);
	if (r < 0)
		return r;
	sampler_take(&o->sampler, s);
	for (size_t i = 0; i < s->n_services; i++)
		o->completed += s->services[i].requests.completed;
	if (o->unreported)
		return snapshot_merge(o->unreported, s);
	o->unreported = TAKE(s);
	return 0;
}

int observation_read(struct observation *o)
{
	return sampler_samples(&o->sampler) ? 0 : observation_read_last(o);
}

bool observation_has_rest(const struct observation *o, bool reported)
{
	return o->unreported && (!reported || o->unreported->duration_ns > 0);
}

/*
 * Once all processes waited for have ended: waits for those that they left behind, as a program
 * does that moves to the background. Returns how many that are, or -errno.
 */
static int watch_remaining(struct observation *o)
{
	int n = 0, r;

	if (probe_ended(o->probe))
		return 0;
	r = observation_read_last(o);
	if (r < 0)
		return r;
	for (size_t i = 0; i < o->unreported->n_services; i++) {
		const struct service *service = &o->unreported->services[i];

		for (size_t k = 0; k < service->n_pids && n < WATCHED_MAX; k++) {
			r = watch_add_process(&o->watch, service->pids[k]);
			if (r < 0 && r != -ESRCH)
				return r;
			n += r == 0;
		}
	}
	return n;
}

int observation_process_ended(struct observation *o)
{
	int r;

	if (o->watch.n_processes > 0 || o->selection)
		return 1;
	r = watch_remaining(o);
	return r > 0 ? 1 : r;
}

/* The name the progress line shows. Without one it does without. */
static char *short_name(const struct options *options)
{
	_cleanup_free_ char *bytes = NULL;
	_cleanup_free_ char *text = NULL;
	const char *selected = options->selectors.n ? options->selectors.items[0].text : "";

	if (options->n_pids) {
		if (target_process_name(options->pids[0], &bytes) < 0)
			return NULL;
	} else {
		bytes = strdup(*selected ? selected : "all services");
	}
	text = bytes ? text_sanitize(bytes) : NULL;
	return text ? text_truncate(text, NAME_COLUMNS) : NULL;
}

static int wait_for_processes(struct observation *o, const struct options *options,
			      struct probe_error *ret_error)
{
	char whom[32] = "the service";
	int r;

	r = watch_open(&o->watch);
	for (size_t i = 0; i < options->n_pids && r == 0; i++) {
		(void)snprintf(whom, sizeof(whom), "process %d", (int)options->pids[i]);
		r = watch_add_process(&o->watch, options->pids[i]);
	}
	if (r == 0 && options->selectors.n > 0)
		r = watch_look_every(&o->watch, LOOK_EVERY_NS);
	if (r == 0)
		return 0;
	ret_error->exit_status = EXIT_STATUS_FAILED;
	(void)snprintf(ret_error->cause, sizeof(ret_error->cause), "cannot wait for %s to end: %s",
		       whom, strerror(-r));
	(void)snprintf(ret_error->fix, sizeof(ret_error->fix), "%s",
		       r == -ESRCH ? "look its PID up again" : "Linux 5.3 or later can");
	return r;
}

/* The watch before the probe, so that no end goes unseen. 0, or -errno and why. */
static int attach(struct observation *o, const struct options *options,
		  struct probe_error *ret_error)
{
	const struct probe_opts opts = {
		.pids = options->pids,
		.n_pids = options->n_pids,
		.max_services = (unsigned int)options->n_pids +
				selection_services(&options->selectors,
						   options->max_services ? options->max_services
									 : DEFAULT_MAX_SERVICES),
		.max_peers = options->max_peers,
		.max_processes = options->max_processes,
		.socket_set = options->socket_set,
		.no_task_storage = options->no_task_storage,
	};
	int r;

	o->name = short_name(options);
	r = wait_for_processes(o, options, ret_error);
	if (r < 0)
		return r;
	return probe_open(&opts, &o->probe, ret_error);
}

/* The first look at what the services run on. 0 or -ENOMEM. */
static int begin_surroundings(struct observation *o, const struct options *options)
{
	int r = 0;

	o->surroundings = surroundings_new(options->no_module_scan);
	if (!o->surroundings)
		return -ENOMEM;
	for (size_t i = 0; i < options->n_pids && r == 0; i++) {
		_cleanup_free_ pid_t *pids = NULL;
		size_t n;

		if (target_descendants(options->pids[i], &pids, &n) == 0)
			r = surroundings_begin(o->surroundings, i, pids, n);
	}
	return r;
}

/* What the selectors select by now. Returns an exit status, having said why. */
static int select_first(struct observation *o, const struct options *options)
{
	const struct selector *missing;
	int r;

	if (options->selectors.n == 0)
		return EXIT_STATUS_DONE;
	r = selection_new(&options->selectors, o->probe, o->surroundings, &o->selection);
	if (r == 0)
		r = selection_look(o->selection);
	if (r < 0) {
		log_error("cannot look for processes: %s: 'ioprof doctor' shows what is missing",
			  strerror(-r));
		return EXIT_STATUS_FAILED;
	}
	missing = options->wait ? NULL : selection_missing(o->selection);
	if (!missing)
		return EXIT_STATUS_DONE;
	if (missing->kind == SELECTOR_ALL)
		log_error(
			"nothing here accepts connections but what is observed already: leave out --all, or wait for more (--wait)");
	else
		log_error(
			"no process matches --%s=%s: check it, for example with 'ps -eo pid,comm,cgroup' or 'ss -lptn', or wait for one (--wait)",
			selector_option(missing->kind), missing->text);
	return EXIT_STATUS_FAILED;
}

/* Looks once more; the time until now is nobody's. 0 or -errno. */
static int look_again(struct observation *o)
{
	_cleanup_(snapshot_freep) struct snapshot *waiting = NULL;
	int r;

	r = probe_read(o->probe, &waiting);
	return r < 0 ? r : selection_look(o->selection);
}

/* Until the selectors have selected something. Returns an exit status, having said why. */
static int wait_for_selection(struct observation *o, const struct options *options)
{
	enum watch_event event = WATCH_LOOK;
	int r = 0;

	if (!o->selection || options->n_pids || selection_found(o->selection))
		return EXIT_STATUS_DONE;
	log_error("no process matches yet: waiting for one; Ctrl-C ends");
	while (r == 0 && !selection_found(o->selection) && event != WATCH_SIGNAL &&
	       event != WATCH_READER_CLOSED) {
		r = watch_wait(&o->watch, &event);
		if (r == 0 && event == WATCH_LOOK)
			r = look_again(o);
	}
	if (r == 0 && selection_found(o->selection))
		return EXIT_STATUS_DONE;
	if (r < 0)
		log_error("cannot look for processes: %s", strerror(-r));
	else
		log_error("no process matched until now: check the selectors");
	return EXIT_STATUS_FAILED;
}

/* Whether what the probes cost can be limited as asked. Returns an exit status, having said why. */
static int check_limit(const struct observation *o, const struct options *options)
{
	if (!(options->max_overhead > 0) || probe_cost_known(o->probe))
		return EXIT_STATUS_DONE;
	log_error("--max-overhead takes CAP_SYS_ADMIN, which lets the kernel tell what the "
		  "probes cost: run as root, or leave it out");
	return EXIT_STATUS_NOT_PERMITTED;
}

/* Returns an exit status, having said why. */
static int begin_limit(struct observation *o, const struct options *options)
{
	bool asked = options->max_overhead > 0;
	int r;

	if (!probe_cost_known(o->probe))
		return EXIT_STATUS_DONE;
	o->max_overhead = asked ? options->max_overhead : DEFAULT_MAX_OVERHEAD;
	r = sampler_begin(&o->sampler, o->probe, o->max_overhead,
			  asked ? KEPT_NS : DEFAULT_KEPT_NS);
	if (r == 0)
		r = watch_set_sample(&o->watch, o->sampler.due_ns);
	if (r == 0)
		return EXIT_STATUS_DONE;
	log_error(
		"cannot limit what the probes cost: %s: 'ioprof doctor' shows what this kernel allows",
		strerror(-r));
	return EXIT_STATUS_FAILED;
}

int observation_start(struct observation *o, const struct options *options)
{
	struct probe_error error = {0};
	int status;

	if (!targets_resolve(options->pids, options->n_pids) ||
	    !targets_check(options->pids, options->n_pids))
		return EXIT_STATUS_FAILED;
	if (attach(o, options, &error) < 0) {
		log_error("%s: %s", error.cause, error.fix);
		return error.exit_status;
	}
	if (begin_surroundings(o, options) < 0) {
		log_error("out of memory: free some");
		return EXIT_STATUS_FAILED;
	}
	status = check_limit(o, options);
	if (status != EXIT_STATUS_DONE)
		return status;
	status = select_first(o, options);
	if (status == EXIT_STATUS_DONE)
		status = privileges_drop(o->probe);
	if (status == EXIT_STATUS_DONE)
		status = wait_for_selection(o, options);
	return status == EXIT_STATUS_DONE ? begin_limit(o, options) : status;
}

/* What is due for the sample. 0 or -errno. */
static int run_sampler(struct observation *o)
{
	bool sampled = sampler_samples(&o->sampler);
	int r = sampler_run(&o->sampler);

	if (r == -EBUSY) {
		o->too_costly = true;
		o->sampler.due_ns = 0;
		log_error(
			"however little they observe, the probes take more than --max-overhead (%.2g "
			"%% of the machine's processors): this ends the observation; allow more, or "
			"observe fewer services",
			o->max_overhead * 100);
		r = 0;
	}
	if (!sampled && sampler_samples(&o->sampler))
		log_error(
			"the probes take more than %.2g %% of the machine's processors: from now on "
			"they measure part of the time (--max-overhead)",
			o->max_overhead * 100);
	if (r > 0)
		r = observation_read_last(o);
	return r < 0 ? r : watch_set_sample(&o->watch, o->sampler.due_ns);
}

int observation_wait(struct observation *o, enum watch_event *ret_event)
{
	int r;

	for (;;) {
		r = watch_wait(&o->watch, ret_event);
		if (r == 0 && *ret_event == WATCH_LOOK)
			r = selection_look(o->selection);
		else if (r == 0 && *ret_event == WATCH_SAMPLE && !o->too_costly)
			r = run_sampler(o);
		else
			return r;
		if (r < 0)
			return r;
	}
}

void observation_stop(struct observation *o)
{
	selection_free(TAKE(o->selection));
	probe_close(TAKE(o->probe));
	watch_close(&o->watch);
}

void observation_end(struct observation *o)
{
	observation_stop(o);
	surroundings_free(o->surroundings);
	free(o->name);
	snapshot_free(o->unreported);
}
