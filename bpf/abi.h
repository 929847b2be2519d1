/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract between the BPF programs and user space: everything that crosses the kernel
 * boundary, once.
 *
 * Fixed-width types, explicit padding, sizes asserted. All times are nanoseconds of
 * CLOCK_MONOTONIC. All counters only grow and wrap; user space keeps the last value it read and
 * takes differences.
 */
#ifndef IOPROF_ABI_H
#define IOPROF_ABI_H

#include "bucket.h"
#include "in_flight.h"
#include "pause.h"

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* The parts of a request's wall time, in the order of user/model/part.def: waits first. */
enum iop_part {
	IOP_NETWORK,
	IOP_CLIENT,
	IOP_DISK,
	IOP_LOCK,
	IOP_SLEEP,
	IOP_CHILD,
	IOP_OTHER,
	IOP_WAITS, /* how many of the parts are waits */
	IOP_CPU = IOP_WAITS,
	IOP_RUN_QUEUE,
	IOP_COSTS, /* how many of the parts are measured where they happen; the rest follow at the
		      end */
	IOP_OVERLAPPED = IOP_COSTS,
	IOP_UNATTRIBUTED,
	IOP_PARTS,
	/* Beside the parts, three more distributions per request. */
	IOP_LATENCY = IOP_PARTS,
	IOP_QUEUE_WAIT,
	IOP_SERVICE_TIME,
	IOP_DISTS,
};

/* What can be lost, in the order of user/model/loss.def. Map losses: one per-CPU counter each. */
enum iop_loss {
	IOP_LOSS_THREADS,
	IOP_LOSS_CONNECTIONS,
	IOP_LOSS_PROCESSES,
	IOP_LOSS_LISTENERS,
	IOP_LOSS_PEERS,
	IOP_LOSS_SHARES,
	IOP_LOSS_LOCKS,
	IOP_LOSS_BUSY,
	IOP_LOSS_TRACES,
	IOP_LOSS_COUNT, /* the kernel's own recursion counter follows in loss.def */
};

/* How many durations fell into each bucket, zeros left out. Map hists, hist_copies of it one after
 * the other, whose sum it is; index service * IOP_DISTS + dist. */
struct iop_hist {
	__u32 buckets[IOP_BUCKET_COUNT];
};

/* The maximum of each distribution. Map maxima, per CPU; index service * 2 + (epoch & 1): user
 * space flips the epoch, then reads and clears the half that is no longer written. */
struct iop_max {
	__u64 ns[IOP_DISTS];
};

/* The unit of the moments: durations are cut to 2^IOP_MOMENT_SHIFT ns before they are squared, so
 * that a sum of squares of even 1,000 requests of a minute each fits between two reads. */
#define IOP_MOMENT_SHIFT 8

/* Sets of processors are looked at as far as this many words of 64. */
#define IOP_CPU_WORDS 16

/* A service's counters. Map totals, per CPU, index service. */
struct iop_totals {
	__u64 completed, arrival_unknown, at_attach, aborted;
	__u64 operations, waits;
	__u64 parallel_ns, overlapped_io_ns;
	__u64 sum_ns[IOP_DISTS];
	__u64 known; /* requests in latency and queue wait */
	__u64 xx, yy, xy;
	__u64 opened_by_loop, opened_by_worker, handed_off, pool_ns, own_ns;
	/* What threads of other processes ran, from one operation with a peer that woke them to the
	 * next; of those that may run on no other processors than it. */
	__u64 peer_cpu_ns;
	/* Threads that ended: what their last record would have said; of those that read requests,
	 * how many there were, how many were processes of their own, and their time. */
	__u64 ended_cpu_ns, ended_cpu_observed_ns;
	__u64 ended_serving, ended_serving_processes, ended_serving_ns, ended_serving_idle_ns;
};

_Static_assert(sizeof(struct iop_totals) / sizeof(__u64) == 8 + IOP_DISTS + 1 + 3 + 5 + 1 + 6,
	       "no padding");

/*
 * Requests that began so long after their process had last begun or answered one, and what each
 * took: sums of the pauses, of CPU and of its squares (in units of the moments). No pause: their
 * thread has not slept since it answered the last one. CPU is that of the request and of its thread
 * before it, since then. Event loops' are not among them, nor is a thread's first. Map pauses,
 * shared by all CPUs; index service * IOP_PAUSE_BINS + bin.
 */
struct iop_pause {
	__u64 requests, pause_ns, cpu_ns, cpu_squares;
};

/* Where a process belongs. Map processes, key: tgid as the kernel numbers it; removed when it
 * exits. */
