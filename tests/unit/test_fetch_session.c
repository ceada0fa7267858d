/* Fetch sessions: what is taken over, what is answered, who must go. */
#include "unit/unit.h"

#include "base/arena.h"
#include "base/rng.h"
#include "broker/fetch_session.h"

#define SLOTS_BIG 1000
#define MINUTE_MS 60000

struct rig {
	struct fetch_sessions *sessions;
	struct arena arena;
	struct fetch_session_context context;
	struct fetch_session_result results[16];
	bool answered[16];
	int64_t now_ms;
	bool privileged;
	bool uses_ids;
};

static void
rig_init(struct rig *rig, int32_t slots)
{
	*rig = (struct rig){ .sessions = fetch_sessions_new(slots, 1) };
	arena_init(&rig->arena, 1 << 20);
}

static void
rig_fini(struct rig *rig)
{
	fetch_sessions_free(rig->sessions);
	arena_reset(&rig->arena);
}

static struct fetch_session_partition
wants(const char *topic, int32_t index, int64_t offset)
{
	return (struct fetch_session_partition){
		.topic = slice_str(topic),
		.index = index,
		.fetch_offset = offset,
		.max_bytes = 1000,
		.current_leader_epoch = -1,
		.last_fetched_epoch = -1,
		.log_start_offset = -1,
	};
}

static enum kp_error
begin_full(struct rig *rig, int32_t id, int32_t epoch,
    const struct fetch_session_partition *partitions, int32_t count,
    const struct fetch_session_forgotten *forgotten, int32_t forgotten_count)
{
	struct fetch_session_request request = {
		.id = id,
		.epoch = epoch,
		.uses_ids = rig->uses_ids,
		.privileged = rig->privileged,
		.partitions = partitions,
		.partitions_count = count,
		.forgotten = forgotten,
		.forgotten_count = forgotten_count,
	};

	return fetch_sessions_begin(
	    rig->sessions, &request, rig->now_ms, &rig->arena, &rig->context);
}

static enum kp_error
begin(struct rig *rig, int32_t id, int32_t epoch,
    const struct fetch_session_partition *partitions, int32_t count)
{
	return begin_full(rig, id, epoch, partitions, count, NULL, 0);
}

static enum kp_error
answer(struct rig *rig, int32_t *id)
{
	memset(rig->answered, 0, sizeof(rig->answered));
	return fetch_sessions_answer(rig->sessions, &rig->context, rig->results,
	    rig->now_ms, id, rig->answered);
}

static void
results_reset(struct rig *rig)
{
	memset(rig->results, 0, sizeof(rig->results));
	for (size_t i = 0; i < COUNT_OF(rig->results); i++)
		rig->results[i].high_watermark = 10;
}

/* A new session with count partitions of "t"; its id. */
static int32_t
session_new(struct rig *rig, int32_t count)
{
	struct fetch_session_partition partitions[16];
	int32_t id = -1;

	for (int32_t i = 0; i < count; i++)
		partitions[i] = wants("t", i, 0);
	results_reset(rig);
	assert_int_equal(begin(rig, 0, 0, partitions, count), KP_NONE);
	assert_int_equal(rig->context.kind, FETCH_SESSION_FULL);
	assert_int_equal(rig->context.partitions_count, count);
	assert_int_equal(answer(rig, &id), KP_NONE);
	for (int32_t i = 0; i < count; i++)
		assert_true(rig->answered[i]);
	return id;
}

static void
without_a_session(void **state UNUSED)
{
	struct rig rig;
	struct fetch_session_partition partition = wants("t", 0, 5);
	int32_t id = -1;

	rig_init(&rig, SLOTS_BIG);
	assert_int_equal(begin(&rig, 0, -1, &partition, 1), KP_NONE);
	assert_int_equal(rig.context.kind, FETCH_SESSIONLESS);
	assert_int_equal(rig.context.partitions_count, 1);
	assert_int_equal(rig.context.partitions[0].fetch_offset, 5);
	assert_int_equal(answer(&rig, &id), KP_NONE);
	assert_int_equal(id, 0);
	assert_true(rig.answered[0]);
	rig_fini(&rig);
}

