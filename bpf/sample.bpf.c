/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose code a service in Python runs: at each tick of a clock the files of the frames that the
 * running thread has open, read from the interpreter's own structures (abi.h). A thread keeps its
 * frames while it is in the kernel or in C, so system calls count for the code that makes them.
 *
 * Memory that is not there now is not waited for, and what is read is not trusted: user space
 * counts stacks that make no sense as unknown. Of a stack too deep, the innermost frames count.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"

#define THREADS_MOST 128
#define FRAMES_MOST 160
/* FRAME_OWNED_BY_CSTACK, _INTERPRETER of pycore_frame.h: a frame without code is at least that. */
#define OWNED_BY_NOBODY 3
#define REFERENCE (~(u64)3) /* of a _PyStackRef, what is the address */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct iop_sample);
} sample_scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct iop_python_path);
} path_scratch SEC(".maps");

static __always_inline u64 word_at(u64 address)
{
	u64 word = 0;

	(void)bpf_probe_read_user(&word, sizeof(word), (const void *)address);
	return word;
}

static __always_inline u8 byte_at(u64 address)
{
	u8 byte = 0;

	(void)bpf_probe_read_user(&byte, sizeof(byte), (const void *)address);
	return byte;
}

/* The running thread's pthread_t: its thread pointer. */
static __always_inline u64 thread_self(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

#if defined(__TARGET_ARCH_arm64)
	return BPF_CORE_READ(task, thread.uw.tp_value);
#else
	return BPF_CORE_READ(task, thread.fsbase);
#endif
}

/* The state of the running thread; 0: it is none of the interpreter's. */
static __always_inline u64 find_thread(u64 runtime, const struct iop_python *python)
{
	u64 self = thread_self();
	u64 thread = word_at(word_at(runtime + python->interpreter) + python->thread);

	for (int i = 0; i < THREADS_MOST && thread; i++) {
		if (word_at(thread + python->self) == self)
			return thread;
		thread = word_at(thread + python->next);
	}
	return 0;
}

/* User space reads the name by the address; it is read once. */
static __always_inline void note_file(u32 tgid, u64 file, const struct iop_python *python)
{
	struct iop_python_file key = {.address = file, .tgid = tgid};
	struct iop_python_path *path;
	u32 zero = 0;

	if (bpf_map_lookup_elem(&python_files, &key))
		return;
	path = bpf_map_lookup_elem(&path_scratch, &zero);
	if (!path)
		return;
	if (bpf_probe_read_user_str(path->text, sizeof(path->text),
				    (const void *)(file + python->text)) < 0)
		path->text[0] = 0;
	(void)bpf_map_update_elem(&python_files, &key, path, BPF_ANY);
}

static __always_inline u64 innermost(u64 thread, const struct iop_python *python)
{
	u64 frame = word_at(thread + python->frame);

	return python->running == IOP_PYTHON_NOTHING_BETWEEN ? frame
							     : word_at(frame + python->running);
}

static __always_inline void walk(struct iop_sample *sample, u64 frame,
				 const struct iop_python *python)
{
	u64 last = 0, file;

	for (int i = 0; i < FRAMES_MOST && frame; i++) {
		bool empty = python->owner && byte_at(frame + python->owner) >= OWNED_BY_NOBODY;
		u64 code = empty ? 0 : word_at(frame + python->code) & REFERENCE;

		file = code ? word_at(code + python->file) : 0;
		frame = word_at(frame + python->caller);
		if (!file || file == last)
			continue;
		if (sample->n >= IOP_SAMPLE_FILES)
			break;
		sample->files[sample->n & (IOP_SAMPLE_FILES - 1)] = file;
		sample->n++;
		last = file;
		note_file(sample->tgid, file, python);
	}
}

SEC("perf_event")
int on_tick(void *ctx)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32, zero = 0, row;
	const struct iop_process *process;
	const struct iop_python *python;
	struct iop_sample *sample;
	u64 thread, size;

	if (!window_open || !in_sample_now())
		return 0;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (!process || !process->python)
		return 0;
	row = process->python - 1;
	python = bpf_map_lookup_elem(&pythons, &row);
	sample = bpf_map_lookup_elem(&sample_scratch, &zero);
	if (!sample || !python)
		return 0;
	sample->tgid = tgid;
	sample->service = process->service;
	sample->n = 0;
	thread = find_thread(process->locks_at, python);
	if (thread)
		walk(sample, innermost(thread, python), python);
	size = sample->n;
	if (size > IOP_SAMPLE_FILES)
		size = IOP_SAMPLE_FILES;
	size = sizeof(*sample) - sizeof(sample->files) + size * sizeof(u64);
	(void)bpf_ringbuf_output(&samples, sample, size, BPF_RB_NO_WAKEUP);
	return 0;
}
