/*
 * What groups cost: how long a rebalance takes, and what heartbeats do to a
 * processor.
 *
 *	members [options] PORT rebalance
 *		One group of many members, each with a connection, made anew
 *		for each round.  `form` is from the first request until all
 *		members have joined and have their assignment.  `rebalance` is
 *		a second assignment: of a classic group all members join again,
 *		the leader first; of a consumer group one member leaves.
 *	members [options] PORT heartbeats
 *		Many small groups over a few connections, whose members send
 *		heartbeats at the interval of the protocol.
 *
 * While a group settles, its members ask one time right after the other: what
 * is measured is the broker, not how seldom clients ask.
 */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "bench/cost.h"
#include "bench/histogram.h"
#include "bench/member.h"
#include "wire/error.h"
#include "wire/generated/metadata.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#define ARENA_MAX (16u << 20)
#define READ_LEN 65536
/* Heartbeats that a connection may owe: several seconds of them. */
#define ROOM 2048
#define SILENCE_US (120 * 1000000ll)

/* A connection, and who waits for its answers, in their order. */
struct line {
	int fd;
	struct member **waiting; /* a ring */
	int64_t *due_us;         /* when each was to ask */
	uint32_t asked, answered;
	struct buf in;
};

struct run {
	struct broker broker;
	const struct protocol *protocol;
	struct topic topic;
	long pid;
	int group_count;
	int member_count; /* of a group */
	int rounds;
	double seconds;
	int epoll;
	struct line *lines;
	int line_count;
	uint32_t room; /* in a line's ring */
	struct group *groups;
	int formed; /* groups that are made */
	bool counting;
	struct histogram form, rebalance, heartbeat;
};

/* --- Connections ---------------------------------------------------------- */

static void
open_lines(struct run *run, int count, uint32_t room)
{
	run->epoll = epoll_create1(EPOLL_CLOEXEC);
	run->room = room;
	run->line_count = count;
	run->lines = xcalloc((size_t)count, sizeof(*run->lines));
	for (int i = 0; i < count; i++) {
		struct line *line = &run->lines[i];
		struct epoll_event event = { .data.ptr = line,
			.events = EPOLLIN };

		line->fd = broker_must_connect(&run->broker);
		line->waiting = xcalloc(room, sizeof(struct member *));
		line->due_us = xcalloc(room, sizeof(*line->due_us));
		buf_init(&line->in, 1u << 30);
		if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, line->fd, &event) != 0)
			die("epoll_ctl: %s", strerror(errno));
	}
}

/* Requests are small and answered soon, so the socket takes them whole. */
static void
ask(struct run *run, struct member *member, int64_t due_us)
{
	struct line *line = &run->lines[member->line];
	uint32_t place = line->asked % run->room;
	const struct buf *frame = &member->frame;

	if (line->asked - line->answered == run->room)
		die("%s: the broker does not keep up", member->group->id);
	line->waiting[place] = member;
	line->due_us[place] = due_us;
	line->asked++;
	if (write(line->fd, frame->data, frame->len) != (ssize_t)frame->len)
		die("write: %s", strerror(errno));
}

typedef void answer_fn(struct run *run, struct member *member,
    struct slice answer, int64_t due_us);

static void
take_answers(struct run *run, struct line *line, answer_fn *take)
{
	size_t at = 0, len;

	while (line->in.len - at >= 4 &&
	    line->in.len - at - 4 >= (len = be32_get(line->in.data + at))) {
		uint32_t place = line->answered % run->room;

		if (line->asked == line->answered)
			die("an answer to nothing");
		line->answered++;
		take(run, line->waiting[place],
		    slice_of(line->in.data + at + 4, len), line->due_us[place]);
		at += 4 + len;
	}
	line->in.len -= at;
	memmove(line->in.data, line->in.data + at, line->in.len);
}

static void
receive(struct run *run, struct line *line, answer_fn *take)
{
	uint8_t *to = buf_reserve(&line->in, READ_LEN);
	ssize_t len = to == NULL ? -1 : read(line->fd, to, READ_LEN);

	if (len <= 0)
		die("the broker closed a connection");
	line->in.len += (size_t)len;
	take_answers(run, line, take);
}

