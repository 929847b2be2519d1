/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: which parts of the stack would another one replace, and is it known what both cost?
 *
 * Method: the components that were found (docs/method.md has their names) and the ports of peers.
 * Of a Python service that goes to asyncio or uvloop, server and framework are swapped for uvicorn
 * and starlette, an HTTP client for aiohttp, psycopg2 for asyncpg. Each swap is taken from costs
 * measured on this machine, or by default on another, where both sides were, else from the
 * published pair nearest to it, else it stays unknown and widens kappa. An operation on a port that
 * is a database's is no HTTP call; on any other it is one if an HTTP client was found, and may be
 * one if none was. Of HTTP clients the highest layer counts, for it loads those below (requests
 * loads urllib3, all load http.client); a lower one counts only if it is known that none of the
 * higher is loaded. Of two of the highest either may make the calls, and kappa's interval covers
 * both.
 *
 * A request that waits takes more of its server and framework than one that does not: others have
 * used the caches meanwhile, and the more code there is to bring back the dearer it is, so it is
 * known by the client in which it waits; in one event loop it is little. A call that opens a
 * connection, which the other stack would keep, and each variable of the environment cost requests
 * extra.
 *
 * On uvloop the counterparts cost what they were measured to cost there. Of php-fpm that goes to
 * Node the server and curl's calls are swapped for Node's own; what the service's own code would
 * take is another language's.
 *
 * Assumptions: components found are those in use. A cost per call does not depend on what is sent.
 */
#include "advise/stack.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN_MOST .1 /* of the samples */

/* Ports that do not speak HTTP, and who does. */
static const struct {
	const char *end; /* of an address, or part of a path */
	const char *client;
} databases[] = {
	{":5432", "psycopg2"},	{":6432", "psycopg2"}, {".s.PGSQL.", "psycopg2"},
	{":6379", "redis-py"},	{"redis", "redis-py"}, {":3306", "mysqlclient"},
	{"mysql", ""},		{":27017", "pymongo"}, {":11211", "memcached"},
	{":9042", "cassandra"}, {":5672", "amqp"},     {":9092", "kafka"},
	{":53", "resolver"},	{":1433", "tds"},      {":1521", "oracle"},
};

bool stack_has(const struct service *service, const char *component)
{
	for (size_t i = 0; i < service->surroundings.n_components; i++) {
		if (strcmp(service->surroundings.components[i], component) == 0)
			return true;
	}
	return false;
}

static const char *database_of(const char *address)
{
	size_t length = strlen(address);

	for (size_t i = 0; i < sizeof(databases) / sizeof(*databases); i++) {
		const char *end = databases[i].end;
		size_t n = strlen(end);

		if (end[0] == ':' ? length > n && strcmp(address + length - n, end) == 0
				  : strstr(address, end) != NULL)
			return databases[i].client;
	}
	return NULL;
}

/* The first of these costs whose component the service has; COST_COUNT: none. */
static enum cost found(const struct service *service, const enum cost *costs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (stack_has(service, cost_name(costs[i])))
			return costs[i];
	}
	return COST_COUNT;
}

static bool known(const struct prior *calibrated, enum cost cost)
{
	return cost < COST_COUNT && cost_of(calibrated, cost).hi > 0;
}

/* What a request that waits takes more of all its stack, by the client it waits in. */
static const struct {
	enum cost client, waiting;
} waiting_costs[] = {
	{COST_REQUESTS, COST_REQUESTS_WAITING},
	{COST_HTTPX, COST_HTTPX_WAITING},
	{COST_URLLIB3, COST_URLLIB3_WAITING},
	{COST_HTTP_CLIENT_PY, COST_HTTP_CLIENT_PY_WAITING},
	{COST_PSYCOPG2, COST_PSYCOPG2_WAITING},
	{COST_AIOHTTP, COST_AIOHTTP_WAITING},
	{COST_ASYNCPG, COST_ASYNCPG_WAITING},
	{COST_AIOHTTP_UVLOOP, COST_AIOHTTP_WAITING},
	{COST_ASYNCPG_UVLOOP, COST_ASYNCPG_WAITING},
};

