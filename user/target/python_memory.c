/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: which files of Python are named in these bytes?
 *
 * Method: a string object is a head and, behind it, the text with a terminator, one byte per
 * character as long as all are below 256. The head holds the length: since Python 3.12 24 bytes
 * before a text in ASCII and 40 before another one, in 3.3 to 3.11 32 and 56 (PyASCIIObject and
 * PyCompactUnicodeObject of Include/cpython/unicodeobject.h; seen right from 3.6 to 3.13). Objects
 * begin at multiples of 8. So it is enough to look at each eighth byte: a slash there, with the
 * length of what follows up to a terminator in one of these places, is a path. Random bytes do not
 * pass that, nor does a path within a longer text.
 *
 * Assumptions: 64 bits, little endian or not; no characters beyond Latin-1 in the path. Cost: a
 * comparison per 8 bytes.
 */
#include "target/python_memory.h"

#include <stdint.h>
#include <string.h>

#define ALIGNMENT 8
#define FIRST_TEXT 40 /* the shortest head */
#define VERSION "0123456789."
#define SUFFIX ".py"
#define SUFFIX_LENGTH (sizeof(SUFFIX) - 1)

enum where { LIBRARY, PACKAGE };

static const struct module {
	enum where where;
	const char *file, *name;
} modules[] = {
#define MODULE(where, file, name) {where, file, name},
#include "target/module.def"
#undef MODULE
};

/* Where before the text its length may be. */
static const size_t length_before[] = {24, 32, 40, 56};

/* Whether so long a path begins here, with so many bytes left. */
static bool is_path(const char *text, uint64_t length, size_t left)
{
	if (length <= SUFFIX_LENGTH || length >= left || length >= PYTHON_MEMORY_OBJECT_MOST)
		return false;
	return text[length] == '\0' && !memchr(text, '\0', length) &&
	       memcmp(text + length - SUFFIX_LENGTH, SUFFIX, SUFFIX_LENGTH) == 0;
}

int python_memory_paths(const void *bytes, size_t length, python_memory_fn found, void *ctx)
{
	const char *memory = bytes;
	int r = 0;

	for (size_t at = FIRST_TEXT; at < length && r == 0; at += ALIGNMENT) {
		if (memory[at] != '/')
			continue;
		for (size_t i = 0; i < sizeof(length_before) / sizeof(length_before[0]); i++) {
			uint64_t said;

			if (at < length_before[i])
				break;
			memcpy(&said, memory + at - length_before[i], sizeof(said));
			if (!is_path(memory + at, said, length - at))
				continue;
			r = found(ctx, memory + at);
			break;
		}
	}
	return r;
}

static bool ends(const char *text, size_t length, const char *end)
{
	size_t n = strlen(end);

	return length >= n && memcmp(text + length - n, end, n) == 0;
}

/* "python3.11", "python3.13t", "python311.zip": the last part of the directory. */
static bool is_library(const char *directory, size_t length)
{
	static const char name[] = "/python";
	size_t at = length;

	while (at > 0 && directory[at - 1] != '/')
		at--;
	if (at == 0 || length - at < sizeof(name) - 1 ||
	    memcmp(directory + at - 1, name, sizeof(name) - 1) != 0)
		return false;
	at += sizeof(name) - 2;
	at += strspn(directory + at, VERSION);
	return at == length || (at + 1 == length && directory[at] == 't') ||
	       (at + 3 == length && ends(directory, length, ".zip"));
}

/* site-packages, dist-packages; or an archive. */
static bool is_packages(const char *directory, size_t length)
{
	static const char *const ends_of[] = {"-packages", ".zip", ".pyz", ".whl", ".egg", ".pex"};

	for (size_t i = 0; i < sizeof(ends_of) / sizeof(ends_of[0]); i++) {
		if (ends(directory, length, ends_of[i]))
			return true;
	}
	return false;
}

const char *python_memory_module(const char *path, bool *ret_elsewhere)
{
	size_t length = strlen(path);

	*ret_elsewhere = false;
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		const struct module *module = &modules[i];
		size_t file = strlen(module->file);

		if (!ends(path, length, module->file) || length < file + 1 ||
		    path[length - file - 1] != '/')
			continue;
		if (module->where == LIBRARY ? is_library(path, length - file - 1)
					     : is_packages(path, length - file - 1))
			return module->name;
		/* Within another package it is that one's own. */
		*ret_elsewhere = module->where == PACKAGE && !strstr(path, "-packages/");
		return NULL;
	}
	return NULL;
}
