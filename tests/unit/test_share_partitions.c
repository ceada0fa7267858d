/*
 * Share partitions over a persister that answers when it is told to: loading,
 * turns, waiting, what is persisted in which order, and how they end.
 */
#include "unit/store_fixture.h"

#include "base/clock.h"
#include "base/worker.h"
#include "broker/long_poll.h"
#include "broker/partition.h"
#include "broker/share_group_config.h"
#include "broker/share_partitions.h"
#include "broker/share_persister.h"
#include "meta/configs.h"
#include "meta/delta.h"
#include "net/loop.h"
#include "store/flusher.h"

#include <unistd.h>

#define NODE 1
#define CALLS_MAX 16
#define LOCK_MS 30000

struct rig {
	struct fixture store;
	struct partition_context context;
	struct topic_settings settings;
	struct partition_topic *topic;
	struct partition *partition;
	struct loop *loop;
	struct image *image;
	struct configs *configs;
	struct worker_pool *pool;
	struct share_partitions *partitions;
	struct share_persister persister;
	struct share_persister_call *calls[CALLS_MAX]; /* not yet done */
	size_t calls_count;
	struct clock_source clock;
	int64_t now_us;
	struct share_log_call ack;
	int acked;
	int8_t type;	/* of acknowledgements */
	struct long_poll poll;
	struct share_log_waiter waiter;
	int woken;
};

static struct rig *the_rig;

static void
run_call(struct share_persister *persister, struct share_persister_call *call)
{
	struct rig *rig = CONTAINER_OF(persister, struct rig, persister);

	assert_true(rig->calls_count < CALLS_MAX);
	rig->calls[rig->calls_count++] = call;
}

/* The oldest call is done. */
static void
answer(struct rig *rig, enum kp_error error)
{
	struct share_persister_call *call = rig->calls[0];

	assert_true(rig->calls_count > 0);
	rig->calls_count--;
	memmove(rig->calls, rig->calls + 1,
	    rig->calls_count * sizeof(rig->calls[0]));
	call->error = error;
	call->done(call);
}

static int64_t
now_us(void *context)
{
	return ((struct rig *)context)->now_us;
}

static int64_t
now_ms(void *context)
{
	return ((struct rig *)context)->now_us / 1000;
}

static void
lead(struct rig *rig, int32_t epoch)
{
	static const int32_t replicas[] = { NODE };
	struct partition_state state = {
		.leader = NODE,
		.leader_epoch = epoch,
		.partition_epoch = epoch,
		.replicas = replicas,
		.replicas_count = 1,
		.isr_count = 1,
	};

	partition_apply(rig->partition, &state);
}

static int
setup(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));
	struct share_partitions_settings settings = { 0 };

	the_rig = rig;
	rig->now_us = 1000000;
	rig->type = SHARE_PARTITION_ACCEPT;
	rig->clock = (struct clock_source){ now_ms, now_us, rig };
	clock_install(&rig->clock);
	fixture_init(&rig->store);
	rig->context.flusher = flusher_new();
	topic_settings_init(&rig->settings);
	rig->topic = partition_topic_new(
	    slice_str("topic"), (struct uuid){ { 1 } }, false);
	rig->partition = partition_new(
	    &rig->context, rig->topic, 0, rig->store.log, &rig->settings);
	lead(rig, 3);
	rig->loop = loop_new(0);
	rig->image = image_new();
	rig->configs = configs_new(rig->image, NODE, NULL);
	rig->pool = worker_pool_new("test", 1);
	rig->persister.run = run_call;
	settings.persister = &rig->persister;
	settings.image = rig->image;
	settings.configs = rig->configs;
	settings.pool = rig->pool;
	rig->partitions = share_partitions_new(&settings);
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	while (rig->calls_count > 0)
		answer(rig, KP_NOT_COORDINATOR);
	worker_pool_stop_free(rig->pool);
	loop_step(rig->loop, false);
	share_partitions_free(rig->partitions);
	flusher_free(rig->context.flusher);
	partition_unref(rig->partition);
	partition_topic_unref(rig->topic);
	loop_free(rig->loop);
	configs_free(rig->configs);
	image_free(rig->image);
	fixture_fini(&rig->store);
	clock_install(NULL);
	free(rig);
	return 0;
}

