/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording: documents of docs/json.md, one per line, each a gzip member of its own. Members one
 * behind the other are a gzip file again, so gunzip reads it, and so does "cat a.gz b.gz".
 */
#ifndef IOPROF_RECORD_RECORDING_WRITER_H
#define IOPROF_RECORD_RECORDING_WRITER_H

#include "model/snapshot.h"
#include "report/report.h"

/*
 * Adds a snapshot to the end of a file that is open for writing, and sees to it that it is on disk:
 * whatever happens later, it stays. If this fails half way, as on a full disk, the file is cut back
 * to what it was. 0, -ENOMEM or -errno of the write.
 */
int recording_write(int fd, const struct snapshot *s, const struct json_opts *opts);

/*
 * Looks at a file before something is added to it: cuts off the end of a recording that a crash
 * left half written, and holds no whole interval. fd is open for reading and writing. Returns how
 * many bytes were cut off; -EBADMSG if this is no recording, or one that is damaged elsewhere,
 * which adding would make worse; -errno.
 */
int64_t recording_mend(int fd);

#endif
