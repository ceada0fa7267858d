/*
 * The share coordinator's shard on a log in memory and a clock that is
 * stepped: what is written when, what waits for what, what a later shard makes
 * of the log, and what becomes of batches.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "base/rng.h"
#include "coord/share_state_shard.h"
#include "unit/shard_log.h"
#include "wire/batch_reader.h"

#define UPDATES 3
#define COLD_MS 300000

struct world {
	struct shard_log log;
	struct share_settings settings;
	struct shard_settings shard_settings;
	struct share_state_environment environment;
	struct share_state_shard shard;
	struct arena arena;
	int done_count;
};

/* --- The world ----------------------------------------------------------- */

static void
world_load(struct world *world)
{
	share_state_shard_init(&world->shard, &world->environment,
	    &world->shard_settings, &world->log.host, 0);
	shard_log_load(&world->log, &world->shard.shard);
}

static void
world_unload(struct world *world)
{
	shard_resign(&world->shard.shard);
	share_state_shard_fini(&world->shard);
	assert_int_equal(world->environment.memory.used, 0);
}

static void
world_restart(struct world *world)
{
	world_unload(world);
	world_load(world);
}

static int
setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	shard_log_init(&world->log);
	world->settings = SHARE_SETTINGS_DEFAULT;
	world->settings.updates_per_snapshot = UPDATES;
	world->shard_settings = (struct shard_settings){
		.batch_bytes_max = 1048588,
		.load_bytes = 5242880,
		.commit_timeout_ms = 5000,
	};
	world->environment.settings = &world->settings;
	budget_init(&world->environment.memory, (size_t)64 << 20);
	arena_init(&world->arena, SIZE_MAX);
	world_load(world);
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	struct world *world = *state;

	world_unload(world);
	shard_log_fini(&world->log);
	arena_reset(&world->arena);
	free(world);
	return 0;
}

/* --- Calls --------------------------------------------------------------- */

static void
done(struct shard_call *call)
{
	((struct world *)call->context)->done_count++;
}

static struct uuid
topic(uint8_t number)
{
	return (struct uuid){ .bytes = { [7] = 1, [15] = number } };
}

static struct share_state_call
call_of(struct world *world, enum share_state_operation operation,
    int32_t partition)
{
	return (struct share_state_call){
		.call = { .done = done, .context = world },
		.operation = operation,
		.key = { slice_str("g"), topic(2), partition },
		.arena = &world->arena,
		.state_epoch = -1,
		.leader_epoch = -1,
		.start_offset = -1,
		.delivery_complete_count = -1,
	};
}

/* Without waiting for its end. */
static void
submit(struct world *world, struct share_state_call *call)
{
	call->text = share_state_key_text(&call->key, &world->arena);
	call->known = call->key.partition < 1000;
	call->deletions = world->environment.deletions;
	assert_true(share_state_shard_run(&world->shard, call));
}

static enum kp_error
run(struct world *world, struct share_state_call *call)
{
	int before = world->done_count;

	submit(world, call);
	assert_int_equal(world->done_count, before + 1);
	return call->call.error;
}

static enum kp_error
initialize(struct world *world, int32_t partition, int32_t state_epoch,
    int64_t start_offset)
{
	struct share_state_call call =
	    call_of(world, SHARE_STATE_INITIALIZE, partition);

	call.state_epoch = state_epoch;
	call.start_offset = start_offset;
	return run(world, &call);
}

static struct share_state_batch
acknowledged(int64_t first, int64_t last)
{
	return (struct share_state_batch){ first, last, 2, 1 };
}

static enum kp_error
write_from(struct world *world, int32_t partition, int64_t start_offset,
    int64_t first, int64_t last)
{
	struct share_state_batch batch = acknowledged(first, last);
	struct share_state_call call =
	    call_of(world, SHARE_STATE_WRITE, partition);

	call.start_offset = start_offset;
	call.delivery_complete_count = 4;
	call.batches = &batch;
	call.batches_count = 1;
	return run(world, &call);
}

