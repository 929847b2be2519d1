/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "truth.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"

int truth_open(int fd, struct truth **ret_truth, int *ret_fd)
{
	struct truth *truth;

	if (fd < 0) {
		/* Not close-on-exec: a service that execs goes on with the same sums. */
		fd = memfd_create("truth", 0);
		if (fd < 0)
			return -errno;
		if (ftruncate(fd, sizeof(*truth)) < 0)
			return -errno;
	}
	truth = mmap(NULL, sizeof(*truth), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (truth == MAP_FAILED)
		return -errno;
	*ret_truth = truth;
	*ret_fd = fd;
	return 0;
}

struct truth_slot *truth_slot(struct truth *truth)
{
	unsigned int i = atomic_fetch_add(&truth->n_slots, 1);

	return i < TRUTH_SLOTS ? &truth->slots[i] : NULL;
}

void truth_begin(struct truth *truth, struct truth_request *request)
{
	*request = (struct truth_request){
		.epoch = atomic_load(&truth->epoch),
		.start_ns = clock_wall_ns(),
		.number = atomic_fetch_add(&truth->started, 1) + 1,
	};
	truth_resume(request);
}

void truth_resume(struct truth_request *request)
{
	request->cpu_mark_ns = clock_cpu_ns();
}

void truth_pause(struct truth_request *request)
{
	request->sums.cpu_ns += clock_cpu_ns() - request->cpu_mark_ns;
}

static void sums_add(struct truth_sums *to, const struct truth_sums *from)
{
	to->requests += from->requests;
	to->service_ns += from->service_ns;
	to->cpu_ns += from->cpu_ns;
	to->last_send_ns += from->last_send_ns;
	for (unsigned int i = 0; i < TRUTH_WAIT_COUNT; i++)
		to->wait_ns[i] += from->wait_ns[i];
	for (unsigned int i = 0; i < TRUTH_PEERS; i++) {
		to->operations[i] += from->operations[i];
		to->operation_ns[i] += from->operation_ns[i];
	}
}

void truth_add(struct truth_request *request, const struct truth_request *part)
{
	sums_add(&request->sums, &part->sums);
}

void truth_end(struct truth *truth, struct truth_slot *slot, struct truth_request *request)
{
	uint64_t end_ns = clock_wall_ns();

	truth_pause(request);
	request->sums.requests = 1;
	request->sums.service_ns = end_ns - request->start_ns;
	if (request->epoch == atomic_load(&truth->epoch)) {
		if (slot->epoch != request->epoch)
			*slot = (struct truth_slot){.epoch = request->epoch};
		sums_add(&slot->sums, &request->sums);
	}
	atomic_fetch_add(&truth->finished, 1);
}

struct truth_mark truth_mark(void)
{
	return (struct truth_mark){.wall_ns = clock_wall_ns(), .cpu_ns = clock_cpu_ns()};
}

uint64_t truth_since(struct truth_mark mark)
{
	uint64_t cpu_ns = clock_cpu_ns() - mark.cpu_ns;
	uint64_t wall_ns = clock_wall_ns() - mark.wall_ns;

	return wall_ns > cpu_ns ? wall_ns - cpu_ns : 0;
}

uint64_t truth_waited(struct truth_request *request, enum truth_wait wait, struct truth_mark mark)
{
	uint64_t waited_ns = truth_since(mark);

	request->sums.wait_ns[wait] += waited_ns;
	return waited_ns;
}

void truth_reset(struct truth *truth)
{
	atomic_fetch_add(&truth->epoch, 1);
}

static double seconds(uint64_t ns)
{
	return (double)ns / (double)CLOCK_NS_PER_S;
}

static void print_sums(FILE *out, const struct truth_sums *sums, const char *const *names,
		       unsigned int n_names)
{
	static const char *const waits[TRUTH_WAIT_COUNT] = {"network", "client", "disk",
							    "lock",    "sleep",	 "child"};

	(void)fprintf(out, "{\"requests\": %llu, \"service_s\": %.9f, \"cpu_s\": %.9f, ",
		      (unsigned long long)sums->requests, seconds(sums->service_ns),
		      seconds(sums->cpu_ns));
	(void)fprintf(out, "\"last_send_s\": %.9f, \"wait_s\": {", seconds(sums->last_send_ns));
	for (unsigned int i = 0; i < TRUTH_WAIT_COUNT; i++)
		(void)fprintf(out, "%s\"%s\": %.9f", i ? ", " : "", waits[i],
			      seconds(sums->wait_ns[i]));
	(void)fprintf(out, "}, \"peers\": [");
	for (unsigned int i = 0; i < n_names; i++)
		(void)fprintf(out,
			      "%s{\"address\": \"%s\", \"operations\": %llu, \"wait_s\": %.9f}",
			      i ? ", " : "", names[i], (unsigned long long)sums->operations[i],
			      seconds(sums->operation_ns[i]));
	(void)fprintf(out, "]}\n");
}

static void fclosep(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

int truth_write(const struct truth *truth, const char *const *names, unsigned int n_names,
		const char *path)
{
	__attribute__((cleanup(fclosep))) FILE *out = NULL;
	struct truth_sums sums = {0};
	uint64_t epoch = atomic_load(&truth->epoch);
	unsigned int n_slots = atomic_load(&truth->n_slots);
	char draft[PATH_MAX];

	for (unsigned int i = 0; i < n_slots && i < TRUTH_SLOTS; i++)
		if (truth->slots[i].epoch == epoch)
			sums_add(&sums, &truth->slots[i].sums);
	if (snprintf(draft, sizeof(draft), "%s.new", path) >= (int)sizeof(draft))
		return -ENAMETOOLONG;
	out = fopen(draft, "we");
	if (!out)
		return -errno;
	print_sums(out, &sums, names, n_names);
	if (fflush(out) || rename(draft, path) < 0)
		return -errno;
	return 0;
}
