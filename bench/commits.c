/*
 * Offset commits by many groups: what they cost, and whether they are known.
 *
 *	commits [options] PORT COMMITS	commit, so many offsets in all
 *	commits [options] PORT fetch	ask each group for its offsets
 *
 * Each of a hundred groups has a connection, on which it commits the offsets
 * of all partitions of one topic with each request, as a consumer does that
 * was assigned them; a window of requests is under way on each.  Offsets go
 * up, so every commit makes the one before worthless.
 */
#include "bench/frames.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "bench/cost.h"
#include "wire/error.h"
#include "wire/generated/offset_commit.h"
#include "wire/generated/offset_fetch.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOPIC "committed"
#define GROUPS 100
#define PARTITIONS_MAX 1000
#define PATIENCE_MS 120000
#define VERSION 7

/* Of a partition in a request without metadata, and in an answer. */
#define ENTRY_LEN (4 + 8 + 4 + 2)
#define ANSWER_ENTRY_LEN (4 + 2)
/* Length, correlation id, throttle time, a topic and its partitions' count. */
#define ANSWER_HEAD_LEN (4 + 4 + 4 + 4 + 2 + sizeof(TOPIC) - 1 + 4)

struct group {
	int fd;
	char id[24];
	struct buf frames; /* a window of the same request */
	size_t frame_len;
};

struct run {
	struct broker broker;
	int32_t partitions;
	int window;
	long pid;
	struct group groups[GROUPS];
	struct buf answers;
};

static void
group_id(char id[24], int group)
{
	snprintf(id, 24, "group-%d", group);
}

/* --- Committing ----------------------------------------------------------- */

static void
prepare_frames(const struct run *run, struct group *group)
{
	struct kp_offset_commit_request_partition *partitions =
	    xcalloc((size_t)run->partitions, sizeof(*partitions));
	struct kp_offset_commit_request_topic topic = {
		.name = slice_str(TOPIC),
		.partitions = partitions,
		.partitions_count = run->partitions,
	};
	const struct kp_offset_commit_request request = {
		.group_id = slice_str(group->id),
		.generation_id_or_member_epoch = -1,
		.member_id = slice_str(""),
		.topics = &topic,
		.topics_count = 1,
	};
	struct buf frame;

	for (int32_t i = 0; i < run->partitions; i++)
		partitions[i] = (struct kp_offset_commit_request_partition){
			.partition_index = i,
			.committed_leader_epoch = -1,
		};
	frame_encode(&frame, KP_OFFSET_COMMIT_KEY, VERSION, &request);
	group->frame_len = frame.len;
	buf_init(&group->frames, SIZE_MAX / 2);
	for (int i = 0; i < run->window; i++)
		if (buf_append(&group->frames, frame.data, frame.len) != 0)
			die("a request does not fit");
	buf_fini(&frame);
	free(partitions);
}

/* The sum of a group's committed offsets; false: not yet, ask again. */
static bool
ask(const struct run *run, int fd, int group, int64_t *sum)
{
	char id[24];
	int32_t indexes[PARTITIONS_MAX];
	struct kp_offset_fetch_request_topic topic = {
		.name = slice_str(TOPIC),
		.partition_indexes = indexes,
		.partition_indexes_count = run->partitions,
	};
	struct kp_offset_fetch_request request = { .topics = &topic,
		.topics_count = 1 };
	struct kp_offset_fetch_response response;
	struct arena arena;
	bool answered;

	for (int32_t i = 0; i < run->partitions; i++)
		indexes[i] = i;
	group_id(id, group);
	request.group_id = slice_str(id);
	arena_init(&arena, 1 << 20);
	answered = broker_call(
		       fd, KP_OFFSET_FETCH_KEY, 5, &request, &response, &arena) &&
	    response.error_code == KP_NONE;
	if (answered && response.topics_count == 1)
		for (int32_t i = 0; i < response.topics[0].partitions_count; i++)
			*sum += response.topics[0]
				    .partitions[i]
				    .committed_offset;
	arena_reset(&arena);
	return answered;
}

/* Make its coordinator, and wait until that answers. */
static void
find_coordinator(const struct run *run, int number)
{
	const struct group *group = &run->groups[number];
	int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
	int64_t sum = 0;

	broker_find_coordinator(group->fd, group->id, 0);
	while (!ask(run, group->fd, number, &sum)) {
		if (clock_monotonic_ms() > until_ms)
			die("%s: no answer", group->id);
		usleep(1000);
	}
}

static void
prepare(struct run *run)
{
	const struct load load = {
		.topic = TOPIC, .partitions = run->partitions
	};
	int fd = broker_must_connect(&run->broker);
	int error = broker_create_topic(fd, &load);

	if (error != KP_NONE && error != KP_TOPIC_ALREADY_EXISTS)
		die("no topic: error %d", error);
	while (broker_leaders(fd, &load) < run->partitions)
		;
	for (int i = 0; i < GROUPS; i++) {
		struct group *group = &run->groups[i];

		group_id(group->id, i);
		group->fd = broker_must_connect(&run->broker);
		find_coordinator(run, i);
		prepare_frames(run, group);
	}
	buf_init(&run->answers, SIZE_MAX / 2);
}

