/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/recordings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/exit_status.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"

struct file {
	const char *path;
	int fd;
	struct recording *recording;
	struct snapshot *head; /* the next interval; NULL at the end */
	uint64_t intervals;
};

struct files {
	struct file *files;
	size_t n;
};

static void files_done(struct files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		recording_close(files->files[i].recording);
		snapshot_free(files->files[i].head);
		if (files->files[i].fd > STDIN_FILENO)
			(void)close(files->files[i].fd);
	}
	free(files->files);
}

int recordings_tell(const char *path, const struct recording_damage *damage, uint64_t intervals)
{
	if (!intervals) {
		if (damage->parts)
			log_error(
				"%s: %s: use a file that 'ioprof record' or 'ioprof --json' wrote",
				path, damage->first);
		else
			log_error("%s: %s: record for longer", path,
				  damage->cut_off ? "it was cut off within its first interval"
						  : "it is empty");
		return EXIT_STATUS_FAILED;
	}
	if (damage->parts)
		log_error("warning: %s: %" PRIu64 " damaged part%s left out, the first because %s",
			  path, damage->parts, damage->parts == 1 ? "" : "s", damage->first);
	if (damage->too_large)
		log_error("warning: %s: what follows the damage is left out", path);
	if (damage->cut_off)
		log_error("warning: %s: it was cut off: its last interval is missing", path);
	return EXIT_STATUS_DONE;
}

/* Brings the file's next interval to its head. Returns an exit status. */
static int advance(struct file *file)
{
	int r = recording_next(file->recording, &file->head);

	if (r < 0) {
		log_error("cannot read %s: %s", file->path, strerror(-r));
		return EXIT_STATUS_FAILED;
	}
	if (r == 0)
		return recordings_tell(file->path, recording_damage(file->recording),
				       file->intervals);
	file->intervals++;
	return EXIT_STATUS_DONE;
}

static int open_file(struct file *file)
{
	int r;

	file->fd = strcmp(file->path, "-") == 0 ? STDIN_FILENO
						: open(file->path, O_RDONLY | O_CLOEXEC);
	r = file->fd < 0 ? error_last() : recording_open(file->fd, &file->recording);
	if (r == 0)
		return advance(file);
	log_error("cannot open %s: %s: name a recording", file->path, strerror(-r));
	return EXIT_STATUS_FAILED;
}

static struct file *earliest(const struct files *files)
{
	struct file *first = NULL;

	for (size_t i = 0; i < files->n; i++) {
		struct file *file = &files->files[i];

		if (file->head &&
		    (!first || file->head->start_unix_ns < first->head->start_unix_ns))
			first = file;
	}
	return first;
}

int recordings_read(char *const *paths, size_t n, recordings_take_fn take, void *ctx)
{
	_cleanup_(files_done) struct files files = {calloc(n, sizeof(*files.files)), 0};
	int status = EXIT_STATUS_DONE;
	struct file *file;

	if (!files.files) {
		log_error("out of memory");
		return EXIT_STATUS_FAILED;
	}
	for (; files.n < n && status == EXIT_STATUS_DONE; files.n++) {
		file = &files.files[files.n];
		*file = (struct file){.path = paths[files.n], .fd = -1};
		status = open_file(file);
	}
	while (status == EXIT_STATUS_DONE && (file = earliest(&files))) {
		status = take(ctx, TAKE(file->head));
		if (status == EXIT_STATUS_DONE)
			status = advance(file);
	}
	return status;
}

static int gather(void *ctx, struct snapshot *s)
{
	int r = gathering_add(ctx, s);

	if (r == -E2BIG)
		log_error(
			"the recordings hold more hosts, services or peers than ioprof can sum up: give it fewer files");
	else if (r < 0)
		log_error("out of memory");
	return r < 0 ? EXIT_STATUS_FAILED : EXIT_STATUS_DONE;
}

int recordings_gather(char *const *paths, size_t n, struct gathering *gathering)
{
	int status = recordings_read(paths, n, gather, gathering);

	for (size_t i = 0; status == EXIT_STATUS_DONE && i < gathering->n_hosts; i++) {
		const struct gathered *host = &gathering->hosts[i];

		if (host->repeated)
			log_error(
				"warning: host %s: %" PRIu64
				" intervals overlap others of the same service: their requests count twice",
				host->sum->host ? host->sum->host : "without a name",
				host->repeated);
	}
	return status;
}