static struct share_state_call
read_state(struct world *world, int32_t partition, int32_t leader_epoch)
{
	struct share_state_call call =
	    call_of(world, SHARE_STATE_READ, partition);

	call.leader_epoch = leader_epoch;
	(void)run(world, &call);
	return call;
}

static enum kp_error
delete_state(struct world *world, int32_t partition)
{
	struct share_state_call call =
	    call_of(world, SHARE_STATE_DELETE, partition);

	return run(world, &call);
}

/* --- The log ------------------------------------------------------------- */

/* The type, key and value of the record at offset. */
static void
record_at(struct world *world, int64_t offset, struct buf *scratch,
    struct record *found)
{
	struct slice left = buf_slice(&world->log.bytes);
	struct batch_reader reader;
	struct record record;
	struct batch batch;

	while (batch_read(left, &batch) == 0 && batch.last_offset < offset)
		left = slice_of(
		    left.data + batch.size_bytes, left.len - batch.size_bytes);
	assert_int_equal(batch_reader_open(&reader, left, scratch), KP_NONE);
	while (batch_reader_next(&reader, &record))
		if (record.offset == offset) {
			*found = record;
			return;
		}
	fail_msg("no record at %lld", (long long)offset);
}

static int
type_at(struct world *world, int64_t offset)
{
	struct record record;
	struct buf scratch;
	int type;

	buf_init(&scratch, 1 << 20);
	record_at(world, offset, &scratch, &record);
	type = record.key.data[1];
	buf_fini(&scratch);
	return type;
}

/* --- Tests: states -------------------------------------------------------- */

static void
a_state_is_what_was_written(void **state)
{
	struct world *world = *state;
	struct share_state_call told;

	assert_int_equal(
	    write_from(world, 0, -1, 10, 19), KP_INVALID_REQUEST);
	assert_int_equal(
	    read_state(world, 0, 3).call.error, KP_INVALID_REQUEST);
	assert_int_equal(initialize(world, 0, 2, 10), KP_NONE);
	told = read_state(world, 0, -1);
	assert_int_equal(told.start_offset, 10);
	assert_int_equal(told.delivery_complete_count, 0);
	assert_int_equal(told.batches_count, 0);
	assert_int_equal(write_from(world, 0, -1, 12, 14), KP_NONE);
	assert_int_equal(write_from(world, 0, -1, 15, 19), KP_NONE);
	for (int i = 0; i < 2; i++) {
		told = read_state(world, 0, -1);
		assert_int_equal(told.call.error, KP_NONE);
		assert_int_equal(told.state_epoch, 2);
		assert_int_equal(told.start_offset, 10);
		assert_int_equal(told.delivery_complete_count, 4);
		assert_int_equal(told.batches_count, 1);
		assert_int_equal(told.batches[0].first_offset, 12);
		assert_int_equal(told.batches[0].last_offset, 19);
		world_restart(world);
	}
	assert_int_equal(write_from(world, 0, 17, 30, 31), KP_NONE);
	told = read_state(world, 0, -1);
	assert_int_equal(told.start_offset, 17);
	assert_int_equal(told.batches_count, 2);
	assert_int_equal(told.batches[0].first_offset, 17);
}

/* Every fourth record is all there is to know. */
static void
updates_end_in_a_snapshot(void **state)
{
	struct world *world = *state;

	assert_int_equal(initialize(world, 0, 1, 0), KP_NONE);
	for (int64_t i = 0; i < 9; i++)
		assert_int_equal(
		    write_from(world, 0, -1, 2 * i, 2 * i), KP_NONE);
	for (int64_t offset = 0; offset < 10; offset++)
		assert_int_equal(
		    type_at(world, offset), offset % (UPDATES + 1) != 0);
	world_restart(world);
	assert_int_equal(read_state(world, 0, -1).batches_count, 9);
}

