/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * service: a real little HTTP service whose behaviour is set by knobs and whose truth is known
 * (truth.h).
 *
 * It prints "listening on ADDRESS" when it serves. SIGUSR1 writes its truth to the file given by
 * --truth, SIGUSR2 forgets what was before, SIGTERM and SIGINT end it, after writing the truth.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "serve.h"

#define MAX_PROCESSES 256
#define ENV_LISTEN "SERVICE_LISTEN_FD"
#define ENV_TRUTH "SERVICE_TRUTH_FD"

struct service {
	struct serve_opts serve;
	int (*model)(const struct serve_opts *opts);
	struct net_address listen;
	unsigned int n_processes; /* 0: serve in the first process */
	unsigned int n_open_files;
	int send_buffer; /* 0: the system's choice */
	const char *truth_path;
	pid_t pids[MAX_PROCESSES];
};

/* ---- the command line ---- */

enum option_key {
	KEY_LISTEN = 256,
	KEY_MODEL,
	KEY_PROCESSES,
	KEY_THREADS,
	KEY_ACCEPT_POLL,
	KEY_POOL_WRITES,
	KEY_INNER,
	KEY_ASIDE,
	KEY_TRUTH,
	KEY_CPU,
	KEY_CALL,
	KEY_NEW_CONNECTION,
	KEY_PEER_POLL,
	KEY_PEER_SENDS,
	KEY_PEER_PIECES,
	KEY_LOCK_SLEEP,
	KEY_LOCK_BURN,
	KEY_DISK,
	KEY_DISK_READS,
	KEY_DISK_BYTES,
	KEY_SLEEP,
	KEY_CHILD,
	KEY_RESPONSE,
	KEY_CHUNKS,
	KEY_CHUNK_PAUSE,
	KEY_CLOSE,
	KEY_AFTER_CPU,
	KEY_AFTER_CALLS,
	KEY_CLIENT_POLL,
	KEY_DIE_AT,
	KEY_EXEC_AT,
	KEY_OPEN_FILES,
	KEY_SEND_BUFFER,
};