static void
only_news_are_answered(void **state UNUSED)
{
	struct rig rig;
	int32_t id, told;

	rig_init(&rig, SLOTS_BIG);
	id = session_new(&rig, 3);
	assert_true(id > 0);

	/* Nothing new. */
	assert_int_equal(begin(&rig, id, 1, NULL, 0), KP_NONE);
	assert_int_equal(rig.context.kind, FETCH_SESSION_INCREMENTAL);
	assert_int_equal(rig.context.partitions_count, 3);
	assert_int_equal(answer(&rig, &told), KP_NONE);
	assert_int_equal(told, id);
	assert_false(rig.answered[0] || rig.answered[1] || rig.answered[2]);

	/* A new high watermark is told once. */
	rig.results[1].high_watermark = 11;
	assert_int_equal(begin(&rig, id, 2, NULL, 0), KP_NONE);
	assert_int_equal(answer(&rig, &told), KP_NONE);
	assert_false(rig.answered[0] || rig.answered[2]);
	assert_true(rig.answered[1]);
	assert_int_equal(begin(&rig, id, 3, NULL, 0), KP_NONE);
	assert_int_equal(answer(&rig, &told), KP_NONE);
	assert_false(rig.answered[1]);

	/* So is a new log start. */
	rig.results[0].log_start_offset = 4;
	assert_int_equal(begin(&rig, id, 4, NULL, 0), KP_NONE);
	assert_int_equal(answer(&rig, &told), KP_NONE);
	assert_true(rig.answered[0]);
	rig_fini(&rig);
}

static void
errors_are_repeated(void **state UNUSED)
{
	struct rig rig;
	int32_t id, told;

	rig_init(&rig, SLOTS_BIG);
	id = session_new(&rig, 1);
	rig.results[0].error = KP_NOT_LEADER_OR_FOLLOWER;
	rig.results[0].high_watermark = -1;
	for (int32_t epoch = 1; epoch < 3; epoch++) {
		assert_int_equal(begin(&rig, id, epoch, NULL, 0), KP_NONE);
		assert_int_equal(answer(&rig, &told), KP_NONE);
		assert_true(rig.answered[0]);
	}
	results_reset(&rig);
	assert_int_equal(begin(&rig, id, 3, NULL, 0), KP_NONE);
	assert_int_equal(answer(&rig, &told), KP_NONE);
	assert_true(rig.answered[0]);
	assert_int_equal(begin(&rig, id, 4, NULL, 0), KP_NONE);
	assert_int_equal(answer(&rig, &told), KP_NONE);
	assert_false(rig.answered[0]);
	rig_fini(&rig);
}

static void
records_lose_their_turn(void **state UNUSED)
{
	struct rig rig;
	int32_t id, told;

	rig_init(&rig, SLOTS_BIG);
	id = session_new(&rig, 3);
	rig.results[0].has_records = true;
	assert_int_equal(begin(&rig, id, 1, NULL, 0), KP_NONE);
	assert_int_equal(answer(&rig, &told), KP_NONE);
	assert_true(rig.answered[0]);
	assert_int_equal(begin(&rig, id, 2, NULL, 0), KP_NONE);
	assert_int_equal(rig.context.partitions[0].index, 1);
	assert_int_equal(rig.context.partitions[1].index, 2);
	assert_int_equal(rig.context.partitions[2].index, 0);
	rig_fini(&rig);
}

static void
partitions_come_and_go(void **state UNUSED)
{
	struct rig rig;
	struct fetch_session_partition changes[2] = { wants("t", 1, 77),
		wants("u", 0, 3) };
	struct fetch_session_forgotten forgotten[3] = {
		{ .topic = slice_str("t"), .index = 0 },
		{ .topic = slice_str("nothing"), .index = 0 },
	};
	int32_t id, told;

	rig_init(&rig, SLOTS_BIG);
	id = session_new(&rig, 2);
	assert_int_equal(
	    begin_full(&rig, id, 1, changes, 2, forgotten, 2), KP_NONE);
	assert_int_equal(rig.context.partitions_count, 2);
	assert_int_equal(rig.context.partitions[0].index, 1);
	assert_int_equal(rig.context.partitions[0].fetch_offset, 77);
	assert_true(slice_equal_str(rig.context.partitions[1].topic, "u"));
	assert_int_equal(answer(&rig, &told), KP_NONE);
	/* The new one was never told of. */
	assert_true(rig.answered[1]);
	assert_int_equal(fetch_sessions_counters(rig.sessions).partitions, 2);

	/* When nothing is left the session ends. */
	forgotten[0] =
	    (struct fetch_session_forgotten){ .topic = slice_str("t"),
		    .index = 1 };
	forgotten[1] =
	    (struct fetch_session_forgotten){ .topic = slice_str("u") };
	assert_int_equal(
	    begin_full(&rig, id, 2, NULL, 0, forgotten, 2), KP_NONE);
	assert_int_equal(rig.context.kind, FETCH_SESSIONLESS);
	assert_int_equal(rig.context.partitions_count, 0);
	assert_int_equal(answer(&rig, &told), KP_NONE);
	assert_int_equal(told, 0);
	assert_int_equal(
	    begin(&rig, id, 3, NULL, 0), KP_FETCH_SESSION_ID_NOT_FOUND);
	rig_fini(&rig);
}

