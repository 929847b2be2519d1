/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "target/target.h"

/* A hundredth of a second is as fine as a report can be; a year is longer than anyone waits. */
#define SECONDS_MIN 0.01
#define SECONDS_MAX (366.0 * 24 * 3600)
/* A ten thousandth of the machine's processors is less than anything can be observed for. */
#define PERCENT_MIN 0.01
/* Rows of a kernel table. */
#define ROWS_MAX (1ul << 20)

/* clang-format off */
enum option_key {
#define GROUP(number, title)
#define OPTION(id, key, name, value, help) id = (key),
#include "app/options.def"
#undef OPTION
#undef GROUP
};

static const struct argp_option argp_options[] = {
#define GROUP(number, title) { NULL, 0, NULL, 0, title, number },
#define OPTION(id, key, name, value, help) { name, id, value, 0, help, 0 },
#include "app/options.def"
#undef OPTION
#undef GROUP
	{ 0 },
};
/* clang-format on */

static const char *const socket_sets[] = {
	[PROBE_SOCKET_AUTO] = "auto",
	[PROBE_SOCKET_TRACEPOINT] = "tracepoint",
	[PROBE_SOCKET_FEXIT] = "fexit",
	[PROBE_SOCKET_SYSCALL] = "syscall",
};

static const char doc[] =
	"Shows where the time of a live service's requests goes: CPU, waiting for whom, queueing; and its blocking coefficient. The service is neither restarted nor changed."
	"\v"
	"Examples:\n"
	"  sudo ioprof -p 1234                  until Ctrl-C, then the report\n"
	"  sudo ioprof -p 1234 -d 30            the same for 30 seconds\n"
	"  sudo ioprof -p 1234 -i 10 --json     one JSON document every 10 seconds\n"
	"  sudo ioprof --port 8080 -d 30        whoever listens there\n"
	"  sudo ioprof -a -d 60                 every service of the machine\n"
	"  sudo ioprof doctor                   what is missing where it does not work\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage, 3 not permitted, 4 the kernel lacks a feature.\n"
	"More: man ioprof";

/* Takes a PID in unless it is there already. */
static error_t add_pid(struct options *options, pid_t pid)
{
	pid_t *pids;

	for (size_t i = 0; i < options->n_pids; i++) {
		if (options->pids[i] == pid)
			return 0;
	}
	pids = reallocarray(options->pids, options->n_pids + 1, sizeof(*pids));
	if (!pids)
		return ENOMEM;
	options->pids = pids;
	options->pids[options->n_pids++] = pid;
	return 0;
}

/* "PID" or "PID,PID...". */
static error_t parse_pids(const char *list, struct options *options)
{
	_cleanup_free_ char *copy = strdup(list);
	char *rest = copy;
	const char *item;

	if (!copy)
		return ENOMEM;
	while ((item = strsep(&rest, ","))) {
		pid_t pid;
		error_t error;

		if (target_parse_pid(item, &pid) < 0) {
			log_error(
				"'%s' is not a process ID: use a number, as 'pgrep -a NAME' shows",
				item);
			return CLI_TOLD;
		}
		error = add_pid(options, pid);
		if (error)
			return error;
	}
	return 0;
}

static error_t parse_seconds(const char *name, const char *text, uint64_t *ret_ns)
{
	char *end;
	double seconds;

	/* strtod() takes "nan", "inf" and hexadecimal too. */
	seconds = strtod(text, &end);
	if (!*text || *end || text[strspn(text, "0123456789.")]) {
		log_error("'%s' is not a number of seconds: use for example --%s=2.5", text, name);
		return CLI_TOLD;
	}
	if (!(seconds >= SECONDS_MIN && seconds <= SECONDS_MAX)) {
		log_error("--%s=%s is out of range: use %g to %.0f seconds", name, text,
			  SECONDS_MIN, SECONDS_MAX);
		return CLI_TOLD;
	}
	*ret_ns = (uint64_t)llround(seconds * (double)CLOCK_NS_PER_S);
	return 0;
}

