/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON documents: whatever is read gives every report, and the same document when written and read
 * once more. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "report/document.h"
#include "report/report.h"

#define OWNED _cleanup_(snapshot_freep)

static char *write_document(const struct snapshot *s, size_t *ret_size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_size);

	FUZZ_ASSERT(out && report_json(out, s, NULL) == 0 && fclose(out) == 0);
	return text;
}

static void write_text(const struct snapshot *s)
{
	const struct report_opts opts = {.columns = 80, .utf8 = true};
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	FUZZ_ASSERT(out && report_text(out, s, &opts) == 0 && fclose(out) == 0);
	for (size_t i = 0; i < size; i++)
		FUZZ_ASSERT((unsigned char)text[i] >= ' ' || text[i] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	OWNED struct snapshot *read = NULL;
	OWNED struct snapshot *again = NULL;
	_cleanup_free_ char *first = NULL;
	_cleanup_free_ char *second = NULL;
	struct document_error error;
	size_t first_size = 0, second_size = 0;

	if (document_parse((const char *)bytes, size, &read, &error) < 0) {
		FUZZ_ASSERT(strnlen(error.text, sizeof(error.text)) < sizeof(error.text));
		return 0;
	}
	write_text(read);
	first = write_document(read, &first_size);
	FUZZ_ASSERT(document_parse(first, first_size, &again, &error) == 0);
	second = write_document(again, &second_size);
	FUZZ_ASSERT(first_size == second_size && memcmp(first, second, first_size) == 0);
	return 0;
}
