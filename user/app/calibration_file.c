/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/calibration_file.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "app/output_file.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "target/target.h"

#define NAME "ioprof/calibration.json"
#define PASSWD_SIZE 4096

/* An absolute path from the environment, or NULL. */
static const char *folder_from(const char *variable)
{
	const char *path = getenv(variable);

	return path && path[0] == '/' ? path : NULL;
}

/* The user who called sudo; no other's environment tells where that one's files are. */
static bool invoker(uid_t *ret_uid)
{
	const char *text = getenv("SUDO_UID");
	char *end;
	unsigned long uid;

	if (geteuid() != 0 || !text || !*text || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	uid = strtoul(text, &end, 10);
	if (errno || uid == 0 || uid >= UINT32_MAX)
		return false;
	*ret_uid = (uid_t)uid;
	return true;
}

static int path_in_home(uid_t uid, char **ret_path)
{
	char buffer[PASSWD_SIZE];
	struct passwd entry;
	struct passwd *found = NULL;
	char *path;

	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) || !found ||
	    found->pw_dir[0] != '/')
		return -ENOENT;
	if (asprintf(&path, "%s/.config/" NAME, found->pw_dir) < 0)
		return -ENOMEM;
	*ret_path = path;
	return 0;
}

int calibration_file_path(char **ret_path)
{
	const char *config = folder_from("XDG_CONFIG_HOME"), *home = folder_from("HOME");
	uid_t uid;
	char *path;
	int n;

	if (invoker(&uid))
		return path_in_home(uid, ret_path);
	if (!config && !home)
		return path_in_home(geteuid(), ret_path);
	n = config ? asprintf(&path, "%s/" NAME, config)
		   : asprintf(&path, "%s/.config/" NAME, home);
	if (n < 0)
		return -ENOMEM;
	*ret_path = path;
	return 0;
}

int calibration_file_read(const char *path, struct calibration *ret_calibration,
			  const char **ret_why)
{
	_cleanup_free_ char *text = NULL, *processor = NULL;
	struct calibration c;
	size_t len;
	int r = output_file_read(path, CALIBRATION_MOST_BYTES, &text, &len);

	if (r < 0) {
		*ret_why = r == -EFBIG ? "it is too large" : output_file_explain(r);
		return r;
	}
	r = calibration_read(text, len, &c, ret_why);
	if (r < 0)
		return r;
	r = target_processor(&processor);
	if (r < 0) {
		*ret_why = "this processor's kind is not known";
		return r;
	}
	if (strncmp(processor, c.processor, sizeof(c.processor) - 1) != 0) {
		*ret_why = "it was measured on another kind of processor";
		return -EXDEV;
	}
	*ret_calibration = c;
	return 0;
}

int calibration_file_write(const char *path, const struct calibration *c)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);
	int r, closed;

	if (!memory)
		return -ENOMEM;
	r = calibration_write(memory, c);
	closed = fclose(memory);
	if (r == 0 && closed)
		r = -ENOMEM;
	if (r == 0)
		r = output_file_make_folders(path);
	return r ? r : output_file_replace(path, OUTPUT_FILE_PUBLIC, text, len);
}

int calibration_file_use(struct calibration *ret_calibration, struct advice_opts *advice)
{
	_cleanup_free_ char *path = NULL;
	const char *why = NULL;
	int r = calibration_file_path(&path);

	if (r < 0)
		return -ENOENT;
	r = calibration_file_read(path, ret_calibration, &why);
	if (r < 0 && r != -ENOENT)
		log_error("%s is not used, the default costs are: %s; run 'ioprof calibrate'", path,
			  why);
	if (r < 0)
		return -ENOENT;
	advice->calibrated = ret_calibration->costs;
	return 0;
}
