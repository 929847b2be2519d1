/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What runs a program's code, where that changes how its threads are to be read. */
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/procfs.h"
#include "target/target.h"

#define PATH_BYTES 4096

/* The section the Go linker puts its build information in; stripping keeps it. */
static bool has_go_section(Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	const char *name;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return false;
	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header))
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		if (name && (!strcmp(name, ".go.buildinfo") || !strcmp(name, ".gopclntab")))
			return true;
	}
	return false;
}

/* An open file, and libelf's view of it. */
struct program {
	int fd;
	Elf *elf;
};

static void cleanup_program(struct program *program)
{
	(void)elf_end(program->elf);
	if (program->fd >= 0)
		(void)close(program->fd);
}

/* Not ELF, or not to be read: .elf is NULL. */
static struct program open_program(const char *path)
{
	struct program program = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
	struct stat status;

	if (program.fd >= 0 && fstat(program.fd, &status) == 0 && S_ISREG(status.st_mode) &&
	    elf_version(EV_CURRENT) != EV_NONE)
		program.elf = elf_begin(program.fd, ELF_C_READ, NULL);
	return program;
}

bool target_schedules_goroutines(const char *root, pid_t pid)
{
	_cleanup_(cleanup_program) struct program program = {.fd = -1};
	char path[PATH_BYTES];

	if (snprintf(path, sizeof(path), "%s/proc/%d/exe", root, (int)pid) >= PATH_BYTES)
		return false;
	program = open_program(path);
	return program.elf && has_go_section(program.elf);
}

/* A symbol that a program exports. */
static bool find_symbol(Elf *elf, const char *name, GElf_Sym *ret_symbol)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(elf, section))) {
		Elf_Data *data;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNSYM)
			continue;
		data = elf_getdata(section, NULL);
		for (int i = 0; data && gelf_getsym(data, i, ret_symbol); i++) {
			const char *found = elf_strptr(elf, header.sh_link, ret_symbol->st_name);

			if (found && strcmp(found, name) == 0)
				return true;
		}
	}
	return false;
}

/* What is to be added to the addresses in a program whose first page is mapped there. */
static bool find_bias(Elf *elf, uint64_t start, uint64_t *ret_bias)
{
	GElf_Ehdr header;
	GElf_Phdr segment;
	size_t n;

	if (!gelf_getehdr(elf, &header) || elf_getphdrnum(elf, &n))
		return false;
	*ret_bias = 0;
	if (header.e_type == ET_EXEC)
		return true;
	for (size_t i = 0; i < n; i++) {
		if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_LOAD &&
		    segment.p_offset == 0) {
			*ret_bias = start - segment.p_vaddr;
			return true;
		}
	}
	return false;
}

/* A line of /proc/PID/maps: a file mapped from its beginning. Its path, or NULL. */
static char *mapped_whole(char *line, uint64_t *ret_start)
{
	char *path = strchr(line, '/');
	uint64_t offset;

	if (!path || sscanf(line, "%" SCNx64 "-%*x %*s %" SCNx64, ret_start, &offset) != 2 ||
	    offset != 0)
		return NULL;
	path[strcspn(path, "\n")] = '\0';
	return path;
}

/* "python3.11", "libpython3.11.so.1.0", and nothing else behind the version. */
static void read_version(const char *path, struct target_interpreter *interpreter)
{
	static const char library[] = "lib";
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	unsigned int major, minor;
	int end = 0;

	if (strncmp(name, library, sizeof(library) - 1) == 0)
		name += sizeof(library) - 1;
	if (sscanf(name, "python%u.%u%n", &major, &minor, &end) != 2 ||
	    (name[end] != '\0' && strncmp(name + end, ".so", 3) != 0 &&
	     strcmp(name + end, " (deleted)") != 0))
		return;
	interpreter->major = major;
	interpreter->minor = minor;
}

static bool state_in(const char *file, uint64_t start, struct target_interpreter *interpreter)
{
	_cleanup_(cleanup_program) struct program program = open_program(file);
	GElf_Sym symbol;
	uint64_t bias;

	if (!program.elf || !find_symbol(program.elf, "_PyRuntime", &symbol) ||
	    !find_bias(program.elf, start, &bias))
		return false;
	interpreter->address = symbol.st_value + bias;
	interpreter->size = symbol.st_size;
	return true;
}

struct target_interpreter target_interpreter(const char *root, pid_t pid)
{
	_cleanup_fclose_ FILE *maps = procfs_open("%s/proc/%d/maps", root, (int)pid);
	char exe[PATH_BYTES], program[PATH_BYTES] = "", file[PATH_BYTES];
	struct target_interpreter interpreter = {0};
	_cleanup_free_ char *line = NULL;
	bool found = false;
	size_t size = 0;
	uint64_t start;

	if (!maps || snprintf(exe, sizeof(exe), "%s/proc/%d/exe", root, (int)pid) >= PATH_BYTES)
		return interpreter;
	if (readlink(exe, program, sizeof(program) - 1) < 0)
		return interpreter;
	while (!found && getline(&line, &size, maps) > 0) {
		const char *path = mapped_whole(line, &start);

		if (path && strcmp(path, program) == 0)
			found = state_in(exe, start, &interpreter);
		else if (path && strstr(path, "/libpython") &&
			 snprintf(file, sizeof(file), "%s/proc/%d/root%s", root, (int)pid, path) <
				 PATH_BYTES)
			found = state_in(file, start, &interpreter);
		if (found)
			read_version(path, &interpreter);
	}
	return interpreter;
}
