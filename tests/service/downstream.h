/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The downstream: answers each line "reply in D us and P pieces" after so long, in so many pieces,
 * the last of which ends in a newline. One thread, any number of connections.
 */
#ifndef IOPROF_SERVICE_DOWNSTREAM_H
#define IOPROF_SERVICE_DOWNSTREAM_H

/* Serves the listening sockets; returns only on errors: -errno. */
int downstream_serve(const int *listen_fds, unsigned int n_listen_fds);

#endif
