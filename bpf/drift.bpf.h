/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every difference between kernels and architectures, in one file: an accessor each, with the
 * kernel change behind it. User space sets the switches before loading, by what the kernel's BTF
 * and a trial load say, never by its version.
 */
#ifndef IOPROF_DRIFT_BPF_H
#define IOPROF_DRIFT_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* sched_switch has prev_state as 4th argument: 5.18, fa2c3254d7cf ("sched/tracing: Don't re-read
 * p->state"). */
extern const volatile bool has_prev_state;
/* Task storage: 5.11, 4cf1bc1f1045 ("bpf: Implement task local storage"). */
extern const volatile bool has_task_storage;
/* Socket storage in tracing programs: 5.11, 8e4597c627fb ("bpf: Allow using bpf_sk_storage in
 * FENTRY/FEXIT/RAW_TP"); not for set C, whose sockets are plain addresses to the verifier. */
extern const volatile bool has_socket_storage;
/* sk_data_ready: 6.3, 40e0b0908142 ("net/sock: Introduce trace_sk_data_ready()"). */
extern const volatile bool has_readable_event;
/* bpf_task_pt_regs: 5.15, dd6e10fbd9fb ("bpf: Add bpf_task_pt_regs() helper"). */
extern const volatile bool has_task_pt_regs;

/* task_struct::state became __state: 5.14, 2f064a59a11f ("sched: Change task_struct::state"). */
struct task_struct___before_5_14 {
	volatile long state;
} __attribute__((preserve_access_index));

#define TASK_UNINTERRUPTIBLE 0x2
#define TASK_STOPPED 0xc /* by a signal, or by a debugger */
/* Interruptible and these; the rest (killable, freezable, ...) are modifiers. */
#define TASK_STATES 0xf

static __always_inline u32 task_state(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return BPF_CORE_READ(task, __state);
	return (u32)BPF_CORE_READ((struct task_struct___before_5_14 *)task, state);
}

/* The state prev goes to sleep with: the tracepoint's where it says so, else the task's. */
static __always_inline u32 switched_out_state(u64 *ctx, struct task_struct *prev)
{
	return has_prev_state ? (u32)ctx[3] : task_state(prev);
}

/* False only if no program keeps anything on this task: the cheapest way to leave unobserved
 * threads alone. */
static __always_inline bool task_has_storage(struct task_struct *task)
{
	return !has_task_storage || !bpf_core_field_exists(task->bpf_storage) || task->bpf_storage;
}

#define KERNEL_STACK_BYTES 16384 /* x86-64 without KASAN; arm64 with 4 KiB pages */

/* A system call's number (negative in a page fault or interrupt) and its first four arguments. */
struct syscall {
	int number;
	u64 args[4];
};

#if defined(__TARGET_ARCH_x86)
#define REGISTER_NUMBER orig_ax
#define REGISTER_0 di
#define REGISTER_1 si
#define REGISTER_2 dx
#define REGISTER_3 r10
#elif defined(__TARGET_ARCH_arm64)
#define REGISTER_NUMBER syscallno
#define REGISTER_0 orig_x0
#define REGISTER_1 regs[1]
#define REGISTER_2 regs[2]
#define REGISTER_3 regs[3]
#endif

/* The registers a task entered the kernel with: by the helper, or else from the top of its kernel
 * stack. */
static __always_inline void task_syscall(struct task_struct *task, struct syscall *ret_syscall)
{
	struct pt_regs *regs;

	if (has_task_pt_regs) {
		regs = (struct pt_regs *)bpf_task_pt_regs(task);
		ret_syscall->number = (int)regs->REGISTER_NUMBER;
		ret_syscall->args[0] = regs->REGISTER_0;
		ret_syscall->args[1] = regs->REGISTER_1;
		ret_syscall->args[2] = regs->REGISTER_2;
		ret_syscall->args[3] = regs->REGISTER_3;
		return;
	}
	regs = (struct pt_regs *)(BPF_CORE_READ(task, stack) + KERNEL_STACK_BYTES) - 1;
	ret_syscall->number = (int)BPF_CORE_READ(regs, REGISTER_NUMBER);
	ret_syscall->args[0] = BPF_CORE_READ(regs, REGISTER_0);
	ret_syscall->args[1] = BPF_CORE_READ(regs, REGISTER_1);
	ret_syscall->args[2] = BPF_CORE_READ(regs, REGISTER_2);
	ret_syscall->args[3] = BPF_CORE_READ(regs, REGISTER_3);
}

/* A field of a socket: a plain load where the verifier knows the socket, a probe read where it is
 * only an address. */
#define SOCK_READ(sk, field) (has_socket_storage ? (sk)->field : BPF_CORE_READ(sk, field))

/* The file behind a task's file descriptor, NULL if there is none. */
static __always_inline struct file *task_file(struct task_struct *task, u64 fd)
{
	struct files_struct *files = task->files;
	struct file *file = NULL;
	struct fdtable *table;

	if (!files)
		return NULL;
	table = files->fdt;
	if (!table || fd >= table->max_fds)
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), table->fd + fd);
	return file;
}

#endif
