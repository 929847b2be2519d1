/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Question: whose is this file of Python?
 *
 * Method: packages are installed below site-packages or dist-packages, the interpreter's own files
 * lie below lib/pythonX.Y; what lies elsewhere is the application's. package.def says what packages
 * are for. A framework is asked by its server, not the other way round, so a package that is used
 * in both is the framework's.
 */
#include <string.h>

#include "target/target.h"

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

/* Behind "/lib/python3.11/"; NULL: it lies elsewhere. */
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
	/* The latter is what an object that is made ends its initialisation with, since 3.12. */
	if (strncmp(path, "<frozen ", strlen("<frozen ")) == 0 || strcmp(path, "__init__") == 0)
		return TARGET_CODE_LIBRARY;
	file = below_library(path);
	if (file)
		return known(true, file, TARGET_CODE_LIBRARY);
	/* "<string>", "<template>": made by somebody while it runs. */
	if (path[0] == '/' || path[0] == '<' || strstr(path, ".py"))
		return TARGET_CODE_APPLICATION;
	return TARGET_CODE_UNKNOWN;
}
