/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A snapshot of a made-up service, as if it had been observed: sums of all requests, some of them
 * sampled. */
#ifndef IOPROF_TESTS_SAMPLE_SNAPSHOT_H
#define IOPROF_TESTS_SAMPLE_SNAPSHOT_H

#include "sample_service.h"

/*
 * One Python service with one peer, 10.0.0.7:8080; prefork, workers busy nine tenths of the time,
 * on model->cpus processors; at most TRACES_MOST requests sampled. 60 MB in each process, 4 GB
 * left. Aborts the test when out of memory; snapshot_free() it.
 */
struct snapshot *sample_snapshot(const struct sample_model *model);

#endif