/* Hand answers to take for wait_us at most; false: there were none. */
static bool
await_answers(struct run *run, int64_t wait_us, answer_fn *take)
{
	struct timespec wait = { .tv_sec = wait_us / 1000000,
		.tv_nsec = wait_us % 1000000 * 1000 };
	struct epoll_event events[128];
	int count =
	    epoll_pwait2(run->epoll, events, COUNT_OF(events), &wait, NULL);

	if (count < 0 && errno != EINTR)
		die("epoll_pwait2: %s", strerror(errno));
	for (int i = 0; i < count; i++)
		receive(run, events[i].data.ptr, take);
	return count > 0;
}

static void
must_answer(struct run *run, answer_fn *take)
{
	if (!await_answers(run, SILENCE_US, take))
		die("the broker does not answer");
}

static bool
quiet(const struct run *run)
{
	for (int i = 0; i < run->line_count; i++)
		if (run->lines[i].asked != run->lines[i].answered)
			return false;
	return true;
}

/* --- Groups --------------------------------------------------------------- */

/* Member i of lane l is on line l * member_count + i. */
static void
group_make(struct run *run, struct group *group, int number, int lane)
{
	group->protocol = run->protocol;
	group->topic = &run->topic;
	group->count = run->member_count;
	group->members =
	    xcalloc((size_t)group->count, sizeof(*group->members));
	snprintf(group->id, sizeof(group->id), "%s-%06d-%ld",
	    run->protocol->name, number, (long)getpid());
	for (int i = 0; i < group->count; i++) {
		group->members[i].group = group;
		group->members[i].number = i;
		group->members[i].line = lane * run->member_count + i;
	}
}

static void
group_free(struct group *group)
{
	for (int i = 0; i < group->count; i++)
		buf_fini(&group->members[i].frame);
	free(group->members);
	*group = (struct group){ 0 };
}

static void
member_join(struct run *run, struct member *member)
{
	run->protocol->join(member);
	ask(run, member, 0);
}

static void
member_leave(struct run *run, struct member *member)
{
	run->protocol->leave(member);
	member->has_left = true;
	ask(run, member, 0);
}

/* An answer to a member of a group that settles. */
static void
goes_on(struct run *run, struct member *member, struct slice answer,
    int64_t due_us UNUSED)
{
	if (member->has_left)
		return;
	run->protocol->answered(member, answer);
	if (!run->protocol->settled(member->group))
		ask(run, member, 0);
}

/* --- Rebalances ----------------------------------------------------------- */

/* Count from begin_us until the group has settled; then all come to rest. */
static void
settle(struct run *run, struct group *group, int64_t begin_us,
    struct histogram *histogram)
{
	while (!run->protocol->settled(group))
		must_answer(run, goes_on);
	histogram_add(
	    histogram, (uint64_t)(clock_monotonic_us() - begin_us) * 1000);
	while (!quiet(run))
		must_answer(run, goes_on);
}

/* All join again, as if told to, and the leader is what makes them. */
static void
join_again(struct run *run, struct group *group)
{
	group->past = group->members[0].epoch;
	for (int i = 0; i < group->count; i++)
		if (group->members[i].leads)
			member_join(run, &group->members[i]);
	for (int i = 0; i < group->count; i++)
		if (!group->members[i].leads)
			member_join(run, &group->members[i]);
}

/* The last member leaves, and the others ask what they get of it. */
static void
lose_one(struct run *run, struct group *group)
{
	member_leave(run, &group->members[group->count - 1]);
	for (int i = 0; i < group->count - 1; i++) {
		run->protocol->heartbeat(&group->members[i]);
		ask(run, &group->members[i], 0);
	}
}

static void
rebalance_round(struct run *run, int number)
{
	struct group group = { 0 };
	int64_t begin_us;

	group_make(run, &group, number, 0);
	begin_us = clock_monotonic_us();
	for (int i = 0; i < group.count; i++)
		member_join(run, &group.members[i]);
	settle(run, &group, begin_us, &run->form);

	begin_us = clock_monotonic_us();
	if (run->protocol == &classic_protocol)
		join_again(run, &group);
	else
		lose_one(run, &group);
	settle(run, &group, begin_us, &run->rebalance);

	for (int i = 0; i < group.count; i++)
		if (!group.members[i].has_left)
			member_leave(run, &group.members[i]);
	while (!quiet(run))
		must_answer(run, goes_on);
	group_free(&group);
}

static void
mode_rebalance(struct run *run)
{
	open_lines(run, run->member_count, 2);
	for (int i = 0; i < run->rounds; i++)
		rebalance_round(run, i);
	printf("{\"protocol\":\"%s\",\"members\":%d,\"rounds\":%d",
	    run->protocol->name, run->member_count, run->rounds);
	histogram_print(&run->form, "form");
	histogram_print(&run->rebalance, "rebalance");
	printf("}\n");
}

