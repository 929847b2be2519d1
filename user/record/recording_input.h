/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a recording, uncompressed piece by piece: gzip members one after the other, or plain
 * text. Whatever the file holds, this takes a fixed amount of memory.
 */
#ifndef IOPROF_RECORD_RECORDING_INPUT_H
#define IOPROF_RECORD_RECORDING_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct recording_input;

enum recording_event {
	RECORDING_DATA,	      /* there are bytes */
	RECORDING_MEMBER_END, /* a gzip member was whole: its checksum is right */
	RECORDING_DAMAGED, /* a member was not; what comes next is the next one that looks whole */
	RECORDING_CUT_OFF, /* the file ends within a member */
	RECORDING_END,
};

/* Reads from fd, which stays the caller's, from its start if it has one. 0 or -ENOMEM. */
int recording_input_new(int fd, struct recording_input **ret_input);
void recording_input_freep(struct recording_input **input);

/* If all bytes are taken, brings more or says why there are none. 0, or -errno of reading. */
int recording_input_fill(struct recording_input *input, enum recording_event *ret_event);

/* The bytes that are there, and how many. */
const char *recording_input_bytes(const struct recording_input *input, size_t *ret_n);

/* Takes so many of them, or all. */
void recording_input_take(struct recording_input *input, size_t n);

/* True once it is known that this is no gzip file. */
bool recording_input_plain(const struct recording_input *input);

/* At the end of a member: where in the file that is. */
int64_t recording_input_position(const struct recording_input *input);

#endif