static const struct argp_option options[] = {
	{.name = "listen",
	 .key = KEY_LISTEN,
	 .arg = "ADDRESS",
	 .doc = "127.0.0.1:0, [::1]:0 or unix:PATH"},
	{.name = "model",
	 .key = KEY_MODEL,
	 .arg = "NAME",
	 .doc = "blocking, acceptor, loop or loop+pool"},
	{.name = "processes",
	 .key = KEY_PROCESSES,
	 .arg = "N",
	 .doc = "Workers to fork; 0 (default): none"},
	{.name = "threads",
	 .key = KEY_THREADS,
	 .arg = "N",
	 .doc = "Threads per process, loops or pool (default 1)"},
	{.name = "accept-poll", .key = KEY_ACCEPT_POLL, .doc = "Wait for connections by poll"},
	{.name = "client-poll", .key = KEY_CLIENT_POLL, .doc = "Wait for requests by poll"},
	{.name = "pool-writes",
	 .key = KEY_POOL_WRITES,
	 .doc = "loop+pool: the pool writes the responses"},
	{.name = "inner",
	 .key = KEY_INNER,
	 .arg = "THREADS,N",
	 .doc = "blocking: do it all N times, by a pool of so many threads per process"},
	{.name = "aside",
	 .key = KEY_ASIDE,
	 .arg = "US",
	 .doc = "With --inner: so often a thread beside the pool calls the first downstream"},
	{.name = "truth", .key = KEY_TRUTH, .arg = "PATH", .doc = "Where the truth is written"},
	{.name = "cpu", .key = KEY_CPU, .arg = "US[-US]", .doc = "CPU per request"},
	{.name = "call",
	 .key = KEY_CALL,
	 .arg = "ADDRESS,N,US[-US]",
	 .doc = "N calls per request to that downstream, each answered after so long; repeatable"},
	{.name = "new-connection",
	 .key = KEY_NEW_CONNECTION,
	 .doc = "A new connection for each call"},
	{.name = "peer-poll", .key = KEY_PEER_POLL, .doc = "Wait for replies by poll"},
	{.name = "peer-sends",
	 .key = KEY_PEER_SENDS,
	 .arg = "N",
	 .doc = "Sends per call (default 1)"},
	{.name = "peer-pieces",
	 .key = KEY_PEER_PIECES,
	 .arg = "N",
	 .doc = "Pieces per reply (default 1)"},
	{.name = "lock-sleep",
	 .key = KEY_LOCK_SLEEP,
	 .arg = "US",
	 .doc = "Take the lock, sleep so long in it"},
	{.name = "lock-burn",
	 .key = KEY_LOCK_BURN,
	 .arg = "US",
	 .doc = "Take the lock, burn so much CPU in it"},
	{.name = "disk",
	 .key = KEY_DISK,
	 .arg = "FILE",
	 .doc = "The file that O_DIRECT reads come from"},
	{.name = "disk-reads", .key = KEY_DISK_READS, .arg = "N", .doc = "Reads per request"},
	{.name = "disk-bytes",
	 .key = KEY_DISK_BYTES,
	 .arg = "N",
	 .doc = "Bytes per read (default 4096)"},
	{.name = "sleep", .key = KEY_SLEEP, .arg = "US", .doc = "Sleep so long"},
	{.name = "child",
	 .key = KEY_CHILD,
	 .arg = "US",
	 .doc = "Run a child process that sleeps so long"},
	{.name = "response",
	 .key = KEY_RESPONSE,
	 .arg = "BYTES",
	 .doc = "Body of the response (default 100)"},
	{.name = "chunks", .key = KEY_CHUNKS, .arg = "N", .doc = "Stream the response in N chunks"},
	{.name = "chunk-pause",
	 .key = KEY_CHUNK_PAUSE,
	 .arg = "US",
	 .doc = "Pause before each chunk"},
	{.name = "close", .key = KEY_CLOSE, .doc = "Close the connection after each response"},
	{.name = "after-cpu",
	 .key = KEY_AFTER_CPU,
	 .arg = "US",
	 .doc = "CPU after the response (not in loops)"},
	{.name = "after-calls",
	 .key = KEY_AFTER_CALLS,
	 .arg = "N",
	 .doc = "Calls to the first downstream after the response (not in loops)"},
	{.name = "send-buffer",
	 .key = KEY_SEND_BUFFER,
	 .arg = "BYTES",
	 .doc = "Of the accepted sockets"},
	{.name = "open-files",
	 .key = KEY_OPEN_FILES,
	 .arg = "N",
	 .doc = "Open so many files first: descriptors of connections are above them"},
	{.name = "die-at",
	 .key = KEY_DIE_AT,
	 .arg = "N",
	 .doc = "The worker dies in the N-th request"},
	{.name = "exec-at",
	 .key = KEY_EXEC_AT,
	 .arg = "N",
	 .doc = "The process replaces itself after the N-th request (blocking, without --processes)"},
	{0},
};

/* Reads a number that ends where end says. */
static uint64_t number(const char *text, const char *end, struct argp_state *state)
{
	char *stop;
	unsigned long long value = strtoull(text, &stop, 10);

	if (stop == text || stop != end)
		argp_error(state, "not a number: %s", text);
	return value;
}

static unsigned int count(const char *text, struct argp_state *state)
{
	return (unsigned int)number(text, text + strlen(text), state);
}

static uint64_t duration(const char *text, struct argp_state *state)
{
	return number(text, text + strlen(text), state) * CLOCK_NS_PER_US;
}

static struct span span(const char *text, struct argp_state *state)
{
	const char *dash = strchr(text, '-');
	struct span s;

	if (!dash)
		return (struct span){.lo_ns = duration(text, state),
				     .hi_ns = duration(text, state)};
	s.lo_ns = number(text, dash, state) * CLOCK_NS_PER_US;
	s.hi_ns = duration(dash + 1, state);
	if (s.hi_ns < s.lo_ns)
		argp_error(state, "not a range: %s", text);
	return s;
}

