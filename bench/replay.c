/*
 * The replay client: sends frames that were encoded before the clock started
 * and measures the answers and what they cost the broker.
 *
 *	replay produce	Produce requests, flat out or at a fixed rate
 *	replay fetch	reads the topic from its start, again and again
 *	replay tail	produces at a fixed rate to one partition, and reads
 *			along on another connection
 *	replay idle | partitions | start -- COMMAND…	see probes.h
 *	replay delete	deletes the topic
 *	replay handshakes
 *			opens connections with TLS and closes them
 *	replay accept	is the least of a server for that
 *
 * `replay --help` lists the options; each run prints one line of JSON.
 * Latencies begin with the write, at a fixed rate with the moment at which the
 * request was due, so that a broker that stalls is charged for what it makes
 * wait.
 */
#include "base/bytes.h"
#include "bench/cost.h"
#include "bench/histogram.h"
#include "bench/probes.h"
#include "bench/tls_client.h"
#include "wire/error.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SILENCE_NS (120 * 1000000000ull)
#define READ_LEN 65536
/* So that a tail sends when it is due, whatever is not yet answered. */
#define TAIL_IN_FLIGHT 10000

struct settings {
	const char *tag;
	struct broker broker;
	uint16_t tls_port; /* the load's; 0: no TLS */
	const char *certificate;
	struct load load;
	int connections;
	int in_flight;
	int32_t max_bytes;
	double rate; /* requests a second; 0: flat out */
	double seconds;
	double skip;       /* seconds of a tail that do not count */
	uint64_t requests; /* at most; 0: no limit */
	long pid;
	bool bare; /* the broker is the floor */
	char **command;
};

/* A connection, and what is under way on it. */
struct stream {
	int fd;
	SSL *ssl; /* or NULL */
	bool consumer;
	bool wants_write;
	int partition; /* a producer's next */
	const struct buf *frame;
	size_t unsent;      /* of the frame */
	struct buf own;     /* a consumer's frame */
	int64_t offset;     /* a consumer's next */
	uint64_t *begun_ns; /* a ring of in_flight */
	uint32_t begun, ended;
	struct buf in;
};

/* The run. */
struct run {
	const struct settings *settings;
	int epoll;
	struct stream *streams;
	int stream_count;
	int producer_count;
	struct buf *frames; /* one for each partition */
	size_t batch_bytes;
	int64_t base; /* a tail's first offset */
	uint64_t begin_ns, end_ns, period_ns;
	uint64_t counted; /* requests due before this one do not count */
	bool counting;
	uint64_t limit; /* of requests */
	uint64_t begun, ended, under_way;
	int turn; /* the producer that is next at a rate */
	uint64_t done, messages, bytes; /* that count */
	struct histogram request, end_to_end;
	struct cost before, after;
	double own_s;
};

static uint64_t
now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* --- Sending ------------------------------------------------------------- */

static void
watch(struct run *run, struct stream *stream, int operation)
{
	struct epoll_event event = { .data.ptr = stream,
		.events = EPOLLIN | (stream->wants_write ? EPOLLOUT : 0u) };

	if (epoll_ctl(run->epoll, operation, stream->fd, &event) != 0)
		die("epoll_ctl: %s", strerror(errno));
}

static ssize_t
stream_write(const struct stream *stream, const void *from, size_t len)
{
	return stream->ssl == NULL ? write(stream->fd, from, len) :
				     tls_client_write(stream->ssl, from, len);
}

static ssize_t
stream_read(const struct stream *stream, void *to, size_t len)
{
	return stream->ssl == NULL ? read(stream->fd, to, len) :
				     tls_client_read(stream->ssl, to, len);
}

