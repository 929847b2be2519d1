/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US 1000ull
#define MS 1000000ull
#define S 1000000000ull

/* One kind of request: what each takes on average. Some take half as long, some twice. */
struct load {
	uint64_t n, queue_ns, parts_ns[PART_COUNT];
	uint64_t overlapped_io_ns;
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

/* How much of its average the i-th request takes, in 1/256: between a half and two, the same in
 * every run. */
static uint64_t varied(uint64_t ns, uint64_t i, uint64_t salt)
{
	uint64_t x = (i + 1) * 2654435761u + salt * 40503u;

	x = (x >> 8) & 255;
	return ns * (128 + x * x * 384 / 65025) / 256;
}

static void add_request(struct service *service, const struct load *load, uint64_t i)
{
	uint64_t queue = varied(load->queue_ns, i, 99), total = 0;
	uint64_t wait = varied(load->overlapped_io_ns, i, 98), cpu = 0;

	for (unsigned int p = 0; p < PART_COUNT; p++) {
		uint64_t ns = varied(load->parts_ns[p], i, p);

		dist_add(&service->parts[p], ns);
		total += ns;
		if (p == PART_CPU)
			cpu = ns;
		if (p == PART_NETWORK || p == PART_SLEEP || p == PART_CHILD)
			wait += ns;
	}
	service->overlapped_io_ns += varied(load->overlapped_io_ns, i, 98);
	dist_add(&service->service_time, total);
	dist_add(&service->queue_wait, queue);
	dist_add(&service->latency, queue + total);
	service->moments.xx += (double)cpu / 1e9 * (double)cpu / 1e9;
	service->moments.yy += (double)wait / 1e9 * (double)wait / 1e9;
	service->moments.xy += (double)cpu / 1e9 * (double)wait / 1e9;
	service->requests.completed++;
}

static void add_load(struct service *service, const struct load *load)
{
	for (uint64_t i = 0; i < load->n; i++)
		add_request(service, load, i);
	service->cpu_ns += service->parts[PART_CPU].sum_ns * 10 / 9;
	service->cpu_observed_ns = service->cpu_ns + 40 * US;
	service->peer_cpu_ns = 212 * MS;
}

static struct peer *add_peer(struct service *service, const char *address, uint64_t operations,
			     uint64_t wait_ns)
{
	struct peer *peer = must(service_add_peer(service, address));

	for (uint64_t i = 0; i < operations; i++)
		dist_add(&peer->wait, varied(wait_ns, i, 7));
	peer->operations = operations;
	service->requests.operations += operations;
	service->requests.waits += operations;
	return peer;
}

static void set_pids(struct service *service, pid_t first, size_t n)
{
	service->pids = must(calloc(n ? n : 1, sizeof(*service->pids)));
	for (size_t i = 0; i < n; i++)
		service->pids[i] = first + (pid_t)i;
	service->n_pids = n;
}

static struct snapshot *one_service(const char *name, size_t n_pids)
{
	struct snapshot *s = must(snapshot_new(1));