/* Cuts off what follows the last comma. Returns it, or an empty text. */
static const char *cut(char *text)
{
	char *comma = strrchr(text, ',');

	if (!comma)
		return "";
	*comma = '\0';
	return comma + 1;
}

static void add_call(struct work *work, char *text, struct argp_state *state)
{
	struct work_peer *peer = &work->peers[work->n_peers];

	if (work->n_peers == TRUTH_PEERS) {
		argp_error(state, "more than %d downstreams", TRUTH_PEERS);
		return;
	}
	peer->delay = span(cut(text), state);
	peer->calls = count(cut(text), state);
	peer->name = text;
	if (net_parse(text, &peer->address) < 0)
		argp_error(state, "not an address: %s", text);
	work->n_peers++;
}

static void set_inner(struct work *work, const char *text, struct argp_state *state)
{
	const char *comma = strchr(text, ',');

	if (!comma) {
		argp_error(state, "not THREADS,N: %s", text);
		return;
	}
	work->inner_threads = (unsigned int)number(text, comma, state);
	work->parts = count(comma + 1, state);
}

static void set_model(struct service *service, const char *name, struct argp_state *state)
{
	static const struct {
		const char *name;
		int (*model)(const struct serve_opts *opts);
	} models[] = {
		{"blocking", serve_blocking},
		{"acceptor", serve_acceptor},
		{"loop", serve_loop},
		{"loop+pool", serve_loop_pool},
	};

	service->model = NULL;
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (!strcmp(models[i].name, name))
			service->model = models[i].model;
	if (!service->model)
		argp_error(state, "no such model: %s", name);
}