/* Write what the socket takes. */
static void
stream_send(struct run *run, struct stream *stream)
{
	bool full = false;

	while (stream->unsent > 0 && !full) {
		const struct buf *frame = stream->frame;
		ssize_t len = stream_write(stream,
		    frame->data + frame->len - stream->unsent, stream->unsent);

		if (len < 0 && errno != EAGAIN)
			die("write: %s", strerror(errno));
		full = len < 0;
		stream->unsent -= full ? 0 : (size_t)len;
	}
	if (full != stream->wants_write) {
		stream->wants_write = full;
		watch(run, stream, EPOLL_CTL_MOD);
	}
}

static bool
stream_ready(const struct run *run, const struct stream *stream)
{
	uint32_t most =
	    stream->consumer ? 1 : (uint32_t)run->settings->in_flight;

	return stream->unsent == 0 && stream->begun - stream->ended < most;
}

static void
stream_begin(struct run *run, struct stream *stream, uint64_t begun_ns)
{
	uint32_t place = stream->begun++ % (uint32_t)run->settings->in_flight;

	stream->begun_ns[place] = begun_ns;
	if (stream->consumer) {
		frame_fetch_from(&stream->own, stream->offset);
		stream->frame = &stream->own;
	} else {
		stream->frame = &run->frames[stream->partition];
		stream->partition =
		    (stream->partition + 1) % run->settings->load.partitions;
	}
	stream->unsent = stream->frame->len;
	run->under_way++;
	stream_send(run, stream);
}

/* Costs count from the first request that counts. */
static void
count_from_here(struct run *run)
{
	run->counting = true;
	cost_read(&run->before, run->settings->pid);
	run->own_s = cost_own();
}

static bool
over(const struct run *run, uint64_t now)
{
	return (run->limit > 0 && run->begun >= run->limit) ||
	    (run->limit == 0 && now >= run->end_ns);
}

/* Begin what the stream has room for, flat out. */
static void
pump(struct run *run, struct stream *stream)
{
	uint64_t now;

	while (stream_ready(run, stream) && !over(run, now = now_ns())) {
		run->begun++;
		stream_begin(run, stream, now);
	}
}

/* Has the consumer of a tail all that will come? */
static bool
tail_read(const struct run *run, const struct stream *stream)
{
	return stream->offset >= run->base + (int64_t)run->limit;
}

static void
pump_consumer(struct run *run, struct stream *stream)
{
	if (run->producer_count == 0)
		pump(run, stream);
	else if (stream_ready(run, stream) && !tail_read(run, stream))
		stream_begin(run, stream, now_ns());
}

/* Begin what is due; the time until the next, or UINT64_MAX. */
static uint64_t
pump_due(struct run *run)
{
	int refused = 0;

	while (run->begun < run->limit && refused < run->producer_count) {
		struct stream *stream = &run->streams[run->turn];
		uint64_t due = run->begin_ns + run->begun * run->period_ns;
		uint64_t now = now_ns();

		if (due > now)
			return due - now;
		run->turn = (run->turn + 1) % run->producer_count;
		if (!stream_ready(run, stream)) {
			refused++;
			continue;
		}
		refused = 0;
		if (!run->counting && run->begun >= run->counted)
			count_from_here(run);
		run->begun++;
		stream_begin(run, stream, due);
	}
	return UINT64_MAX;
}

/* --- Answers ------------------------------------------------------------- */

static void
got_produced(struct run *run, struct stream *stream, struct slice answer,
    uint64_t begun_ns, uint64_t now)
{
	int error = frame_produce_error(answer);

	(void)stream;
	if (error != 0)
		die("produce: error %d", error);
	if (run->ended++ < run->counted)
		return;
	run->done++;
	run->messages += (uint64_t)run->settings->load.records;
	run->bytes += run->batch_bytes;
	histogram_add(&run->request, now - begun_ns);
}

/* The records of a batch, which the producer sent one by one when due. */
static void
count_tail(struct run *run, int64_t offset, int64_t next, uint64_t now)
{
	for (; offset < next; offset++) {
		uint64_t number = (uint64_t)(offset - run->base);

		if (number >= run->counted)
			histogram_add(&run->end_to_end,
			    now - run->begin_ns - number * run->period_ns);
	}
}

