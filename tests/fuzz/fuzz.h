/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every target has. Each file beside this one is a program that libFuzzer drives. */
#ifndef IOPROF_FUZZ_H
#define IOPROF_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Reads size foreign bytes. Anything but returning 0 is a finding. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define FUZZ_ASSERT(condition)    \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#endif