/* --- Heartbeats ----------------------------------------------------------- */

/* A lane is as many lines as a group has members; it has a group at a time. */
static bool
lane_quiet(const struct run *run, int lane)
{
	const struct line *lines = &run->lines[lane * run->member_count];

	for (int i = 0; i < run->member_count; i++)
		if (lines[i].asked != lines[i].answered)
			return false;
	return true;
}

static void
lane_form_next(struct run *run, int lane)
{
	struct group *group;

	if (run->formed == run->group_count)
		return;
	group = &run->groups[run->formed];
	group_make(run, group, run->formed++, lane);
	for (int i = 0; i < group->count; i++)
		member_join(run, &group->members[i]);
}

/* An answer while groups form: the settled one makes room for the next. */
static void
forms(struct run *run, struct member *member, struct slice answer,
    int64_t due_us)
{
	struct group *group = member->group;
	int lane = member->line / run->member_count;

	goes_on(run, member, answer, due_us);
	if (!run->protocol->settled(group) || !lane_quiet(run, lane))
		return;
	for (int i = 0; i < group->count; i++)
		run->protocol->heartbeat(&group->members[i]);
	lane_form_next(run, lane);
}

static void
form_groups(struct run *run)
{
	run->groups = xcalloc((size_t)run->group_count, sizeof(*run->groups));
	for (int i = 0; i < run->line_count / run->member_count; i++)
		lane_form_next(run, i);
	while (!quiet(run))
		must_answer(run, forms);
}

static void
lives(struct run *run, struct member *member, struct slice answer,
    int64_t due_us)
{
	if (!run->protocol->alive(answer))
		die("%s: member %d is not what it was", member->group->id,
		    member->number);
	if (run->counting)
		histogram_add(&run->heartbeat,
		    (uint64_t)(clock_monotonic_us() - due_us) * 1000);
}

/* One that is due follows another of its group only when all others have. */
static struct member *
due_member(const struct run *run, int64_t number)
{
	int64_t turn = number / run->group_count;

	return &run->groups[number % run->group_count]
		    .members[turn % run->member_count];
}

/* Heartbeats number first to end - 1, one in period_us. */
static void
beat(struct run *run, int64_t first, int64_t end, double period_us)
{
	int64_t begin_us = clock_monotonic_us();

	for (int64_t i = first; i < end;) {
		int64_t due_us =
		    begin_us + (int64_t)((double)(i - first) * period_us);
		int64_t wait_us = due_us - clock_monotonic_us();

		if (wait_us <= 0)
			ask(run, due_member(run, i++), due_us);
		(void)await_answers(run, MAX(wait_us, 0), lives);
	}
}

/* So that none of them times out in the next run. */
static void
leave_groups(struct run *run)
{
	for (int i = 0; i < run->group_count; i++) {
		for (int j = 0; j < run->member_count; j++)
			member_leave(run, &run->groups[i].members[j]);
		while (!quiet(run))
			must_answer(run, goes_on);
		group_free(&run->groups[i]);
	}
	free(run->groups);
}

static void
mode_heartbeats(struct run *run)
{
	int64_t total = (int64_t)run->group_count * run->member_count;
	double period_us =
	    run->protocol->heartbeat_interval_ms * 1e3 / (double)total;
	int64_t counted = (int64_t)(run->seconds * 1e6 / period_us);
	struct cost before, after;
	int64_t begin_us = clock_monotonic_us();
	double formed_s;

	open_lines(run, run->line_count, ROOM);
	form_groups(run);
	formed_s = (double)(clock_monotonic_us() - begin_us) / 1e6;
	beat(run, 0, total, period_us);
	run->counting = true;
	cost_read(&before, run->pid);
	begin_us = clock_monotonic_us();
	beat(run, total, total + counted, period_us);
	cost_read(&after, run->pid);
	printf("{\"protocol\":\"%s\",\"groups\":%d,\"members\":%lld,"
	       "\"formed_s\":%.2f,\"heartbeats\":%lld,"
	       "\"percent_of_a_core\":%.2f,\"us_per_request\":%.2f,"
	       "\"rss_kb\":%ld",
	    run->protocol->name, run->group_count, (long long)total, formed_s,
	    (long long)counted,
	    (after.cpu_s - before.cpu_s) * 1e8 /
		(double)(clock_monotonic_us() - begin_us),
	    (after.cpu_s - before.cpu_s) * 1e6 / (double)counted,
	    after.rss_kb);
	histogram_print(&run->heartbeat, "heartbeat");
	printf("}\n");
	while (!quiet(run))
		must_answer(run, lives);
	leave_groups(run);
}