static void
count_batches(
    struct run *run, struct stream *stream, struct slice records, uint64_t now)
{
	bool tail = run->producer_count > 0;

	while (records.len >= 61) {
		size_t len = be32_get(records.data + 8) + 12u;
		int64_t offset = (int64_t)be64_get(records.data);
		int64_t next =
		    offset + 1 + (int32_t)be32_get(records.data + 23);

		if (records.len < len)
			break;
		if (stream->offset > next)
			die("fetch: offset %lld again", (long long)offset);
		if (tail)
			count_tail(run, offset, next, now);
		else
			run->messages += be32_get(records.data + 57);
		stream->offset = next;
		records.data += len;
		records.len -= len;
	}
}

static void
got_fetched(struct run *run, struct stream *stream, struct slice answer,
    uint64_t begun_ns, uint64_t now)
{
	struct fetched fetched;

	frame_fetched(answer, &fetched);
	if (fetched.error != 0)
		die("fetch: error %d", fetched.error);
	count_batches(run, stream, fetched.records, now);
	if (run->producer_count > 0)
		return;
	if (fetched.records.len == 0)
		die("fetch: the topic is empty");
	run->ended++;
	run->done++;
	run->bytes += fetched.records.len;
	histogram_add(&run->request, now - begun_ns);
	if (stream->offset >= fetched.high_watermark)
		stream->offset = 0;
}

static void
got(struct run *run, struct stream *stream, struct slice answer, uint64_t now)
{
	uint32_t place = stream->ended % (uint32_t)run->settings->in_flight;

	if (stream->begun == stream->ended)
		die("an answer to nothing");
	if (stream->consumer)
		got_fetched(run, stream, answer, stream->begun_ns[place], now);
	else
		got_produced(run, stream, answer, stream->begun_ns[place], now);
	stream->ended++;
	run->under_way--;
}

/* Take the whole answers out of what was read. */
static void
take_answers(struct run *run, struct stream *stream)
{
	size_t at = 0, len = 0;
	uint64_t now = now_ns();

	while (stream->in.len - at >= 4) {
		len = be32_get(stream->in.data + at);
		if (stream->in.len - at - 4 < len)
			break;
		got(run, stream, slice_of(stream->in.data + at + 4, len), now);
		at += 4 + len;
		len = 0;
	}
	stream->in.len -= at;
	if (at > 0)
		memmove(stream->in.data, stream->in.data + at, stream->in.len);
}

/* Is there more to read? */
static bool
stream_receive(struct run *run, struct stream *stream)
{
	size_t want = READ_LEN;
	uint8_t *to;
	ssize_t len;

	if (stream->consumer)
		want += (size_t)run->settings->max_bytes;
	want -= MIN(want - 1, stream->in.len);
	to = buf_reserve(&stream->in, want);
	if (to == NULL)
		die("an answer is too large");
	len = stream_read(stream, to, want);
	if (len < 0 && errno == EAGAIN)
		return false;
	if (len <= 0)
		die("the broker closed a connection");
	stream->in.len += (size_t)len;
	take_answers(run, stream);
	/* It comes record by record, and epoll knows nothing of the rest. */
	return stream->ssl != NULL;
}

/* --- The run ------------------------------------------------------------- */

static void
stream_open(struct run *run, struct stream *stream, bool consumer, int number)
{
	const struct settings *settings = run->settings;

	stream->consumer = consumer;
	stream->partition = number % settings->load.partitions;
	stream->begun_ns =
	    xcalloc((size_t)settings->in_flight, sizeof(*stream->begun_ns));
	buf_init(&stream->in, 1u << 30);
	if (settings->tls_port == 0) {
		stream->fd = broker_must_connect(&settings->broker);
	} else {
		const struct broker tls = { settings->broker.host,
			settings->tls_port };

		stream->ssl = tls_client_connect(&tls);
		stream->fd = SSL_get_fd(stream->ssl);
	}
	if (fcntl(stream->fd, F_SETFL, O_NONBLOCK) != 0)
		die("fcntl: %s", strerror(errno));
	if (consumer)
		frame_fetch(&stream->own, &settings->load, stream->partition,
		    settings->max_bytes);
	watch(run, stream, EPOLL_CTL_ADD);
}

