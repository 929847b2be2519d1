/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "record/recording_input.h"
#include "report/document.h"

struct recording {
	struct recording_input *input;
	char *line; /* as far as it has been read, without its end */
	size_t length, room;
	bool ended;
	struct recording_damage damage;
};

int recording_open(int fd, struct recording **ret_recording)
{
	_cleanup_(recording_closep) struct recording *recording = calloc(1, sizeof(*recording));
	int r;

	if (!recording)
		return -ENOMEM;
	r = recording_input_new(fd, &recording->input);
	if (r < 0)
		return r;
	*ret_recording = TAKE(recording);
	return 0;
}

void recording_close(struct recording *recording)
{
	if (!recording)
		return;
	recording_input_freep(&recording->input);
	free(recording->line);
	free(recording);
}

void recording_closep(struct recording **recording)
{
	recording_close(*recording);
}

const struct recording_damage *recording_damage(const struct recording *recording)
{
	return &recording->damage;
}

static void note_damage(struct recording *recording, const char *why)
{
	struct recording_damage *damage = &recording->damage;

	if (damage->parts++ == 0)
		(void)snprintf(damage->first, sizeof(damage->first), "%s", why);
}

/* Adds to the line. */
static int add(struct recording *recording, const char *bytes, size_t n)
{
	size_t needed = recording->length + n;

	if (needed > DOCUMENT_BYTES_MOST) {
		note_damage(recording, "a line is longer than any document of ioprof");
		recording->damage.too_large = recording->ended = true;
		recording->length = 0;
		return 0;
	}
	if (needed > recording->room) {
		size_t room = needed < 4096 ? 8192 : 2 * needed;
		char *line = realloc(recording->line, room);

		if (!line)
			return -ENOMEM;
		recording->line = line;
		recording->room = room;
	}
	if (n)
		memcpy(recording->line + recording->length, bytes, n);
	recording->length = needed;
	return 0;
}

/* Takes from what is there up to the end of the line. Returns 1 once the line is whole, 0, -ENOMEM.
 */
static int take_line(struct recording *recording)
{
	size_t n;
	const char *bytes = recording_input_bytes(recording->input, &n);
	const char *end = n ? memchr(bytes, '\n', n) : NULL;
	size_t length = end ? (size_t)(end - bytes) : n;
	int r = add(recording, bytes, length);

	recording_input_take(recording->input, end ? length + 1 : length);
	if (r < 0)
		return r;
	return end && !recording->ended;
}

/* What was read of a line is worth nothing. */
static void drop_line(struct recording *recording, enum recording_event event)
{
	recording->length = 0;
	if (event == RECORDING_DAMAGED)
		note_damage(recording, "it cannot be uncompressed, or its checksum is wrong");
	else
		recording->damage.cut_off = true;
}

/*
 * Reads a line. Of a compressed one it is only known to be intact once what comes behind it is
 * there, bytes or the end of its member with the right checksum. 1, 0 at the end, -errno.
 */
static int read_line(struct recording *recording)
{
	bool whole = false;

	recording->length = 0;
	while (!recording->ended) {
		enum recording_event event;
		int r = recording_input_fill(recording->input, &event);

		if (r < 0)
			return r;
		if (event == RECORDING_DAMAGED || event == RECORDING_CUT_OFF) {
			whole = false;
			drop_line(recording, event);
		}
		recording->ended = event == RECORDING_END;
		if (whole)
			return 1;
		if (event != RECORDING_DATA)
			continue;
		r = take_line(recording);
		if (r < 0)
			return r;
		whole = r > 0;
	}
	/* A last line without an end: perhaps whole, if not it tells. */
	return recording->length > 0;
}

/* True for what may stand between documents. */
static bool is_blank(const struct recording *recording)
{
	for (size_t i = 0; i < recording->length; i++) {
		if (!strchr(" \t\r", recording->line[i]))
			return false;
	}
	return true;
}

int recording_next(struct recording *recording, struct snapshot **ret_snapshot)
{
	int r;

	while ((r = read_line(recording)) > 0) {
		struct document_error error;

		if (is_blank(recording))
			continue;
		r = document_parse(recording->line, recording->length, ret_snapshot, &error);
		if (r == 0)
			return 1;
		if (r == -ENOMEM)
			return r;
		note_damage(recording, error.text);
	}
	return r;
}

int recording_skip(struct recording *recording)
{
	int r;

	do {
		r = read_line(recording);
	} while (r > 0 && is_blank(recording));
	return r;
}