static struct share_partitions_key
key_of(const char *group)
{
	return (struct share_partitions_key){ .group_id = slice_str(group),
		.topic_id = { { 1 } } };
}

static struct share_log *
open_log(struct rig *rig)
{
	const struct share_partitions_key key = key_of("g");
	enum kp_error error;
	struct share_log *log = share_partitions_open(rig->partitions, &key,
	    rig->partition, NODE, rig->loop, &error);

	assert_int_equal(error, KP_NONE);
	return log;
}

/* The load ends on the pool. */
static enum share_log_turn
await(struct share_log *log, struct share_log_begin *begin)
{
	enum share_log_turn turn;

	do {
		turn = share_log_begin(log, begin);
		if (turn == SHARE_LOG_WAIT && begin->loading)
			usleep(1000);
	} while (turn == SHARE_LOG_WAIT && begin->loading);
	return turn;
}

/* Loaded, and it is the test's turn. */
static struct share_log *
load(struct rig *rig, int64_t start, struct share_log_begin *begin)
{
	struct share_log *log = open_log(rig);

	assert_int_equal(rig->calls_count, 1);
	assert_false(rig->calls[0]->write);
	assert_int_equal(rig->calls[0]->leader_epoch, 3);
	rig->calls[0]->start_offset = start;
	rig->calls[0]->state_epoch = 7;
	answer(rig, KP_NONE);
	assert_int_equal(await(log, begin), SHARE_LOG_READY);
	return log;
}

static size_t
acquire(struct rig *rig, struct share_log *log, const char *member,
    struct share_log_begin *begin)
{
	static const struct share_partition_batch batches[] = {
		{ 0, 9, false },
		{ 10, 19, false },
	};
	struct share_partition_acquire acquire = {
		.member = slice_str(member),
		.batch_size = 100,
		.records_max = 10,
		.fetch_offset = begin->fetch_offset,
		.batches = batches,
		.batches_count = COUNT_OF(batches),
		.now_ms = rig->now_us / 1000,
	};

	share_log_end(log, &acquire, &begin->events);
	free(acquire.ranges);
	return (size_t)acquire.records;
}

static void
on_acked(struct share_log_call *call)
{
	CONTAINER_OF(call, struct rig, ack)->acked++;
}

static void
ack(struct rig *rig, struct share_log *log, const char *member, int64_t first,
    int64_t last)
{
	const struct share_partition_ack range = { first, last, &rig->type,
		1 };

	rig->acked = 0;
	rig->ack = (struct share_log_call){ .done = on_acked };
	share_log_acknowledge(log, slice_str(member), &range, 1, &rig->ack);
}

static void
on_woken(struct task *task UNUSED)
{
	the_rig->woken++;
}

static void
wait_begin(struct rig *rig, struct share_log *log, uint64_t events)
{
	rig->woken = 0;
	long_poll_init(&rig->poll, rig->loop, on_woken, NULL, 0, 1);
	rig->waiter = (struct share_log_waiter){
		.log = log,
		.poll = &rig->poll,
		.events = events,
	};
	long_poll_park(&rig->poll);
	share_log_wait(&rig->waiter);
}

static int
wait_end(struct rig *rig)
{
	loop_step(rig->loop, false);
	share_log_unwait(&rig->waiter);
	long_poll_unpark(&rig->poll);
	return rig->woken;
}

/* --- Tests ---------------------------------------------------------------- */