static void
epochs_advance(void **state UNUSED)
{
	struct rig rig;
	struct fetch_session_context first;
	int32_t id, told;

	rig_init(&rig, SLOTS_BIG);
	id = session_new(&rig, 1);
	assert_int_equal(
	    begin(&rig, id, 2, NULL, 0), KP_INVALID_FETCH_SESSION_EPOCH);
	assert_int_equal(
	    begin(&rig, id + 1, 1, NULL, 0), KP_FETCH_SESSION_ID_NOT_FOUND);
	assert_int_equal(
	    begin(&rig, -5, 1, NULL, 0), KP_FETCH_SESSION_ID_NOT_FOUND);
	rig.uses_ids = true;
	assert_int_equal(
	    begin(&rig, id, 1, NULL, 0), KP_FETCH_SESSION_TOPIC_ID_ERROR);
	rig.uses_ids = false;
	assert_int_equal(begin(&rig, id, 1, NULL, 0), KP_NONE);
	first = rig.context;
	/* It advanced when it was taken, so the same epoch is old. */
	assert_int_equal(
	    begin(&rig, id, 1, NULL, 0), KP_INVALID_FETCH_SESSION_EPOCH);
	assert_int_equal(begin(&rig, id, 2, NULL, 0), KP_NONE);
	/* The first one's answer comes too late. */
	rig.context = first;
	assert_int_equal(answer(&rig, &told), KP_INVALID_FETCH_SESSION_EPOCH);
	assert_int_equal(told, id);
	rig_fini(&rig);
}

static void
a_full_fetch_ends_the_old_session(void **state UNUSED)
{
	struct rig rig;
	struct fetch_session_context late;
	struct fetch_session_partition partition = wants("t", 0, 0);
	int32_t id, told;

	rig_init(&rig, SLOTS_BIG);
	id = session_new(&rig, 1);
	assert_int_equal(begin(&rig, id, 1, NULL, 0), KP_NONE);
	late = rig.context;
	assert_int_equal(begin(&rig, id, 0, &partition, 1), KP_NONE);
	rig.context = late;
	assert_int_equal(answer(&rig, &told), KP_FETCH_SESSION_ID_NOT_FOUND);
	assert_int_equal(fetch_sessions_counters(rig.sessions).sessions, 0);

	id = session_new(&rig, 1);
	assert_int_equal(begin(&rig, id, -1, &partition, 1), KP_NONE);
	assert_int_equal(rig.context.kind, FETCH_SESSIONLESS);
	assert_int_equal(fetch_sessions_counters(rig.sessions).sessions, 0);

	/* No partitions at all get a session too. */
	assert_true(session_new(&rig, 0) > 0);
	rig_fini(&rig);
}

static void
topic_ids_are_keys(void **state UNUSED)
{
	struct rig rig;
	struct fetch_session_partition partition = {
		.topic_id = { { 9 } }, .index = 4, .max_bytes = 1
	};
	int32_t id;

	rig_init(&rig, SLOTS_BIG);
	rig.uses_ids = true;
	assert_int_equal(begin(&rig, 0, 0, &partition, 1), KP_NONE);
	assert_int_equal(answer(&rig, &id), KP_NONE);
	partition.max_bytes = 2;
	assert_int_equal(begin(&rig, id, 1, &partition, 1), KP_NONE);
	assert_int_equal(rig.context.partitions_count, 1);
	assert_true(
	    uuid_equal(rig.context.partitions[0].topic_id, partition.topic_id));
	assert_int_equal(rig.context.partitions[0].max_bytes, 2);
	rig_fini(&rig);
}