static void
epochs_only_rise(void **state)
{
	struct world *world = *state;
	struct share_state_call call;
	int64_t end;

	assert_int_equal(initialize(world, 0, 5, 0), KP_NONE);
	assert_int_equal(
	    initialize(world, 0, 4, 0), KP_FENCED_STATE_EPOCH);
	assert_int_equal(read_state(world, 0, 7).call.error, KP_NONE);
	end = world->log.end_offset;
	assert_int_equal(read_state(world, 0, 7).call.error, KP_NONE);
	assert_int_equal(read_state(world, 0, -1).call.error, KP_NONE);
	assert_int_equal(world->log.end_offset, end);
	world_restart(world);
	call = read_state(world, 0, 6);
	assert_int_equal(call.call.error, KP_FENCED_LEADER_EPOCH);
	assert_non_null(call.message);
	/* Beginning anew makes no leader of old the leader again. */
	assert_int_equal(initialize(world, 0, 6, 0), KP_NONE);
	call = read_state(world, 0, 6);
	assert_int_equal(call.call.error, KP_FENCED_LEADER_EPOCH);
	call = call_of(world, SHARE_STATE_READ_SUMMARY, 0);
	assert_int_equal(run(world, &call), KP_NONE);
	assert_int_equal(call.leader_epoch, 0);
	assert_int_equal(call.state_epoch, 6);
}

static void
impossible_batches_are_refused(void **state)
{
	struct world *world = *state;
	static const struct share_state_batch batches[] = {
		{ 5, 4, 2, 1 },
		{ -1, 4, 2, 1 },
		{ 0, INT64_MAX, 2, 1 },
	};
	struct share_state_call call = call_of(world, SHARE_STATE_WRITE, 0);

	assert_int_equal(initialize(world, 0, 0, 0), KP_NONE);
	call.batches_count = 1;
	for (size_t i = 0; i < COUNT_OF(batches); i++) {
		call.batches = &batches[i];
		assert_int_equal(run(world, &call), KP_INVALID_REQUEST);
	}
	call.batches_count = SHARE_STATE_BATCHES_MAX + 1;
	assert_int_equal(run(world, &call), KP_INVALID_REQUEST);
	assert_int_equal(world->log.end_offset, 1);
}

static void
answers_wait_for_the_commit(void **state)
{
	struct world *world = *state;
	struct share_state_call call =
	    call_of(world, SHARE_STATE_INITIALIZE, 0);
	struct share_state_call reading = call_of(world, SHARE_STATE_READ, 0);

	world->log.holds_back = true;
	submit(world, &call);
	submit(world, &reading);
	assert_int_equal(world->done_count, 0);
	shard_log_commit(&world->log, &world->shard.shard);
	assert_int_equal(world->done_count, 2);
	assert_int_equal(reading.call.error, KP_NONE);
	world->log.holds_back = true;
	call.operation = SHARE_STATE_DELETE;
	submit(world, &call);
	shard_log_pass(&world->log, &world->shard.shard, 5000);
	assert_int_equal(call.call.error, KP_COORDINATOR_NOT_AVAILABLE);
	submit(world, &call);
	world_restart(world);
	assert_int_equal(call.call.error, KP_NOT_COORDINATOR);
	assert_int_equal(world->done_count, 4);
}

static void
what_cannot_be_written_has_not_happened(void **state)
{
	struct world *world = *state;

	assert_int_equal(initialize(world, 0, 1, 0), KP_NONE);
	world->log.append_error = KP_NOT_ENOUGH_REPLICAS;
	assert_int_equal(write_from(world, 0, -1, 0, 0),
	    KP_COORDINATOR_NOT_AVAILABLE);
	assert_int_equal(
	    initialize(world, 1, 1, 0), KP_COORDINATOR_NOT_AVAILABLE);
	world->log.append_error = KP_NONE;
	assert_int_equal(read_state(world, 0, -1).batches_count, 0);
	assert_int_equal(
	    read_state(world, 1, -1).call.error, KP_INVALID_REQUEST);
}

static void
memory_has_a_limit(void **state)
{
	struct world *world = *state;

	assert_int_equal(initialize(world, 0, 1, 0), KP_NONE);
	world->environment.memory.max = 1;
	assert_int_equal(
	    initialize(world, 1, 1, 0), KP_COORDINATOR_NOT_AVAILABLE);
	assert_int_equal(initialize(world, 0, 2, 0), KP_NONE);
	assert_int_equal(delete_state(world, 0), KP_NONE);
	assert_int_equal(initialize(world, 1, 1, 0), KP_NONE);
}

