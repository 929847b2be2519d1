/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/what_if.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app/cli.h"
#include "base/clock.h"
#include "base/log.h"

#define WORKERS_MOST 10000 /* as the advisor takes them */
#define CONNECTIONS_MOST 1000000
#define FACTOR_LEAST .01
#define FACTOR_MOST 100.
#define MEMORY_LEAST 0x1p20 /* no worker is smaller */
#define MEMORY_MOST 0x1p60
#define SLO_LEAST 1e-5
#define SLO_MOST 3600.
#define SIMULATED 40000
#define SIMULATED_LEAST 2000
#define SHORT_INTERVAL_NS (5 * CLOCK_NS_PER_S)

/* clang-format off */
enum what_if_key {
#define OPTION(id, key, name, value, help) id = (key),
#include "app/what_if.def"
#undef OPTION
};
/* clang-format on */

/* A number in decimal digits, no sign, and where it ends; false: there is none. */
static bool read_number(const char *text, double *ret_number, const char **ret_end)
{
	char *end;

	/* strtod() takes "nan", "inf", signs and hexadecimal too. */
	if (!*text || !strchr("0123456789.", *text) || strncasecmp(text, "0x", 2) == 0)
		return false;
	*ret_number = strtod(text, &end);
	*ret_end = end;
	return end > text && isfinite(*ret_number);
}

static error_t parse_real(const char *name, const char *text, double least, double most,
			  double *ret_number)
{
	const char *end;
	double number;

	if (!read_number(text, &number, &end) || *end || !(number >= least && number <= most)) {
		log_error("--%s=%s is out of range: use a number from %g to %.0f", name, text,
			  least, most);
		return CLI_TOLD;
	}
	*ret_number = number;
	return 0;
}

static error_t parse_count(const char *name, const char *text, uint64_t least, uint64_t most,
			   uint64_t *ret_count)
{
	unsigned long long count;
	char *end;

	errno = 0;
	count = strtoull(text, &end, 10);
	if (!*text || *end || text[strspn(text, "0123456789")] || errno || count < least ||
	    count > most) {
		log_error("--%s=%s is out of range: use %llu to %llu", name, text,
			  (unsigned long long)least, (unsigned long long)most);
		return CLI_TOLD;
	}
	*ret_count = count;
	return 0;
}

static error_t take_target(struct what_if *w, const char *text)
{
	for (unsigned int i = TARGET_AUTO + 1; i < TARGET_COUNT; i++) {
		if (strcmp(text, kappa_target_name(i)) != 0)
			continue;
		w->opts.target = (enum target)i;
		return 0;
	}
	log_error("there is no target '%s': use asyncio, uvloop, node, go, swoole or threads",
		  text);
	return CLI_TOLD;
}

static error_t parse_workers(const char *name, const char *text, uint32_t *ret_workers)
{
	uint64_t n;
	error_t error = parse_count(name, text, 1, WORKERS_MOST, &n);

	if (!error)
		*ret_workers = (uint32_t)n;
	return error;
}

static error_t take_workers(struct what_if *w, const char *text)
{
	return parse_workers("workers", text, &w->opts.workers);
}

static error_t take_threads(struct what_if *w, const char *text)
{
	return parse_workers("threads", text, &w->opts.threads);
}

static error_t take_cpu_factor(struct what_if *w, const char *text)
{
	return parse_real("cpu-factor", text, FACTOR_LEAST, FACTOR_MOST, &w->opts.cpu_factor);
}

/* "1500000000", "1.5G" */
static error_t take_memory(struct what_if *w, const char *text)
{
	static const char units[] = "KMGT";
	double bytes = 0;
	const char *end = "", *unit;
	bool read = read_number(text, &bytes, &end);

	unit = read && *end ? strchr(units, *end) : NULL;
	if (unit) {
		bytes *= exp2(10. * (double)(unit - units + 1));
		end++;
	}
	if (!read || *end || !(bytes >= MEMORY_LEAST && bytes <= MEMORY_MOST)) {
		log_error("--memory-budget=%s is out of range: use bytes, or for example 800M or "
			  "1.5G; at least 1M",
			  text);
		return CLI_TOLD;
	}
	w->opts.memory_budget_bytes = bytes;
	return 0;
}