/* Eight parts with one slot each: the ninth session finds its part full. */
static void
full_caches_evict(void **state UNUSED)
{
	struct rig rig;
	int32_t ids[8];
	int32_t told;

	rig_init(&rig, 8);
	for (int i = 0; i < 8; i++)
		ids[i] = session_new(&rig, 2);
	/* Too young to go. */
	assert_int_equal(session_new(&rig, 3), 0);
	rig.now_ms = MINUTE_MS;
	assert_int_equal(session_new(&rig, 3), 0);
	/* Old enough, in use, but the new one is smaller: no. */
	rig.now_ms = 3 * MINUTE_MS;
	for (int i = 0; i < 8; i++) {
		assert_int_equal(begin(&rig, ids[i], 1, NULL, 0), KP_NONE);
		assert_int_equal(answer(&rig, &told), KP_NONE);
	}
	assert_int_equal(session_new(&rig, 1), 0);
	/* A larger one: yes. */
	assert_true(session_new(&rig, 3) > 0);
	assert_int_equal(fetch_sessions_counters(rig.sessions).evictions, 1);
	assert_int_equal(fetch_sessions_counters(rig.sessions).sessions, 8);
	/* Idle for long: whatever its size. */
	rig.now_ms = 10 * MINUTE_MS;
	assert_true(session_new(&rig, 1) > 0);
	assert_int_equal(fetch_sessions_counters(rig.sessions).evictions, 2);
	rig_fini(&rig);
}

static void
followers_go_first(void **state UNUSED)
{
	struct rig rig;

	rig_init(&rig, 8);
	for (int i = 0; i < 8; i++)
		session_new(&rig, 9);
	rig.privileged = true;
	for (int i = 0; i < 8; i++)
		assert_true(session_new(&rig, 1) > 0);
	assert_int_equal(session_new(&rig, 9), 0);
	rig.privileged = false;
	rig.now_ms = MINUTE_MS;
	assert_int_equal(session_new(&rig, 9), 0);
	rig_fini(&rig);
}

static void
no_slots_no_sessions(void **state UNUSED)
{
	struct rig rig;

	rig_init(&rig, 0);
	assert_int_equal(session_new(&rig, 1), 0);
	rig_fini(&rig);
}

/* The name is kept once, and copied once for a fetch. */
static void
a_topic_has_one_name(void **state UNUSED)
{
	enum { COUNT = 16, NAME_LEN = 249 };
	char name[NAME_LEN + 1] = { 0 };
	struct fetch_session_partition partitions[COUNT];
	struct fetch_session_forgotten forgotten = { .topic = { 0 } };
	struct rig rig;
	int32_t id;

	memset(name, 'n', NAME_LEN);
	rig_init(&rig, SLOTS_BIG);
	for (int32_t i = 0; i < COUNT; i++)
		partitions[i] = wants(name, i, 0);
	results_reset(&rig);
	assert_int_equal(begin(&rig, 0, 0, partitions, COUNT), KP_NONE);
	assert_int_equal(answer(&rig, &id), KP_NONE);
	assert_true(fetch_sessions_counters(rig.sessions).bytes <
	    COUNT * NAME_LEN);
	assert_int_equal(begin(&rig, id, 1, NULL, 0), KP_NONE);
	assert_int_equal(rig.context.partitions_count, COUNT);
	for (int32_t i = 0; i < COUNT; i++) {
		assert_true(
		    slice_equal_str(rig.context.partitions[i].topic, name));
		assert_ptr_equal(rig.context.partitions[i].topic.data,
		    rig.context.partitions[0].topic.data);
	}
	forgotten.topic = slice_str(name);
	for (int32_t i = 0; i < COUNT; i++) {
		forgotten.index = i;
		assert_int_equal(
		    begin_full(&rig, id, 2 + i, NULL, 0, &forgotten, 1),
		    KP_NONE);
	}
	assert_int_equal(fetch_sessions_counters(rig.sessions).bytes, 0);
	rig_fini(&rig);
}

/* Such a topic is answered, but a session does not remember it. */
static void
names_that_are_none_are_not_kept(void **state UNUSED)
{
	char name[251] = { 0 };
	struct fetch_session_partition partition;
	struct rig rig;
	int32_t id;

	memset(name, 'n', 250);
	partition = wants(name, 0, 0);
	rig_init(&rig, SLOTS_BIG);
	assert_int_equal(begin(&rig, 0, 0, &partition, 1), KP_NONE);
	assert_int_equal(rig.context.partitions_count, 1);
	assert_int_equal(answer(&rig, &id), KP_NONE);
	assert_int_equal(id, FETCH_SESSION_NONE);
	assert_true(rig.answered[0]);
	id = session_new(&rig, 1);
	assert_int_equal(begin(&rig, id, 1, &partition, 1),
	    KP_FETCH_SESSION_ID_NOT_FOUND);
	assert_int_equal(fetch_sessions_counters(rig.sessions).sessions, 0);
	rig_fini(&rig);
}