/* --- Tests: topics -------------------------------------------------------- */

static void
states_go_with_their_topic(void **state)
{
	struct world *world = *state;
	struct uuid ids[] = { topic(2) };
	struct share_state_call other =
	    call_of(world, SHARE_STATE_INITIALIZE, 0);
	struct map topics;

	other.key.topic_id = topic(3);
	assert_int_equal(run(world, &other), KP_NONE);
	for (int32_t i = 0; i < 5; i++)
		assert_int_equal(initialize(world, i, 1, 0), KP_NONE);
	map_init(&topics);
	map_set(&topics, MAP_KEY(ids[0]), ids);
	share_state_shard_drop_topics(&world->shard, &topics);
	map_fini(&topics);
	assert_int_equal(world->shard.states.count, 1);
	world_restart(world);
	assert_int_equal(world->shard.states.count, 1);
	other.operation = SHARE_STATE_READ;
	assert_int_equal(run(world, &other), KP_NONE);
}

/* The look-up may be older than the deletion: it is to be done again. */
static void
a_deletion_in_between_is_noticed(void **state)
{
	struct world *world = *state;
	struct share_state_call call =
	    call_of(world, SHARE_STATE_INITIALIZE, 0);

	call.text = share_state_key_text(&call.key, &world->arena);
	call.known = true;
	world->environment.deletions = 1;
	assert_false(share_state_shard_run(&world->shard, &call));
	assert_int_equal(world->done_count, 0);
	assert_int_equal(world->log.end_offset, 0);
}

/* --- Tests: the log's beginning ------------------------------------------- */

static void
the_log_begins_at_the_oldest_snapshot(void **state)
{
	struct world *world = *state;

	for (int32_t i = 0; i < 3; i++)
		assert_int_equal(initialize(world, i, 1, 10 * i), KP_NONE);
	assert_int_equal(write_from(world, 2, -1, 20, 29), KP_NONE);
	assert_int_equal(initialize(world, 0, 1, 7), KP_NONE);
	shard_log_pass(&world->log, &world->shard.shard, COLD_MS - 1);
	assert_int_equal(world->log.start_offset, 0);
	/* The first round finds partition 1's, and then all are written. */
	shard_log_pass(&world->log, &world->shard.shard, 1);
	assert_int_equal(world->log.start_offset, 1);
	assert_int_equal(world->log.end_offset, 8);
	world_restart(world);
	shard_log_pass(&world->log, &world->shard.shard, COLD_MS);
	assert_int_equal(world->log.start_offset, 5);
	world_restart(world);
	assert_int_equal(read_state(world, 0, -1).start_offset, 7);
	assert_int_equal(read_state(world, 1, -1).start_offset, 10);
	assert_int_equal(read_state(world, 2, -1).start_offset, 20);
	assert_int_equal(read_state(world, 2, -1).batches_count, 1);
	/* All have been written for their age: nothing more happens. */
	shard_log_pass(&world->log, &world->shard.shard, 10 * COLD_MS);
	assert_int_equal(world->log.end_offset, 8);
	/* Without states only the last tombstone is left. */
	for (int32_t i = 0; i < 3; i++)
		assert_int_equal(delete_state(world, i), KP_NONE);
	shard_log_pass(&world->log, &world->shard.shard, COLD_MS);
	assert_int_equal(world->log.start_offset, 10);
	world_restart(world);
	assert_int_equal(world->shard.states.count, 0);
}

/* What is not committed yet does not make older records go. */
static void
the_log_is_cut_by_what_is_committed(void **state)
{
	struct world *world = *state;
	struct share_state_call call =
	    call_of(world, SHARE_STATE_INITIALIZE, 0);

	world->settings.cold_interval_ms = INT32_MAX;
	world->settings.prune_interval_ms = 1000;
	world_restart(world);
	assert_int_equal(initialize(world, 0, 1, 1), KP_NONE);
	world->log.holds_back = true;
	submit(world, &call);
	shard_log_pass(&world->log, &world->shard.shard, 4000);
	assert_int_equal(world->log.start_offset, 0);
	shard_log_commit(&world->log, &world->shard.shard);
	assert_int_equal(world->log.start_offset, 1);
}