enum iop_green {
	IOP_GREEN_NO,
	IOP_GREEN_YES,	   /* it schedules goroutines on its threads */
	IOP_GREEN_UNKNOWN, /* a new program, at which nobody has looked: what it does shows */
};

struct iop_process {
	__u32 service;
	__u32 green; /* enum iop_green */
	/* Where every futex is a lock: the state of its interpreter. From, bytes; 0: none. */
	__u64 locks_at, locks_size;
	__u64 worked; /* when a request was last begun or answered in it; 0: not known */
	__u32 python; /* where it keeps its frames: 1 + row of the map pythons; 0: not known */
	__u32 padding;
};

/*
 * Where CPython of one version keeps the frames of its threads, as offsets in bytes: in its
 * _PyRuntime the first interpreter; in that the first thread; in a thread the next one, its
 * pthread_t and its frame; in that the frame that runs, or nothing comes between; in a frame its
 * code and the frame that called it; in code the name of its file; in a string of ASCII the text;
 * in a frame whose it is, 0: all are of Python.
 */
struct iop_python {
	__u16 interpreter, thread, next, self, frame, running, code, caller, file, text, owner;
};
#define IOP_PYTHON_NOTHING_BETWEEN 0xffff
#define IOP_PYTHONS 8

/* Of a tick of the clock while a Python of a service ran: the files of its frames, innermost first,
 * each run of frames of one file once. Ring buffer samples; no more than n of files are sent. */
#define IOP_SAMPLE_FILES 64
struct iop_sample {
	__u32 tgid, service, n;
	__u32 padding;
	__u64 files[IOP_SAMPLE_FILES];
};

/* The name of such a file, cut to what fits. Map python_files. */
struct iop_python_file {
	__u64 address;
	__u32 tgid;
	__u32 padding;
};
#define IOP_PYTHON_PATH 192
struct iop_python_path {
	char text[IOP_PYTHON_PATH];
};

/* Threads alive that have read a request: now, and the most so far. Map serving, index service. */
struct iop_serving {
	__u32 now, most;
};

/* A listening socket: local port (or unix address) in its network namespace (a kernel pointer, only
 * compared). */
struct iop_listener {
	__u64 net_or_address;
	__u32 port; /* host order; 0 for unix */
	__u32 padding;
};

/* Whose a listening socket is: a service, or another process's (known only so that roles can be
 * told). */
#define IOP_NOT_OURS 0xffffffffu
struct iop_listening {
	__u64 socket; /* a kernel pointer; of several that share the port, one */
	__u32 service;
	__u32 padding;
};

/* The remote end of a client-role socket. Map peer_ids, key; value: row of the map peers. */
#define IOP_UNIX_PATH 108
struct iop_peer_key {
	__u32 service;
	__u16 family; /* AF_INET, AF_INET6, AF_UNIX */
	__u16 port;   /* host order */
	__u16 type;   /* SOCK_STREAM, SOCK_DGRAM, ... */
	__u16 path_length;
	__u8 address[IOP_UNIX_PATH]; /* 4 or 16 bytes of IP address, or a unix path (abstract: first
					byte 0) */
};

_Static_assert(sizeof(struct iop_peer_key) == 120, "no padding");

/* A maximum of an epoch. The kernel writes the half of the current one, emptied when its epoch is
 * an older one; user space flips the epoch and reads the other, if its epoch is the one that ended.
 */
struct iop_peak {
	__u64 value[2];
	__u32 epoch[2];
};

/* Operations that began with so many of the service's in flight at the peer, and what they took. */
struct iop_load {
	__u64 operations, ns;
};

/* Waits, other than for readiness, of event loops. */
struct iop_blocked {
	__u64 count, ns;
	struct iop_peak longest;
};

/* A peer's counters. Map peers, shared by all CPUs; row `service` is where what does not fit is
 * counted. */
struct iop_peer {
	__u64 operations, operations_outside, wait_ns;
	__u64 connections;    /* operations within requests that were the first of theirs */
	__u64 in_flight;      /* now */
	struct iop_hist hist; /* wait per operation within requests, zeros included */
	struct iop_load loads[IOP_IN_FLIGHT_BINS]; /* by in_flight_bin() */
	struct iop_blocked blocked;
};

/* What stopped a service's event loops. Map blocked, index service * IOP_WAITS + class. */
#define IOP_FILE_NAME 32
struct iop_blocked_class {
	struct iop_blocked blocked;
	__u64 file_ns;		  /* the longest wait for a file whose name could be read, */
	char file[IOP_FILE_NAME]; /* and that name */
};

