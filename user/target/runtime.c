/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What runs a program's code, where that changes how its threads are to be read. */
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/target.h"

#define PATH_BYTES 4096

static void cleanup_elf(Elf **elf)
{
	(void)elf_end(*elf);
}

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

bool target_schedules_goroutines(const char *root, pid_t pid)
{
	_cleanup_(cleanup_elf) Elf *elf = NULL;
	_cleanup_close_ int fd = -1;
	char path[PATH_BYTES];

	if (snprintf(path, sizeof(path), "%s/proc/%d/exe", root, (int)pid) >= PATH_BYTES)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || elf_version(EV_CURRENT) == EV_NONE)
		return false;
	elf = elf_begin(fd, ELF_C_READ, NULL);
	return elf && has_go_section(elf);
}
