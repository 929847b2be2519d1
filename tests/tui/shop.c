/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US 1000ull
#define MS 1000000ull
#define S 1000000000ull
#define START_UNIX_NS 1795372757000000000
#define SLOW_ONE_IN 40

/* A stretch of a request, on average; of a wait for a peer, whose position. */
struct step {
	enum part part;
	uint32_t peer;
	uint64_t ns;
};

struct turn {
	const struct step *steps;
	size_t n_steps;
	uint64_t queue_ns, overlapped_io_ns;
	uint32_t slow_peer; /* one operation with it in SLOW_ONE_IN takes ten times as long */
};

static void *must(void *pointer)
{
	if (!pointer)
		abort();
	return pointer;
}

static void succeed(int r)
{
	if (r < 0)
		abort();
}

static uint32_t mixed(uint64_t x)
{
	x = (x + 1) * 0x9e3779b97f4a7c15ull;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ull;
	return (uint32_t)(x >> 32);
}

/* Between a half and two of ns, the same in every run. */
static uint64_t varied(uint64_t ns, uint64_t salt)
{
	uint64_t x = mixed(salt) & 255;

	return ns * (128 + x * x * 384 / 65025) / 256;
}

/* From 0 to 255 and back over so many ticks. */
static unsigned int wave(unsigned int tick, unsigned int period)
{
	unsigned int x = tick % period * 512 / period;

	return x < 256 ? x : 511 - x;
}

static void add_segments(struct service *service, const struct turn *turn, uint64_t salt,
			 struct trace *trace)
{
	uint64_t cpu = 0, wait = varied(turn->overlapped_io_ns, salt), parts[PART_COUNT] = {0};

	for (size_t i = 0; i < turn->n_steps; i++) {
		const struct step *step = &turn->steps[i];
		uint64_t ns = varied(step->ns, salt * 31 + i);

		if (step->peer != TRACE_NO_PEER) {
			struct peer *peer = &service->peers[step->peer];

			if (step->peer == turn->slow_peer && mixed(salt * 7) % SLOW_ONE_IN == 0)
				ns *= 10;
			dist_add(&peer->wait, ns);
			peer->operations++;
			service->requests.operations++;
		}
		service->requests.waits += step->part < PART_WAIT_COUNT;
		parts[step->part] += ns;
		trace->segments[i] = (struct trace_segment){ns, step->part, step->peer};
		trace->wall_ns += ns;
	}
	for (unsigned int p = 0; p < PART_COUNT; p++)
		dist_add(&service->parts[p], parts[p]);
	cpu = parts[PART_CPU];
	wait += parts[PART_NETWORK] + parts[PART_SLEEP] + parts[PART_CHILD];
	service->overlapped_io_ns += varied(turn->overlapped_io_ns, salt);
	service->moments.xx += (double)cpu / 1e9 * (double)cpu / 1e9;
	service->moments.yy += (double)wait / 1e9 * (double)wait / 1e9;
	service->moments.xy += (double)cpu / 1e9 * (double)wait / 1e9;
}

static void add_requests(struct service *service, const struct turn *turn, uint64_t n,
			 uint64_t salt)
{
	struct trace_segment segments[16];

	for (uint64_t i = 0; i < n; i++) {
		struct trace trace = {
			.key = mixed(salt * 65537 + i),
			.start_ns = (int64_t)(i * S / n),
			.queue_wait_ns = varied(turn->queue_ns, salt * 13 + i),
			.segments = segments,
			.n_segments = turn->n_steps,
		};

		add_segments(service, turn, salt * 65537 + i, &trace);
		dist_add(&service->service_time, trace.wall_ns);
		dist_add(&service->queue_wait, trace.queue_wait_ns);
		dist_add(&service->latency, trace.wall_ns + trace.queue_wait_ns);
		service->requests.completed++;
		succeed(traces_add(&service->traces, &trace, 0, NULL));
	}
	service->cpu_ns = service->parts[PART_CPU].sum_ns * 20 / 19;
	service->cpu_observed_ns = service->cpu_ns;
}

/* What operations took with n in flight: no slower up to what the peer can do at once. */
static void set_loads(struct peer *peer, unsigned int most, unsigned int servers)
{
	double mean_ns = (double)peer->wait.sum_ns / (double)peer->wait.count;

	for (unsigned int n = 1; n <= most; n++) {
		double slower = n > servers ? (double)n / servers : 1;
		uint64_t operations = peer->operations * n / (most * (most + 1) / 2);
		struct peer_load *load = &peer->loads[in_flight_bin(n)];

		load->operations += operations;
		load->sum_ns += (uint64_t)((double)operations * mean_ns * slower);
	}
}