/*
 * Sampled requests. A request is sampled if its key, at random, is below its service's limit: map
 * sampling, index service. Each time as many as the budget says have been sampled, or the map is
 * full, the limit is halved. User space takes out those that have been answered, keeps the ones
 * below the limit as it is then, and sets the count back.
 */
#define IOP_TRACE_KEYS (1ull << 32)
struct iop_sampling {
	__u64 limit, taken;
};

/* A stretch of a request, in one word: its length (up to 18 minutes), part and peer. */
#define IOP_SEGMENT_NS_BITS 40
#define IOP_SEGMENT_PART_BITS 4
#define IOP_SEGMENT_NO_PEER 0xfffff
#define IOP_SEGMENTS 256
#define IOP_HEAD_SEGMENTS 32 /* that many have room in the trace itself */
#define IOP_TAIL_SEGMENTS (IOP_SEGMENTS - IOP_HEAD_SEGMENTS)

/* Map traces, key: the request's number. */
struct iop_trace {
	__u64 start, arrival; /* arrival 0: not known */
	__u64 touched;	      /* event loops: until when the segments tell what happened, */
	__u64 elsewhere;      /* but for so much of the time since, spent on other threads */
	__u64 end;	      /* last byte sent so far; 0: not answered */
	__u32 service, key;
	__u32 n;     /* segments, those not kept included */
	__u32 n_end; /* the same at `end` */
	__u32 ends;  /* 1: there was no room for a tail, none is kept */
	__u32 padding;
	__u64 segments[IOP_HEAD_SEGMENTS];
};

_Static_assert(sizeof(struct iop_trace) == 64 + 8 * IOP_HEAD_SEGMENTS, "no padding");

/* The further segments of the few requests that have as many. Map tails, key as in traces. */
struct iop_tail {
	__u64 segments[IOP_TAIL_SEGMENTS];
};

/* One live thread, as the iterator report_threads writes it. */
struct iop_thread_record {
	__u64 start_time;      /* of the thread; with tid its identity */
	__u64 observed_ns;     /* how long it has been observed */
	__u64 idle_ns;	       /* of that: waiting for work */
	__u64 run_queue_ns;    /* of that: runnable, not running */
	__u64 cpu_ns;	       /* CPU since observed, by the scheduler's account */
	__u64 cpu_observed_ns; /* the same as seen by the probes */
	__u64 requests;	       /* first read by this thread */
	__u32 tid, tgid, parent_tgid, service;
	__u32 loop;   /* 1: proven to be an event loop */
	__u32 pooled; /* 1: works on requests that others read, and reads none */
	char comm[16];
};

_Static_assert(sizeof(struct iop_thread_record) == 96, "no padding");

/* One process's hold of a listening socket, as the iterator report_listeners writes it. */
struct iop_listener_record {
	__u64 socket; /* only compared: others may hold the same one */
	__u32 tgid;
	__u32 port; /* host order; 0 for unix */
};

_Static_assert(sizeof(struct iop_listener_record) == 16, "no padding");

/* sample_to: until further notice. */
#define IOP_NO_END (~0ull)

/* What a system call waits for when it blocks. Table syscall_kinds in .rodata, index: system call
 * number. */
enum iop_kind {
	IOP_KIND_OTHER,
	IOP_KIND_FILE,	 /* by the file behind its first argument: read, write and their kin */
	IOP_KIND_SOCKET, /* a socket message, which names its socket when it is done: recv, send,
			    connect, ... */
	IOP_KIND_ACCEPT,
	IOP_KIND_EPOLL,	      /* readiness; timeout in ms in the 4th argument */
	IOP_KIND_EPOLL_NO_MS, /* the same, but the timeout is not in ms and not read */
	IOP_KIND_POLL, /* readiness of an array of descriptors; timeout in ms in the 3rd argument */
	IOP_KIND_PPOLL,	 /* the same; timeout not read */
	IOP_KIND_SELECT, /* readiness of as many descriptors as the 1st argument says; timeout not
			    read */
	IOP_KIND_FUTEX,
	IOP_KIND_SLEEP,
	IOP_KIND_CHILD,
	IOP_KIND_LOCK,
	IOP_KIND_DISK,
	IOP_KIND_PAUSE, /* signals */
};

/* Which way a system call moves a socket's bytes: table syscall_messages of set C. */
enum iop_message {
	IOP_NO_MESSAGE,
	IOP_RECEIVES,
	IOP_RECEIVES_FLAGS, /* with the flags in the 4th argument */
	IOP_SENDS,
};

#define IOP_SYSCALLS 512 /* a power of two above every system call number */

#endif
