/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: whose is this file of Python?
 *
 * Method: packages are installed below site-packages or dist-packages, the interpreter's own files
 * lie below lib/pythonX.Y; what lies elsewhere is the application's. package.def says what packages
 * are for. A framework is asked by its server, not the other way round, so a package that is used
 * in both is the framework's.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/procfs.h"
#include "target/target.h"

#define PATH_BYTES 4096
#define VERSION "0123456789."

static const struct package {
	bool library;
	enum target_code code;
	const char *name;
} packages[] = {
#define PACKAGE(code, name) {false, TARGET_CODE_##code, name},
#define LIBRARY(code, name) {true, TARGET_CODE_##code, name},
#include "target/package.def"
#undef PACKAGE
#undef LIBRARY
};

/* Of a folder of packages: "requests/api.py", or "bottle.py". */
static bool is_of(const char *file, const char *package)
{
	size_t n = strlen(package);

	return strncmp(file, package, n) == 0 && (file[n] == '/' || strcmp(file + n, ".py") == 0);
}

static enum target_code known(bool library, const char *file, enum target_code otherwise)
{
	for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
		const struct package *p = &packages[i];

		if (p->library == library &&
		    (library ? strncmp(file, p->name, strlen(p->name)) == 0 : is_of(file, p->name)))
			return p->code;
	}
	return otherwise;
}

/* Behind the last "/lib/python3.11/"; NULL: it lies elsewhere. */
static const char *below_library(const char *path)
{
	static const char folder[] = "/lib/python";
	const char *at = strstr(path, folder);

	if (!at)
		return NULL;
	at += sizeof(folder) - 1;
	at += strspn(at, VERSION);
	return *at == '/' ? at + 1 : NULL;
}

enum target_code target_python_code(const char *path)
{
	static const char installed[] = "-packages/";
	const char *file = strstr(path, installed);

	if (file)
		return known(false, file + sizeof(installed) - 1, TARGET_CODE_PACKAGE);
	if (strncmp(path, "<frozen ", strlen("<frozen ")) == 0)
		return TARGET_CODE_LIBRARY;
	file = below_library(path);
	if (file)
		return known(true, file, TARGET_CODE_LIBRARY);
	/* "<string>", "<template>": made by somebody while it runs. */
	if (path[0] == '/' || path[0] == '<' || strstr(path, ".py"))
		return TARGET_CODE_APPLICATION;
	return TARGET_CODE_UNKNOWN;
}

/* "python3.11" and nothing behind the version. */
static bool version_of(const char *name, unsigned int *ret_major, unsigned int *ret_minor)
{
	int end = 0;

	return sscanf(name, "python%u.%u%n", ret_major, ret_minor, &end) == 2 &&
	       (name[end] == '\0' || strncmp(name + end, ".so", 3) == 0 ||
		strcmp(name + end, " (deleted)") == 0);
}

bool target_python_version(const char *root, pid_t pid, unsigned int *ret_major,
			   unsigned int *ret_minor)
{
	static const char library[] = "/libpython";
	_cleanup_fclose_ FILE *maps = NULL;
	_cleanup_free_ char *line = NULL;
	char path[PATH_BYTES], file[PATH_BYTES];
	size_t size = 0;
	ssize_t length;
	const char *at;

	if (snprintf(path, sizeof(path), "%s/proc/%d/exe", root, (int)pid) >= PATH_BYTES)
		return false;
	length = readlink(path, file, sizeof(file) - 1);
	if (length < 0)
		return false;
	file[length] = '\0';
	at = strrchr(file, '/');
	if (at && version_of(at + 1, ret_major, ret_minor))
		return true;
	maps = procfs_open("%s/proc/%d/maps", root, (int)pid);
	while (maps && getline(&line, &size, maps) > 0) {
		at = strstr(line, library);
		if (at && version_of(at + strlen("/lib"), ret_major, ret_minor))
			return true;
	}
	return false;
}
