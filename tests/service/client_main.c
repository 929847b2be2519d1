/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client: the load as a program. Prints one line of JSON when it is over. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"

enum option_key {
	KEY_CONNECTIONS = 'c',
	KEY_REQUESTS = 'n',
	KEY_IDLE = 256,
	KEY_DURATION,
	KEY_THINK,
	KEY_RATE,
	KEY_CLOSE,
	KEY_BODY,
	KEY_PIECES,
	KEY_PIECE_GAP,
	KEY_READ,
	KEY_READ_GAP,
	KEY_RECEIVE_BUFFER,
	KEY_HOLD,
};

static const struct argp_option options[] = {
	{.name = "connections",
	 .key = KEY_CONNECTIONS,
	 .arg = "N",
	 .doc = "Connections that send (default 1)"},
	{.name = "requests", .key = KEY_REQUESTS, .arg = "N", .doc = "Requests in all"},
	{.name = "idle", .key = KEY_IDLE, .arg = "N", .doc = "Connections that only stay open"},
	{.name = "duration",
	 .key = KEY_DURATION,
	 .arg = "MS",
	 .doc = "Begin no request afterwards"},
	{.name = "think",
	 .key = KEY_THINK,
	 .arg = "US",
	 .doc = "Pause between response and next request"},
	{.name = "rate",
	 .key = KEY_RATE,
	 .arg = "PER_1000_S",
	 .doc = "Open loop: arrivals at random times, latency from when each was due"},
	{.name = "close", .key = KEY_CLOSE, .doc = "A connection per request"},
	{.name = "body", .key = KEY_BODY, .arg = "BYTES", .doc = "Body of the request"},
	{.name = "pieces", .key = KEY_PIECES, .arg = "N", .doc = "Pieces the request is sent in"},
	{.name = "piece-gap", .key = KEY_PIECE_GAP, .arg = "US", .doc = "Time between the pieces"},
	{.name = "read",
	 .key = KEY_READ,
	 .arg = "BYTES",
	 .doc = "Read the response so much at a time"},
	{.name = "read-gap", .key = KEY_READ_GAP, .arg = "US", .doc = "Pause between reads"},
	{.name = "receive-buffer",
	 .key = KEY_RECEIVE_BUFFER,
	 .arg = "BYTES",
	 .doc = "Of each socket"},
	{.name = "hold",
	 .key = KEY_HOLD,
	 .doc = "Keep the connections open until the end of stdin"},
	{0},
};

struct run {
	struct client_opts opts;
	bool hold;
};

static uint64_t number(const char *text, struct argp_state *state)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (end == text || *end)
		argp_error(state, "not a number: %s", text);
	return value;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct run *run = state->input;
	struct client_opts *o = &run->opts;

	switch (key) {
	case KEY_CONNECTIONS:
		o->connections = (unsigned int)number(arg, state);
		return 0;
	case KEY_REQUESTS:
		o->requests = number(arg, state);
		return 0;
	case KEY_IDLE:
		o->idle = (unsigned int)number(arg, state);
		return 0;
	case KEY_DURATION:
		o->duration_ns = number(arg, state) * 1000 * CLOCK_NS_PER_US;
		return 0;
	case KEY_THINK:
		o->think_ns = number(arg, state) * CLOCK_NS_PER_US;
		return 0;
	case KEY_RATE:
		o->rate_per_s = (double)number(arg, state) / 1000;
		return 0;
	case KEY_CLOSE:
		o->close = true;
		return 0;
	case KEY_BODY:
		o->body_bytes = number(arg, state);
		return 0;
	case KEY_PIECES:
		o->body_pieces = (unsigned int)number(arg, state);
		return 0;
	case KEY_PIECE_GAP:
		o->piece_gap_ns = number(arg, state) * CLOCK_NS_PER_US;
		return 0;
	case KEY_READ:
		o->read_bytes = number(arg, state);
		return 0;
	case KEY_READ_GAP:
		o->read_gap_ns = number(arg, state) * CLOCK_NS_PER_US;
		return 0;
	case KEY_RECEIVE_BUFFER:
		o->receive_buffer = (int)number(arg, state);
		return 0;
	case KEY_HOLD:
		run->hold = true;
		return 0;
	case ARGP_KEY_ARG:
		if (net_parse(arg, &o->address) < 0)
			argp_error(state, "not an address: %s", arg);
		return 0;
	case ARGP_KEY_END:
		if (!o->address.len || !o->body_pieces || !(o->requests || o->duration_ns))
			argp_error(
				state,
				"an address, --requests or --duration, and 1 piece or more are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static volatile sig_atomic_t enough;

static void on_interrupt(int sig)
{
	(void)sig;
	enough = 1;
}

int main(int argc, char **argv)
{
	const struct argp argp = {
		.options = options, .parser = parse_option, .args_doc = "ADDRESS"};
	const struct sigaction interrupt = {.sa_handler = on_interrupt};
	struct run run = {.opts = {.connections = 1, .body_pieces = 1, .enough = &enough}};
	struct client *client;
	struct client_result result;
	char byte;
	int r;

	(void)argp_parse(&argp, argc, argv, 0, NULL, &run);
	(void)sigaction(SIGINT, &interrupt, NULL);
	r = client_run(&run.opts, NULL, &client, &result);
	if (r < 0) {
		(void)fprintf(stderr, "client: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	client_print(stdout, &result);
	(void)fflush(stdout);
	while (run.hold && read(STDIN_FILENO, &byte, 1) > 0)
		;
	free(result.latencies_ns);
	client_close(client);
	return EXIT_SUCCESS;
}
