/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * argp's own errors take two lines, one of them getopt's. So it is told to keep quiet (ARGP_SILENT,
 * which takes its
 * --help and --version away too), and both are done here, once for all commands.
 */
#include "app/cli.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "version.h"

enum { KEY_HELP = 'h', KEY_VERSION = 'V' };

static const struct argp_option common_options[] = {
	{"help", KEY_HELP, NULL, 0, "Show this and exit", -1},
	{"version", KEY_VERSION, NULL, 0, "Show the version and exit", -1},
	{0},
};

struct cli {
	argp_parser_t parse; /* the command's parser */
	void *input;	     /* and its input */
	int asked;	     /* KEY_HELP, KEY_VERSION or 0 */
};

/* The command's parser. Once help is asked for, what else stands there no longer matters. */
static error_t parse_command(int key, char *arg, struct argp_state *state)
{
	const struct cli *cli = state->input;

	if (cli->asked)
		return 0;
	state->input = cli->input;
	return cli->parse(key, arg, state);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): argp says what a parser looks like */
static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct cli *cli = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = cli;
		return 0;
	case KEY_HELP:
	case KEY_VERSION:
		cli->asked = key;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* All of these together, more than any command has. */
#define OPTIONS_MAX 64

/* argp's options as getopt wants them; neither is freed. */
struct getopt_options {
	char letters[2 * OPTIONS_MAX + 2];
	struct option words[OPTIONS_MAX + 1];
	size_t n_letters, n_words;
};

static void getopt_options_add(struct getopt_options *options, const struct argp_option *from)
{
	for (; from && (from->name || from->doc); from++) {
		if (!from->name || options->n_words == OPTIONS_MAX)
			continue;
		options->words[options->n_words++] = (struct option){
			.name = from->name,
			.has_arg = from->arg ? required_argument : no_argument,
			.val = from->key,
		};
		if (from->key > 0x7f)
			continue;
		options->letters[options->n_letters++] = (char)from->key;
		if (from->arg)
			options->letters[options->n_letters++] = ':';
	}
}

static const struct option *find_word(const struct getopt_options *options, int key)
{
	for (const struct option *word = options->words; word->name; word++) {
		if (word->val == key)
			return word;
	}
	return NULL;
}

/* Says which option argp failed on, which it keeps to itself: by reading them once more with
 * getopt, as it does. */
static void tell_bad_option(const char *name, const struct argp *argp, int argc, char **argv)
{
	struct getopt_options options = {.letters = ":", .n_letters = 1};
	const struct option *word;
	int key;

	getopt_options_add(&options, argp->options);
	getopt_options_add(&options, common_options);
	opterr = 0;
	optind = 0;
	do {
		key = getopt_long(argc, argv, options.letters, options.words, NULL);
	} while (key != -1 && key != '?' && key != ':');
	word = find_word(&options, optopt);
	if (key == ':' && word)
		log_error("option --%s needs a value: see '%s --help'", word->name, name);
	else if (word)
		log_error("option --%s takes no value: use it without", word->name);
	else if (optopt)
		log_error("there is no option '-%c': see '%s --help'", optopt, name);
	else
		log_error("there is no option '%s': see '%s --help'", argv[optind - 1], name);
}

/* The pages of --help. */
static void print_help(const char *name, const struct argp *argp, const char *usage)
{
	char writable_name[32]; /* argp_help() asks for one */

	(void)snprintf(writable_name, sizeof(writable_name), "%s", name);
	/* Its note on arguments of short options says what anyone sees who reads "-p, --pid=PID".
	 */
	(void)setenv("ARGP_HELP_FMT", "no-dup-args-note", 0);
	(void)printf("Usage: %s\n\n", usage);
	argp_help(argp, stdout, ARGP_HELP_DOC | ARGP_HELP_LONG, writable_name);
}

enum cli_result cli_parse(const char *name, const struct argp *argp, int argc, char **argv,
			  void *input)
{
	const struct argp command = {.options = argp->options, .parser = parse_command};
	const struct argp_child children[] = {{.argp = &command}, {0}};
	const struct argp whole = {
		.options = common_options,
		.parser = parse_common,
		.doc = argp->doc,
		.children = children,
	};
	struct cli cli = {.parse = argp->parser, .input = input};
	error_t error = argp_parse(&whole, argc, argv, ARGP_SILENT, NULL, &cli);

	if (cli.asked)
		error = 0;
	if (error == EINVAL)
		tell_bad_option(name, argp, argc, argv);
	else if (error && error != CLI_TOLD)
		log_error("cannot read the options: %s", strerror(error));
	if (error)
		return CLI_WRONG;
	if (cli.asked == KEY_HELP)
		print_help(name, &whole, argp->args_doc);
	else if (cli.asked == KEY_VERSION)
		(void)printf("ioprof %s\n", IOPROF_VERSION);
	return cli.asked ? CLI_ANSWERED : CLI_PARSED;
}
