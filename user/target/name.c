/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a person calls a process.
 *
 * The kernel's name of a process is right for most: "postgres", "redis-server", a script started by
 * its "#!" line. It says too little in two cases. Started through an interpreter the process is
 * called "python3" or "java"; then the command line is read as that interpreter reads it, up to
 * what it runs. And the kernel keeps 15 bytes only; then the command line may begin with the whole
 * name.
 */
#include <stdbool.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/procfs.h"
#include "target/target.h"

/* What the kernel keeps of a name, TASK_COMM_LEN without the terminator. */
#define KERNEL_NAME_MAX 15

/* Lists are words between spaces. */
struct interpreter {
	const char *name;	 /* without the version behind it */
	const char *takes_value; /* options followed by a value of their own */
	const char *names_it;	 /* options followed by the name of what runs */
	const char *nameless;	 /* options after which there is nothing to name: a program given in
				    the command line */
};

static const struct interpreter interpreters[] = {
	{"python", " -W -X --check-hash-based-pycs ", " -m ", " -c "},
	{"pypy", " -W -X ", " -m ", " -c "},
	{"node",
	 " -r --require --import --loader --experimental-loader -C --conditions --env-file ", " ",
	 " -e --eval -p --print -pe "},
	{"nodejs", " -r --require --import --loader ", " ", " -e --eval -p --print -pe "},
	{"java",
	 " -cp -classpath --class-path -p --module-path --add-modules --add-opens --add-exports --add-reads "
	 "--upgrade-module-path --enable-native-access ",
	 " -jar -m --module ", " "},
	{"ruby", " -C -I -r ", " -S ", " -e "},
	{"perl", " -I ", " -S ", " -e -E "},
	{"php", " -c -d -t -S ", " -f ", " -r -R "},
	{"dotnet", " --additionalprobingpath --depsfile --runtimeconfig --fx-version ", " exec ",
	 " "},
	/* Newer versions of node call their main thread so. */
	{"MainThread", " -r --require --import --loader -C --conditions --env-file ", " ",
	 " -e --eval -p --print "},
};

/* The arguments of a process, each ended by a zero byte. */
struct arguments {
	const char *bytes;
	size_t length;
};

/* The next argument, or NULL behind the last. The buffer has a terminator behind it, so the last
 * one ends as well. */
static const char *arguments_next(struct arguments *args)
{
	const char *arg = args->bytes;
	size_t length;

	if (args->length == 0)
		return NULL;
	length = strlen(arg) + 1;
	if (length > args->length)
		length = args->length;
	args->bytes += length;
	args->length -= length;
	return arg;
}

static bool contains_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; length > 0 && (at = strstr(at, word)); at++) {
		if (at > list && at[-1] == ' ' && at[length] == ' ')
			return true;
	}
	return false;
}

static const struct interpreter *find_interpreter(const char *name)
{
	for (size_t i = 0; i < sizeof(interpreters) / sizeof(interpreters[0]); i++) {
		size_t length = strlen(interpreters[i].name);

		if (strncmp(name, interpreters[i].name, length) == 0 &&
		    name[length + strspn(name + length, "0123456789.")] == '\0')
			return &interpreters[i];
	}
	return NULL;
}

/* The last part of a path; the whole if it ends in a slash. */
static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* What the interpreter runs, by its command line; NULL when that does not say. */
static const char *find_program(const struct interpreter *interpreter, struct arguments args)
{
	const char *arg;

	(void)arguments_next(&args);
	while ((arg = arguments_next(&args))) {
		const char *program = arg;

		if (contains_word(interpreter->nameless, arg))
			return NULL;
		if (contains_word(interpreter->takes_value, arg)) {
			(void)arguments_next(&args);
			continue;
		}
		if (contains_word(interpreter->names_it, arg))
			program = arguments_next(&args);
		else if (arg[0] == '-')
			continue;
		return program && *program ? last_part(program) : NULL;
	}
	return NULL;
}

/* The name the command line begins with, if the kernel's is a shortened form of it; else NULL. */
static const char *find_whole_name(const char *kernel_name, struct arguments args)
{
	const char *first = arguments_next(&args);

	if (!first || strlen(kernel_name) < KERNEL_NAME_MAX)
		return NULL;
	if (strncmp(first, kernel_name, KERNEL_NAME_MAX) == 0)
		return first;
	first = last_part(first);
	return strncmp(first, kernel_name, KERNEL_NAME_MAX) == 0 ? first : NULL;
}

bool target_name_may_differ(const char *kernel_name)
{
	return find_interpreter(kernel_name) || strlen(kernel_name) >= KERNEL_NAME_MAX;
}

int target_process_name(pid_t pid, char **ret_name)
{
	return target_process_name_in(TARGET_HERE, pid, ret_name);
}

int target_process_name_in(const char *root, pid_t pid, char **ret_name)
{
	_cleanup_free_ char *kernel_name = NULL;
	_cleanup_free_ char *command_line = NULL;
	const struct interpreter *interpreter;
	struct arguments args = {0};
	const char *better = NULL;
	size_t length;
	char *name;
	int r;

	r = procfs_read_of(root, pid, "comm", &kernel_name, &length);
	if (r < 0)
		return r;
	if (length > 0 && kernel_name[length - 1] == '\n')
		kernel_name[length - 1] = '\0';
	/* Without a command line, as for a kernel thread, the kernel's name has to do. */
	if (procfs_read_of(root, pid, "cmdline", &command_line, &length) == 0)
		args = (struct arguments){.bytes = command_line, .length = length};
	interpreter = find_interpreter(kernel_name);
	if (interpreter)
		better = find_program(interpreter, args);
	else
		better = find_whole_name(kernel_name, args);
	if (!better)
		better = *kernel_name ? kernel_name : "?";
	name = strdup(better);
	if (!name)
		return -ENOMEM;
	*ret_name = name;
	return 0;
}
