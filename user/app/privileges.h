/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ioprof keeps of its privileges once it observes. */
#ifndef IOPROF_APP_PRIVILEGES_H
#define IOPROF_APP_PRIVILEGES_H

#include "probe/probe.h"

/*
 * To call after attach, before anything else is read, listened to or written, and before any thread
 * is started. Keeps what reading takes, found by trying: CAP_SYS_PTRACE, and CAP_BPF where the
 * kernel asks for it. Returns EXIT_STATUS_DONE, or EXIT_STATUS_FAILED, having said why.
 */
int privileges_drop(const struct probe *probe);

#endif
