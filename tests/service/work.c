/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "work.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "http.h"

#define DISK_ALIGN 4096
#define TMPFS_MAGIC 0x01021994
#define CHUNK_MAX 65536

static void plan_add(struct work *work, enum step_kind kind, unsigned int peer)
{
	if (work->n_steps < WORK_STEPS)
		work->steps[work->n_steps++] = (struct step){.kind = kind, .peer = peer};
	work->n_burns += kind == STEP_BURN;
}

static void plan(struct work *work)
{
	plan_add(work, STEP_BURN, 0);
	if (work->die_at)
		plan_add(work, STEP_DIE, 0);
	for (unsigned int peer = 0; peer < work->n_peers; peer++)
		for (unsigned int i = 0; i < work->peers[peer].calls; i++) {
			plan_add(work, STEP_CALL, peer);
			plan_add(work, STEP_BURN, 0);
		}
	if (work->lock)
		plan_add(work, STEP_LOCK, 0);
	for (unsigned int i = 0; i < work->disk_reads; i++)
		plan_add(work, STEP_DISK, 0);
	if (work->sleep_ns)
		plan_add(work, STEP_SLEEP, 0);
	if (work->child)
		plan_add(work, STEP_CHILD, 0);
}

/* The mutex lies in shared memory, so that prefork workers and threads contend for the same one. */
static int make_mutex(pthread_mutex_t **ret_mutex)
{
	pthread_mutex_t *mutex;
	pthread_mutexattr_t attr;

	mutex = mmap(NULL, sizeof(*mutex), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (mutex == MAP_FAILED)
		return -errno;
	(void)pthread_mutexattr_init(&attr);
	(void)pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	(void)pthread_mutex_init(mutex, &attr);
	(void)pthread_mutexattr_destroy(&attr);
	*ret_mutex = mutex;
	return 0;
}

/* Opens the file past the page cache. A file system that only pretends to is refused: nothing would
 * ever wait. */
static int open_direct(const struct work *work, off_t *ret_size)
{
	__attribute__((cleanup(net_closep))) int fd = -1;
	struct statfs fs;
	struct stat st;
	int r;

	fd = open(work->disk_file, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0) {
		r = -errno;
		(void)fprintf(stderr, "service: %s cannot be opened with O_DIRECT: %s\n",
			      work->disk_file, strerror(-r));
		return r;
	}
	if (fs.f_type == TMPFS_MAGIC || (size_t)st.st_size < work->disk_bytes ||
	    work->disk_bytes % DISK_ALIGN) {
		(void)fprintf(stderr,
			      "service: %s does not serve for O_DIRECT reads of %zu bytes\n",
			      work->disk_file, work->disk_bytes);
		return -EINVAL;
	}
	*ret_size = st.st_size;
	return net_take(&fd);
}

int work_prepare(struct work *work)
{
	plan(work);
	if (work->n_steps == WORK_STEPS) {
		(void)fprintf(stderr, "service: more than %d steps\n", WORK_STEPS);
		return -EINVAL;
	}
	if (work->disk_reads) {
		int fd = open_direct(work, &work->disk_size);

		if (fd < 0)
			return fd;
		(void)close(fd);
	}
	return make_mutex(&work->mutex);
}

int worker_init(struct worker *worker, const struct work *work)
{
	off_t size;

	*worker = (struct worker){
		.work = work,
		.slot = truth_slot(work->truth),
		.disk_fd = -1,
		.random = (uint64_t)gettid() * UINT64_C(0x9e3779b97f4a7c15),
	};
	for (unsigned int i = 0; i < TRUTH_PEERS; i++)
		worker->peer_fds[i] = -1;
	if (!worker->slot) {
		(void)fprintf(stderr, "service: more than %d threads\n", TRUTH_SLOTS);
		return -ENOSPC;
	}
	if (!work->disk_reads)
		return 0;
	worker->disk_buffer = aligned_alloc(DISK_ALIGN, work->disk_bytes);
	if (!worker->disk_buffer)
		return -ENOMEM;
	worker->disk_fd = open_direct(work, &size);
	return worker->disk_fd < 0 ? worker->disk_fd : 0;
}

/* xorshift: even enough to draw delays and offsets from. */
static uint64_t draw(struct worker *worker)
{
	uint64_t x = worker->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	worker->random = x;
	return x;
}

static uint64_t draw_span(struct worker *worker, struct span span)
{
	return span.lo_ns + draw(worker) % (span.hi_ns - span.lo_ns + 1);
}

uint64_t work_draw_cpu(struct worker *worker)
{
	return draw_span(worker, worker->work->cpu);
}

size_t work_call_line(struct worker *worker, unsigned int peer,
		      char ret_line[static WORK_LINE_SIZE])
{
	uint64_t delay_ns = draw_span(worker, worker->work->peers[peer].delay);

	return (size_t)snprintf(ret_line, WORK_LINE_SIZE, "reply in %llu us and %u pieces\n",
				(unsigned long long)(delay_ns / CLOCK_NS_PER_US),
				worker->work->peer_pieces);
}

/* Sends the line in as many sends as asked for. */
static int send_line(const struct work *work, int fd, const char *line, size_t len)
{
	size_t piece = len / work->peer_sends;
	int r;

	for (unsigned int i = 1; i < work->peer_sends; i++) {
		r = net_send(fd, line, piece);
		if (r < 0)
			return r;
		line += piece;
		len -= piece;
	}
	return net_send(fd, line, len);
}

static int recv_reply(const struct work *work, int fd)
{
	char reply[256];
	long n;

	do {
		n = net_recv(fd, reply, sizeof(reply), work->peer_poll);
		if (n <= 0)
			return n < 0 ? (int)n : -ECONNRESET;
	} while (reply[n - 1] != '\n');
	return 0;
}

/* request is NULL outside of requests. */
static int call(struct worker *worker, unsigned int peer, struct truth_request *request)
{
	const struct work *work = worker->work;
	int *fd = &worker->peer_fds[peer];
	char line[WORK_LINE_SIZE];
	size_t len = work_call_line(worker, peer, line);
	struct truth_mark mark = truth_mark();
	int r;

	if (*fd < 0)
		*fd = net_connect(&work->peers[peer].address, 0);
	if (*fd < 0)
		return *fd;
	r = send_line(work, *fd, line, len);
	if (!r)
		r = recv_reply(work, *fd);
	if (work->new_connection || r < 0)
		net_closep(fd);
	if (request) {
		request->sums.operations[peer]++;
		request->sums.operation_ns[peer] += truth_waited(request, TRUTH_NETWORK, mark);
	}
	return r;
}

static void hold_lock(const struct work *work, struct truth_request *request)
{
	struct truth_mark mark = truth_mark();

	(void)pthread_mutex_lock(work->mutex);
	(void)truth_waited(request, TRUTH_LOCK, mark);
	clock_burn(work->lock_burn_ns);
	if (work->lock_sleep_ns) {
		mark = truth_mark();
		clock_sleep(work->lock_sleep_ns);
		(void)truth_waited(request, TRUTH_SLEEP, mark);
	}
	(void)pthread_mutex_unlock(work->mutex);
}

static int read_disk(struct worker *worker, struct truth_request *request)
{
	const struct work *work = worker->work;
	uint64_t n_places = ((uint64_t)work->disk_size - work->disk_bytes) / DISK_ALIGN + 1;
	off_t place = (off_t)(draw(worker) % n_places * DISK_ALIGN);
	struct truth_mark mark = truth_mark();
	ssize_t n = pread(worker->disk_fd, worker->disk_buffer, work->disk_bytes, place);

	(void)truth_waited(request, TRUTH_DISK, mark);
	if (n < 0)
		return -errno;
	return n == (ssize_t)work->disk_bytes ? 0 : -EIO;
}

static int run_child(const struct work *work, struct truth_request *request)
{
	char duration[32];
	char *argv[] = {(char[]){"sleep"}, duration, NULL};
	struct truth_mark mark = truth_mark();
	pid_t pid;
	int status = 0;
	int r;

	(void)snprintf(duration, sizeof(duration), "%.6f",
		       (double)work->child_ns / (double)CLOCK_NS_PER_S);
	r = posix_spawnp(&pid, "sleep", NULL, NULL, argv, environ);
	if (r)
		return -r;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	(void)truth_waited(request, TRUTH_CHILD, mark);
	return status ? -ECHILD : 0;
}

int work_step(struct worker *worker, const struct step *step, uint64_t burn_ns,
	      struct truth_request *request)
{
	const struct work *work = worker->work;
	struct truth_mark mark;

	switch (step->kind) {
	case STEP_BURN:
		clock_burn(burn_ns);
		return 0;
	case STEP_CALL:
		return call(worker, step->peer, request);
	case STEP_LOCK:
		hold_lock(work, request);
		return 0;
	case STEP_DISK:
		return read_disk(worker, request);
	case STEP_SLEEP:
		mark = truth_mark();
		clock_sleep(work->sleep_ns);
		(void)truth_waited(request, TRUTH_SLEEP, mark);
		return 0;
	case STEP_CHILD:
		return run_child(work, request);
	case STEP_DIE:
		if (request->number == work->die_at)
			(void)kill(getpid(), SIGKILL);
		return 0;
	}
	return -EINVAL;
}

int work_run(struct worker *worker, struct truth_request *request)
{
	const struct work *work = worker->work;
	uint64_t burn_ns = work_draw_cpu(worker) / work->n_burns;

	for (unsigned int i = 0; i < work->n_steps; i++) {
		int r = work_step(worker, &work->steps[i], burn_ns, request);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Sends to the client: where it blocks, the client is slow. */
static int send_client(int fd, const char *data, size_t len, struct truth_request *request)
{
	struct truth_mark mark = truth_mark();
	int r = net_send(fd, data, len);

	request->sums.last_send_ns = truth_waited(request, TRUTH_CLIENT, mark);
	return r;
}

static int respond_chunked(struct worker *worker, int fd, bool close, struct truth_request *request)
{
	static const char chunk[] = "5\r\nchunk\r\n", last[] = "5\r\nchunk\r\n0\r\n\r\n";
	const struct work *work = worker->work;
	char head[256];
	int r = send_client(fd, head, http_response_head(head, sizeof(head), 0, true, close),
			    request);

	for (unsigned int i = 0; i < work->chunks && !r; i++) {
		struct truth_mark mark = truth_mark();

		clock_sleep(work->chunk_pause_ns);
		(void)truth_waited(request, TRUTH_SLEEP, mark);
		if (i + 1 < work->chunks)
			r = send_client(fd, chunk, sizeof(chunk) - 1, request);
		else
			r = send_client(fd, last, sizeof(last) - 1, request);
	}
	return r;
}

static void freep(char **p)
{
	free(*p);
}

int work_respond(struct worker *worker, int fd, bool close, struct truth_request *request)
{
	const struct work *work = worker->work;
	__attribute__((cleanup(freep))) char *response = NULL;
	size_t len;

	if (work->chunks)
		return respond_chunked(worker, fd, close, request);
	response = malloc(256 + work->response_bytes);
	if (!response)
		return -ENOMEM;
	len = http_response_head(response, 256, work->response_bytes, false, close);
	memset(response + len, 'x', work->response_bytes);
	return send_client(fd, response, len + work->response_bytes, request);
}

int work_after(struct worker *worker)
{
	const struct work *work = worker->work;

	clock_burn(work->after_cpu_ns);
	for (unsigned int i = 0; i < work->after_calls; i++) {
		int r = call(worker, 0, NULL);

		if (r < 0)
			return r;
	}
	return 0;
}
