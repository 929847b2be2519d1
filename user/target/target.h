/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes to observe and what the system says about them and about us: the only door to /proc
 * and /sys. Everything found here may be outdated by the time it returns; functions tell a process
 * that is gone with -ESRCH.
 */
#ifndef IOPROF_TARGET_TARGET_H
#define IOPROF_TARGET_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* This machine. Where a function takes a root, tests give a folder that holds proc and sys. */
#define TARGET_HERE ""

/* A process ID as a person types it, and nothing else: -EINVAL, or -ERANGE above what a kernel can
 * give out. */
int target_parse_pid(const char *text, pid_t *ret_pid);

/* True while the process runs: a zombie, a thread of another process and a gap are not alive. */
bool target_alive(pid_t pid);

/* True for threads of the kernel, which have no program. */
bool target_is_kernel_thread(pid_t pid);

/*
 * What a person calls the process: the name of its program or the one it gave itself, and for an
 * interpreter what it runs ("gunicorn", "app.js", "shop.jar"). Any bytes, at least one. The caller
 * frees. 0, -ESRCH or -errno.
 */
int target_process_name(pid_t pid, char **ret_name);
int target_process_name_in(const char *root, pid_t pid, char **ret_name);

/* Whether that name can be another one than the kernel's. */
bool target_name_may_differ(const char *kernel_name);

/* The process and all its descendants, itself first. The caller frees. 0, -ESRCH or -errno. */
int target_descendants(pid_t pid, pid_t **ret_pids, size_t *ret_n);

/* True if the process is the other one or descends from it. */
bool target_descends(pid_t pid, pid_t ancestor);

/*
 * True if the program is a Go program, whose goroutines move between its threads: a sleeping thread
 * of it waits for no particular one. False also where the program cannot be read.
 */
bool target_schedules_goroutines(const char *root, pid_t pid);

/* Whose a file of Python is, by where it lies and the name of its package. */
enum target_code {
	TARGET_CODE_APPLICATION,
	TARGET_CODE_SERVER,
	TARGET_CODE_FRAMEWORK,
	TARGET_CODE_CLIENT,  /* for HTTP */
	TARGET_CODE_PACKAGE, /* installed, and nothing is known of it */
	TARGET_CODE_LIBRARY, /* the interpreter's own */
	TARGET_CODE_UNKNOWN, /* no path at all */
};

enum target_code target_python_code(const char *path);

/*
 * The interpreter that a process runs: where its state lies in the process's memory, its own locks
 * in it (CPython's _PyRuntime), an address and a number of bytes; and its version by the name of
 * the file it is in. All 0 where there is none or it cannot be read; the version alone where the
 * name has none, or says that it was built without the interpreter lock.
 */
struct target_interpreter {
	uint64_t address, size;
	unsigned int major, minor;
};

struct target_interpreter target_interpreter(const char *root, pid_t pid);

/* The process a thread belongs to (of a process: itself), or -ESRCH. */
pid_t target_process_of(pid_t tid);

/*
 * Which of the capabilities ioprof needs (CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE) this process lacks,
 * as words: "CAP_BPF, CAP_PERFMON"; empty when it has all. The caller frees. 0 or -errno.
 */
int target_missing_capabilities(char **ret_names);

/* Whether target_modules() may look at other users' processes. */
bool target_may_read_memory(void);

/* True where PIDs are the kernel's own, not those of a container's PID namespace. */
bool target_in_first_pid_namespace(void);

/* True if the kernel is locked down for confidentiality, where BPF may not read its memory. */
bool target_locked_down(void);

/* The kind of processor, architecture first: "x86_64 Intel(R) ...". The caller frees. 0 or -errno.
 */
int target_processor(char **ret_name);

/* Size in bytes of the kernel's own type information, /sys/kernel/btf/vmlinux, or -errno. */
int64_t target_kernel_btf_bytes(void);

/* The kernel's limit is 8192 on every architecture. */
#define TARGET_CPUS_MAX 8192

/* What some processes may use of the machine's processors; 0: not known. */
struct target_cpus {
	double usable; /* all together: affinity, cpuset, quotas of their control groups */
	double host;   /* on line */
	uint64_t in[TARGET_CPUS_MAX / 64]; /* those on line they may run on: target_cpus_has() */
};