static error_t parse_work(int key, char *arg, struct argp_state *state, struct work *work)
{
	switch (key) {
	case KEY_INNER:
		set_inner(work, arg, state);
		return 0;
	case KEY_ASIDE:
		work->aside_ns = duration(arg, state);
		return 0;
	case KEY_CPU:
		work->cpu = span(arg, state);
		return 0;
	case KEY_CALL:
		add_call(work, strdup(arg), state); /* argv stays as it is, for exec */
		return 0;
	case KEY_NEW_CONNECTION:
		work->new_connection = true;
		return 0;
	case KEY_PEER_POLL:
		work->peer_poll = true;
		return 0;
	case KEY_PEER_SENDS:
		work->peer_sends = count(arg, state);
		return 0;
	case KEY_PEER_PIECES:
		work->peer_pieces = count(arg, state);
		return 0;
	case KEY_LOCK_SLEEP:
		work->lock = true;
		work->lock_sleep_ns = duration(arg, state);
		return 0;
	case KEY_LOCK_BURN:
		work->lock = true;
		work->lock_burn_ns = duration(arg, state);
		return 0;
	case KEY_DISK:
		work->disk_file = arg;
		return 0;
	case KEY_DISK_READS:
		work->disk_reads = count(arg, state);
		return 0;
	case KEY_DISK_BYTES:
		work->disk_bytes = count(arg, state);
		return 0;
	case KEY_SLEEP:
		work->sleep_ns = duration(arg, state);
		return 0;
	case KEY_CHILD:
		work->child = true;
		work->child_ns = duration(arg, state);
		return 0;
	case KEY_RESPONSE:
		work->response_bytes = count(arg, state);
		return 0;
	case KEY_CHUNKS:
		work->chunks = count(arg, state);
		return 0;
	case KEY_CHUNK_PAUSE:
		work->chunk_pause_ns = duration(arg, state);
		return 0;
	case KEY_CLOSE:
		work->close = true;
		return 0;
	case KEY_AFTER_CPU:
		work->after_cpu_ns = duration(arg, state);
		return 0;
	case KEY_AFTER_CALLS:
		work->after_calls = count(arg, state);
		return 0;
	case KEY_CLIENT_POLL:
		work->client_poll = true;
		return 0;
	case KEY_DIE_AT:
		work->die_at = count(arg, state);
		return 0;
	case KEY_EXEC_AT:
		work->exec_at = count(arg, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void check(const struct service *service, struct argp_state *state)
{
	const struct work *work = &service->serve.work;
	bool loops = service->model == serve_loop || service->model == serve_loop_pool;

	if (!service->listen.len)
		argp_error(state, "--listen is needed");
	if (work->disk_reads && !work->disk_file)
		argp_error(state, "--disk-reads needs --disk");
	if (!work->peer_sends || work->peer_sends > 8 || !work->peer_pieces ||
	    work->peer_pieces > 8)
		argp_error(state, "--peer-sends and --peer-pieces are 1 to 8");
	if (service->n_processes > MAX_PROCESSES || !service->serve.n_threads)
		argp_error(state, "0 to %d processes, 1 thread or more", MAX_PROCESSES);
	if (work->exec_at && (service->model != serve_blocking || service->n_processes ||
			      service->serve.n_threads > 1))
		argp_error(state,
			   "--exec-at is for the blocking model in one process with one thread");
	if (loops && (work->after_calls || work->after_cpu_ns))
		argp_error(state, "--after-* are not for loops");
	if (work->inner_threads && service->model != serve_blocking)
		argp_error(state, "--inner is for the blocking model");
	if ((work->after_calls || work->aside_ns) && !work->n_peers)
		argp_error(state, "--after-calls and --aside need --call");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct service *service = state->input;

	switch (key) {
	case KEY_LISTEN:
		if (net_parse(arg, &service->listen) < 0)
			argp_error(state, "not an address: %s", arg);
		return 0;
	case KEY_MODEL:
		set_model(service, arg, state);
		return 0;
	case KEY_PROCESSES:
		service->n_processes = count(arg, state);
		return 0;
	case KEY_THREADS:
		service->serve.n_threads = count(arg, state);
		return 0;
	case KEY_ACCEPT_POLL:
		service->serve.accept_poll = true;
		return 0;
	case KEY_POOL_WRITES:
		service->serve.pool_writes = true;
		return 0;
	case KEY_TRUTH:
		service->truth_path = arg;
		return 0;
	case KEY_SEND_BUFFER:
		service->send_buffer = (int)count(arg, state);
		return 0;
	case KEY_OPEN_FILES:
		service->n_open_files = count(arg, state);
		return 0;
	case ARGP_KEY_END:
		check(service, state);
		return 0;
	default:
		return parse_work(key, arg, state, &service->serve.work);
	}
}

/* ---- the processes ---- */

static int write_truth(const struct service *service)
{
	const struct work *work = &service->serve.work;
	const char *names[TRUTH_PEERS];
	int r;

	for (unsigned int i = 0; i < work->n_peers; i++)
		names[i] = work->peers[i].name;
	if (!service->truth_path)
		return 0;
	r = truth_write(work->truth, names, work->n_peers, service->truth_path);
	if (r < 0)
		(void)fprintf(stderr, "service: %s: %s\n", service->truth_path, strerror(-r));
	return r;
}

static int start_worker(struct service *service, unsigned int i)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		sigset_t none;

		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_FAILURE);
		_exit(service->model(&service->serve) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	service->pids[i] = pid;
	return 0;
}

/* Replaces workers that died. Returns 0, or -errno when one cannot be, or ended because it cannot
 * serve. */
static int reap(struct service *service)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		unsigned int i = 0;
		int r;

		while (i < service->n_processes && service->pids[i] != pid)
			i++;
		if (i == service->n_processes)
			continue;
		if (WIFEXITED(status))
			return -ECHILD;
		r = start_worker(service, i);
		if (r < 0)
			return r;
	}
	return 0;
}