/* "127.0.0.1:5432=20": an address may hold '=', so the last one counts. */
static error_t take_connections(struct what_if *w, const char *text)
{
	const char *equals = strrchr(text, '=');
	struct connection_budget *list;
	uint64_t n;
	char *address;

	if (!equals || equals == text) {
		log_error(
			"'%s' names no peer and number: use --max-connections=PEER=N, the peer as "
			"the report shows it",
			text);
		return CLI_TOLD;
	}
	if (parse_count("max-connections", equals + 1, 1, CONNECTIONS_MOST, &n))
		return CLI_TOLD;
	address = strndup(text, (size_t)(equals - text));
	list = address ? reallocarray(w->connections, w->n_connections + 1, sizeof(*list)) : NULL;
	if (!list) {
		free(address);
		return ENOMEM;
	}
	w->connections = list;
	list[w->n_connections++] =
		(struct connection_budget){.address = address, .connections = (uint32_t)n};
	return 0;
}

static error_t take_slo(struct what_if *w, const char *text)
{
	return parse_real("slo-p99", text, SLO_LEAST, SLO_MOST, &w->opts.slo_p99_s);
}

static error_t take_seed(struct what_if *w, const char *text)
{
	return parse_count("seed", text, 0, INT64_MAX, &w->opts.seed);
}

static error_t take(int key, const char *value, struct what_if *w)
{
	switch ((enum what_if_key)key) {
	case OPTION_TARGET:
		return take_target(w, value);
	case OPTION_WORKERS:
		return take_workers(w, value);
	case OPTION_THREADS:
		return take_threads(w, value);
	case OPTION_CPU_FACTOR:
		return take_cpu_factor(w, value);
	case OPTION_MEMORY_BUDGET:
		return take_memory(w, value);
	case OPTION_MAX_CONNECTIONS:
		return take_connections(w, value);
	case OPTION_SLO_P99:
		return take_slo(w, value);
	case OPTION_SEED:
		return take_seed(w, value);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

error_t what_if_parse(int key, const char *value, struct what_if *w)
{
	error_t error;

	if (key == OPTION_NO_ADVICE) {
		w->no_advice = true;
		return 0;
	}
	error = take(key, value, w);
	w->asked |= error != ARGP_ERR_UNKNOWN;
	return error;
}

static bool one_peer_twice(const struct what_if *w)
{
	for (size_t i = 0; i < w->n_connections; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(w->connections[i].address, w->connections[k].address) == 0)
				return true;
		}
	}
	return false;
}

bool what_if_sound(const struct what_if *w)
{
	const struct advice_opts *o = &w->opts;

	if (w->no_advice && w->asked) {
		log_error("--no-advice and a what-if option contradict each other: leave out one");
		return false;
	}
	if (o->target == TARGET_THREADS && o->threads == 1) {
		log_error("--target=threads with --threads=1 is what there is: use more threads or "
			  "leave out --threads");
		return false;
	}
	if ((uint64_t)(o->workers ? o->workers : 1) * (o->threads ? o->threads : 1) >
	    WORKERS_MOST) {
		log_error("--workers=%u times --threads=%u is more than %d workers: use less",
			  o->workers, o->threads, WORKERS_MOST);
		return false;
	}
	if (one_peer_twice(w)) {
		log_error("--max-connections names a peer twice: leave out one");
		return false;
	}
	return true;
}

bool what_if_opts(const struct what_if *w, size_t n_services, uint64_t interval_ns,
		  struct advice_opts *ret_opts)
{
	uint64_t simulated = SIMULATED;

	if (w->no_advice)
		return false;
	if (interval_ns && interval_ns < SHORT_INTERVAL_NS)
		simulated = simulated * interval_ns / SHORT_INTERVAL_NS;
	simulated /= n_services ? n_services : 1;
	*ret_opts = w->opts;
	ret_opts->simulated = simulated < SIMULATED_LEAST ? SIMULATED_LEAST : simulated;
	ret_opts->connections = w->connections;
	ret_opts->n_connections = w->n_connections;
	return true;
}

void what_if_free(struct what_if *w)
{
	for (size_t i = 0; i < w->n_connections; i++)
		free((char *)w->connections[i].address);
	free(w->connections);
	w->connections = NULL;
	w->n_connections = 0;
}