static void
state_is_loaded_first(void **state)
{
	struct rig *rig = *state;
	struct share_log_begin begin;
	struct share_log *log = open_log(rig), *again = open_log(rig);
	struct share_partition_state kept[] = { { 5, 9,
	    SHARE_PARTITION_ACKNOWLEDGED, 1 } };

	assert_ptr_equal(log, again);
	assert_int_equal(rig->calls_count, 1);
	assert_int_equal(share_log_begin(log, &begin), SHARE_LOG_WAIT);
	assert_true(begin.loading);
	wait_begin(rig, log, begin.events);
	rig->calls[0]->start_offset = 5;
	rig->calls[0]->states = xmalloc(sizeof(kept));
	memcpy(rig->calls[0]->states, kept, sizeof(kept));
	rig->calls[0]->states_count = 1;
	answer(rig, KP_NONE);
	assert_int_equal(await(log, &begin), SHARE_LOG_READY);
	assert_int_equal(wait_end(rig), 1);
	assert_int_equal(begin.fetch_offset, 10);
	share_log_end(log, NULL, &begin.events);
	share_log_unref(log);
	share_log_unref(again);
}

static void
load_may_fail(void **state)
{
	static const struct {
		enum kp_error from, to;
	} cases[] = {
		{ KP_NOT_COORDINATOR, KP_COORDINATOR_NOT_AVAILABLE },
		{ KP_COORDINATOR_LOAD_IN_PROGRESS,
		    KP_COORDINATOR_NOT_AVAILABLE },
		{ KP_GROUP_ID_NOT_FOUND, KP_GROUP_ID_NOT_FOUND },
		{ KP_FENCED_LEADER_EPOCH, KP_NOT_LEADER_OR_FOLLOWER },
		{ KP_FENCED_STATE_EPOCH, KP_NOT_LEADER_OR_FOLLOWER },
		{ KP_INVALID_REQUEST, KP_UNKNOWN_SERVER_ERROR },
	};
	const struct share_partitions_key key = key_of("g");
	struct rig *rig = *state;
	struct share_log_begin begin;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct share_log *log = open_log(rig);

		answer(rig, cases[i].from);
		assert_int_equal(
		    share_log_begin(log, &begin), SHARE_LOG_FAILED);
		assert_int_equal(begin.error, cases[i].to);
		assert_null(share_partitions_find(rig->partitions, &key));
		ack(rig, log, "a", 0, 0);
		assert_int_equal(rig->acked, 1);
		assert_int_equal(rig->ack.error, cases[i].to);
		share_log_unref(log);
	}
}

static void
one_at_a_time_has_the_turn(void **state)
{
	struct rig *rig = *state;
	struct share_log_begin begin, other;
	struct share_log *log = load(rig, 0, &begin);

	assert_int_equal(share_log_begin(log, &other), SHARE_LOG_WAIT);
	assert_false(other.loading || other.full);
	wait_begin(rig, log, other.events);
	assert_int_equal(acquire(rig, log, "a", &begin), 10);
	assert_int_equal(wait_end(rig), 1);
	/* Nobody else wanted it, so the end is nobody's event. */
	assert_int_equal(share_log_begin(log, &begin), SHARE_LOG_READY);
	other = begin;
	share_log_end(log, NULL, &begin.events);
	wait_begin(rig, log, other.events);
	assert_int_equal(wait_end(rig), 0);
	/* Nor is it his own whose turn it was. */
	assert_int_equal(share_log_begin(log, &begin), SHARE_LOG_READY);
	assert_int_equal(share_log_begin(log, &other), SHARE_LOG_WAIT);
	share_log_end(log, NULL, &begin.events);
	wait_begin(rig, log, begin.events);
	assert_int_equal(wait_end(rig), 0);
	share_log_unref(log);
}

/* Something to acquire came between begin and end: who waits looks again. */
static void
events_are_not_missed(void **state)
{
	struct rig *rig = *state;
	struct share_log_begin begin;
	struct share_log *log = load(rig, 0, &begin);

	assert_int_equal(acquire(rig, log, "a", &begin), 10);
	assert_int_equal(share_log_begin(log, &begin), SHARE_LOG_READY);
	ack(rig, log, "a", 0, 4);
	answer(rig, KP_NONE);
	share_log_end(log, NULL, &begin.events);
	wait_begin(rig, log, begin.events);
	assert_int_equal(wait_end(rig), 0);
	assert_int_equal(share_log_begin(log, &begin), SHARE_LOG_READY);
	rig->type = SHARE_PARTITION_RELEASE;
	ack(rig, log, "a", 5, 9);
	answer(rig, KP_NONE);
	share_log_end(log, NULL, &begin.events);
	wait_begin(rig, log, begin.events);
	assert_int_equal(wait_end(rig), 1);
	share_log_unref(log);
}

