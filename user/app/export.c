/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "ioprof export": every interval what the probe saw is added to the totals since the start, and
 * both go to all outputs. One event loop for the service's processes, HTTP clients, the OTLP
 * receiver and the clock; an output that fails is said once and tried again at the next interval,
 * and never holds up the others.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/advising.h"
#include "app/calibration_file.h"
#include "app/command.h"
#include "app/exit_status.h"
#include "app/export_options.h"
#include "app/observation.h"
#include "app/output.h"
#include "app/output_file.h"
#include "app/push.h"
#include "app/schedule.h"
#include "app/serve.h"
#include "app/token.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/total.h"
#include "report/otlp.h"
#include "report/prometheus.h"
#include "report/report.h"
#include "version.h"

/* At the end what is pending for the OTLP receiver has so long to arrive. */
#define LAST_PUSH_NS (3 * CLOCK_NS_PER_S)

/* A file that is written every interval. */
struct file_output {
	const char *path; /* NULL: not asked for */
	bool failing;	  /* since the last interval at least, and it was said */
	uint64_t sent, dropped;
};

struct exporting {
	struct export_options options;
	struct observation observation;
	struct schedule schedule;
	enum due due; /* what comes next, and when */
	uint64_t due_ns;
	struct total *total;
	bool seeded; /* total holds what it began with, which the first interval repeats */
	struct calibration calibration; /* what calibrate measured here */
	struct advice_opts advice_opts;
	struct advising advising;
	struct snapshot *last; /* the last interval; NULL: none is over */
	int listen_fd;
	char where[LISTEN_TEXT_MAX]; /* it listens */
	char *token;
	struct server *server;
	struct push *push;
	struct file_output textfile, jsonl;
	int stdout_error; /* of writing documents to standard output: 0 or -errno */
};

static void exporting_end(struct exporting *e)
{
	serve_close(e->server);
	push_close(e->push);
	cleanup_close(&e->listen_fd);
	free(e->token);
	observation_end(&e->observation);
	total_free(e->total);
	advising_end(&e->advising);
	snapshot_free(e->last);
	export_options_free(&e->options);
}

/* ---- documents ---- */

#define OUTPUTS_MOST 3

enum document { DOCUMENT_TEXT, DOCUMENT_OPENMETRICS, DOCUMENT_OTLP, DOCUMENT_SNAPSHOT };

/* How the outputs fare that can fail; those that serve are asked instead. Returns how many. */
static size_t count_outputs(const struct exporting *e, struct output_count counts[OUTPUTS_MOST])
{
	size_t n = 0;

	if (e->push)
		counts[n++] =
			(struct output_count){"otlp", push_sent(e->push), push_dropped(e->push)};
	if (e->textfile.path)
		counts[n++] =
			(struct output_count){"textfile", e->textfile.sent, e->textfile.dropped};
	if (e->jsonl.path)
		counts[n++] = (struct output_count){"jsonl", e->jsonl.sent, e->jsonl.dropped};
	return n;
}

static int write_document(FILE *out, const struct exporting *e, enum document document)
{
	struct output_count counts[OUTPUTS_MOST];
	const struct metrics_source source = {
		.s = total_snapshot(e->total),
		.version = IOPROF_VERSION,
		.outputs = counts,
		.n_outputs = count_outputs(e, counts),
		.advice = e->advising.advice,
		.n_advice = e->advising.n_advice,
	};

	switch (document) {
	case DOCUMENT_OTLP:
		return report_otlp(out, &source);
	case DOCUMENT_SNAPSHOT:
		return report_json(out, e->last, NULL);
	default:
		return report_prometheus(out, &source, document == DOCUMENT_OPENMETRICS);
	}
}

/* A document in memory; the caller frees. 0, or -EAGAIN before the first interval is over, -errno.
 */
static int make_document(const struct exporting *e, enum document document, char **ret_text,
			 size_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out;
	int r;

	if (document == DOCUMENT_SNAPSHOT && !e->last)
		return -EAGAIN;
	out = open_memstream(&text, &size);
	if (!out)
		return -ENOMEM;
	r = write_document(out, e, document);
	if (fclose(out) != 0 || r < 0)
		return -ENOMEM;
	*ret_text = TAKE(text);
	*ret_size = size;
	return 0;
}

/* A serve_make_fn. */
static int make_page(void *ctx, enum serve_page page, char **ret_text, size_t *ret_size)
{
	static const enum document documents[SERVE_PAGE_COUNT] = {
		[SERVE_METRICS] = DOCUMENT_TEXT,
		[SERVE_OPENMETRICS] = DOCUMENT_OPENMETRICS,
		[SERVE_SNAPSHOT] = DOCUMENT_SNAPSHOT,
	};

	return make_document(ctx, documents[page], ret_text, ret_size);
}

/* ---- outputs ---- */

/* Keeps count, and says when it begins or ceases to fail. */
static void note_output(struct file_output *output, int r)
{
	if (r < 0) {
		output->dropped++;
		if (!output->failing)
			log_error("cannot write '%s': %s", output->path, output_file_explain(r));
	} else {
		output->sent++;
		if (output->failing)
			log_error("'%s' is written again", output->path);
	}
	output->failing = r < 0;
}

