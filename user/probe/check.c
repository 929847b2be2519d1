/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this kernel and this user allow, found by trying each thing -p would do. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ioprof.skel.h>

#include "base/cleanup.h"
#include "probe/internal.h"
#include "probe/iterate.h"
#include "target/target.h"

#define FOUND_BYTES 160

struct checks {
	probe_check_fn report;
	void *ctx;
	int status; /* exit status of the first needed thing that failed */
};

static void check(struct checks *checks, bool ok, bool needed, const char *what, const char *found,
		  const char *fix, int status)
{
	checks->report(checks->ctx, ok, needed, what, found, ok ? NULL : fix);
	if (!ok && needed && !checks->status)
		checks->status = status;
}

static void check_permissions(struct checks *checks)
{
	_cleanup_free_ char *missing = NULL;
	char found[FOUND_BYTES];

	check(checks, !target_locked_down(), true, "lockdown",
	      target_locked_down() ? "confidentiality" : "does not keep BPF from reading",
	      "boot without lockdown=confidentiality (integrity is fine)", 4);
	if (target_missing_capabilities(&missing) < 0)
		return;
	(void)snprintf(found, sizeof(found),
		       *missing ? "missing %s" : "CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE%s",
		       missing);
	check(checks, !*missing, true, "capabilities", found,
	      "run as root (sudo ioprof doctor) or grant these capabilities", 3);
}

static bool check_types(struct checks *checks, struct kernel *ret_kernel)
{
	int64_t bytes = target_kernel_btf_bytes();
	char found[FOUND_BYTES];
	int r;

	r = bytes < 0 ? (int)bytes : kernel_read(ret_kernel);
	if (r < 0)
		(void)snprintf(found, sizeof(found), "/sys/kernel/btf/vmlinux: %s", strerror(-r));
	else
		(void)snprintf(found, sizeof(found), "/sys/kernel/btf/vmlinux, %.1f MB",
			       (double)bytes / 1e6);
	check(checks, r == 0, true, "BTF", found, "use a kernel built with CONFIG_DEBUG_INFO_BTF=y",
	      4);
	return r == 0;
}

static void check_features(struct checks *checks, const struct kernel *kernel)
{
	check(checks, kernel->task_storage, false, "task storage",
	      kernel->task_storage ? "yes" : "no",
	      "none needed: threads are followed in a hash map, at some more cost (kernel 5.11 has it)",
	      4);
	check(checks, kernel->task_pt_regs, false, "task registers",
	      kernel->task_pt_regs ? "by a helper" : "no helper",
	      "none needed: they are found on the stack (kernel 5.15 has the helper)", 4);
	check(checks, !kernel->preemptible_events, false, "messages",
	      kernel->preemptible_events ? "their programs can be preempted"
					 : "their programs run to their end",
	      "none needed: what is skipped for that, a second program takes up, at some more cost (kernels from 7.0)",
	      4);
	check(checks, kernel->readable_event, false, "arrival times",
	      kernel->readable_event ? "sk_data_ready" : "tcp_probe",
	      "none needed for TCP; requests over AF_UNIX have no queue wait (kernel 6.3 has the event)",
	      4);
}

static void cleanup_skeleton(struct ioprof_bpf **skel)
{
	ioprof_bpf__destroy(*skel);
}

/* Loads, attaches and takes stock, as -p does, with one set of socket hooks. */
static int try_set(const struct kernel *kernel, enum probe_socket_set set)
{
	_cleanup_(cleanup_skeleton) struct ioprof_bpf *skel = NULL;
	const struct programs_opts opts = {
		.kernel = kernel,
		.set = set,
		.n_services = 1,
		.max_peers = 16,
		.max_processes = 16,
		.task_storage = kernel->task_storage,
	};
	int r;

	r = probe_try(&opts, &skel);
	if (r < 0)
		return r;
	r = iterate(skel->progs.find_threads);
	return r < 0 ? r : iterate(skel->progs.find_sockets);
}

static void check_sets(struct checks *checks, const struct kernel *kernel)
{
	char what[FOUND_BYTES], found[FOUND_BYTES];
	bool any = false;
	int r = 0;

	for (enum probe_socket_set set = PROBE_SOCKET_TRACEPOINT; set <= PROBE_SOCKET_SYSCALL;
	     set++) {
		r = try_set(kernel, set);
		any |= r == 0;
		(void)snprintf(what, sizeof(what), "programs, set %s", programs_set_name(set));
		(void)snprintf(found, sizeof(found), r ? "refused: %s" : "load, attach and run",
			       strerror(-r));
		check(checks, r == 0, false, what, found,
		      any ? "none needed: a better set works"
			  : "none needed if one of the following sets works",
		      4);
	}
	check(checks, any, true, "socket messages",
	      any ? "by the first set that works" : "by no set",
	      r == -EPERM || r == -EACCES
		      ? "run as root on the host, not in a restricted container"
		      : "use kernel 5.15 or later; IOPROF_DEBUG=1 shows the kernel's own words",
	      r == -EPERM || r == -EACCES ? 3 : 4);
}

static void check_memory(struct checks *checks)
{
	bool readable = target_may_read_memory();

	check(checks, readable, false, "loaded packages",
	      readable ? "found in the memory of Python processes"
		       : "not found: the memory of other users' processes cannot be read",
	      "advice about others' services in Python is less certain; root can, or CAP_DAC_READ_SEARCH as well, where kernel.yama.ptrace_scope is not 3",
	      4);
}

static void check_statistics(struct checks *checks)
{
	_cleanup_close_ int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);

	check(checks, fd >= 0, false, "probe cost",
	      fd >= 0 ? "by the kernel's statistics" : strerror(errno),
	      "the report cannot say what the probes cost; CAP_SYS_ADMIN allows it", 4);
}

/* ioprof needs neither; who looks for the cause of something else is told here that this is not it.
 */
static void check_mounts(struct checks *checks)
{
	check(checks, true, false, "mounts", "neither tracefs nor bpffs is needed", NULL, 4);
}

int probe_check(probe_check_fn report, void *ctx)
{
	struct checks checks = {.report = report, .ctx = ctx};
	struct kernel kernel;

	programs_quiet();
	check_permissions(&checks);
	if (check_types(&checks, &kernel)) {
		check_features(&checks, &kernel);
		check_sets(&checks, &kernel);
	}
	check_memory(&checks);
	check_statistics(&checks);
	check_mounts(&checks);
	return checks.status;
}