/* Sessions of many partitions are no longer made when there is no room. */
static void
memory_is_bounded(void **state UNUSED)
{
	enum { COUNT = 40000, BYTES_MAX = 8 * 24 << 20 };
	struct fetch_session_partition *partitions =
	    xcalloc(COUNT, sizeof(*partitions));
	struct fetch_session_result *results =
	    xcalloc(COUNT, sizeof(*results));
	bool *answered = xcalloc(COUNT, sizeof(*answered));
	struct rig rig;
	int made = 0;
	int32_t id, last = 0;

	rig_init(&rig, SLOTS_BIG);
	for (int32_t i = 0; i < COUNT; i++)
		partitions[i] = wants("t", i, 0);
	for (int i = 0; i < 64; i++) {
		rig.arena.size_bytes_max = SIZE_MAX;
		assert_int_equal(begin(&rig, 0, 0, partitions, COUNT), KP_NONE);
		assert_int_equal(
		    fetch_sessions_answer(rig.sessions, &rig.context, results,
			rig.now_ms, &id, answered),
		    KP_NONE);
		made += id != FETCH_SESSION_NONE;
		last = id != FETCH_SESSION_NONE ? id : last;
		arena_reset(&rig.arena);
	}
	assert_true(made >= 8 && made < 64);
	assert_true(fetch_sessions_counters(rig.sessions).bytes <= BYTES_MAX);
	/* One that outgrows the room ends. */
	for (int32_t i = 0; i < COUNT; i++)
		partitions[i].index += COUNT;
	assert_int_equal(begin(&rig, last, 1, partitions, COUNT),
	    KP_FETCH_SESSION_ID_NOT_FOUND);
	rig_fini(&rig);
	free(partitions);
	free(results);
	free(answered);
}

/* Against a model: any order of adding, changing and forgetting. */
static void
sessions_follow_a_model(void **state UNUSED)
{
	enum { INDEXES = 12, STEPS = 3000 };
	int64_t model[INDEXES];
	struct rig rig;
	struct rng rng;
	int32_t id, told, epoch = 1;

	rig_init(&rig, SLOTS_BIG);
	rng_init(&rng, 42);
	id = session_new(&rig, 1);
	for (int i = 0; i < INDEXES; i++)
		model[i] = i == 0 ? 0 : -1;
	for (int step = 0; step < STEPS; step++) {
		int32_t index = (int32_t)rng_below(&rng, INDEXES - 1) + 1;
		struct fetch_session_partition change = wants("t", index, step);
		struct fetch_session_forgotten forgotten = {
			.topic = slice_str("t"), .index = index
		};
		bool add = rng_below(&rng, 2) == 0;
		int count = 0;

		arena_reset(&rig.arena);
		assert_int_equal(begin_full(&rig, id, epoch++, &change,
				     add ? 1 : 0, &forgotten, add ? 0 : 1),
		    KP_NONE);
		model[index] = add ? step : -1;
		for (int i = 0; i < INDEXES; i++)
			count += model[i] >= 0;
		assert_int_equal(rig.context.partitions_count, count);
		for (int i = 0; i < count; i++)
			assert_int_equal(rig.context.partitions[i].fetch_offset,
			    model[rig.context.partitions[i].index]);
		for (int i = 0; i < count; i++)
			rig.results[i].has_records = rng_below(&rng, 4) == 0;
		assert_int_equal(answer(&rig, &told), KP_NONE);
	}
	rig_fini(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_session),
		cmocka_unit_test(only_news_are_answered),
		cmocka_unit_test(errors_are_repeated),
		cmocka_unit_test(records_lose_their_turn),
		cmocka_unit_test(partitions_come_and_go),
		cmocka_unit_test(epochs_advance),
		cmocka_unit_test(a_full_fetch_ends_the_old_session),
		cmocka_unit_test(topic_ids_are_keys),
		cmocka_unit_test(full_caches_evict),
		cmocka_unit_test(followers_go_first),
		cmocka_unit_test(no_slots_no_sessions),
		cmocka_unit_test(a_topic_has_one_name),
		cmocka_unit_test(names_that_are_none_are_not_kept),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(sessions_follow_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