static void write_textfile(struct exporting *e)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r;

	if (!e->textfile.path)
		return;
	r = make_document(e, DOCUMENT_TEXT, &text, &size);
	if (r == 0)
		r = output_file_replace(e->textfile.path, OUTPUT_FILE_PUBLIC, text, size);
	note_output(&e->textfile, r);
}

/* Opened for each document: the file may be moved away in between, as logrotate does. */
static int append_document(const char *path, const char *text, size_t size)
{
	_cleanup_close_ int fd = -1;
	int r;

	r = output_file_append(path, OUTPUT_FILE_PRIVATE, &fd);
	return r < 0 ? r : output_file_write(fd, text, size);
}

static void write_jsonl(struct exporting *e)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r;

	if (!e->jsonl.path)
		return;
	r = make_document(e, DOCUMENT_SNAPSHOT, &text, &size);
	if (strcmp(e->jsonl.path, "-") == 0) {
		if (r == 0)
			r = output_file_write(STDOUT_FILENO, text, size);
		e->stdout_error = r;
		e->jsonl.sent++;
		return;
	}
	if (r == 0)
		r = append_document(e->jsonl.path, text, size);
	note_output(&e->jsonl, r);
}

static void push_metrics(struct exporting *e)
{
	char *text;
	size_t size;

	if (e->push && make_document(e, DOCUMENT_OTLP, &text, &size) == 0)
		push_add(e->push, text, size);
}

/* ---- intervals ---- */

/* Totals that begin at nothing, so that monitoring sees the first interval's counts as a rise. 0 or
 * -errno. */
static int seed(struct exporting *e)
{
	int r;

	e->total = total_new();
	if (!e->total)
		return -ENOMEM;
	r = observation_read(&e->observation);
	if (r < 0)
		return r;
	e->seeded = true;
	return total_add(e->total, e->observation.unreported);
}

/* Takes what has been seen since the last time to the outputs. 0 or -errno. */
static int end_interval(struct exporting *e)
{
	int r;

	if (!e->observation.unreported) /* a sample is being taken */
		return 0;
	if (e->seeded) {
		total_free(e->total);
		e->total = total_new();
		e->seeded = false;
	}
	snapshot_free(e->last);
	e->last = TAKE(e->observation.unreported);
	r = e->total ? total_add(e->total, e->last) : -ENOMEM;
	if (r == 0)
		r = advising_add(&e->advising, e->last, &e->advice_opts);
	if (r < 0)
		return r;
	write_jsonl(e);
	push_metrics(e);
	write_textfile(e);
	if (e->server)
		serve_refresh(e->server);
	return 0;
}

/* ---- the event loop ---- */

static void take_earlier(uint64_t *at_ns, uint64_t other_ns)
{
	if (other_ns && (!*at_ns || other_ns < *at_ns))
		*at_ns = other_ns;
}

/* Waits for the next event, having done what there is to do for clients and the receiver. 0 or
 * -errno. */
static int wait_for_event(struct exporting *e, enum watch_event *ret_event)
{
	uint64_t at_ns = e->due_ns;
	int r;

	if (e->server)
		take_earlier(&at_ns, serve_deadline_ns(e->server));
	if (e->push)
		take_earlier(&at_ns, push_deadline_ns(e->push));
	r = watch_set_alarm(&e->observation.watch, at_ns);
	if (r == 0)
		r = observation_wait(&e->observation, ret_event);
	if (r == 0 && e->server)
		serve_run(e->server, clock_monotonic_ns());
	if (r == 0 && e->push)
		push_run(e->push, clock_monotonic_ns());
	return r;
}

static void schedule(struct exporting *e)
{
	e->due = schedule_next(&e->schedule, clock_monotonic_ns(), &e->due_ns);
}

/* Acts on an event. Returns 1 if the export goes on, 0 if it is over, -errno. */
static int handle_event(struct exporting *e, enum watch_event event)
{
	int r;

	if (event == WATCH_SIGNAL)
		return 0;
	if (event == WATCH_READER_CLOSED) {
		e->stdout_error = -EPIPE;
		return 0;
	}
	if (event == WATCH_PROCESS_ENDED)
		return observation_process_ended(&e->observation);
	/* Whatever woke us: clients must not be able to put an interval off. */
	if (!e->due || clock_monotonic_ns() < e->due_ns)
		return 1;
	if (e->due == DUE_END)
		return 0;
	r = observation_read(&e->observation);
	if (r == 0)
		r = end_interval(e);
	if (r < 0 || e->stdout_error || e->observation.too_costly)
		return r;
	schedule(e);
	return 1;
}

/* Until the export is over. 0 or -errno. */
static int run(struct exporting *e)
{
	enum watch_event event;
	int r;

	r = seed(e);
	if (r < 0)
		return r;
	e->schedule = (struct schedule){
		.start_ns = clock_monotonic_ns(),
		.duration_ns = e->options.observe.duration_ns,
		.interval_ns = e->options.observe.interval_ns,
	};
	schedule(e);
	do {
		r = wait_for_event(e, &event);
		if (r == 0)
			r = handle_event(e, event);
	} while (r > 0);
	return r;
}