	s->start_unix_ns = 1795372757123456789;
	s->duration_ns = s->sampled_ns = 10 * S;
	s->services[0].name = must(strdup(name));
	set_pids(&s->services[0], 4711, n_pids);
	return s;
}

static void set_cost(struct snapshot *s, uint64_t switches, uint64_t messages)
{
	s->cost_known = true;
	s->n_programs = 2;
	s->programs = must(calloc(s->n_programs, sizeof(*s->programs)));
	s->programs[0] = (struct program_cost){
		.name = must(strdup("sched_switch")), .runs = switches, .run_ns = switches * 310};
	s->programs[1] = (struct program_cost){
		.name = must(strdup("sock_recv")), .runs = messages, .run_ns = messages * 240};
}

static void serve_as_workers(struct service *service, uint32_t workers)
{
	service->workers = (struct workers){.count = workers,
					    .processes = workers,
					    .wall_ns = workers * 10 * S,
					    .busy_ns = workers * 9 * S};
	service->evidence = (struct evidence){.opened_by_worker = service->requests.completed,
					      .own_ns = service->service_time.sum_ns,
					      .processes_serving = workers,
					      .threads_serving = workers,
					      .listens = true};
}

/* A sampled request: CPU, then a wait for each peer of the service, and so on in turn. */
static void add_trace(struct service *service, uint32_t key, uint64_t queue_wait_ns, uint64_t n)
{
	struct trace_segment segments[8];
	struct trace trace = {
		.key = key,
		.start_ns = (int64_t)key * 2 - (int64_t)S,
		.queue_wait_ns = queue_wait_ns,
		.segments = segments,
		.n_segments = n,
	};

	for (unsigned int i = 0; i < n; i++) {
		bool waits = i % 2;

		segments[i] = (struct trace_segment){
			.ns = varied(waits ? 5 * MS : 300 * US, i, key),
			.part = waits ? PART_NETWORK : PART_CPU,
			.peer = waits ? i / 2 % (uint32_t)service->n_peers : TRACE_NO_PEER,
		};
		trace.wall_ns += segments[i].ns;
	}
	succeed(traces_add(&service->traces, &trace, 0, NULL));
}

static void add_loads(struct peer *peer)
{
	for (unsigned int n = 1; n < 40; n += n / 3 + 1)
		peer->loads[in_flight_bin(n)] = (struct peer_load){100 / n, 100 / n * n * 900 * US};
}

/* So many after no pause, half as many after a short one, and so on; 60 us more after each longer
 * one. */
static void add_pauses(struct service *service, uint64_t requests)
{
	for (unsigned int i = 0; i < IOP_PAUSE_BINS && requests; i += 1 + i / 3, requests /= 2) {
		uint64_t cpu_ns = 2100 * US + i * 60 * US;

		service->pauses[i] = (struct pause){
			.requests = requests,
			.sum_ns = requests * pause_floor(i) * 3 / 2,
			.cpu_ns = requests * cpu_ns,
			.cpu_squares =
				1.1 * (double)requests * (double)cpu_ns * (double)cpu_ns / 1e18,
		};
	}
}

static void add_lanes(struct service *service, size_t n)
{
	service->lanes = must(calloc(n, sizeof(*service->lanes)));
	for (size_t i = 0; i < n; i++) {
		struct lane *lane = &service->lanes[i];

		*lane = (struct lane){
			.pid = service->pids[0] + 1 + (pid_t)i,
			.tid = service->pids[0] + 1 + (pid_t)i,
			.start_time = 81234567890 + i,
			.serving = true,
			.cpu_ns = 2 * S - i * S / 2,
			.run_queue_ns = 31 * MS,
			.wait_ns = 6 * S,
			.idle_ns = 1969 * MS,
		};
		(void)snprintf(lane->name, sizeof(lane->name), "worker\x1b %u",
			       (unsigned int)i % 100);
	}
	service->n_lanes = n;
	service->lanes_left_out = 3;
}

static void set_surroundings(struct service *service)
{
	service->surroundings = (struct surroundings){
		.cpus = 1.5,
		.host_cpus = 2,
		.quota_periods = 100,
		.quota_throttled = 7,
		.throttled_ns = 123 * MS,
		.other_cpu_ns = 2500 * MS,
		.process_bytes = 45ull << 20,
		.shared_bytes = 20ull << 20,
		.memory_available_bytes = 3ull << 30,
		.backlog = 5,
		.interpreter_lock = true,
		.modules_seen = MODULES_ALL,
		.environment_variables = 23,
	};
	succeed(service_add_component(service, "gunicorn"));
	succeed(service_add_component(service, "cpython"));
}

/* Two prefork workers that wait for a database; one peer is spoken to in the background only. */
static struct snapshot *make_prefork(void)
{
	struct snapshot *s = one_service("gunicorn", 3);
	struct service *service = &s->services[0];

	add_load(service, &(struct load){.n = 1010,
					 .queue_ns = 19500 * US,
					 .parts_ns = {[PART_CPU] = 2100 * US,
						      [PART_NETWORK] = 17200 * US,
						      [PART_LOCK] = 3 * US,
						      [PART_RUN_QUEUE] = 61 * US,
						      [PART_UNATTRIBUTED] = 22 * US}});
	add_peer(service, "127.0.0.1:5432", 2020, 6 * MS);
	add_peer(service, "unix:/run/redis/redis.sock", 1010, 5200 * US);
	add_peer(service, "[2001:db8::17]:443", 0, 0)->operations_outside = 12;
	add_loads(&service->peers[0]);
	add_pauses(service, 500);
	serve_as_workers(service, 2);
	set_cost(s, 12000, 9000);
	s->host = must(strdup("web-1"));
	service->traces.limit = 900000000;
	add_trace(service, 800000000, 20 * MS, 7);
	add_trace(service, 12345, 0, 1);
	add_trace(service, 100000000, TRACE_NOT_KNOWN, 4);
	service->traces.kept[1].truncated = 17;
	add_lanes(service, 2);
	set_surroundings(service);
	return s;
}

/* One thread, many requests at a time. */
static struct snapshot *make_event_loop(void)
{
	struct snapshot *s = one_service("node", 1);
	struct service *service = &s->services[0];

