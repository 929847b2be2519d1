/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calibrations: the file, and the lines of the script that measures. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "report/calibration.h"

static void check(const struct calibration *c)
{
	_cleanup_free_ char *text = NULL;
	struct calibration again;
	const char *why;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	FUZZ_ASSERT(out && calibration_write(out, c) == 0 && fclose(out) == 0);
	FUZZ_ASSERT(calibration_read(text, size, &again, &why) == 0);
	FUZZ_ASSERT(again.n_components == c->n_components && again.unix_s == c->unix_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *text = (const char *)bytes;
	struct calibration c;
	const char *why = NULL;

	if (calibration_read(text, size, &c, &why) == 0)
		check(&c);
	else
		FUZZ_ASSERT(why);
	calibration_init(&c, "x86_64", 1);
	for (size_t from = 0; from < size;) {
		const char *end = memchr(text + from, '\n', size - from);
		size_t length = end ? (size_t)(end - text) - from : size - from;

		(void)calibration_take(&c, text + from, length);
		from += length + 1;
	}
	if (calibration_count(&c) > 0)
		check(&c);
	return 0;
}