/* Shares of the second in 1/256, the rest idle. */
static void add_lane(struct service *service, pid_t pid, pid_t tid, const char *name,
		     const unsigned int shares[3])
{
	struct lane *lanes =
		must(reallocarray(service->lanes, service->n_lanes + 1, sizeof(*service->lanes)));
	struct lane *lane = &lanes[service->n_lanes++];

	service->lanes = lanes;
	*lane = (struct lane){.pid = pid,
			      .tid = tid,
			      .start_time = (uint64_t)tid,
			      .serving = true,
			      .loop = service->evidence.loops > 0,
			      .cpu_ns = shares[0] * S / 256,
			      .run_queue_ns = shares[1] * S / 256,
			      .wait_ns = shares[2] * S / 256};
	lane->idle_ns = S - lane->cpu_ns - lane->run_queue_ns - lane->wait_ns;
	(void)snprintf(lane->name, sizeof(lane->name), "%s", name);
}

static void serve(struct service *service, uint32_t processes, uint32_t count)
{
	service->workers = (struct workers){.count = count, .processes = processes};
	for (size_t i = 0; i < service->n_lanes; i++) {
		service->workers.wall_ns += S;
		service->workers.busy_ns += S - service->lanes[i].idle_ns;
	}
	service_sort_lanes(service);
}

static void start(struct service *service, const char *name, pid_t first, size_t n_pids)
{
	service->name = must(strdup(name));
	service->pids = must(calloc(n_pids, sizeof(*service->pids)));
	for (size_t i = 0; i < n_pids; i++)
		service->pids[i] = first + (pid_t)i;
	service->n_pids = n_pids;
	service->traces.limit = TRACE_KEYS;
	service->surroundings.cpus = service->surroundings.host_cpus = 2;
	service->evidence.listens = true;
}

static void add_gunicorn(struct service *service, unsigned int tick)
{
	static const struct step steps[] = {{PART_CPU, TRACE_NO_PEER, 600 * US},
					    {PART_NETWORK, 1, 700 * US},
					    {PART_CPU, TRACE_NO_PEER, 900 * US},
					    {PART_RUN_QUEUE, TRACE_NO_PEER, 90 * US},
					    {PART_NETWORK, 0, 9 * MS},
					    {PART_CPU, TRACE_NO_PEER, 1200 * US},
					    {PART_NETWORK, 0, 6 * MS},
					    {PART_LOCK, TRACE_NO_PEER, 40 * US},
					    {PART_CPU, TRACE_NO_PEER, 500 * US},
					    {PART_CLIENT, TRACE_NO_PEER, 120 * US},
					    {PART_UNATTRIBUTED, TRACE_NO_PEER, 9 * US}};
	unsigned int load = wave(tick, 40);
	struct turn turn = {.steps = steps,
			    .n_steps = sizeof(steps) / sizeof(steps[0]),
			    .queue_ns = 200 * US + load * 90 * US,
			    .slow_peer = 0};

	start(service, "gunicorn", 4711, 5);
	(void)must(service_add_peer(service, "127.0.0.1:5432"));
	(void)must(service_add_peer(service, "unix:/run/redis/redis.sock"));
	(void)must(service_add_peer(service, "[2001:db8::17]:443"));
	service->peers[2].operations_outside = 2;
	add_requests(service, &turn, 90 + load / 3, tick);
	set_loads(&service->peers[0], 4, 2);
	set_loads(&service->peers[1], 2, 2);
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int used = 140 + load * 2 / 5 + mixed(tick * 4 + i) % 14;

		add_lane(service, 4712 + (pid_t)i, 4712 + (pid_t)i, "gunicorn",
			 (unsigned int[]){used / 6, used / 60, used - used / 6 - used / 60});
	}
	service->evidence.opened_by_worker = service->requests.completed;
	service->evidence.own_ns = service->service_time.sum_ns;
	service->evidence.processes_serving = service->evidence.threads_serving = 4;
	service->surroundings.process_bytes = 41 << 20;
	service->surroundings.memory_available_bytes = 3ull << 30;
	serve(service, 4, 4);
}

