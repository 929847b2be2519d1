/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps all programs share. Defined once, in maps.bpf.c; every other source sees them as extern
 * and the linker joins them. Sizes marked "set by user space" follow the number of services and the
 * command line.
 */
#ifndef IOPROF_MAPS_BPF_H
#define IOPROF_MAPS_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "state.bpf.h"

#ifdef IOPROF_DEFINE_MAPS
#define MAP
#else
#define MAP extern
#endif

/* State that lives and dies with its thread or socket, and what stands in for it where the kernel
 * has no such storage. */
MAP struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct thread);
} threads_hash SEC(".maps");

MAP struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct conn);
} conns SEC(".maps");

MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct conn);
} conns_hash SEC(".maps");

/* Membership. */
MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* set by user space */
	__type(key, u32);
	__type(value, struct iop_process);
} processes SEC(".maps");

MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct iop_listener);
	__type(value, struct iop_listening);
} listeners SEC(".maps");

/* Pieces of open requests, by threads that went on to something else. What its request never
 * collects is pushed out by what comes later. */
MAP struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct share);
} shares SEC(".maps");

MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by user space: services */
	__type(key, u32);
	__type(value, struct iop_serving);
} serving SEC(".maps");

/*
 * What a service's pool has spent on requests that nothing names: a thread that finds its next
 * piece of work waiting is not woken for it. The next request answered takes it, so that sums over
 * requests, and all means, are right.
 */
MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by user space: services */
	__type(key, u32);
	__type(value, struct cost);
} unnamed SEC(".maps");

/* Futex addresses at which requests have waited. The oldest are forgotten first. */
MAP struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct lock_key);
	__type(value, struct lock);
} locks SEC(".maps");

/* Threads of other processes that were woken by sending, and what they had run until then. */
MAP struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct other);
} others SEC(".maps");

/* What is counted. */
MAP struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1); /* set by user space: services */
	__type(key, u32);
	__type(value, struct iop_totals);
} totals SEC(".maps");

/* In as many copies as memory allows, up to one per CPU: spares the CPUs each other's cache lines,
 * but what many CPUs times many services would take is more than a machine can spare. */
MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, IOP_DISTS); /* set by user space: copies * services * IOP_DISTS */
	__type(key, u32);
	__type(value, struct iop_hist);
} hists SEC(".maps");

MAP struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2); /* set by user space: services * 2 */
	__type(key, u32);
	__type(value, struct iop_max);
} maxima SEC(".maps");

/* By how long their process had paused before them: requests of threads that are no event loops. */
MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, IOP_PAUSE_BINS); /* set by user space: services * IOP_PAUSE_BINS */
	__type(key, u32);
	__type(value, struct iop_pause);
} pauses SEC(".maps");

MAP struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, IOP_LOSS_COUNT);
	__type(key, u32);
	__type(value, u64);
} losses SEC(".maps");

MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512); /* set by user space */
	__type(key, struct iop_peer_key);
	__type(value, u32);
} peer_ids SEC(".maps");

MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 513); /* set by user space: services + rows */
	__type(key, u32);
	__type(value, struct iop_peer);
} peers SEC(".maps");

/* The longest wait of each peer, in even and odd epochs as in maxima. */
MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1026); /* set by user space: rows of peers * 2 */
	__type(key, u32);
	__type(value, u64);
} peer_maxima SEC(".maps");

/* What stopped the services' event loops. */
MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, IOP_WAITS); /* set by user space: services * IOP_WAITS */
	__type(key, u32);
	__type(value, struct iop_blocked_class);
} blocked SEC(".maps");

/* Connections waiting to be accepted, as one was taken up: the most, per service. */
MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by user space: services */
	__type(key, u32);
	__type(value, struct iop_peak);
} backlogs SEC(".maps");

/* Sampled requests, and which are. */
MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 3072); /* set by user space */
	__type(key, u64);
	__type(value, struct iop_trace);
} traces SEC(".maps");

MAP struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 3072); /* set by user space */
	__type(key, u64);
	__type(value, struct iop_tail);
} tails SEC(".maps");

MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by user space: services */
	__type(key, u32);
	__type(value, struct iop_sampling);
} sampling SEC(".maps");

/* Whether any request of a service was ever worked on by more than one thread: spares the others
 * the look-up. */
MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by user space: services */
	__type(key, u32);
	__type(value, u32);
} sharing SEC(".maps");

/* Where Pythons keep their frames, and what they were doing as the clock ticked. */
MAP struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, IOP_PYTHONS);
	__type(key, u32);
	__type(value, struct iop_python);
} pythons SEC(".maps");

MAP struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} samples SEC(".maps");

MAP struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct iop_python_file);
	__type(value, struct iop_python_path);
} python_files SEC(".maps");

/* Written by user space before load (volatile: read anew) ... */
extern const volatile unsigned int service_count;
extern const volatile unsigned int cpu_words;	/* of a set of processors, up to IOP_CPU_WORDS */
extern const volatile unsigned int hist_copies; /* a power of two */
extern const volatile unsigned int peer_rows;
extern const volatile unsigned char syscall_kinds[IOP_SYSCALLS];
/* ... while running: that stock has been taken, and what is missed from now on is lost ... */
extern unsigned int observing;
/* ... how many requests of a service are sampled before fewer are ... */
extern unsigned int trace_budget;
/* ... which half of maxima is being written ... */
extern unsigned int epoch;
/*
 * ... when is observed. Between windows the programs leave everything alone but who belongs to a
 * service. Of what a window shows, the requests that are opened from sample_from to sample_to are
 * the sample: what is counted. The time before lets them be seen to arrive, the time after lets
 * them end ...
 */
extern unsigned int window_open;		   /* its number, from 1 on; 0: none is */
extern unsigned long window_opened, window_closed; /* the last time */
extern unsigned long sample_from, sample_to;
/* ... and by the programs: rows of peers in use, and messages that only the second of two programs
 * saw (preempted.bpf.c). */
extern unsigned int peers_used;
extern unsigned long messages_rescued;

static __always_inline void peak_take(struct iop_peak *peak, u64 value)
{
	u32 half = epoch & 1;

	if (peak->epoch[half] != epoch) {
		peak->epoch[half] = epoch;
		peak->value[half] = value;
	} else if (value > peak->value[half]) {
		peak->value[half] = value;
	}
}

/* Whether what happened then is of the sample. */
static __always_inline bool in_sample(u64 at)
{
	return at - sample_from < sample_to - sample_from;
}

static __always_inline bool in_sample_now(void)
{
	return (window_open == 1 && sample_to == IOP_NO_END) || in_sample(bpf_ktime_get_ns());
}

/* The bits of a request's number: when it was opened, on which CPU, and whether it is of the
 * sample. No CPU opens two in the same nanosecond. */
static __always_inline u64 request_number(u64 now)
{
	return now << 9 | (bpf_get_smp_processor_id() & 0xff) << 1 | in_sample(now);
}

static __always_inline bool request_in_sample(u64 request)
{
	return request & 1;
}

static __always_inline void count_loss(enum iop_loss loss)
{
	u32 key = loss;
	u64 *n = bpf_map_lookup_elem(&losses, &key);

	if (n)
		__sync_fetch_and_add(n, 1);
}

#endif
