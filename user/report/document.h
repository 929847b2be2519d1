/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A document of docs/json.md read back: the snapshot that report_json() wrote. What is derived is
 * not read, so it always follows from what was measured; members that are not known are skipped.
 *
 * The text may be anything: it is checked before it is believed, and what it makes this allocate is
 * bounded by the limits below.
 */
#ifndef IOPROF_REPORT_DOCUMENT_H
#define IOPROF_REPORT_DOCUMENT_H

#include <stddef.h>

#include "model/snapshot.h"

/* Of one document. */
#define DOCUMENT_BYTES_MOST (64u << 20)
#define DOCUMENT_VALUES_MOST 6000000u
#define DOCUMENT_SERVICES_MOST 1024
#define DOCUMENT_PEERS_MOST 65536 /* of all its services */
#define DOCUMENT_PIDS_MOST 262144 /* of a service */
#define DOCUMENT_LIST_MOST 256	  /* notes, components, programs */
#define DOCUMENT_STRING_MOST 8192

/* Why a document could not be read, for a person. Parts of it may be foreign text. */
struct document_error {
	char text[256];
};

/*
 * Returns 0 and a snapshot the caller owns; -EBADMSG if this is no sound document, -ENOTSUP if it
 * is one of another format version, -ENOMEM; and why.
 */
int document_parse(const char *text, size_t size, struct snapshot **ret_snapshot,
		   struct document_error *ret_error);

#endif