bool target_cpus_has(const struct target_cpus *cpus, size_t cpu);

#define TARGET_NO_CPU UINT64_MAX

/* How long each processor has been idle, TARGET_NO_CPU where there is none of that number. */
struct target_idle {
	uint64_t *ns;
	size_t n;
	uint64_t at_ns; /* read then */
};

/* now_ns: the monotonic clock. None where it cannot be read. 0 or -ENOMEM; free with
 * target_idle_done(). */
int target_idle_read(const char *root, uint64_t now_ns, struct target_idle *ret_idle);
void target_idle_done(struct target_idle *idle);

/* to: all zero, or another one. 0 or -ENOMEM with nothing changed. */
int target_idle_copy(const struct target_idle *from, struct target_idle *to);

/* How long these processors ran something between the two, summed. */
uint64_t target_busy_ns(const struct target_idle *from, const struct target_idle *to,
			const struct target_cpus *cpus);

/* What quotas of control groups cost. */
struct target_throttling {
	uint64_t periods, throttled; /* periods of quota; of these, cut short */
	uint64_t throttled_ns;	     /* over all processors */
};

/* The groups of a service that have a quota, and what they said last. */
struct target_quotas;

/* NULL when out of memory. */
struct target_quotas *target_quotas_new(void);
void target_quotas_free(struct target_quotas *quotas);

/*
 * What the processes may use now; their groups' quotas are followed from here on, or as before. A
 * process's affinity is that of its first thread. 0 or -ENOMEM; what cannot be read is not known.
 */
int target_cpus_read(const char *root, const pid_t *pids, size_t n, struct target_quotas *quotas,
		     struct target_cpus *ret_cpus);

/* What the followed groups lost since the last call, or since they are followed; summed over them.
 */
void target_quotas_take(struct target_quotas *quotas, struct target_throttling *ret_throttling);

/* One process's memory in bytes, as the kernel accounts for it. */
struct target_memory {
	uint64_t unique; /* its own alone (USS) */
	uint64_t share;	 /* its share of all it uses (PSS), unique included */
};

/* 0, -ESRCH, -EACCES or -errno. */
int target_memory_read(const char *root, pid_t pid, struct target_memory *ret_memory);

/*
 * What a thread's stack holds in memory of its own, in bytes: the median over the process's threads
 * but the first, of those asleep whose stack can be told. 0: not known.
 */
uint64_t target_stack_bytes(const char *root, pid_t pid);

/* What memory the processes' control groups leave them. */
struct target_room {
	uint64_t limit;	    /* of the groups; 0: none */
	uint64_t available; /* up to it, or on the machine, whichever is less; 0: not known */
};

/* 0 or -ENOMEM; what cannot be read is not known. */
int target_room_read(const char *root, const pid_t *pids, size_t n, struct target_room *ret_room);

/* Something a process is proven to be made of; static, by the names of docs/method.md. */
typedef int (*target_component_fn)(void *ctx, const char *name);

/*
 * Calls back for each thing the process is made of, as its program, command line and mapped files
 * prove; the same may come more than once. ret_locked: its interpreter lets one thread run at a
 * time. 0, -ESRCH, or the first that is not 0 of what the callback returned.
 */
int target_components(const char *root, pid_t pid, target_component_fn found, void *ctx,
		      bool *ret_locked);

/*
 * How many variables the environment had that the process began with; 0: not known. Counted are
 * those that are still there: a title written over them (setproctitle) takes some away.
 */
uint32_t target_environment_variables(const char *root, pid_t pid);

/* What looking at memory may still take. */
struct target_scan {
	uint64_t bytes, cpu_ns; /* to read; of this thread */
};

/*
 * Calls back for each of the packages of Python (module.def) that a process which runs CPython has
 * loaded, by reading its memory; the same may come more than once. Nothing changes for the process.
 * Takes from budget what it took. ret_all: all of its memory was looked at, so what was not found
 * is not loaded; false too where something lies in a place unusual for a package. 0, -ESRCH;
 * -EACCES or -EPERM: may not; -ENODATA: no file of Python in what was looked at; -errno; or the
 * first that is not 0 of what the callback returned.
 */
int target_modules(pid_t pid, struct target_scan *budget, target_component_fn found, void *ctx,
		   bool *ret_all);

#endif