/* --- Tests: records ------------------------------------------------------- */

static void
expect_record(struct world *world, int64_t offset, const char *key,
    const char *value)
{
	struct record record;
	char text[512] = "";
	struct buf scratch;

	buf_init(&scratch, 1 << 20);
	record_at(world, offset, &scratch, &record);
	for (size_t i = 0; i < record.key.len; i++)
		snprintf(text + 2 * i, 3, "%02x", record.key.data[i]);
	assert_string_equal(text, key);
	text[0] = '\0';
	for (size_t i = 0; i < record.value.len; i++)
		snprintf(text + 2 * i, 3, "%02x", record.value.data[i]);
	assert_string_equal(text, value);
	buf_fini(&scratch);
}

/* What ShareCoordinatorRecordSerde of Kafka 4.3.1 makes of them. */
static void
records_are_kafkas(void **state)
{
	struct world *world = *state;
	struct share_state_batches batches = {
		(struct share_state_batch[]){ { 10, 19, 2, 1 } },
		1,
	};
	const struct share_state_key key = { slice_str("g"), topic(2), 0 };
	const struct share_state_values values = {
		.snapshot_epoch = 1,
		.state_epoch = 2,
		.leader_epoch = 3,
		.start_offset = 10,
		.delivery_complete_count = 4,
		.create_ms = 5,
		.write_ms = 6,
	};

	assert_int_equal(shard_enter(&world->shard.shard), KP_NONE);
	share_state_emit_snapshot(&world->shard, &key, &values, &batches);
	share_state_emit_update(&world->shard, &key, &values, &batches);
	assert_int_equal(shard_append(&world->shard.shard), KP_NONE);
	shard_leave(&world->shard.shard);
	expect_record(world, 0,
	    "0000000167000000000000000100000000000000020000"
	    "0000",
	    "0000000000010000000200000003000000000000000a00"
	    "00000000000005000000000000000602000000000000"
	    "000a00000000000000130200010001000400000004");
	expect_record(world, 1,
	    "0001000167000000000000000100000000000000020000"
	    "0000",
	    "00000000000100000003000000000000000a0200000000"
	    "0000000a000000000000001302000100010004000000"
	    "04");
	assert_int_equal(delete_state(world, 0), KP_NONE);
	expect_record(world, 2,
	    "0000000167000000000000000100000000000000020000"
	    "0000",
	    "");
}

/* An id may hold what separates the parts of a key. */
static void
keys_are_not_confused(void **state)
{
	struct world *world = *state;
	struct share_state_call call =
	    call_of(world, SHARE_STATE_INITIALIZE, 0);

	call.key.group_id = slice_of("g\0a", 3);
	assert_int_equal(run(world, &call), KP_NONE);
	call.key.group_id = slice_of("g\0b", 3);
	assert_int_equal(run(world, &call), KP_NONE);
	call.key.group_id = slice_str("g:AAAAAAAAAAEAAAAAAAAAAg:0");
	assert_int_equal(run(world, &call), KP_NONE);
	assert_int_equal(world->shard.states.count, 3);
	assert_int_equal(read_state(world, 0, -1).call.error,
	    KP_INVALID_REQUEST);
}

/* --- Tests: batches ------------------------------------------------------- */

static int32_t
parse_batches(char *text, struct share_state_batch *batches)
{
	char *saved;
	int32_t count = 0;

	if (strcmp(text, "-") == 0)
		return 0;
	for (char *item = strtok_r(text, ",", &saved); item != NULL;
	     item = strtok_r(NULL, ",", &saved)) {
		long long first, last;
		int delivery_state, deliveries;

		assert_int_equal(sscanf(item, "%lld-%lld:%d:%d", &first,
				     &last, &delivery_state, &deliveries),
		    4);
		batches[count++] = (struct share_state_batch){ first, last,
			(int8_t)delivery_state, (int16_t)deliveries };
	}
	return count;
}