/* ---- begin and end ---- */

/* What takes privileges, or may fail for what the user asked. EXIT_STATUS_DONE, or another one,
 * having said why. */
static int prepare(struct exporting *e)
{
	const struct export_options *options = &e->options;
	int r;

	if (options->token_file) {
		r = token_read(options->token_file, &e->token);
		if (r < 0) {
			log_error("cannot use the token file '%s': %s", options->token_file,
				  token_explain(r));
			return EXIT_STATUS_FAILED;
		}
	}
	if (!options->listen)
		return EXIT_STATUS_DONE;
	r = listen_open(&options->address, &e->listen_fd);
	if (r < 0) {
		log_error("cannot listen there: %s: choose another --listen=ADDRESS:PORT",
			  strerror(-r));
		return EXIT_STATUS_FAILED;
	}
	listen_describe(e->listen_fd, e->where);
	if (!options->address.loopback)
		log_error(
			"warning: whoever reaches %s%s reads names, addresses and figures of the services%s",
			e->where, e->token ? " and has the token" : "",
			e->token ? ", and the token goes there unencrypted"
				 : ": --token-file asks for a token");
	return EXIT_STATUS_DONE;
}

/* Opens the outputs that run by themselves. 0 or -errno. */
static int open_outputs(struct exporting *e)
{
	const struct serve_opts serve = {
		.listen_fd = e->listen_fd,
		.loopback = e->options.address.loopback,
		.token = e->token,
		.make = make_page,
		.ctx = e,
	};
	struct watch *watch = &e->observation.watch;
	int r = 0;

	if (e->options.listen) {
		e->listen_fd = -1;
		r = serve_open(&serve, &e->server);
		if (r == 0)
			r = watch_add_other(watch, serve_fd(e->server));
	}
	if (r == 0 && e->options.otlp_url) {
		r = push_open(e->options.otlp_url, getenv("OTEL_EXPORTER_OTLP_HEADERS"), &e->push);
		if (r == 0)
			r = watch_add_other(watch, push_fd(e->push));
	}
	e->textfile.path = e->options.textfile;
	e->jsonl.path = e->options.jsonl;
	if (!e->jsonl.path || strcmp(e->jsonl.path, "-") != 0)
		watch_forget_reader(watch);
	return r;
}

/* What the receiver has not got yet may still arrive, within a time. */
static void push_rest(struct exporting *e)
{
	uint64_t end_ns = clock_monotonic_ns() + LAST_PUSH_NS;
	enum watch_event event = WATCH_ALARM;
	uint64_t lost;

	if (!e->push)
		return;
	push_run(e->push, clock_monotonic_ns());
	while (push_pending(e->push) > 0 && event != WATCH_SIGNAL &&
	       clock_monotonic_ns() < end_ns) {
		e->due_ns = end_ns;
		if (wait_for_event(e, &event) < 0)
			break;
	}
	lost = push_dropped(e->push) + push_pending(e->push);
	if (lost > 0)
		log_error("%" PRIu64 " of %" PRIu64 " documents did not reach the OTLP receiver",
			  lost, lost + push_sent(e->push));
}

/* The last interval, and the end. error: 0, or the -errno the export failed with. Returns the exit
 * status. */
static int finish(struct exporting *e, int error)
{
	if (!error && e->stdout_error != -EPIPE) {
		error = observation_read_last(&e->observation);
		if (!error)
			error = end_interval(e);
	}
	push_rest(e);
	observation_stop(&e->observation);
	/* Figures that no longer change would look like a service without requests. */
	if (e->textfile.path)
		(void)output_file_remove(e->textfile.path);
	if (error < 0)
		log_error(
			"cannot read what was measured: %s: 'ioprof doctor' shows what this kernel allows",
			strerror(-error));
	return output_end(e->stdout_error, error < 0 ? EXIT_STATUS_FAILED : EXIT_STATUS_DONE);
}

int export_run(int argc, char **argv)
{
	_cleanup_(exporting_end) struct exporting e = {.observation = OBSERVATION_NONE,
						       .listen_fd = -1};
	int status, r;

	switch (export_options_parse(argc, argv, &e.options)) {
	case CLI_PARSED:
		break;
	case CLI_ANSWERED:
		return output_end(0, EXIT_STATUS_DONE);
	case CLI_WRONG:
		return EXIT_STATUS_USAGE;
	}
	(void)calibration_file_use(&e.calibration, &e.advice_opts);
	status = prepare(&e);
	if (status == EXIT_STATUS_DONE)
		status = observation_start(&e.observation, &e.options.observe);
	if (status != EXIT_STATUS_DONE)
		return status;
	r = open_outputs(&e);
	if (r < 0) {
		log_error("cannot start to export: %s", strerror(-r));
		return EXIT_STATUS_FAILED;
	}
	if (e.server)
		log_error("serving http://%s/metrics", e.where);
	return finish(&e, run(&e));
}
