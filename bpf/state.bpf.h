/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the programs remember: per thread, per connection, per piece of a request. Never seen by
 * user space.
 */
#ifndef IOPROF_STATE_BPF_H
#define IOPROF_STATE_BPF_H

#include "vmlinux.h"

#include "abi.h"

/* What has been spent, on a request or since the last thing that said on which. */
struct cost {
	u64 ns[IOP_COSTS];
	u64 io_ns; /* event loops: time from the last byte of an operation sent to the first byte of
		      its answer */
	u32 operations;
	u32 waits;
};

/* What threads other than the one that answers have spent on a request. */
struct share {
	struct cost cost;
	u32 answered; /* it is over: what comes now was spent on another */
	u32 padding;
};

enum run_state {
	RUN_UNKNOWN, /* seen at attach, not yet in sched_switch */
	RUN_ON_CPU,
	RUN_RUNNABLE,
	RUN_BLOCKED,
};

/* Why a thread is blocked: what is known when it goes to sleep. */
enum wait_kind {
	WAIT_CLASS,  /* known class: wait_class */
	WAIT_SOCKET, /* a socket message: the message's event, which follows, names the socket */
	WAIT_READY,  /* poll and its kin: what the thread does next shows whom it waited for */
	WAIT_EVENT,  /* pipe, eventfd, signalfd: whoever wakes it shows */
	WAIT_FUTEX,  /* a lock, or waiting for work: see sched.bpf.c */
	WAIT_IDLE,   /* accept, or a signal: work to come */
};

/* What is known of the wait (or waits) whose purpose the next event will show. */
enum pending {
	PENDING_SOCKET = 1,
	PENDING_READY = 2,
	PENDING_EPOLL = 4,
	PENDING_TIMEOUT = 8, /* it ended because its time was up */
	PENDING_CHILD = 16,  /* woken by a child process of the waiting one */
	PENDING_MEMBER = 32, /* woken by another thread of the service */
};

/* Requests that an event loop has taken up since it last slept and has not acted for yet, oldest
 * first. */
#define RESUMED_MAX 32
struct resumed {
	u32 first, n;
	u64 requests[RESUMED_MAX];
};

/* A thread that is not observed. */
struct other {
	u64 start;  /* of the thread: with its number its identity */
	u64 ran;    /* by the scheduler's account, when it was last woken */
	u64 window; /* in which that was */
};

/* A wake-up that was seen before the going to sleep, and what it said. */
struct early_wake {
	u64 at;	      /* 0: none */
	u64 request;  /* that the waker works for; 0: nothing known */
	u32 pending;  /* enum pending */
	bool by_pool; /* requests are handed to the waker */
};

#define SEVERAL (~0ULL) /* slice_request */

struct thread {
	u64 since;	/* start of the current run_state, or of the CPU slice not yet charged */
	u64 woken;	/* when it was first made runnable; 0: still blocked */
	u64 futex;	/* address it waits on */
	u64 pooled_at;	/* the futex that has shown it is pooled, as in lock_key; 0: none has */
	u64 deadline;	/* when its poll would time out; 0: never */
	u64 request;	/* what it works for; 0: nothing known */
	u64 handoff;	/* the request whose thread woke it */
	u64 pending_ns; /* waits whose purpose the next event will show */
	u64 observed_since;
	u64 slice_start, slice_exec; /* when it was switched in, and the scheduler's account then */
	u64 slice_runnable;	     /* how long it was runnable before */
	u64 slice_request;	     /* what it worked for then, or has read since; or SEVERAL */
	u64 slice_worked;	     /* how long it has worked for requests since */
	u64 cpu_base;		     /* the scheduler's account when it was first seen */
	u64 cpu_ns, idle_ns, run_queue_ns, requests;
	u64 answered_cpu_ns; /* cpu_ns when it last answered a request; 0: not known */
	struct cost cost;    /* since the last event, or held aside since the last send */
	struct early_wake early;
	u64 woken_ran; /* what those ran whom it has woken since its last message */
	u32 service;
	u32 window;	  /* in which all of this was seen */
	u32 pending;	  /* enum pending */
	u32 wait_pending; /* the same of the current wait */
	u32 run;	  /* enum run_state */
	u8 wait;	  /* enum wait_kind */
	u8 wait_class;	  /* enum iop_part */
	bool slice_read;  /* it has read slice_request since */
	bool slice_answered;
	bool open;    /* its request has not been answered yet by this thread */
	bool adopted; /* its request was handed to it by one that works for it */
	bool handed;  /* it handed its request to another thread */
	bool pooled;  /* it works on requests that others read */
	bool loop;    /* proven to be an event loop */
	bool green;   /* proven to run a scheduler of its own (goroutines): its futex waits are idle
		       */
	bool parked;  /* its last message on a client-role socket would have blocked */
	bool lock;    /* the futex it waits on is a lock */
	bool plain;   /* it waits on it as glibc's mutexes do, not its condition variables and
			 semaphores, which wait by bit set */
	bool slept;   /* since it last answered a request */
	bool leftover; /* it has read what may be the rest of the last request, or the next one */
	bool taken;    /* the first of two programs has seen its message (preempted.bpf.c) */
	bool busy;     /* its state is being changed: an interrupt above it must leave it alone */
	bool ended;    /* it has exited: its totals have moved to its service */
	bool full;     /* its last send on a server-role socket would have blocked */
	bool in_epoll; /* it has waited in epoll: its poll and select calls are for one thing alone
			*/
	u8 pieces;     /* of work that it has done since it was last idle */
	u32 asked;     /* AF_UNIX: row + 1 of the peer that has not answered it yet */
	u32 answering; /* event loops: row + 1 of the peer that has just answered */
	char file[IOP_FILE_NAME]; /* event loops: the file it waits for */
	struct resumed resumed;
};