static void
check_combination(char *line)
{
	struct share_state_batch so_far[64], more[64], wanted[64];
	struct share_state_batches had = { so_far, 0 }, made;
	int32_t more_count, wanted_count;
	char *saved;
	int64_t start_offset;

	had.count = parse_batches(strtok_r(line, "\t", &saved), so_far);
	more_count = parse_batches(strtok_r(NULL, "\t", &saved), more);
	start_offset = atoll(strtok_r(NULL, "\t", &saved));
	wanted_count = parse_batches(strtok_r(NULL, "\t\n", &saved), wanted);
	made = share_state_batches_combine(
	    &had, more, more_count, start_offset);
	assert_int_equal(made.count, wanted_count);
	for (int32_t i = 0; i < made.count; i++) {
		assert_int_equal(
		    made.items[i].first_offset, wanted[i].first_offset);
		assert_int_equal(
		    made.items[i].last_offset, wanted[i].last_offset);
		assert_int_equal(
		    made.items[i].delivery_state, wanted[i].delivery_state);
		assert_int_equal(
		    made.items[i].delivery_count, wanted[i].delivery_count);
	}
	free(made.items);
}

static void
batches_are_combined_as_by_kafka(void **state UNUSED)
{
	FILE *file = fopen(SRCDIR "/tests/coord/share-batches.tsv", "r");
	char line[4096];
	int count = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (line[0] == '#')
			continue;
		check_combination(line);
		count++;
	}
	fclose(file);
	assert_int_equal(count, 400);
}

#define OFFSETS 48
#define ROUNDS 3000

/* By offset: deliveries and state in one number; 0 where nothing is told. */
static void
paint(int *offsets, const struct share_state_batch *batch)
{
	for (int64_t i = batch->first_offset; i <= batch->last_offset; i++)
		offsets[i] = MAX(offsets[i],
		    batch->delivery_count * 8 + batch->delivery_state);
}

static struct share_state_batch
random_batch(struct rng *rng)
{
	int64_t first = (int64_t)(rng_next(rng) % OFFSETS);
	int64_t room = OFFSETS - first;

	return (struct share_state_batch){
		.first_offset = first,
		.last_offset = first +
		    (int64_t)(rng_next(rng) % (uint64_t)room),
		.delivery_state = (int8_t)(rng_next(rng) % 5),
		.delivery_count = (int16_t)(1 + rng_next(rng) % 9),
	};
}

/* Many that overlap: each record has the highest of what is told of it. */
static void
every_record_has_its_highest_state(void **state UNUSED)
{
	struct share_state_batch more[OFFSETS];
	struct rng rng;

	rng_init(&rng, 7);
	for (int round = 0; round < ROUNDS; round++) {
		struct share_state_batches none = { NULL, 0 }, made;
		int wanted[OFFSETS] = { 0 }, told[OFFSETS] = { 0 };
		int32_t count = (int32_t)(rng_next(&rng) % OFFSETS);
		int64_t end = -1;

		for (int32_t i = 0; i < count; i++) {
			more[i] = random_batch(&rng);
			paint(wanted, &more[i]);
		}
		made = share_state_batches_combine(&none, more, count, -1);
		for (int32_t i = 0; i < made.count; i++) {
			assert_true(made.items[i].first_offset > end);
			end = made.items[i].last_offset;
			paint(told, &made.items[i]);
		}
		assert_memory_equal(told, wanted, sizeof(told));
		free(made.items);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_state_is_what_was_written),
		TEST(updates_end_in_a_snapshot),
		TEST(epochs_only_rise),
		TEST(impossible_batches_are_refused),
		TEST(answers_wait_for_the_commit),
		TEST(what_cannot_be_written_has_not_happened),
		TEST(memory_has_a_limit),
		TEST(states_go_with_their_topic),
		TEST(a_deletion_in_between_is_noticed),
		TEST(the_log_begins_at_the_oldest_snapshot),
		TEST(the_log_is_cut_by_what_is_committed),
		TEST(records_are_kafkas),
		TEST(keys_are_not_confused),
		cmocka_unit_test(batches_are_combined_as_by_kafka),
		cmocka_unit_test(every_record_has_its_highest_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