/* --- Options -------------------------------------------------------------- */

/* Runs with other numbers of partitions have other topics. */
static void
make_topic(struct run *run)
{
	const struct load load = { .topic = run->topic.name,
		.partitions = run->topic.partitions };
	struct kp_metadata_request_topic topic = { .name =
						       slice_str(load.topic) };
	const struct kp_metadata_request request = { .topics = &topic,
		.topics_count = 1 };
	struct kp_metadata_response response;
	struct arena arena;
	int fd = broker_must_connect(&run->broker);
	int error = broker_create_topic(fd, &load);

	if (error != KP_NONE && error != KP_TOPIC_ALREADY_EXISTS)
		die("no topic: error %d", error);
	while (broker_leaders(fd, &load) < load.partitions)
		usleep(1000);
	arena_init(&arena, ARENA_MAX);
	if (!broker_call(fd, KP_METADATA_KEY, 12, &request, &response,
		&arena) ||
	    response.topics_count != 1)
		die("nothing is known of the topic");
	run->topic.id = response.topics[0].topic_id;
	arena_reset(&arena);
	broker_find_coordinator(fd, load.topic, 0);
	close(fd);
}

static const struct {
	const char *name;
	void (*run)(struct run *run);
} modes[] = {
	{ "rebalance", mode_rebalance },
	{ "heartbeats", mode_heartbeats },
};

static const struct option options[] = {
	{ "protocol", required_argument, NULL, 'p' },
	{ "partitions", required_argument, NULL, 'n' },
	{ "groups", required_argument, NULL, 'g' },
	{ "members", required_argument, NULL, 'm' },
	{ "connections", required_argument, NULL, 'c' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "seconds", required_argument, NULL, 's' },
	{ "pid", required_argument, NULL, 'P' },
	{ NULL, 0, NULL, 0 },
};

__attribute__((noreturn)) static void
usage(void)
{
	die("usage: [--protocol classic|consumer] [--partitions N] "
	    "[--groups N] [--members N] [--connections N] [--rounds N] "
	    "[--seconds N] [--pid N] PORT rebalance|heartbeats");
}

static void
take_option(struct run *run, int option, const char *value)
{
	switch (option) {
	case 'p':
		run->protocol = strcmp(value, "consumer") == 0 ?
		    &consumer_protocol :
		    &classic_protocol;
		break;
	case 'n':
		run->topic.partitions = atoi(value);
		break;
	case 'g':
		run->group_count = atoi(value);
		break;
	case 'm':
		run->member_count = atoi(value);
		break;
	case 'c':
		run->line_count = atoi(value);
		break;
	case 'r':
		run->rounds = atoi(value);
		break;
	case 's':
		run->seconds = atof(value);
		break;
	case 'P':
		run->pid = atol(value);
		break;
	default:
		usage();
	}
}

int
main(int argc, char **argv)
{
	struct run *run = xcalloc(1, sizeof(*run));
	int option;

	*run = (struct run){ .broker = { .host = "127.0.0.1" },
		.protocol = &classic_protocol,
		.topic.partitions = 100,
		.group_count = 5000,
		.member_count = 4,
		.rounds = 10,
		.seconds = 10,
		.line_count = 48 };
	prctl(PR_SET_TIMERSLACK, 1);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(run, option, optarg);
	if (argc - optind != 2 || run->topic.partitions < 1 ||
	    run->group_count < 1 || run->member_count < 1 || run->rounds < 1 ||
	    run->seconds <= 0)
		usage();
	run->line_count = MAX(run->line_count, run->member_count);
	run->line_count -= run->line_count % run->member_count;
	snprintf(run->topic.name, sizeof(run->topic.name), "members-%d",
	    run->topic.partitions);
	run->broker.port = (uint16_t)atoi(argv[optind]);
	make_topic(run);
	for (size_t i = 0; i < COUNT_OF(modes); i++)
		if (strcmp(modes[i].name, argv[optind + 1]) == 0) {
			modes[i].run(run);
			return 0;
		}
	usage();
}