static void
run_open(struct run *run, int producers, int consumers)
{
	run->producer_count = producers;
	run->stream_count = producers + consumers;
	run->streams =
	    xcalloc((size_t)run->stream_count, sizeof(*run->streams));
	run->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < run->stream_count; i++)
		stream_open(run, &run->streams[i], i >= producers,
		    i >= producers ? i - producers : i);
}

/* The kernel's structure of sched_setattr(2), for which there is no header. */
struct scheduling {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t slice_ns;
	uint64_t deadline_ns;
	uint64_t period_ns;
};

/*
 * Ask for the processor in short slices, which kernels from 6.12 on give
 * sooner: what is measured at a rate is the broker, not how long this process
 * waits behind a client that is flat out.
 */
static void
take_short_slices(void)
{
	struct scheduling scheduling = {
		.size = sizeof(scheduling),
		.nice = getpriority(PRIO_PROCESS, 0),
		.slice_ns = 100000,
	};

	(void)syscall(SYS_sched_setattr, 0, &scheduling, 0);
}

static void
run_time(struct run *run)
{
	const struct settings *settings = run->settings;

	run->begin_ns = now_ns();
	run->end_ns = run->begin_ns + (uint64_t)(settings->seconds * 1e9);
	run->limit = settings->requests;
	if (settings->rate <= 0)
		return;
	take_short_slices();
	run->period_ns = (uint64_t)(1e9 / settings->rate);
	run->begin_ns += 10000000;
	run->counted = (uint64_t)(settings->skip * settings->rate);
	if (run->limit == 0)
		run->limit = (uint64_t)(settings->seconds * settings->rate);
	run->limit += run->counted;
}

static void
handle(struct run *run, struct stream *stream, uint32_t events)
{
	if ((events & ~(uint32_t)EPOLLOUT) != 0)
		while (stream_receive(run, stream))
			;
	stream_send(run, stream);
	if (stream->consumer)
		pump_consumer(run, stream);
	else if (run->period_ns == 0)
		pump(run, stream);
}

static bool
run_over(const struct run *run)
{
	const struct stream *last = &run->streams[run->stream_count - 1];

	if (run->period_ns > 0)
		return run->ended >= run->limit &&
		    (!last->consumer || tail_read(run, last));
	return run->under_way == 0;
}

static void
wait_events(struct run *run, uint64_t wait_ns)
{
	struct timespec wait = { .tv_sec = (time_t)(wait_ns / 1000000000u),
		.tv_nsec = (long)(wait_ns % 1000000000u) };
	struct epoll_event events[128];
	int count =
	    epoll_pwait2(run->epoll, events, COUNT_OF(events), &wait, NULL);

	if (count < 0 && errno != EINTR)
		die("epoll_pwait2: %s", strerror(errno));
	if (count == 0 && wait_ns == SILENCE_NS)
		die("the broker does not answer");
	for (int i = 0; i < count; i++)
		handle(run, events[i].data.ptr, events[i].events);
}

static void
run_loop(struct run *run)
{
	run_time(run);
	if (run->counted == 0)
		count_from_here(run);
	for (int i = 0; i < run->stream_count; i++)
		handle(run, &run->streams[i], EPOLLOUT);
	while (!run_over(run)) {
		uint64_t wait = run->period_ns > 0 ? pump_due(run) : UINT64_MAX;

		wait_events(run, MIN(wait, SILENCE_NS));
	}
	run->end_ns = now_ns();
	run->own_s = cost_own() - run->own_s;
	cost_read(&run->after, run->settings->pid);
}