static error_t parse_rows(const char *name, const char *text, unsigned int *ret_rows)
{
	char *end;
	unsigned long rows;

	errno = 0;
	rows = strtoul(text, &end, 10);
	if (!*text || *end || text[strspn(text, "0123456789")] || errno || rows < 1 ||
	    rows > ROWS_MAX) {
		log_error("--%s=%s is out of range: use 1 to %lu", name, text, ROWS_MAX);
		return CLI_TOLD;
	}
	*ret_rows = (unsigned int)rows;
	return 0;
}

static error_t parse_percent(const char *name, const char *text, double *ret_share)
{
	char *end;
	double percent = strtod(text, &end);

	if (!*text || *end || text[strspn(text, "0123456789.")] || !(percent >= PERCENT_MIN) ||
	    !(percent <= 100)) {
		log_error("--%s=%s is out of range: use %g to 100", name, text, PERCENT_MIN);
		return CLI_TOLD;
	}
	*ret_share = percent / 100;
	return 0;
}

static error_t parse_socket_set(const char *text, enum probe_socket_set *ret_set)
{
	for (size_t i = 0; i < sizeof(socket_sets) / sizeof(socket_sets[0]); i++) {
		if (strcmp(text, socket_sets[i]) == 0) {
			*ret_set = (enum probe_socket_set)i;
			return 0;
		}
	}
	log_error("there is no socket set '%s': use auto, tracepoint, fexit or syscall", text);
	return CLI_TOLD;
}

/* A word that belongs to no option: most likely a PID without -p, or a command mistyped. */
static error_t tell_bad_word(const char *word)
{
	pid_t pid;

	if (target_parse_pid(word, &pid) == 0)
		log_error("'%s' belongs to no option: use -p %s", word, word);
	else
		log_error("there is no command '%s': see 'ioprof --help'", word);
	return CLI_TOLD;
}

/* Whether a key is of one of the command's own options; argp has keys for its own purposes too. */
static bool is_own(const struct options_command *command, int key)
{
	for (const struct argp_option *o = command->more; o && (o->name || o->doc); o++) {
		if (o->name && o->key == key)
			return true;
	}
	return false;
}

/* What the parser fills, and for whom. */
struct parsing {
	const struct options_command *command;
	struct options options;
};

static error_t parse_rest(int key, const char *arg, const struct parsing *parsing,
			  struct what_if *what_if)
{
	error_t error = what_if_parse(key, arg, what_if);

	if (error != ARGP_ERR_UNKNOWN)
		return error;
	return is_own(parsing->command, key)
		       ? parsing->command->parse(key, arg, parsing->command->input)
		       : ARGP_ERR_UNKNOWN;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct parsing *parsing = state->input;
	struct options *options = &parsing->options;

	if (key == ARGP_KEY_ARG)
		return tell_bad_word(arg);
	switch ((enum option_key)key) {
	case OPTION_PID:
		return parse_pids(arg, options);
	case OPTION_COMM:
		return selectors_add(&options->selectors, SELECTOR_COMM, arg);
	case OPTION_CGROUP:
		return selectors_add(&options->selectors, SELECTOR_CGROUP, arg);
	case OPTION_UNIT:
		return selectors_add(&options->selectors, SELECTOR_UNIT, arg);
	case OPTION_CONTAINER:
		return selectors_add(&options->selectors, SELECTOR_CONTAINER, arg);
	case OPTION_PORT:
		return selectors_add(&options->selectors, SELECTOR_PORT, arg);
	case OPTION_ALL:
		return selectors_add(&options->selectors, SELECTOR_ALL, "");
	case OPTION_WAIT:
		options->wait = true;
		return 0;
	case OPTION_MAX_SERVICES:
		return parse_rows("max-services", arg, &options->max_services);
	case OPTION_DURATION:
		return parse_seconds("duration", arg, &options->duration_ns);
	case OPTION_INTERVAL:
		return parse_seconds("interval", arg, &options->interval_ns);
	case OPTION_JSON:
		options->json = true;
		options->text = false;
		return 0;
	case OPTION_TEXT:
		options->json = false;
		options->text = true;
		return 0;
	case OPTION_NO_TRACES:
		options->no_traces = true;
		return 0;
	case OPTION_MAX_PEERS:
		return parse_rows("max-peers", arg, &options->max_peers);
	case OPTION_MAX_PROCESSES:
		return parse_rows("max-processes", arg, &options->max_processes);
	case OPTION_SOCKET_SET:
		return parse_socket_set(arg, &options->socket_set);
	case OPTION_NO_TASK_STORAGE:
		options->no_task_storage = true;
		return 0;
	case OPTION_NO_MODULE_SCAN:
		options->no_module_scan = true;
		return 0;
	case OPTION_MAX_OVERHEAD:
		return parse_percent("max-overhead", arg, &options->max_overhead);
	default:
		return parse_rest(key, arg, parsing, &options->what_if);
	}
}

