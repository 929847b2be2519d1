/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/export_options.h"

#include <string.h>

#include "app/push.h"
#include "base/clock.h"
#include "base/log.h"

#define DEFAULT_ADDRESS "127.0.0.1:9977"
#define DEFAULT_INTERVAL_NS (10 * CLOCK_NS_PER_S)
#define TEXTFILE_SUFFIX ".prom"
/* The groups of options.def that are about reports. */
#define HOW_TO_SHOW 3
#define WHAT_IF 4

/* clang-format off */
enum export_option_key {
#define GROUP(number, title)
#define OPTION(id, key, name, value, help) id = (key),
#include "app/export_options.def"
#undef OPTION
#undef GROUP
};

static const struct argp_option export_rows[] = {
#define GROUP(number, title) { NULL, 0, NULL, 0, title, number },
#define OPTION(id, key, name, value, help) { name, id, value, 0, help, 0 },
#include "app/export_options.def"
#undef OPTION
#undef GROUP
	{ 0 },
};
/* clang-format on */

static const char usage[] = "ioprof export -p PID | --unit NAME | --all ... [OPTION...]";

static const char doc[] =
	"Observes services and feeds the monitoring there is: Prometheus, node_exporter, OpenTelemetry, any pipeline that reads JSON lines. Every interval (-i, 10 seconds if not given) the figures are brought up to date. Ends with the service, by -d or by a signal."
	"\v"
	"Examples:\n"
	"  sudo ioprof export --all                       http://127.0.0.1:9977/metrics\n"
	"  sudo ioprof export -p 1234 --otlp http://127.0.0.1:4318\n"
	"  sudo ioprof export -p 1234 --jsonl - | jq .services[0].blocking.ratio\n"
	"\n"
	"Exit status: as of ioprof. More: man ioprof-export";

static error_t parse_listen(struct export_options *options, const char *value)
{
	if (listen_parse(value, &options->address) < 0) {
		log_error(
			"'%s' is not an address and a port: use for example --listen=" DEFAULT_ADDRESS
			", or [::1]:9977",
			value);
		return CLI_TOLD;
	}
	options->listen = true;
	return 0;
}

static error_t parse_textfile(struct export_options *options, const char *value)
{
	size_t length = strlen(value), suffix = strlen(TEXTFILE_SUFFIX);

	if (length <= suffix || strcmp(value + length - suffix, TEXTFILE_SUFFIX) != 0) {
		log_error(
			"node_exporter does not read '%s': use a name that ends in " TEXTFILE_SUFFIX,
			value);
		return CLI_TOLD;
	}
	options->textfile = value;
	return 0;
}

static error_t parse_otlp(struct export_options *options, const char *value)
{
	if (!push_takes(value)) {
		log_error("'%s' is no URL to push to: use for example --otlp=http://127.0.0.1:4318",
			  value);
		return CLI_TOLD;
	}
	options->otlp_url = value;
	return 0;
}

static error_t parse_export_option(int key, const char *value, void *input)
{
	struct export_options *options = input;

	switch ((enum export_option_key)key) {
	case OPTION_LISTEN:
		return parse_listen(options, value);
	case OPTION_TOKEN_FILE:
		options->token_file = value;
		return 0;
	case OPTION_TEXTFILE:
		return parse_textfile(options, value);
	case OPTION_OTLP:
		return parse_otlp(options, value);
	case OPTION_JSONL:
		options->jsonl = value;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

enum cli_result export_options_parse(int argc, char **argv, struct export_options *ret_options)
{
	struct export_options options = {0};
	const struct options_command command = {
		.name = "ioprof export",
		.usage = usage,
		.doc = doc,
		.more = export_rows,
		.parse = parse_export_option,
		.input = &options,
		.left_out = 1u << HOW_TO_SHOW | 1u << WHAT_IF,
	};
	enum cli_result result = options_parse_command(&command, argc, argv, &options.observe);

	if (result != CLI_PARSED)
		return result;
	if (!options.listen && !options.textfile && !options.otlp_url && !options.jsonl)
		options.listen = listen_parse(DEFAULT_ADDRESS, &options.address) == 0;
	if (options.token_file && !options.listen) {
		log_error(
			"--token-file is for readers, and nothing is served: add --listen=" DEFAULT_ADDRESS);
		export_options_free(&options);
		return CLI_WRONG;
	}
	if (!options.observe.interval_ns)
		options.observe.interval_ns = DEFAULT_INTERVAL_NS;
	*ret_options = options;
	return CLI_PARSED;
}

void export_options_free(struct export_options *options)
{
	options_free(&options->observe);
}