static void
print_cost(const struct run *run, double seconds)
{
	double cpu = run->after.cpu_s - run->before.cpu_s;

	if (run->settings->pid == 0)
		return;
	printf(",\"cpu_s\":%.2f,\"us_per_request\":%.2f,"
	       "\"us_per_message\":%.3f,\"s_per_gb\":%.4f,\"rss_kb\":%ld,"
	       "\"peak_kb\":%ld,\"switches_per_request\":%.3f,"
	       "\"noise_cores\":%.2f",
	    cpu, cpu * 1e6 / (double)run->done,
	    cpu * 1e6 / (double)run->messages, cpu * 1e9 / (double)run->bytes,
	    run->after.rss_kb, run->after.peak_kb,
	    (double)(run->after.switches - run->before.switches) /
		(double)run->done,
	    (run->after.machine_s - run->before.machine_s - cpu - run->own_s) /
		seconds);
}

static void
run_print(const struct run *run, const char *mode)
{
	const struct settings *settings = run->settings;
	double seconds = (double)(run->end_ns - run->begin_ns -
			     run->counted * run->period_ns) /
	    1e9;

	printf("{\"mode\":\"%s\",\"tag\":\"%s\",\"connections\":%d,"
	       "\"in_flight\":%d,\"batch_bytes\":%zu,\"requests\":%llu,"
	       "\"messages\":%llu,\"bytes\":%llu,\"seconds\":%.3f,"
	       "\"requests_per_s\":%.0f,\"mb_per_s\":%.1f",
	    mode, settings->tag, settings->connections, settings->in_flight,
	    run->batch_bytes, (unsigned long long)run->done,
	    (unsigned long long)run->messages, (unsigned long long)run->bytes,
	    seconds, (double)run->done / seconds,
	    (double)run->bytes / seconds / 1e6);
	histogram_print(&run->request, "request");
	histogram_print(&run->end_to_end, "end_to_end");
	print_cost(run, seconds);
	printf("}\n");
}

/* --- Modes --------------------------------------------------------------- */

static void
make_topic(const struct settings *settings)
{
	int fd, error;

	if (settings->bare)
		return;
	fd = broker_must_connect(&settings->broker);
	error = broker_create_topic(fd, &settings->load);
	if (error != 0 && error != KP_TOPIC_ALREADY_EXISTS)
		die("%s: error %d", settings->load.topic, error);
	while (broker_leaders(fd, &settings->load) < settings->load.partitions)
		usleep(1000);
	for (int i = 0; i < settings->load.partitions; i++)
		while (broker_produce(fd, &settings->load, i) != 0)
			usleep(1000);
	close(fd);
}

static void
make_frames(struct run *run, struct load *load)
{
	run->frames = xcalloc((size_t)load->partitions, sizeof(*run->frames));
	for (int i = 0; i < load->partitions; i++)
		run->batch_bytes = frame_produce(&run->frames[i], load, i);
}

static void
mode_produce(struct run *run, struct settings *settings)
{
	make_topic(settings);
	make_frames(run, &settings->load);
	run_open(run, settings->connections, 0);
	run_loop(run);
	run_print(run, "produce");
}

static void
mode_fetch(struct run *run, struct settings *settings)
{
	settings->in_flight = 1;
	settings->rate = 0;
	run_open(run, 0, settings->connections);
	run_loop(run);
	run_print(run, "fetch");
}

static void
mode_tail(struct run *run, struct settings *settings)
{
	int fd;

	settings->load.partitions = 1;
	settings->load.records = 1;
	settings->load.batch_bytes = 0;
	settings->rate = settings->rate > 0 ? settings->rate : 1000;
	settings->in_flight = MAX(settings->in_flight, TAIL_IN_FLIGHT);
	make_topic(settings);
	make_frames(run, &settings->load);
	if (!settings->bare) {
		fd = broker_must_connect(&settings->broker);
		run->base = broker_end_offset(fd, &settings->load, 0);
		close(fd);
	}
	run_open(run, 1, 1);
	run->streams[1].offset = run->base;
	run_loop(run);
	run_print(run, "tail");
}