static bool is_waiting(enum cost cost)
{
	bool waiting = cost == COST_PHP_FPM_WAITING;

	for (size_t i = 0; i < sizeof(waiting_costs) / sizeof(*waiting_costs); i++)
		waiting |= cost == waiting_costs[i].waiting;
	return waiting;
}

/* Adds a swap if what both sides cost is known; to COST_COUNT: it has no counterpart. */
static bool swap(struct stack *stack, enum cost from, enum cost to, double times)
{
	struct stack_change *c = &stack->change;

	if (!known(c->calibrated, from) || (to != COST_COUNT && !known(c->calibrated, to)) ||
	    c->n_swaps == SWAPS_MOST)
		return false;
	c->swaps[c->n_swaps++] =
		(struct swap){.from = from, .to = to, .times = times, .waits = is_waiting(from)};
	return true;
}

/* Somebody looked: then an interpreter that was not found is not there. */
static bool recognised(const struct service *service)
{
	return service->surroundings.n_components > 0 || service->surroundings.cpus > 0;
}

static bool is_python(const struct service *service)
{
	return stack_has(service, "cpython") || stack_has(service, "python3");
}

static bool is_php(const struct service *service)
{
	return stack_has(service, "php-fpm") || stack_has(service, "php");
}

static bool is_interpreted(const struct service *service)
{
	return is_python(service) || is_php(service) || stack_has(service, "ruby") ||
	       stack_has(service, "node") || stack_has(service, "java");
}

/* The service is in the target's language, as far as is known: nothing shows Go. */
static bool speaks(const struct service *service, enum target target)
{
	switch (target) {
	case TARGET_NODE:
		return stack_has(service, "node");
	case TARGET_GO:
		return !is_interpreted(service);
	case TARGET_SWOOLE:
		return is_php(service);
	case TARGET_THREADS:
		return true;
	default:
		return is_python(service);
	}
}

static enum target suitable(const struct service *service)
{
	if (is_php(service))
		return TARGET_SWOOLE;
	if (stack_has(service, "java") || stack_has(service, "ruby"))
		return TARGET_THREADS;
	return TARGET_ASYNCIO;
}

static const struct {
	enum cost asyncio, uvloop;
} loop_pairs[] = {
	{COST_UVICORN, COST_UVICORN_UVLOOP},
	{COST_AIOHTTP, COST_AIOHTTP_UVLOOP},
	{COST_AIOHTTP_WAITING, COST_AIOHTTP_UVLOOP_WAITING},
	{COST_ASYNCPG, COST_ASYNCPG_UVLOOP},
	{COST_ASYNCPG_WAITING, COST_ASYNCPG_UVLOOP_WAITING},
};

static enum cost waiting_of(enum cost client)
{
	for (size_t i = 0; i < sizeof(waiting_costs) / sizeof(*waiting_costs); i++) {
		if (waiting_costs[i].client == client)
			return waiting_costs[i].waiting;
	}
	return COST_COUNT;
}

/* What this costs on the target's loop, as far as that was measured. */
static enum cost on_loop(const struct stack *stack, enum cost asyncio)
{
	for (size_t i = 0; i < sizeof(loop_pairs) / sizeof(*loop_pairs); i++) {
		if (stack->target == TARGET_UVLOOP && loop_pairs[i].asyncio == asyncio &&
		    known(stack->change.calibrated, loop_pairs[i].uvloop))
			return loop_pairs[i].uvloop;
	}
	return asyncio;
}

/* The HTTP client that blocks; COST_COUNT: none, or one whose cost nobody measures. */
static enum cost http_client(const struct service *service)
{
	static const enum cost highest[] = {COST_REQUESTS, COST_HTTPX};
	static const enum cost lower[] = {COST_URLLIB3, COST_HTTP_CLIENT_PY};
	enum modules_seen seen = service->surroundings.modules_seen;
	enum cost client = found(service, highest, 2);