static void
answers_wait_for_the_persister(void **state)
{
	struct rig *rig = *state;
	struct share_log_begin begin;
	struct share_log *log = load(rig, 0, &begin);

	assert_int_equal(acquire(rig, log, "a", &begin), 10);
	ack(rig, log, "b", 0, 4);
	assert_int_equal(rig->acked, 1);
	assert_int_equal(rig->ack.error, KP_INVALID_RECORD_STATE);
	assert_int_equal(rig->calls_count, 0);
	ack(rig, log, "a", 0, 4);
	assert_int_equal(rig->acked, 0);
	assert_int_equal(rig->calls_count, 1);
	assert_true(rig->calls[0]->write);
	assert_int_equal(rig->calls[0]->state_epoch, 7);
	assert_int_equal(rig->calls[0]->leader_epoch, 3);
	assert_int_equal(rig->calls[0]->start_offset, 0);
	assert_int_equal(rig->calls[0]->delivery_complete_count, 5);
	assert_int_equal(rig->calls[0]->states_count, 1);
	assert_int_equal(rig->calls[0]->states[0].last_offset, 4);
	answer(rig, KP_NONE);
	assert_int_equal(rig->acked, 1);
	assert_int_equal(rig->ack.error, KP_NONE);
	share_log_unref(log);
}

static void
write_that_fails_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct share_log_begin begin;
	struct share_log *log = load(rig, 0, &begin);

	assert_int_equal(acquire(rig, log, "a", &begin), 10);
	ack(rig, log, "a", 0, 9);
	answer(rig, KP_COORDINATOR_NOT_AVAILABLE);
	assert_int_equal(rig->ack.error, KP_COORDINATOR_NOT_AVAILABLE);
	ack(rig, log, "a", 0, 9);
	assert_int_equal(rig->calls[0]->start_offset, 0);
	answer(rig, KP_NONE);
	assert_int_equal(rig->ack.error, KP_NONE);
	ack(rig, log, "a", 0, 9);
	assert_int_equal(rig->acked, 1);
	assert_int_equal(rig->ack.error, KP_NONE);
	share_log_unref(log);
}

static void
fenced_share_partition_is_dropped(void **state)
{
	const struct share_partitions_key key = key_of("g");
	struct rig *rig = *state;
	struct share_log_begin begin;
	struct share_log *log = load(rig, 0, &begin);

	assert_int_equal(acquire(rig, log, "a", &begin), 10);
	ack(rig, log, "a", 0, 9);
	answer(rig, KP_FENCED_STATE_EPOCH);
	assert_int_equal(rig->ack.error, KP_NOT_LEADER_OR_FOLLOWER);
	assert_null(share_partitions_find(rig->partitions, &key));
	assert_int_equal(share_log_begin(log, &begin), SHARE_LOG_FAILED);
	assert_int_equal(begin.error, KP_NOT_LEADER_OR_FOLLOWER);
	share_log_unref(log);
}

/* Who waits for records gets those whose lock is over. */
static void
locks_end_by_themselves(void **state)
{
	struct rig *rig = *state;
	struct share_log_begin begin;
	struct share_log *log = load(rig, 0, &begin);

	assert_int_equal(acquire(rig, log, "a", &begin), 10);
	loop_step(rig->loop, false);
	wait_begin(rig, log, begin.events);
	rig->now_us += (int64_t)(LOCK_MS - 1) * 1000;
	loop_step(rig->loop, false);
	assert_int_equal(rig->calls_count, 0);
	rig->now_us += 2000;
	loop_step(rig->loop, false);
	assert_int_equal(rig->calls_count, 1);
	assert_int_equal(rig->calls[0]->states_count, 1);
	assert_int_equal(
	    rig->calls[0]->states[0].state, SHARE_PARTITION_AVAILABLE);
	assert_int_equal(wait_end(rig), 1);
	assert_int_equal(share_log_begin(log, &begin), SHARE_LOG_READY);
	assert_int_equal(begin.fetch_offset, 0);
	assert_int_equal(acquire(rig, log, "b", &begin), 10);
	answer(rig, KP_UNKNOWN_SERVER_ERROR);
	loop_step(rig->loop, false);
	rig->now_us += (int64_t)(LOCK_MS + 1) * 1000;
	loop_step(rig->loop, false);
	assert_int_equal(rig->calls_count, 1);
	assert_int_equal(rig->calls[0]->states[0].delivery_count, 2);
	share_log_unref(log);
}