static void
mode_idle(struct run *run UNUSED, struct settings *settings)
{
	const struct broker tls = { settings->broker.host,
		settings->tls_port };

	if (settings->tls_port != 0)
		probe_idle_tls(&tls, settings->connections, settings->pid);
	else
		probe_idle(&settings->broker, settings->connections,
		    settings->seconds, settings->pid);
}

static void
mode_handshakes(struct run *run UNUSED, struct settings *settings)
{
	const struct broker tls = { settings->broker.host,
		settings->tls_port };

	probe_handshakes(&tls, settings->connections, settings->seconds,
	    settings->tag, settings->pid);
}

static void
mode_accept(struct run *run UNUSED, struct settings *settings)
{
	if (settings->certificate == NULL)
		die("accept needs --certificate");
	tls_floor_serve(settings->certificate);
}

static void
mode_partitions(struct run *run UNUSED, struct settings *settings)
{
	probe_partitions(&settings->broker, &settings->load, settings->pid);
}

static void
mode_start(struct run *run UNUSED, struct settings *settings)
{
	if (settings->command == NULL)
		die("start needs -- COMMAND");
	probe_start(&settings->broker, &settings->load, settings->command);
}

static void
mode_delete(struct run *run UNUSED, struct settings *settings)
{
	int fd = broker_must_connect(&settings->broker);
	int error = broker_delete_topic(fd, &settings->load);

	if (error != 0)
		die("%s: error %d", settings->load.topic, error);
	close(fd);
}

static const struct {
	const char *name;
	void (*run)(struct run *run, struct settings *settings);
} modes[] = {
	{ "produce", mode_produce },
	{ "fetch", mode_fetch },
	{ "tail", mode_tail },
	{ "idle", mode_idle },
	{ "partitions", mode_partitions },
	{ "start", mode_start },
	{ "delete", mode_delete },
	{ "handshakes", mode_handshakes },
	{ "accept", mode_accept },
};

/* --- Options ------------------------------------------------------------- */

static const struct option options[] = {
	{ "host", required_argument, NULL, 'h' },
	{ "port", required_argument, NULL, 'p' },
	{ "tls", required_argument, NULL, 'T' },
	{ "certificate", required_argument, NULL, 'C' },
	{ "pid", required_argument, NULL, 'P' },
	{ "tag", required_argument, NULL, 'g' },
	{ "topic", required_argument, NULL, 't' },
	{ "partitions", required_argument, NULL, 'n' },
	{ "connections", required_argument, NULL, 'c' },
	{ "in-flight", required_argument, NULL, 'f' },
	{ "record-bytes", required_argument, NULL, 'r' },
	{ "records", required_argument, NULL, 'R' },
	{ "batch-bytes", required_argument, NULL, 'b' },
	{ "codec", required_argument, NULL, 'z' },
	{ "acks", required_argument, NULL, 'a' },
	{ "max-bytes", required_argument, NULL, 'm' },
	{ "rate", required_argument, NULL, 'e' },
	{ "seconds", required_argument, NULL, 's' },
	{ "skip", required_argument, NULL, 'k' },
	{ "requests", required_argument, NULL, 'q' },
	{ "bare", no_argument, NULL, 'B' },
	{ "help", no_argument, NULL, '?' },
	{ NULL, 0, NULL, 0 },
};