enum role {
	ROLE_NEUTRAL, /* neither: socket pairs, sockets that are no message streams */
	ROLE_SERVER,  /* accepted */
	ROLE_CLIENT,  /* connected */
};

enum conn_state {
	CONN_IDLE,
	CONN_OPEN,	/* server: request being read or worked on; client: operation sent */
	CONN_RESPONDED, /* server: at least one byte of the response sent; client: answer being read
			 */
};

/* Of data that was told only after it had been read: it arrived no later than that. */
#define ARRIVAL_UNTIMED 1

#define UNKNOWN_PAUSE (~0ull)

struct conn {
	u64 arrival; /* first byte of the next request readable (server), of the answer (client); 0:
			not seen */
	u64 id;	     /* the request (server); whose operation it is (client) */
	u64 start;   /* first byte read (server); last byte sent (client) */
	u64 wait_ns; /* client: waited for this operation so far */
	u32 service;
	u32 window; /* in which all of this was seen */
	u32 peer;   /* client: row of the map peers */
	u32 opener; /* server: thread that read the request */
	u8 role;
	u8 state;
	bool loop;	/* server: read by an event loop */
	bool timed;	/* arrivals on it are seen */
	bool at_attach; /* server: already there when ioprof came, perhaps with a request being
			   worked on */
	bool counted;	/* client: the operation has been counted, within a request */
	bool local;	/* AF_UNIX, whose closing nothing shows */
	bool known; /* whose it is and its role, since it has carried a message or its kind is plain
		     */
	bool fresh; /* client: opened by an observed thread, no operation counted yet */
	u32 flying; /* client: the operation counts as in flight at the peer */
	u32 in_flight; /* client: how many there were as it began, itself included */
	/* From here on server only. */
	u64 request_arrival; /* of the open request; 0: unknown */
	u64 leftover;	     /* when more bytes of it were read after the response */
	u64 inode;	     /* hash variant: which socket lives at this address */
	struct cost cost;
	u64 wall_ns;	  /* start to the last send */
	u64 pause_ns;	  /* of its process before it began; UNKNOWN_PAUSE: not known */
	u64 before_ns;	  /* CPU of its thread since that had answered the last one */
	u64 pause_cpu_ns; /* of both, what has been counted by pause */
	/* What has been committed of the open request, to be corrected if more is sent. */
	u64 done_ns[IOP_DISTS];
	u64 done_parallel_ns, done_io_ns;
	u32 done_operations, done_waits;
};

/*
 * A futex at which threads with a request of their own have waited. Many runtimes give each thread
 * one at which it waits for everything (Java, Ruby's own locks): what a thread without a request
 * waits for there is as a rule what threads mostly wait for there.
 */
struct lock {
	u64 with_request, without; /* waits, by whether their thread had a request of its own */
	u64 turns; /* threads that read no requests wait there, too: who wakes one of those has not
		      done a piece of work */
};

#define LOCK_ALWAYS (1ull << 62) /* with_request of an interpreter's own lock */

struct lock_key {
	u64 address; /* in units of 8 bytes: the two halves of a condition variable count as one */
	u64 tgid;
};

#endif