/* Send a window of commits of the next offsets. */
static void
send_window(const struct run *run, struct group *group, int64_t offset)
{
	for (int i = 0; i < run->window; i++) {
		uint8_t *entries = group->frames.data +
		    (size_t)(i + 1) * group->frame_len -
		    (size_t)run->partitions * ENTRY_LEN;

		for (int32_t p = 0; p < run->partitions; p++)
			be64_put(entries + p * ENTRY_LEN + 4,
			    (uint64_t)(offset + i));
	}
	if (send(group->fd, group->frames.data, group->frames.len,
		MSG_NOSIGNAL) != (ssize_t)group->frames.len)
		die("%s: cannot send: %s", group->id, strerror(errno));
}

static void
receive_window(struct run *run, const struct group *group)
{
	size_t len = ANSWER_HEAD_LEN +
	    (size_t)run->partitions * ANSWER_ENTRY_LEN;
	size_t all = (size_t)run->window * len;
	uint8_t *data;

	buf_clear(&run->answers);
	data = buf_reserve(&run->answers, all);
	if (recv(group->fd, data, all, MSG_WAITALL) != (ssize_t)all)
		die("%s: an answer is missing", group->id);
	for (int i = 0; i < run->window; i++, data += len) {
		const uint8_t *entries = data + ANSWER_HEAD_LEN;

		if (be32_get(data) != len - 4)
			die("%s: an answer of another length", group->id);
		for (int32_t p = 0; p < run->partitions; p++) {
			int error = (int16_t)be16_get(
			    entries + p * ANSWER_ENTRY_LEN + 4);

			if (error != KP_NONE)
				die("%s: error %d", group->id, error);
		}
	}
}

static void
commit(struct run *run, int64_t commits)
{
	int64_t a_round = (int64_t)GROUPS * run->window * run->partitions;
	int64_t begin_us, us, done = 0, offset = 0;
	struct cost before, after;

	prepare(run);
	cost_read(&before, run->pid);
	begin_us = clock_monotonic_us();
	for (; done < commits; done += a_round, offset += run->window) {
		for (int i = 0; i < GROUPS; i++)
			send_window(run, &run->groups[i], offset);
		for (int i = 0; i < GROUPS; i++)
			receive_window(run, &run->groups[i]);
	}
	us = clock_monotonic_us() - begin_us;
	cost_read(&after, run->pid);
	printf("{\"commits\":%lld,\"requests\":%lld,\"seconds\":%.3f,"
	       "\"commits_per_s\":%.0f,\"us_per_request\":%.2f,"
	       "\"last_offset\":%lld}\n",
	    (long long)done, (long long)(done / run->partitions),
	    (double)us / 1e6, (double)done * 1e6 / (double)us,
	    (after.cpu_s - before.cpu_s) * 1e6 * run->partitions / (double)done,
	    (long long)(offset - 1));
}

/* --- Asking --------------------------------------------------------------- */

/* The broker may be on its way up. */
static void
fetch(const struct run *run)
{
	int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
	int64_t sum = 0;
	int fd;

	while ((fd = broker_connect(&run->broker)) < 0) {
		if (clock_monotonic_ms() > until_ms)
			die("%u: no broker", run->broker.port);
		usleep(1000);
	}
	for (int i = 0; i < GROUPS;) {
		if (ask(run, fd, i, &sum))
			i++;
		else if (clock_monotonic_ms() > until_ms)
			die("group-%d: no answer", i);
		else
			usleep(1000);
	}
	printf("{\"groups\":%d,\"mean_offset\":%.3f}\n", GROUPS,
	    (double)sum / GROUPS / run->partitions);
}

/* --- Options -------------------------------------------------------------- */

static const struct option options[] = {
	{ "partitions", required_argument, NULL, 'n' },
	{ "window", required_argument, NULL, 'w' },
	{ "pid", required_argument, NULL, 'P' },
	{ NULL, 0, NULL, 0 },
};

__attribute__((noreturn)) static void
usage(void)
{
	die("usage: [--partitions N] [--window N] [--pid N] "
	    "PORT COMMITS|fetch");
}

static void
take_options(struct run *run, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'n':
			run->partitions = atoi(optarg);
			break;
		case 'w':
			run->window = atoi(optarg);
			break;
		case 'P':
			run->pid = atol(optarg);
			break;
		default:
			usage();
		}
	if (argc - optind != 2 || run->partitions < 1 ||
	    run->partitions > PARTITIONS_MAX || run->window < 1)
		usage();
}

int
main(int argc, char **argv)
{
	struct run run = { .broker = { .host = "127.0.0.1" },
		.partitions = 10,
		.window = 16 };

	take_options(&run, argc, argv);
	run.broker.port = (uint16_t)atoi(argv[optind]);
	if (strcmp(argv[optind + 1], "fetch") == 0)
		fetch(&run);
	else
		commit(&run, strtoll(argv[optind + 1], NULL, 10));
	return 0;
}