static void
member_that_leaves_is_persisted(void **state)
{
	const struct share_partitions_key key = key_of("g");
	const struct share_session_partition part = { .topic_id = { { 1 } } };
	const struct share_session_end end = {
		.group_id = slice_str("g"),
		.member_id = slice_str("a"),
		.partitions = &part,
		.partitions_count = 1,
		.last = true,
	};
	struct rig *rig = *state;
	struct share_log_begin begin;
	struct share_log *log = load(rig, 0, &begin);

	assert_int_equal(acquire(rig, log, "a", &begin), 10);
	share_partitions_session_ended(rig->partitions, &end);
	assert_int_equal(rig->calls_count, 1);
	assert_int_equal(share_partitions_count(rig->partitions), 1);
	/* It is forgotten when nothing is written any more. */
	answer(rig, KP_NONE);
	assert_int_equal(share_partitions_count(rig->partitions), 0);
	assert_null(share_partitions_find(rig->partitions, &key));
	share_log_unref(log);
}

static void
group_that_comes_back_keeps_its_state(void **state)
{
	struct rig *rig = *state;
	struct share_log_begin begin;
	struct share_log *log = load(rig, 0, &begin), *again;

	assert_int_equal(acquire(rig, log, "a", &begin), 10);
	ack(rig, log, "a", 0, 4);
	share_partitions_abandon(rig->partitions, slice_str("h"));
	share_partitions_abandon(rig->partitions, slice_str("g"));
	assert_int_equal(share_partitions_count(rig->partitions), 1);
	again = open_log(rig);
	assert_ptr_equal(log, again);
	answer(rig, KP_NONE);
	assert_int_equal(share_partitions_count(rig->partitions), 1);
	share_partitions_abandon(rig->partitions, slice_str("g"));
	assert_int_equal(share_partitions_count(rig->partitions), 0);
	share_log_unref(log);
	share_log_unref(again);
}

static void
leader_epoch_ends_it(void **state)
{
	struct rig *rig = *state;
	struct share_log_begin begin;
	struct share_log *log = load(rig, 0, &begin), *next;

	share_log_end(log, NULL, &begin.events);
	lead(rig, 4);
	next = open_log(rig);
	assert_ptr_not_equal(log, next);
	assert_int_equal(rig->calls[0]->leader_epoch, 4);
	assert_int_equal(share_log_begin(log, &begin), SHARE_LOG_FAILED);
	assert_int_equal(begin.error, KP_NOT_LEADER_OR_FOLLOWER);
	share_log_unref(log);
	share_log_unref(next);
}

static void
latest_is_where_it_begins(void **state)
{
	struct rig *rig = *state;
	struct share_log_begin begin;
	struct share_log *log = load(rig, -1, &begin);

	assert_int_equal(begin.fetch_offset, 0);
	share_log_end(log, NULL, &begin.events);
	share_log_start_moved(log, 12);
	assert_int_equal(share_log_begin(log, &begin), SHARE_LOG_READY);
	assert_int_equal(begin.fetch_offset, 12);
	share_log_end(log, NULL, &begin.events);
	share_log_unref(log);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(state_is_loaded_first),
		test(load_may_fail),
		test(one_at_a_time_has_the_turn),
		test(events_are_not_missed),
		test(answers_wait_for_the_persister),
		test(write_that_fails_changes_nothing),
		test(fenced_share_partition_is_dropped),
		test(locks_end_by_themselves),
		test(member_that_leaves_is_persisted),
		test(group_that_comes_back_keeps_its_state),
		test(leader_epoch_ends_it),
		test(latest_is_where_it_begins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
