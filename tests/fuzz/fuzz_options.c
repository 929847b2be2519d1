/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines, words ended by zero bytes: those of "ioprof -p" and of "ioprof export"; and the
 * addresses and headers that the exporter reads. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/accept.h"
#include "app/export_options.h"
#include "app/listen.h"
#include "app/options.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "fuzz.h"

#define WORDS_MAX 64

/* What the options say of themselves goes nowhere. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libFuzzer says what it looks like */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)argc;
	(void)argv;
	FUZZ_ASSERT(null >= 0 && dup2(null, STDOUT_FILENO) >= 0);
	return 0;
}

static void parse(int argc, char **argv)
{
	_cleanup_(options_free) struct options options = {0};
	_cleanup_(export_options_free) struct export_options export_options = {0};

	if (options_parse(argc, argv, &options) == CLI_PARSED)
		FUZZ_ASSERT(options.n_pids > 0 || options.selectors.n > 0);
	argv[0] = (char *)"export";
	if (export_options_parse(argc, argv, &export_options) == CLI_PARSED)
		FUZZ_ASSERT(export_options.observe.interval_ns > 0);
}

/* Whatever it is, what a terminal gets of it is harmless. */
static void sanitize(const char *text)
{
	_cleanup_free_ char *clean = text_sanitize(text);
	_cleanup_free_ char *cut = clean ? text_truncate(clean, 10) : NULL;

	FUZZ_ASSERT(clean && cut && text_width(cut) <= 10);
	for (const char *c = clean; *c; c++)
		FUZZ_ASSERT((unsigned char)*c >= ' ' && *c != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *text = malloc(size + 1);
	struct listen_address address;
	char *argv[WORDS_MAX + 1] = {(char *)"ioprof"};
	int argc = 1;

	FUZZ_ASSERT(text);
	memcpy(text, bytes, size);
	text[size] = '\0';
	(void)listen_parse(text, &address);
	(void)accept_prefers_openmetrics(text);
	sanitize(text);
	for (char *word = text; word < text + size && argc < WORDS_MAX; word += strlen(word) + 1)
		argv[argc++] = word;
	parse(argc, argv);
	return 0;
}