	if (stack_has(service, "pycurl"))
		return COST_COUNT;
	if (client == COST_COUNT && seen != MODULES_PART)
		client = found(service, lower, 2);
	/* Where memory was not looked at: what requests brings along is not all Python. */
	if (client == COST_COUNT && seen == MODULES_NONE &&
	    stack_has(service, "charset-normalizer"))
		client = COST_REQUESTS;
	return client;
}

/* What goes with the client and has no counterpart. */
static void leave_out(struct stack *stack, enum cost cost, double times)
{
	if (times > 0)
		(void)swap(stack, cost, COST_COUNT, times);
}

/* calls, connections: of a request, to peers that are no databases. */
static void recognise_http(const struct service *service, struct stack *stack, double calls,
			   double connections)
{
	struct stack_change *c = &stack->change;
	enum cost from = http_client(service);
	bool two = from == COST_REQUESTS && stack_has(service, cost_name(COST_HTTPX));

	if (from == COST_COUNT || !(calls > 0) || (two && !known(c->calibrated, COST_HTTPX)))
		return;
	if (swap(stack, from, on_loop(stack, COST_AIOHTTP), calls)) {
		c->swaps[c->n_swaps - 1].alone = true;
		c->swaps[c->n_swaps - 1].unsure = two;
		c->swaps[c->n_swaps - 1].instead = COST_HTTPX;
		if (from == COST_REQUESTS && !two) {
			leave_out(stack, COST_REQUESTS_VARIABLE,
				  calls * service->surroundings.environment_variables);
			leave_out(stack, COST_REQUESTS_CONNECTION, connections);
		}
	} else if (from == COST_REQUESTS && !two) {
		c->http_calls = calls;
	} else {
		return;
	}
	stack->client = two ? "requests or httpx" : cost_name(from);
	stack->other_client = "aiohttp";
	c->clients_known = true;
	c->known_calls += calls;
}

/* Operations of a request, by what speaks to the peers. */
struct calls {
	double http, opened, postgres, databases;
};

static struct calls calls_of(const struct service *service)
{
	double n = (double)service->requests.completed;
	struct calls calls = {0};

	for (size_t i = 0; n > 0 && i < service->n_peers; i++) {
		const struct peer *p = &service->peers[i];
		const char *database = database_of(p->address);
		double each = (double)p->operations / n;

		if (!database) {
			calls.http += each;
			calls.opened += (double)p->connections / n;
			continue;
		}
		calls.databases += each;
		if (strcmp(database, "psycopg2") == 0)
			calls.postgres += each;
	}
	return calls;
}

static void recognise_clients(const struct service *service, struct stack *stack)
{
	const struct calls calls = calls_of(service);
	double postgres = calls.postgres;

	stack->change.known_calls += calls.databases;
	stack->change.clients_known = !(calls.http > 0);
	recognise_http(service, stack, calls.http, calls.opened);
	if (postgres > 0 && stack_has(service, "psycopg2") &&
	    swap(stack, COST_PSYCOPG2, on_loop(stack, COST_ASYNCPG), postgres)) {
		stack->change.swaps[stack->change.n_swaps - 1].hidden = true;
		if (stack->client)
			return;
		stack->client = "psycopg2";
		stack->other_client = "asyncpg";
	}
}

/* The share of requests that wait for a peer, at most: each has its operations. */
static double waiting_share(const struct service *service)
{
	const struct requests *r = &service->requests;

	return r->completed ? fmin(1, (double)r->operations / (double)r->completed) : 0;
}

/* Of the clients that are swapped, the one in which waiting is dearest; of none, the leanest there
 * is. */
static void find_waiting(const struct stack_change *c, enum cost *ret_from, enum cost *ret_to)
{
	double most = -INFINITY;

	*ret_from = COST_HTTP_CLIENT_PY_WAITING;
	*ret_to = COST_AIOHTTP_WAITING;
	for (size_t i = 0; i < c->n_swaps; i++) {
		enum cost from = waiting_of(c->swaps[i].from), to = waiting_of(c->swaps[i].to);

		if (!known(c->calibrated, from) || to == COST_COUNT ||
		    cost_of(c->calibrated, from).estimate <= most)
			continue;
		most = cost_of(c->calibrated, from).estimate;
		*ret_from = from;
		*ret_to = to;
	}
}

