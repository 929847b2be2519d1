/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/cpu_samples.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ioprof.skel.h>

#include "abi.h"
#include "base/cleanup.h"
#include "target/target.h"

#define TICKS_PER_S 199 /* a prime: not in step with what is done so often a second */
#define CACHE_ROWS 4096 /* a power of two */

/* PyInterpreterState, PyThreadState, _PyCFrame, _PyInterpreterFrame (PyFrameObject before 3.11),
 * PyCodeObject, PyASCIIObject of Include/ and Include/internal/ of that version; all there is in
 * 3.9.18, 3.10.13, 3.11.2, 3.12.1, 3.13.0 to 3.13.18 and 3.14.10. Where another one differs no
 * thread is found, as none has its own thread pointer there, and its samples are nobody's. */
static const struct {
	unsigned int major, minor;
	struct iop_python python;
} versions[] = {
	{3, 9, {32, 8, 8, 176, 24, IOP_PYTHON_NOTHING_BETWEEN, 32, 24, 104, 48, 0}},
	{3, 10, {32, 8, 8, 176, 24, IOP_PYTHON_NOTHING_BETWEEN, 32, 24, 104, 48, 0}},
	{3, 11, {40, 16, 8, 152, 56, 8, 32, 48, 112, 48, 0}},
	{3, 12, {40, 72, 8, 136, 56, 0, 0, 8, 112, 40, 70}},
	{3, 13, {632, 7344, 8, 152, 72, IOP_PYTHON_NOTHING_BETWEEN, 0, 8, 112, 40, 70}},
	{3, 14, {808, 7344, 8, 152, 72, IOP_PYTHON_NOTHING_BETWEEN, 0, 8, 112, 40, 74}},
};

_Static_assert(sizeof(versions) / sizeof(*versions) <= IOP_PYTHONS, "a row each");

/* Whose file it is, as it was asked before. */
struct known_file {
	struct iop_python_file file;
	enum target_code code;
};

/* One processor's. */
struct ticking {
	struct bpf_link *link;
	int fd; /* the link's */
};

struct cpu_samples {
	struct ticking *clocks;
	size_t n_clocks;
	bool started;
	struct ring_buffer *ring;
	int files_fd;
	struct known_file known[CACHE_ROWS];
	struct snapshot *into;
};

static int fill_pythons(const struct ioprof_bpf *skel)
{
	int fd = bpf_map__fd(skel->maps.pythons);

	for (uint32_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		if (bpf_map_update_elem(fd, &i, &versions[i].python, BPF_ANY))
			return -errno;
	}
	return 0;
}

uint32_t cpu_samples_python(unsigned int major, unsigned int minor)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		if (versions[i].major == major && versions[i].minor == minor)
			return (uint32_t)i + 1;
	}
	return 0;
}

static enum target_code code_of(struct cpu_samples *samples, uint32_t tgid, uint64_t address)
{
	const struct iop_python_file key = {.address = address, .tgid = tgid};
	uint64_t mixed = (address / 16 ^ tgid) * 0x9e3779b97f4a7c15u;
	struct known_file *known = &samples->known[mixed >> 52 & (CACHE_ROWS - 1)];
	struct iop_python_path path;

	if (known->file.address == address && known->file.tgid == tgid)
		return known->code;
	if (bpf_map_lookup_elem(samples->files_fd, &key, &path))
		return TARGET_CODE_UNKNOWN;
	path.text[sizeof(path.text) - 1] = '\0';
	known->file = key;
	known->code = target_python_code(path.text);
	return known->code;
}

/*
 * Whose code ran: from the outermost frame inwards, each takes over from who called it, but what a
 * client for HTTP is made of is the client's, and the interpreter's own library and unknown
 * packages work for who called them.
 */
static enum code whose(struct cpu_samples *samples, const struct iop_sample *sample)
{
	enum code code = CODE_UNKNOWN;