	add_load(service, &(struct load){.n = 4350,
					 .queue_ns = 310 * US,
					 .parts_ns = {[PART_CPU] = 630 * US,
						      [PART_RUN_QUEUE] = 9 * US,
						      [PART_OVERLAPPED] = 17 * MS,
						      [PART_UNATTRIBUTED] = 0},
					 .overlapped_io_ns = 15 * MS});
	add_peer(service, "10.20.30.40:8080", 13050, 5 * MS);
	service->workers =
		(struct workers){.count = 1, .processes = 1, .wall_ns = 10 * S, .busy_ns = 3 * S};
	service->evidence = (struct evidence){.opened_by_loop = 4350,
					      .own_ns = service->parts[PART_CPU].sum_ns,
					      .processes_serving = 1,
					      .threads_serving = 1,
					      .loops = 1,
					      .listens = true};
	service->requests.arrival_unknown = 64;
	service->requests.at_attach = 7;
	service->blocked[PART_DISK] = (struct blocked){12, 80 * MS, 31 * MS};
	service->blocked[PART_NETWORK] = (struct blocked){3, 30 * MS, 15 * MS};
	service->peers[0].blocked = service->blocked[PART_NETWORK];
	service->blocking_file = must(strdup("sessions.\xff"
					     "db"));
	set_cost(s, 90000, 35000);
	return s;
}

/* A server nobody talks to. */
static struct snapshot *make_silent(void)
{
	struct snapshot *s = one_service("php-fpm", 6);

	s->services[0].evidence.listens = true;
	s->services[0].workers = (struct workers){.count = 5, .processes = 5, .wall_ns = 50 * S};
	set_cost(s, 20, 0);
	return s;
}

/* No server at all. */
static struct snapshot *make_batch(void)
{
	struct snapshot *s = one_service("pg_dump", 1);

	s->services[0].cpu_ns = 7300 * MS;
	s->services[0].cpu_observed_ns = 7301 * MS;
	set_cost(s, 41000, 0);
	return s;
}

/* Everything that can go wrong did: losses, time that nobody can explain, CPU that was not seen, no
 * statistics. */
static struct snapshot *make_losses(void)
{
	struct snapshot *s = one_service("java", 1);
	struct service *service = &s->services[0];

	add_load(service, &(struct load){.n = 123,
					 .queue_ns = 120 * US,
					 .parts_ns = {[PART_CPU] = 4 * MS,
						      [PART_CLIENT] = 700 * US,
						      [PART_DISK] = 3 * MS,
						      [PART_LOCK] = 1500 * US,
						      [PART_SLEEP] = 10 * MS,
						      [PART_CHILD] = 2500 * US,
						      [PART_OTHER] = 40 * US,
						      [PART_RUN_QUEUE] = 2 * MS,
						      [PART_UNATTRIBUTED] = 2600 * US}});
	service->cpu_observed_ns = service->cpu_ns * 9 / 10;
	service->requests.aborted = 3;
	service->requests.parallel_ns = 123 * 200 * US;
	serve_as_workers(service, 1);
	service->workers.count = 200;
	service->evidence.threads_serving = 180;
	s->losses[LOSS_CUT] = 3;
	s->losses[LOSS_SHARES] = 12345;
	s->losses[LOSS_RECURSION] = 1;
	succeed(service_add_note(
		service, "The threads of this pool take work from a queue that the kernel does not "
			 "see; what they did for which request could be told for some only."));
	succeed(snapshot_add_note(
		s,
		"This kernel has no sk_data_ready tracepoint: queue wait is known for TCP only."));
	return s;
}

/* Names and addresses that attack the reader's terminal, parser or patience. */
static struct snapshot *make_hostile(void)
{
	struct snapshot *s =
		one_service("\x1b[2J\"evil\"\n\xff\xc3\x28\xe2\x80\xae\xd0\xb6\xe4\xb8\xad\\", 1);
	struct service *service = &s->services[0];