static void swap_waiting(const struct service *service, struct stack *stack)
{
	double share = waiting_share(service);
	enum cost from, to;

	find_waiting(&stack->change, &from, &to);
	if (share > 0 && !swap(stack, from, on_loop(stack, to), share))
		leave_out(stack, from, share);
}

static void recognise_server(const struct service *service, struct stack *stack)
{
	static const enum cost frameworks[] = {COST_FLASK, COST_DJANGO};
	enum cost framework = found(service, frameworks, 2);
	bool gunicorn = stack_has(service, "gunicorn");
	bool flask =
		framework == COST_FLASK ||
		(framework == COST_COUNT && service->surroundings.modules_seen == MODULES_NONE &&
		 stack_has(service, "markupsafe"));

	/* Asynchronous already, also where what runs on it is not. */
	if (framework == COST_COUNT && !flask && stack_has(service, cost_name(COST_STARLETTE))) {
		stack->change.server_known = true;
		return;
	}
	if (framework == COST_COUNT && flask)
		framework = COST_FLASK;
	if (gunicorn && known(stack->change.calibrated, framework) &&
	    known(stack->change.calibrated, COST_STARLETTE) &&
	    swap(stack, COST_GUNICORN, on_loop(stack, COST_UVICORN), 1)) {
		(void)swap(stack, framework, COST_STARLETTE, 1);
		swap_waiting(service, stack);
		stack->change.server_known = true;
	} else if (flask) {
		stack->change.framework =
			gunicorn ? COST_GUNICORN_FLASK_TO_STARLETTE : COST_FLASK_TO_STARLETTE;
	} else if (stack_has(service, "bottle")) {
		stack->change.framework = COST_BOTTLE_TO_STARLETTE;
	} else {
		return;
	}
	stack->server = gunicorn ? "gunicorn" : "the server";
	stack->other_server = "uvicorn and starlette";
}

/* A PHP service that goes to Node. */
static void recognise_php(const struct service *service, struct stack *stack)
{
	struct stack_change *c = &stack->change;

	if (!stack_has(service, "php-fpm") || !swap(stack, COST_PHP_FPM, COST_NODE_SERVER, 1))
		return;
	c->server_known = true;
	if (waiting_share(service) > 0)
		(void)swap(stack, COST_PHP_FPM_WAITING, COST_NODE_WAITING, waiting_share(service));
	if (stack_has(service, "php-curl"))
		(void)swap(stack, COST_PHP_CURL, COST_NODE_CLIENT, calls_of(service).http);
}

/* Of the samples, those in code that the swaps leave out; none where too many are nobody's. */
static void find_samples(const struct service *service, struct stack_change *c)
{
	const uint64_t *samples = service->cpu_samples;
	double n = 0;

	for (enum code code = 0; code < CODE_COUNT; code++)
		n += (double)samples[code];
	if ((double)samples[CODE_UNKNOWN] > UNKNOWN_MOST * n)
		return;
	c->samples = n - (double)samples[CODE_UNKNOWN];
	for (size_t i = 0; i < c->n_swaps; i++) {
		switch (c->swaps[i].from) {
		case COST_GUNICORN:
			c->samples_swapped += (double)samples[CODE_SERVER];
			break;
		case COST_FLASK:
		case COST_DJANGO:
			c->samples_swapped += (double)samples[CODE_FRAMEWORK];
			break;
		case COST_REQUESTS:
		case COST_HTTPX:
		case COST_URLLIB3:
		case COST_HTTP_CLIENT_PY:
			c->samples_swapped += (double)samples[CODE_CLIENT];
			break;
		default:
			break;
		}
	}
}