static void add_node(struct service *service, unsigned int tick)
{
	static const struct step steps[] = {{PART_CPU, TRACE_NO_PEER, 310 * US},
					    {PART_OVERLAPPED, TRACE_NO_PEER, 12 * MS},
					    {PART_RUN_QUEUE, TRACE_NO_PEER, 8 * US},
					    {PART_CPU, TRACE_NO_PEER, 280 * US}};
	struct turn turn = {.steps = steps,
			    .n_steps = 4,
			    .queue_ns = 150 * US,
			    .overlapped_io_ns = 11 * MS,
			    .slow_peer = TRACE_NO_PEER};
	unsigned int used = 60 + wave(tick, 25) / 4;

	start(service, "node", 900, 1);
	add_requests(service, &turn, 380 + wave(tick, 25) / 4, tick + 1000);
	(void)must(service_add_peer(service, "10.20.30.40:8080"));
	service->peers[0].operations = service->requests.completed;
	for (uint64_t i = 0; i < service->requests.completed; i++)
		dist_add(&service->peers[0].wait, varied(11 * MS, i + tick));
	set_loads(&service->peers[0], 12, 64);
	service->evidence.loops = 1;
	service->evidence.opened_by_loop = service->requests.completed;
	service->evidence.own_ns = service->parts[PART_CPU].sum_ns;
	service->evidence.processes_serving = service->evidence.threads_serving = 1;
	service->blocked[PART_DISK] =
		(struct blocked){.count = tick % 3, .sum_ns = tick % 3 * 6 * MS, .max_ns = 7 * MS};
	add_lane(service, 900, 900, "node", (unsigned int[]){used, used / 20, tick % 3 * 2});
	serve(service, 1, 1);
}

static void add_redis(struct service *service, unsigned int tick)
{
	static const struct step steps[] = {{PART_CPU, TRACE_NO_PEER, 11 * US}};
	struct turn turn = {
		.steps = steps, .n_steps = 1, .queue_ns = 14 * US, .slow_peer = TRACE_NO_PEER};

	start(service, "redis-server", 501, 1);
	add_requests(service, &turn, 4000 + wave(tick, 30) * 4, tick + 2000);
	service->evidence.loops = 1;
	service->evidence.opened_by_loop = service->requests.completed;
	service->evidence.processes_serving = service->evidence.threads_serving = 1;
	add_lane(service, 501, 501, "redis-server", (unsigned int[]){20, 1, 0});
	serve(service, 1, 1);
}

static struct snapshot *second(unsigned int tick, size_t n_services)
{
	struct snapshot *s = must(snapshot_new(n_services));

	s->start_unix_ns = START_UNIX_NS + (int64_t)(tick * S);
	s->duration_ns = S;
	s->cost_known = true;
	s->n_programs = 5;
	s->programs = must(calloc(s->n_programs, sizeof(*s->programs)));
	s->programs[0] = (struct program_cost){strdup("sched_switch"), 9400, 9400 * 102};
	s->programs[1] = (struct program_cost){strdup("sched_waking"), 6100, 6100 * 108};
	s->programs[2] = (struct program_cost){strdup("sk_data_ready"), 5200, 5200 * 78};
	s->programs[3] = (struct program_cost){strdup("sock_recv_length"), 6000, 6000 * 290};
	s->programs[4] = (struct program_cost){strdup("sock_send_length"), 5900, 5900 * 196};
	return s;
}

struct snapshot *shop_second(unsigned int tick)
{
	struct snapshot *s = second(tick, 3);

	add_gunicorn(&s->services[0], tick);
	add_node(&s->services[1], tick);
	add_redis(&s->services[2], tick);
	return s;
}

struct snapshot *shop_crowd(unsigned int tick)
{
	static const struct step steps[] = {{PART_CPU, TRACE_NO_PEER, 9 * MS},
					    {PART_LOCK, TRACE_NO_PEER, 3 * MS},
					    {PART_RUN_QUEUE, TRACE_NO_PEER, 80 * MS},
					    {PART_DISK, TRACE_NO_PEER, 4 * MS},
					    {PART_CPU, TRACE_NO_PEER, 2 * MS}};
	struct turn turn = {
		.steps = steps, .n_steps = 5, .queue_ns = 300 * US, .slow_peer = TRACE_NO_PEER};
	struct snapshot *s = second(tick, 1);
	struct service *service = &s->services[0];
	char name[16];

	start(service, "java", 3000, 1);
	add_requests(service, &turn, 180, tick + 5000);
	for (unsigned int i = 0; i < 200; i++) {
		unsigned int cpu = 2 + mixed(tick * 200 + i) % 2, runq = 40 + mixed(i) % 120;

		(void)snprintf(name, sizeof(name), "http-exec-%u", i + 1);
		add_lane(service, 3000, 3001 + (pid_t)i, name, (unsigned int[]){cpu, runq, 20});
	}
	service->evidence.opened_by_worker = service->requests.completed;
	service->evidence.own_ns = service->service_time.sum_ns;
	service->evidence.processes_serving = 1;
	service->evidence.threads_serving = 200;
	serve(service, 1, 200);
	return s;
}