static enum cli_result check_together(const struct options *options)
{
	if (options->n_pids == 0 && options->selectors.n == 0) {
		log_error(
			"no process to observe: use -p PID or a selector such as --port, or see 'ioprof --help'");
		return CLI_WRONG;
	}
	if (options->wait && options->selectors.n == 0) {
		log_error(
			"--wait is for --comm, --unit and their like: a PID (-p) cannot be waited for");
		return CLI_WRONG;
	}
	if (options->duration_ns && options->interval_ns > options->duration_ns) {
		log_error(
			"the interval (-i) is longer than the duration (-d): make -d the longer one or leave out -i");
		return CLI_WRONG;
	}
	return what_if_sound(&options->what_if) ? CLI_PARSED : CLI_WRONG;
}

/* The rows the command takes, ended by an empty one; the caller frees. NULL when out of memory. */
static struct argp_option *command_rows(const struct options_command *command)
{
	size_t n = sizeof(argp_options) / sizeof(argp_options[0]), n_rows = 0;
	const struct argp_option *more = command->more;
	struct argp_option *rows;
	bool taken = true;

	while (more && (more->name || more->doc)) {
		n++;
		more++;
	}
	rows = calloc(n, sizeof(*rows));
	if (!rows)
		return NULL;
	for (const struct argp_option *row = argp_options; row->name || row->doc; row++) {
		if (!row->name)
			taken = !(command->left_out & 1u << row->group);
		if (taken)
			rows[n_rows++] = *row;
	}
	for (const struct argp_option *row = command->more; row && row < more; row++)
		rows[n_rows++] = *row;
	return rows;
}

enum cli_result options_parse_command(const struct options_command *command, int argc, char **argv,
				      struct options *ret_options)
{
	_cleanup_free_ struct argp_option *rows = command_rows(command);
	const struct argp argp = {
		.options = rows,
		.parser = parse_option,
		.args_doc = command->usage,
		.doc = command->doc,
	};
	struct parsing parsing = {.command = command};
	enum cli_result result = CLI_WRONG;

	if (rows)
		result = cli_parse(command->name, &argp, argc, argv, &parsing);
	else
		log_error("cannot read the options: %s", strerror(ENOMEM));
	if (result == CLI_PARSED)
		result = check_together(&parsing.options);
	if (result == CLI_PARSED)
		*ret_options = parsing.options;
	else
		options_free(&parsing.options);
	return result;
}

enum cli_result options_parse(int argc, char **argv, struct options *ret_options)
{
	static const struct options_command observe = {
		.name = "ioprof",
		.usage =
			"ioprof -p PID[,PID...] [OPTION...]\n       ioprof export -p PID [OPTION...]\n       ioprof record -p PID -o FILE [OPTION...]\n       ioprof report FILE...\n       ioprof diff BEFORE AFTER\n       ioprof top FILE\n       ioprof calibrate [OPTION...]\n       ioprof doctor",
		.doc = doc,
	};

	return options_parse_command(&observe, argc, argv, ret_options);
}

void options_free(struct options *options)
{
	free(options->pids);
	what_if_free(&options->what_if);
	options->pids = NULL;
	selectors_free(&options->selectors);
}