struct stack stack_recognise(const struct service *service, enum target target,
			     const struct prior *calibrated)
{
	struct stack stack = {.target = target == TARGET_AUTO ? suitable(service) : target};
	bool python = is_python(service), known = recognised(service);

	stack.change = (struct stack_change){
		.target = stack.target, .framework = COST_COUNT, .calibrated = calibrated};
	stack.change.same_stack = stack.target == TARGET_THREADS;
	stack.change.another_language = known && !speaks(service, stack.target);
	/* The client that costs so much is a Python one. */
	stack.change.clients_known = known && !python;
	if (python && (stack.target == TARGET_ASYNCIO || stack.target == TARGET_UVLOOP)) {
		recognise_clients(service, &stack);
		recognise_server(service, &stack);
		find_samples(service, &stack.change);
	} else if (stack.target == TARGET_NODE) {
		recognise_php(service, &stack);
	}
	return stack;
}

/* How often a request of a service on asyncio bears this cost. */
static double times_of(const struct service *service, enum cost cost, const struct calls *calls)
{
	bool aiohttp = stack_has(service, cost_name(COST_AIOHTTP));
	bool asyncpg = stack_has(service, cost_name(COST_ASYNCPG));

	switch (cost) {
	case COST_UVICORN:
		return stack_has(service, cost_name(COST_UVICORN));
	case COST_AIOHTTP:
		return aiohttp ? calls->http : 0;
	case COST_AIOHTTP_WAITING:
		return aiohttp ? fmin(calls->http, 1) : 0;
	case COST_ASYNCPG:
		return asyncpg ? calls->postgres : 0;
	case COST_ASYNCPG_WAITING:
		return asyncpg && !(aiohttp && calls->http > 0) ? fmin(calls->postgres, 1) : 0;
	default:
		return 0;
	}
}

struct prior stack_uvloop_saves(const struct service *service, const struct prior *calibrated)
{
	const struct calls calls = calls_of(service);
	const struct prior factor =
		cost_default(calibrated ? COST_FACTOR_IN_SITU : COST_FACTOR_ELSEWHERE);
	double s = 0;

	if (stack_has(service, "uvloop"))
		return (struct prior){0};
	for (size_t i = 0; i < sizeof(loop_pairs) / sizeof(*loop_pairs); i++) {
		enum cost from = loop_pairs[i].asyncio, to = loop_pairs[i].uvloop;

		if (known(calibrated, from) && known(calibrated, to))
			s += times_of(service, from, &calls) * (cost_of(calibrated, from).estimate -
								cost_of(calibrated, to).estimate);
	}
	s = fmax(s, 0);
	return (struct prior){s, s * factor.lo, s * factor.hi};
}

static const char *costs_from(const struct stack_change *c)
{
	return c->calibrated ? "costs measured on this machine by ioprof calibrate"
			     : "default costs, measured on another machine (ioprof calibrate "
			       "measures them here)";
}

char *stack_source(const struct stack *stack, const struct kappa *kappa)
{
	const struct stack_change *c = &stack->change;
	const char *sampled =
		kappa_sampled(c) ? "; what they take of a request sampled in the service" : "";
	const char *loop = kappa_target_name(stack->target);
	char *text = NULL;
	int n;

	if (c->whole_factor > 0)
		n = asprintf(&text, "--cpu-factor");
	else if (c->same_stack)
		n = asprintf(&text, "the stack stays; what threads cost per operation: %s",
			     cost_source(COST_OP_THREADS));
	else if (c->n_swaps > 0 && !kappa->guessed)
		n = asprintf(&text, "%s%s; %s", costs_from(c), sampled, loop);
	else if (c->n_swaps > 0)
		n = asprintf(&text, "in part %s, in part a prior%s; %s", costs_from(c), sampled,
			     loop);
	else if (!kappa->guessed && c->server_known)
		n = asprintf(&text, "server and framework stay; %s", loop);
	else if (!kappa->guessed)
		n = asprintf(&text, "published pairs: %s", cost_source(c->framework));
	else
		n = asprintf(
			&text,
			"a prior, for no server, framework or client of known cost was recognised%s",
			c->calibrated ? "; costs of the loop measured here" : "");
	return n < 0 ? NULL : text;
}