static void end_workers(const struct service *service)
{
	for (unsigned int i = 0; i < service->n_processes; i++)
		(void)kill(service->pids[i], SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* Waits for signals and does what they ask; returns the exit status once one asks to end. */
static int supervise(struct service *service, const sigset_t *signals)
{
	for (;;) {
		int sig = sigwaitinfo(signals, NULL);

		if (sig == SIGUSR1)
			(void)write_truth(service);
		else if (sig == SIGUSR2)
			truth_reset(service->serve.work.truth);
		else if (sig == SIGCHLD && service->n_processes && reap(service) < 0)
			return EXIT_FAILURE;
		else if (sig == SIGTERM || sig == SIGINT)
			return write_truth(service) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	}
}

/* Where the first process serves itself, a thread beside it takes the signals. */
static void *supervise_thread(void *arg)
{
	struct service *service = arg;
	sigset_t signals;

	(void)pthread_sigmask(SIG_SETMASK, NULL, &signals);
	(void)sigdelset(&signals, SIGCHLD);
	_exit(supervise(service, &signals));
}

static int serve_here(struct service *service)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, supervise_thread, service))
		return EXIT_FAILURE;
	return service->model(&service->serve) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int serve_workers(struct service *service, const sigset_t *signals)
{
	int status = EXIT_SUCCESS;

	for (unsigned int i = 0; i < service->n_processes && !status; i++)
		if (start_worker(service, i) < 0)
			status = EXIT_FAILURE;
	if (!status)
		status = supervise(service, signals);
	end_workers(service);
	return status;
}

/* ---- start ---- */

static int inherited(const char *name)
{
	const char *value = getenv(name);

	return value ? atoi(value) : -1;
}

static void bequeath(const char *name, int fd)
{
	char value[16];

	(void)snprintf(value, sizeof(value), "%d", fd);
	(void)setenv(name, value, 1);
}

/* Opens what serving needs; what an exec handed on is taken over. Returns 0 or -errno. */
static int open_all(struct service *service)
{
	char name[NET_NAME_SIZE];
	int truth_fd;
	int r;

	for (unsigned int i = 0; i < service->n_open_files; i++)
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			return -errno;
	r = truth_open(inherited(ENV_TRUTH), &service->serve.work.truth, &truth_fd);
	if (r < 0)
		return r;
	r = work_prepare(&service->serve.work);
	if (r < 0)
		return r;
	service->serve.listen_fd = inherited(ENV_LISTEN);
	if (service->serve.listen_fd >= 0)
		return 0;
	r = net_listen(&service->listen, service->serve.accept_poll ? SOCK_NONBLOCK : 0);
	if (r < 0)
		return r;
	service->serve.listen_fd = r;
	/* Accepted sockets inherit it. */
	if (service->send_buffer && setsockopt(r, SOL_SOCKET, SO_SNDBUF, &service->send_buffer,
					       sizeof(service->send_buffer)) < 0)
		return -errno;
	r = net_name(service->serve.listen_fd, name);
	if (r < 0)
		return r;
	if (service->serve.work.exec_at) {
		bequeath(ENV_TRUTH, truth_fd);
		bequeath(ENV_LISTEN,
			 dup(service->serve.listen_fd)); /* a dup is not closed on exec */
	}
	(void)printf("listening on %s\n", name);
	return fflush(stdout) ? -errno : 0;
}

int main(int argc, char **argv)
{
	const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "A service with a known answer: does per request what the options say and records the truth.",
	};
	struct service service = {
		.model = serve_blocking,
		.serve =
			{
				.n_threads = 1,
				.argv = argv,
				.work = {.peer_sends = 1,
					 .peer_pieces = 1,
					 .disk_bytes = 4096,
					 .response_bytes = 100},
			},
	};
	sigset_t signals;
	int r;

	(void)argp_parse(&argp, argc, argv, 0, NULL, &service);
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGUSR1);
	(void)sigaddset(&signals, SIGUSR2);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	r = open_all(&service);
	if (r < 0) {
		(void)fprintf(stderr, "service: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	return service.n_processes ? serve_workers(&service, &signals) : serve_here(&service);
}