	for (uint32_t i = sample->n; i-- > 0;) {
		switch (code_of(samples, sample->tgid, sample->files[i])) {
		case TARGET_CODE_UNKNOWN:
			return CODE_UNKNOWN;
		case TARGET_CODE_APPLICATION:
			code = CODE_APPLICATION;
			break;
		case TARGET_CODE_SERVER:
			code = CODE_SERVER;
			break;
		case TARGET_CODE_FRAMEWORK:
			code = CODE_FRAMEWORK;
			break;
		case TARGET_CODE_CLIENT:
			code = CODE_CLIENT;
			break;
		case TARGET_CODE_PACKAGE:
			if (code != CODE_CLIENT)
				code = CODE_APPLICATION;
			break;
		case TARGET_CODE_LIBRARY:
		default:
			break;
		}
	}
	return code;
}

static int take(void *ctx, void *data, size_t size)
{
	struct cpu_samples *samples = ctx;
	const struct iop_sample *sample = data;
	struct snapshot *s = samples->into;

	if (size < sizeof(*sample) - sizeof(sample->files) || sample->service >= s->n_services)
		return 0;
	s->services[sample->service].cpu_samples[whose(samples, sample)]++;
	return 0;
}

int cpu_samples_read(struct cpu_samples *samples, struct snapshot *s)
{
	int r;

	samples->into = s;
	r = ring_buffer__consume(samples->ring);
	return r < 0 ? r : 0;
}

static int add_clock(struct cpu_samples *samples, struct ioprof_bpf *skel, int cpu)
{
	struct perf_event_attr clock = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(clock),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = TICKS_PER_S,
	};
	int fd = (int)syscall(SYS_perf_event_open, &clock, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	struct bpf_link *link;

	if (fd < 0)
		return errno == ENODEV ? 0 : -errno; /* that one is off line */
	link = bpf_program__attach_perf_event(skel->progs.on_tick, fd);
	if (!link) {
		int r = -errno;

		(void)close(fd);
		return r;
	}
	samples->clocks[samples->n_clocks++] = (struct ticking){link, fd};
	/* Being attached has started it. */
	return ioctl(fd, PERF_EVENT_IOC_DISABLE, 0) ? -errno : 0;
}

static void cleanup_samples(struct cpu_samples **samples)
{
	cpu_samples_close(*samples);
}

int cpu_samples_open(struct ioprof_bpf *skel, struct cpu_samples **ret_samples)
{
	_cleanup_(cleanup_samples) struct cpu_samples *samples = calloc(1, sizeof(*samples));
	int cpus = libbpf_num_possible_cpus(), r;

	if (!samples || cpus < 0)
		return -ENOMEM;
	samples->clocks = calloc((size_t)cpus, sizeof(*samples->clocks));
	samples->ring = ring_buffer__new(bpf_map__fd(skel->maps.samples), take, samples, NULL);
	samples->files_fd = bpf_map__fd(skel->maps.python_files);
	if (!samples->clocks || !samples->ring)
		return -ENOMEM;
	r = fill_pythons(skel);
	for (int cpu = 0; cpu < cpus && !r; cpu++)
		r = add_clock(samples, skel, cpu);
	if (r < 0)
		return r;
	*ret_samples = TAKE(samples);
	return 0;
}

int cpu_samples_start(struct cpu_samples *samples)
{
	int r = 0;

	if (!samples || samples->started)
		return 0;
	for (size_t i = 0; i < samples->n_clocks; i++) {
		if (ioctl(samples->clocks[i].fd, PERF_EVENT_IOC_ENABLE, 0))
			r = -errno;
	}
	samples->started = true;
	return r;
}

void cpu_samples_close(struct cpu_samples *samples)
{
	if (!samples)
		return;
	for (size_t i = 0; i < samples->n_clocks; i++)
		(void)bpf_link__destroy(samples->clocks[i].link);
	free(samples->clocks);
	ring_buffer__free(samples->ring);
	free(samples);
}