static void
usage(FILE *to)
{
	fprintf(to,
	    "usage: replay MODE [options] [-- COMMAND]\n"
	    "modes:");
	for (size_t i = 0; i < COUNT_OF(modes); i++)
		fprintf(to, " %s", modes[i].name);
	fprintf(to,
	    "\n"
	    "  --host A --port N    the broker (127.0.0.1, 9092)\n"
	    "  --tls N              the port where the load goes, over TLS\n"
	    "  --certificate FILE   of accept, with its key\n"
	    "  --pid N              its process, whose cost is told\n"
	    "  --tag TEXT           copied to the output\n"
	    "  --topic NAME --partitions N   (replay, 1); made when missing\n"
	    "  --connections N --in-flight N (1, 1)\n"
	    "  --record-bytes N     of a record's value (1024)\n"
	    "  --records N          in a batch (1), or\n"
	    "  --batch-bytes N      as many as this holds before compression\n"
	    "  --codec NAME         none, gzip, snappy, lz4, zstd\n"
	    "  --acks N             1 or -1 (-1)\n"
	    "  --max-bytes N        of a fetch (65536)\n"
	    "  --rate N             requests a second in all (flat out)\n"
	    "  --seconds N | --requests N    when to stop (5 s)\n"
	    "  --skip N             seconds before that, which do not count\n"
	    "  --bare               the broker is the floor: no topics\n");
}

static void
take_option(struct settings *settings, int option, const char *value)
{
	double number = value == NULL ? 0 : strtod(value, NULL);

	switch (option) {
	case 'h':
		settings->broker.host = value;
		break;
	case 'p':
		settings->broker.port = (uint16_t)number;
		break;
	case 'T':
		settings->tls_port = (uint16_t)number;
		break;
	case 'C':
		settings->certificate = value;
		break;
	case 'P':
		settings->pid = (long)number;
		break;
	case 'g':
		settings->tag = value;
		break;
	case 't':
		settings->load.topic = value;
		break;
	case 'n':
		settings->load.partitions = (int)number;
		break;
	case 'c':
		settings->connections = (int)number;
		break;
	case 'f':
		settings->in_flight = (int)number;
		break;
	case 'r':
		settings->load.record_bytes = (size_t)number;
		break;
	case 'R':
		settings->load.records = (int)number;
		break;
	case 'b':
		settings->load.batch_bytes = (size_t)number;
		break;
	case 'z':
		if (compression_parse(
			slice_str(value), &settings->load.codec) != 0)
			die("%s: no such codec", value);
		break;
	case 'a':
		settings->load.acks = (int16_t)number;
		break;
	case 'm':
		settings->max_bytes = (int32_t)number;
		break;
	case 'e':
		settings->rate = number;
		break;
	case 's':
		settings->seconds = number;
		break;
	case 'k':
		settings->skip = number;
		break;
	case 'q':
		settings->requests = (uint64_t)number;
		break;
	case 'B':
		settings->bare = true;
		break;
	default:
		usage(value == NULL && optopt == 0 ? stdout : stderr);
		exit(optopt == 0 ? 0 : 2);
	}
}

static void
check(const struct settings *settings)
{
	if (settings->load.partitions < 1 || settings->connections < 1 ||
	    settings->in_flight < 1 || settings->load.records < 1 ||
	    settings->seconds <= 0 || settings->max_bytes < 1)
		die("a number is too small");
	if (settings->load.acks != 1 && settings->load.acks != -1)
		die("--acks is 1 or -1");
}

int
main(int argc, char **argv)
{
	struct settings settings = { .tag = "",
		.broker = { "127.0.0.1", 9092 },
		.load = { .topic = "replay",
		    .partitions = 1,
		    .record_bytes = 1024,
		    .records = 1,
		    .acks = -1 },
		.connections = 1,
		.in_flight = 1,
		.max_bytes = 65536,
		.seconds = 5 };
	struct run *run = xcalloc(1, sizeof(*run));
	int option;

	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(&settings, option, optarg);
	if (optind == argc) {
		usage(stderr);
		return 2;
	}
	if (optind + 1 < argc)
		settings.command = argv + optind + 1;
	check(&settings);
	run->settings = &settings;
	for (size_t i = 0; i < COUNT_OF(modes); i++)
		if (strcmp(modes[i].name, argv[optind]) == 0) {
			modes[i].run(run, &settings);
			return 0;
		}
	die("no mode %s", argv[optind]);
}
