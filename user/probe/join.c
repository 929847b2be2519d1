/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Services and processes that join while others are observed, and who could. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ioprof.skel.h>

#include "abi.h"
#include "base/cleanup.h"
#include "probe/internal.h"
#include "probe/iterate.h"
#include "target/target.h"

int probe_add_service(struct probe *probe, const char *name, size_t *ret_service)
{
	char *copy;

	if (probe->n_services == probe->max_services)
		return -ENOSPC;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	probe->services[probe->n_services].name = copy;
	*ret_service = probe->n_services++;
	return 0;
}

void probe_look_at(pid_t pid, struct iop_process *process)
{
	const struct target_interpreter interpreter = target_interpreter(TARGET_HERE, pid);

	process->green = target_schedules_goroutines(TARGET_HERE, pid);
	process->locks_at = interpreter.address;
	process->locks_size = interpreter.size;
	process->python = cpu_samples_python(interpreter.major, interpreter.minor);
}

int probe_join(struct probe *probe, size_t service, pid_t pid)
{
	int processes = bpf_map__fd(probe->skel->maps.processes);
	struct iop_process process = {.service = (uint32_t)service};
	struct iop_process followed;
	uint32_t tgid = (uint32_t)pid;

	if (!bpf_map_lookup_elem(processes, &tgid, &followed))
		return 0;
	/* Until stock is taken, a thread of this process that is not known is not lost. */
	__atomic_store_n(&probe->skel->bss->observing, 0, __ATOMIC_SEQ_CST);
	probe_look_at(pid, &process);
	if (process.python)
		(void)cpu_samples_start(probe->cpu_samples);
	if (bpf_map_update_elem(processes, &tgid, &process, BPF_NOEXIST))
		return errno == EEXIST ? 0 : -errno;
	if (!probe->services[service].pid)
		probe->services[service].pid = pid;
	return 1;
}

long probe_service_of(const struct probe *probe, pid_t pid)
{
	struct iop_process process;
	uint32_t tgid = (uint32_t)pid;

	if (bpf_map_lookup_elem(bpf_map__fd(probe->skel->maps.processes), &tgid, &process))
		return -ENOENT;
	return (long)process.service;
}

void probe_note_loss(struct probe *probe, enum loss loss, uint64_t n)
{
	probe->noted[loss] += n;
}

size_t probe_services(const struct probe *probe)
{
	return probe->n_services;
}

int probe_take_stock(struct probe *probe)
{
	int r;

	/* Twice: a connection's role is known once all listeners are. */
	r = iterate(probe->skel->progs.find_sockets);
	if (!r)
		r = iterate(probe->skel->progs.find_sockets);
	if (!r)
		r = iterate(probe->skel->progs.find_threads);
	__atomic_store_n(&probe->skel->bss->observing, 1, __ATOMIC_SEQ_CST);
	return r;
}

int probe_listeners(const struct probe *probe, struct probe_listener **ret_listeners, size_t *ret_n)
{
	_cleanup_free_ struct probe_listener *listeners = NULL;
	_cleanup_free_ void *bytes = NULL;
	const struct iop_listener_record *records;
	size_t size, n;
	int r;

	r = iterate_read(probe->skel->progs.report_listeners, &bytes, &size);
	if (r < 0)
		return r;
	records = bytes;
	n = size / sizeof(*records);
	listeners = calloc(n + 1, sizeof(*listeners));
	if (!listeners)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		listeners[i] = (struct probe_listener){.socket = records[i].socket,
						       .pid = (pid_t)records[i].tgid,
						       .port = (uint16_t)records[i].port};
	*ret_listeners = TAKE(listeners);
	*ret_n = n;
	return 0;
}
