/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe: loads the BPF programs into the kernel, follows the given services and hands out
 * snapshots. The only door to libbpf. Prints nothing: what goes wrong comes back as a struct
 * probe_error for the caller to show.
 */
#ifndef IOPROF_PROBE_PROBE_H
#define IOPROF_PROBE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "model/snapshot.h"

struct probe;

/* Why a probe could not be opened, in words for a person: what happened, what to do about it. */
struct probe_error {
	int exit_status; /* 1 failed, 3 not permitted, 4 the kernel lacks a feature */
	char cause[256];
	char fix[256];
};

/* How the socket messages are seen; PROBE_SOCKET_AUTO tries them in this order. */
enum probe_socket_set {
	PROBE_SOCKET_AUTO,
	PROBE_SOCKET_TRACEPOINT, /* set A: tp_btf/sock_{send,recv}_length, sk_data_ready */
	PROBE_SOCKET_FEXIT,	 /* set B: fexit of the protocols' sendmsg and recvmsg */
	PROBE_SOCKET_SYSCALL,	 /* set C: tp_btf/sys_exit */
};

struct probe_opts {
	const pid_t *pids; /* one service each, with all its descendants */
	size_t n_pids;
	unsigned int max_services;  /* room for services added later; at least n_pids. 0: n_pids */
	unsigned int max_peers;	    /* rows of the peer table; 0: default */
	unsigned int max_processes; /* rows of the process table; 0: default */
	enum probe_socket_set socket_set;
	bool no_task_storage; /* follow threads in a hash map even where task storage exists */
};

/* Loads, attaches, starts observing. Returns 0 and a probe, or -errno and why in ret_error. */
int probe_open(const struct probe_opts *opts, struct probe **ret_probe,
	       struct probe_error *ret_error);

/*
 * What happened since the last call (or since probe_open). The interval starts where the last one
 * ended. Returns 0 and a snapshot the caller owns, or -errno.
 */
int probe_read(struct probe *probe, struct snapshot **ret_snapshot);

/* Whether probe_read() would be allowed to, with the privileges of now: 0 or -errno. Nothing is
 * taken: the next snapshot is the same. */
int probe_access(const struct probe *probe);

/*
 * A further service, without processes yet; its place in snapshots from now on. 0, -ENOSPC when
 * max_services are in use, -ENOMEM.
 */
int probe_add_service(struct probe *probe, const char *name, size_t *ret_service);

/*
 * Makes a process one of the service, unless it is followed already. What it does counts once
 * probe_take_stock() has been called. 1, 0 if it is followed already, -E2BIG when the process table
 * is full, -errno.
 */
int probe_join(struct probe *probe, size_t service, pid_t pid);

/* The service a process is followed for, or -ENOENT. */
long probe_service_of(const struct probe *probe, pid_t pid);

/* Adds to a loss of the next snapshot what the caller could not let join. */
void probe_note_loss(struct probe *probe, enum loss loss, uint64_t n);

/* How many services there are. */
size_t probe_services(const struct probe *probe);

/* Finds the threads and connections of processes that have joined. 0 or -errno. */
int probe_take_stock(struct probe *probe);

/* A process's hold of a socket that accepts connections. */
struct probe_listener {
	uint64_t socket; /* only to be compared: others may hold the same one */
	pid_t pid;
	uint16_t port; /* 0: a unix socket */
};

/* All there are on the machine. The caller frees. 0 or -errno. */
int probe_listeners(const struct probe *probe, struct probe_listener **ret_listeners,
		    size_t *ret_n);

/* Whether the kernel tells what the programs cost. */
bool probe_cost_known(const struct probe *probe);

/* What they have cost since the probe was opened, in nanoseconds of CPU. 0 or -errno. */
int probe_cost_ns(const struct probe *probe, uint64_t *ret_ns);

/* Whether fewer requests than usual, a quarter of them, are written down step by step. */
void probe_sample_traces(struct probe *probe, bool fewer);

/*
 * Observing part of the time, in windows. One is open from the start, without end; between them the
 * programs do next to nothing. Requests that begin within a window's sample count; the window stays
 * open until they have ended. A snapshot is then of all windows since the last one, and its counts
 * are an estimate for the whole interval (model/scale.h), snapshot.sampled_ns says from how much.
 */

/* Opens the next one: its sample begins in warm_ns, to which requests that wait to be read can be
 * seen to arrive, and takes sample_ns (0: no end). 0 or -errno. */
int probe_window_open(struct probe *probe, uint64_t warm_ns, uint64_t sample_ns);

/* Requests that begin from now on do not count. */
void probe_window_end_sample(struct probe *probe);

/* 1 if the sample has been taken and all its requests have ended, 0 if not, -errno. */
int probe_window_ended(const struct probe *probe);

/* Closes it. Requests of its sample that have not ended are lost (LOSS_CUT). 0 or -errno. */
int probe_window_close(struct probe *probe);

/* How much of the time since the last snapshot until then was of a sample. */
uint64_t probe_sampled_ns(const struct probe *probe, uint64_t until_ns);

/* True once every process of every service has ended. */
bool probe_ended(const struct probe *probe);

/* Detaches and frees; nothing is left in the kernel. Takes NULL. */
void probe_close(struct probe *probe);
void probe_closep(struct probe **probe);

/*
 * What this kernel and this user allow, found by trying. Calls report once per line, in order;
 * needed says whether -p depends on it. fix is NULL when ok. Returns 0 if -p would work, else the
 * exit status it would fail with.
 */
typedef void (*probe_check_fn)(void *ctx, bool ok, bool needed, const char *what, const char *found,
			       const char *fix);
int probe_check(probe_check_fn report, void *ctx);

#endif