	add_load(service,
		 &(struct load){.n = 10,
				.parts_ns = {[PART_CPU] = 800, [PART_NETWORK] = 1500 * MS}});
	add_peer(service, "unix:/run/\x01\x02\x7f\xf5/caf\xc3\xa9.sock", 10, 1400 * MS);
	add_peer(
		service,
		"unix:/var/lib/a-very-long-directory/with-another-one-in-it/and-one-more/until-it-is-too-long.sock",
		10, 100 * MS);
	serve_as_workers(service, 1);
	return s;
}

/* Two services, many peers, large numbers. */
static struct snapshot *make_two_services(void)
{
	struct snapshot *s = must(snapshot_new(2));

	s->start_unix_ns = 1795372800000000000;
	s->duration_ns = 61 * S;
	s->sampled_ns = 7625000000;
	for (unsigned int i = 0; i < 2; i++) {
		struct service *service = &s->services[i];

		service->name = must(strdup(i ? "redis-server" : "envoy"));
		set_pids(service, 100 + (pid_t)i, i ? 1 : 0);
		add_load(service,
			 &(struct load){
				 .n = 1500,
				 .queue_ns = 12 * US,
				 .parts_ns = {
					 [PART_CPU] = 14900, [PART_NETWORK] = i ? 0 : 90 * MS}});
		/* As if every request had happened 10,000 times over. */
		for (int k = 0; k < (i ? 4 : 0); k++) {
			struct dist twice = service->latency;

			dist_merge(&service->latency, &twice);
		}
		serve_as_workers(service, 1);
	}
	for (unsigned int i = 0; i < 11; i++) {
		char address[] = "192.168.100.10:9042";

		address[13] = (char)('0' + i % 10);
		address[12] = (char)('1' + i / 10);
		add_peer(&s->services[0], address, 1500 - 100 * i, 9 * MS);
	}
	set_cost(s, 2000000, 1000000);
	return s;
}

/* Two intervals of one service, and their sum: their documents must sum alike. */
static struct snapshot *make_first(void)
{
	struct snapshot *s = make_prefork();

	s->losses[LOSS_PEERS] = 5;
	return s;
}

static struct snapshot *make_second(void)
{
	struct snapshot *s = one_service("gunicorn", 4);
	struct service *service = &s->services[0];

	s->start_unix_ns += 10 * (int64_t)S;
	s->duration_ns = s->sampled_ns = 5 * S;
	add_load(service, &(struct load){.n = 77,
					 .queue_ns = 900 * US,
					 .parts_ns = {[PART_CPU] = 9 * MS,
						      [PART_NETWORK] = 2 * MS,
						      [PART_DISK] = 50 * US,
						      [PART_UNATTRIBUTED] = 11 * US}});
	add_peer(service, "10.0.0.1:80", 77, 1100 * US);
	add_peer(service, "127.0.0.1:5432", 77, 900 * US);
	serve_as_workers(service, 3);
	service->requests.at_attach = 2;
	service->requests.aborted = 1;
	service->requests.parallel_ns = 321;
	service->blocked[PART_LOCK] = (struct blocked){1, 2 * MS, 2 * MS};
	service->blocked[PART_DISK] = (struct blocked){1, 3 * MS, 3 * MS};
	service->blocking_file = must(strdup("log"));
	add_loads(&service->peers[1]);
	add_pauses(service, 38);
	/* Of before its interval, whose response went on. */
	service->pauses[IOP_PAUSE_BINS - 1] = (struct pause){.cpu_ns = 70 * US};
	service->traces.limit = 700000000;
	add_trace(service, 5000000, 3 * MS, 5);
	add_lanes(service, 3);
	set_surroundings(service);
	service->surroundings.backlog = 4;
	service->surroundings.modules_seen = MODULES_PART;
	service->surroundings.memory_available_bytes = 1ull << 30;
	succeed(service_add_component(service, "psycopg2"));
	s->host = must(strdup("web-1"));
	s->losses[LOSS_PEERS] = 6;
	s->losses[LOSS_BUSY] = 1;
	set_cost(s, 900, 1800);
	return s;
}

static struct snapshot *make_sum(void)
{
	struct snapshot *s = make_first(), *second = make_second();

	succeed(snapshot_merge(s, second));
	snapshot_free(second);
	return s;
}

const struct golden_case golden_cases[] = {
	{"prefork", make_prefork},
	{"event-loop", make_event_loop},
	{"silent", make_silent},
	{"batch", make_batch},
	{"losses", make_losses},
	{"hostile", make_hostile},
	{"two-services", make_two_services},
	{"merge-first", make_first},
	{"merge-second", make_second},
	{"merge-sum", make_sum},
};
const size_t n_golden_cases = sizeof(golden_cases) / sizeof(golden_cases[0]);
