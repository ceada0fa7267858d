/*
 * The transaction coordinator's shard on a log in memory and a clock that is
 * stepped: what is decided when, what waits for what, and what a later shard
 * makes of the log.
 */
#include "unit/unit.h"

#include "coord/txn_ending.h"
#include "coord/txn_shard.h"
#include "unit/shard_log.h"
#include "wire/batch_reader.h"

#define DAY_MS ((int64_t)86400000)
#define TIMEOUT_MS 60000
#define ENDINGS_MAX 8

/* --- The world: a clock, a log, a shard ---------------------------------- */

struct world {
	struct shard_log log;
	struct txn_settings settings;
	struct shard_settings shard_settings;
	struct txn_environment environment;
	struct txn_shard shard;
	int64_t ids_given;
	/* Whose markers are being written. */
	struct txn_ending *endings[ENDINGS_MAX];
	int endings_count;
};

static struct world *
world_in(struct txn_environment *environment)
{
	return CONTAINER_OF(environment, struct world, environment);
}

/* As the coordinator does, with ids that are there at once. */
static void
run_call(struct txn_environment *environment, struct txn_shard *shard,
    struct txn_call *call)
{
	if (call->run(shard, call))
		return;
	call->fresh_id = 1000 + world_in(environment)->ids_given++;
	assert_true(call->run(shard, call));
}

static void
mark(struct txn_environment *environment, struct txn_ending *ending)
{
	struct world *world = world_in(environment);

	assert_in_range(world->endings_count, 0, ENDINGS_MAX - 1);
	world->endings[world->endings_count++] = ending;
}

static void
idle(struct txn_environment *environment UNUSED, struct txn_shard *shard UNUSED)
{
}

static void
world_load(struct world *world)
{
	txn_shard_init(&world->shard, &world->environment,
	    &world->shard_settings, &world->log.host, 0);
	shard_log_load(&world->log, &world->shard.shard);
}

static void
endings_drop(struct world *world)
{
	while (world->endings_count > 0)
		txn_ending_free(world->endings[--world->endings_count]);
}

static void
world_unload(struct world *world)
{
	shard_resign(&world->shard.shard);
	endings_drop(world);
	assert_int_equal(world->shard.users, 1);
	txn_shard_fini(&world->shard);
	assert_int_equal(world->environment.memory.used, 0);
}

static int
setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	shard_log_init(&world->log);
	world->settings = TXN_SETTINGS_DEFAULT;
	world->shard_settings = (struct shard_settings){
		.batch_bytes_max = 1048588,
		.load_bytes = 5242880,
		.commit_timeout_ms = 5000,
	};
	world->environment.settings = &world->settings;
	world->environment.run = run_call;
	world->environment.mark = mark;
	world->environment.idle = idle;
	atomic_init(&world->environment.version, 2);
	budget_init(&world->environment.memory, (size_t)64 << 20);
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
	free(world);
	return 0;
}

static void
world_restart(struct world *world)
{
	world_unload(world);
	world_load(world);
}

/* Let time pass, with every timer on the way. */
static void
world_pass(struct world *world, int64_t ms)
{
	shard_log_pass(&world->log, &world->shard.shard, ms);
}

static void
world_commit(struct world *world)
{
	shard_log_commit(&world->log, &world->shard.shard);
}

/* All markers of all that end are committed. */
static void
world_mark(struct world *world)
{
	while (world->endings_count > 0) {
		struct txn_ending *ending =
		    world->endings[--world->endings_count];

		assert_true(txn_ending_complete(ending));
		txn_ending_free(ending);
	}
}

/* --- Calls --------------------------------------------------------------- */

static void
on_done(struct shard_call *call)
{
	*(bool *)call->context = true;
}

static void
run(struct world *world, struct txn_call *call, bool *done,
    bool (*operation)(struct txn_shard *shard, struct txn_call *call))
{
	*done = false;
	call->call.done = on_done;
	call->call.context = done;
	call->transactional_id = slice_str("id");
	call->run = operation;
	call->fresh_id = -1;
	run_call(&world->environment, &world->shard, call);
}

/* What a producer knows of itself. */
struct producer {
	int64_t id;
	int16_t epoch;
};

static enum kp_error
begin_with(struct world *world, struct producer *producer, int32_t timeout_ms,
    struct producer expected)
{
	struct txn_begin begin = {
		.call.version = 5,
		.timeout_ms = timeout_ms,
		.producer_id = expected.id,
		.producer_epoch = expected.epoch,
	};
	bool done;

	run(world, &begin.call, &done, txn_shard_begin);
	assert_true(done);
	if (begin.call.call.error == KP_NONE)
		*producer = (struct producer){ begin.producer_id,
			begin.producer_epoch };
	return begin.call.call.error;
}

static enum kp_error
begin(struct world *world, struct producer *producer)
{
	return begin_with(
	    world, producer, TIMEOUT_MS, (struct producer){ -1, -1 });
}

static enum kp_error
add_to(struct world *world, const struct producer *producer, int16_t version,
    int32_t index, bool verify_only)
{
	struct txn_partition partition = { slice_str("t"), index, KP_NONE };
	struct txn_add add = {
		.call.version = 5,
		.producer_id = producer->id,
		.producer_epoch = producer->epoch,
		.client_version = version,
		.verify_only = verify_only,
		.partitions = &partition,
		.count = 1,
	};
	bool done;

	run(world, &add.call, &done, txn_shard_add);
	assert_true(done);
	return add.call.call.error != KP_NONE ? add.call.call.error :
						partition.error;
}

static enum kp_error
add(struct world *world, const struct producer *producer)
{
	return add_to(world, producer, 2, 0, false);
}

static enum kp_error
verify(struct world *world, const struct producer *producer, int32_t index)
{
	return add_to(world, producer, 2, index, true);
}

static enum kp_error
end_as(struct world *world, struct producer *producer, int16_t version,
    bool commit)
{
	struct txn_end end = {
		.call.version = version >= 2 ? 5 : 4,
		.producer_id = producer->id,
		.producer_epoch = producer->epoch,
		.commit = commit,
		.client_version = version,
	};
	bool done;

	run(world, &end.call, &done, txn_shard_end);
	assert_true(done);
	if (end.call.call.error == KP_NONE && version >= 2)
		*producer =
		    (struct producer){ end.producer_id, end.producer_epoch };
	return end.call.call.error;
}

static enum kp_error
end(struct world *world, struct producer *producer, bool commit)
{
	return end_as(world, producer, 2, commit);
}

static const struct txn *
txn_of(struct world *world)
{
	return txn_find(&world->shard, slice_str("id"));
}

static enum txn_state
state_of(struct world *world)
{
	assert_non_null(txn_of(world));
	return txn_of(world)->values.state;
}

/* --- What waits for what -------------------------------------------------- */

static void
markers_wait_for_the_outcome(void **state)
{
	struct world *world = *state;
	struct producer producer;
	struct txn_end ending = {
		.call.version = 5, .client_version = 2, .commit = true
	};
	bool done;

	assert_int_equal(begin(world, &producer), KP_NONE);
	assert_int_equal(add(world, &producer), KP_NONE);
	world->log.holds_back = true;
	ending.producer_id = producer.id;
	ending.producer_epoch = producer.epoch;
	run(world, &ending.call, &done, txn_shard_end);
	assert_false(done);
	assert_int_equal(world->endings_count, 0);
	/* Others are told at once, because it cannot be otherwise any more. */
	assert_int_equal(
	    end(world, &producer, true), KP_CONCURRENT_TRANSACTIONS);
	world_commit(world);
	assert_true(done);
	assert_int_equal(ending.call.call.error, KP_NONE);
	assert_int_equal(world->endings_count, 1);
	assert_int_equal(world->endings[0]->producer_epoch, 1);
	assert_true(world->endings[0]->commit);
	assert_int_equal(state_of(world), TXN_PREPARE_COMMIT);
	assert_int_equal(begin(world, &producer), KP_CONCURRENT_TRANSACTIONS);
	assert_int_equal(add(world, &producer), KP_CONCURRENT_TRANSACTIONS);
	world_mark(world);
	assert_int_equal(state_of(world), TXN_COMPLETE_COMMIT);
	assert_int_equal(txn_of(world)->partitions.total, 0);
}

/* The record may be committed at any time, so the markers are owed. */
static void
an_outcome_that_takes_long_is_waited_for(void **state)
{
	struct world *world = *state;
	struct producer producer;
	struct txn_end ending = { .call.version = 5, .client_version = 2 };
	bool done;

	assert_int_equal(begin(world, &producer), KP_NONE);
	assert_int_equal(add(world, &producer), KP_NONE);
	world->log.holds_back = true;
	ending.producer_id = producer.id;
	run(world, &ending.call, &done, txn_shard_end);
	world_pass(world, 20000);
	assert_true(done);
	assert_int_equal(ending.call.call.error, KP_COORDINATOR_NOT_AVAILABLE);
	assert_int_equal(world->endings_count, 0);
	world_commit(world);
	assert_int_equal(world->endings_count, 1);
	world_mark(world);
	assert_int_equal(state_of(world), TXN_COMPLETE_ABORT);
}

static void
nothing_happens_without_its_record(void **state)
{
	struct world *world = *state;
	struct producer producer;

	assert_int_equal(begin(world, &producer), KP_NONE);
	assert_int_equal(add(world, &producer), KP_NONE);
	world->log.append_error = KP_KAFKA_STORAGE_ERROR;
	assert_int_equal(end(world, &producer, true), KP_NOT_COORDINATOR);
	assert_int_equal(begin(world, &producer), KP_NOT_COORDINATOR);
	world->log.append_error = KP_NOT_ENOUGH_REPLICAS;
	assert_int_equal(
	    end(world, &producer, true), KP_COORDINATOR_NOT_AVAILABLE);
	assert_int_equal(add_to(world, &producer, 2, 1, false),
	    KP_COORDINATOR_NOT_AVAILABLE);
	world->log.append_error = KP_NONE;
	assert_int_equal(state_of(world), TXN_ONGOING);
	assert_int_equal(verify(world, &producer, 0), KP_NONE);
	assert_int_equal(verify(world, &producer, 1), KP_TRANSACTION_ABORTABLE);
	assert_int_equal(end(world, &producer, true), KP_NONE);
	assert_int_equal(producer.epoch, 1);
	/* Nor is it complete while that cannot be written down. */
	world->log.append_error = KP_KAFKA_STORAGE_ERROR;
	assert_false(txn_ending_complete(world->endings[0]));
	assert_int_equal(state_of(world), TXN_PREPARE_COMMIT);
	world->log.append_error = KP_NONE;
	world_mark(world);
	assert_int_equal(state_of(world), TXN_COMPLETE_COMMIT);
}

static void
a_later_leader_goes_on(void **state)
{
	struct world *world = *state;
	struct producer producer, old;
	struct txn_ending *stale;

	assert_int_equal(begin(world, &producer), KP_NONE);
	assert_int_equal(add(world, &producer), KP_NONE);
	old = producer;
	assert_int_equal(end(world, &producer, true), KP_NONE);
	assert_int_equal(world->endings[0]->coordinator_epoch, 1);
	stale = world->endings[--world->endings_count];
	/* The commit fails, and the same shard is elected again. */
	shard_advance(&world->shard.shard, KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(end(world, &old, true), KP_NOT_COORDINATOR);
	assert_true(shard_elect(&world->shard.shard, ++world->log.epoch));
	shard_load(&world->shard.shard, world->log.epoch);
	assert_int_equal(world->endings_count, 1);
	assert_int_equal(world->endings[0]->coordinator_epoch, 2);
	assert_int_equal(world->endings[0]->producer_epoch, 1);
	assert_int_equal(world->endings[0]->partitions.total, 1);
	/* What was under way before is over, and changes nothing. */
	assert_true(txn_ending_complete(stale));
	txn_ending_free(stale);
	assert_int_equal(state_of(world), TXN_PREPARE_COMMIT);
	world_mark(world);
	assert_int_equal(end(world, &old, true), KP_NONE);
	assert_int_equal(old.epoch, producer.epoch);
	world_restart(world);
	assert_int_equal(world->endings_count, 0);
	assert_int_equal(state_of(world), TXN_COMPLETE_COMMIT);
}

/* Elected once more, and not loaded yet. */
static void
while_it_loads_nobody_is_served(void **state)
{
	struct world *world = *state;
	struct producer producer, copy;
	struct txn_filter filter = { .duration_ms = -1 };
	struct txn_description description = { .call.version = 0 };
	struct txn_list list = { 0 };
	struct shard_call call = { .done = on_done };
	struct arena arena;
	bool done = false;

	assert_int_equal(begin(world, &producer), KP_NONE);
	assert_int_equal(add(world, &producer), KP_NONE);
	shard_advance(&world->shard.shard, KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(begin(world, &copy), KP_NOT_COORDINATOR);
	assert_true(shard_elect(&world->shard.shard, ++world->log.epoch));
	assert_int_equal(begin(world, &copy), KP_COORDINATOR_LOAD_IN_PROGRESS);
	assert_int_equal(
	    add(world, &producer), KP_COORDINATOR_LOAD_IN_PROGRESS);
	assert_int_equal(
	    verify(world, &producer, 0), KP_COORDINATOR_LOAD_IN_PROGRESS);
	assert_int_equal(
	    end(world, &producer, true), KP_COORDINATOR_LOAD_IN_PROGRESS);
	run(world, &description.call, &done, txn_shard_describe);
	assert_int_equal(description.call.call.error,
	    KP_COORDINATOR_LOAD_IN_PROGRESS);
	arena_init(&arena, SIZE_MAX);
	done = false;
	call.context = &done;
	txn_shard_list(&world->shard, &call, &arena, &filter, &list);
	assert_true(done);
	assert_int_equal(call.error, KP_COORDINATOR_LOAD_IN_PROGRESS);
	arena_reset(&arena);
	shard_load(&world->shard.shard, world->log.epoch);
	assert_int_equal(end(world, &producer, true), KP_NONE);
}

static void
what_lacks_a_marker_is_shown(void **state)
{
	struct world *world = *state;
	struct txn_partitions left;
	struct producer producer;

	assert_int_equal(begin(world, &producer), KP_NONE);
	for (int32_t i = 0; i < 3; i++)
		assert_int_equal(
		    add_to(world, &producer, 2, i, false), KP_NONE);
	assert_int_equal(end(world, &producer, true), KP_NONE);
	txn_partitions_init(&left);
	txn_partitions_add(&left, slice_str("t"), 1);
	assert_true(txn_ending_shrink(world->endings[0], &left));
	assert_int_equal(txn_of(world)->partitions.total, 1);
	world_mark(world);
}

/* --- Time ----------------------------------------------------------------- */

static void
the_timeout_counts_from_the_first_partition(void **state)
{
	struct world *world = *state;
	struct producer producer;

	assert_int_equal(begin(world, &producer), KP_NONE);
	assert_int_equal(add(world, &producer), KP_NONE);
	world_pass(world, 40000);
	assert_int_equal(add_to(world, &producer, 2, 1, false), KP_NONE);
	world_pass(world, 19000);
	assert_int_equal(state_of(world), TXN_ONGOING);
	world_pass(world, 12000);
	assert_int_equal(state_of(world), TXN_PREPARE_ABORT);
	assert_int_equal(world->endings_count, 1);
	world_pass(world, 60000);
	assert_int_equal(world->endings_count, 1);
	world_mark(world);
	assert_int_equal(end(world, &producer, true), KP_INVALID_TXN_STATE);
	assert_int_equal(end(world, &producer, false), KP_NONE);
	assert_int_equal(producer.epoch, 1);
}

static void
some_never_time_out(void **state)
{
	struct world *world = *state;
	struct producer producer;

	assert_int_equal(begin_with(world, &producer, TXN_TIMEOUT_NEVER,
			     (struct producer){ -1, -1 }),
	    KP_NONE);
	assert_int_equal(add(world, &producer), KP_NONE);
	world_pass(world, 30 * DAY_MS);
	assert_int_equal(state_of(world), TXN_ONGOING);
}

static void
a_timeout_survives_a_restart(void **state)
{
	struct world *world = *state;
	struct producer producer;

	assert_int_equal(begin(world, &producer), KP_NONE);
	assert_int_equal(add(world, &producer), KP_NONE);
	world_pass(world, 50000);
	world_restart(world);
	assert_int_equal(state_of(world), TXN_ONGOING);
	world_pass(world, 21000);
	assert_int_equal(state_of(world), TXN_PREPARE_ABORT);
}

static void
ids_expire(void **state)
{
	struct world *world = *state;
	struct producer producer, old;

	assert_int_equal(begin(world, &producer), KP_NONE);
	world_pass(world, 6 * DAY_MS);
	assert_non_null(txn_of(world));
	assert_int_equal(begin(world, &producer), KP_NONE);
	assert_int_equal(producer.epoch, 1);
	world_pass(world, 6 * DAY_MS);
	assert_non_null(txn_of(world));
	world_pass(world, 2 * DAY_MS);
	assert_null(txn_of(world));
	old = producer;
	assert_int_equal(
	    end(world, &old, true), KP_INVALID_PRODUCER_ID_MAPPING);
	assert_int_equal(add(world, &old), KP_INVALID_PRODUCER_ID_MAPPING);
	world_restart(world);
	assert_null(txn_of(world));
	assert_int_equal(
	    begin_with(world, &producer, TIMEOUT_MS, old), KP_NONE);
	assert_int_not_equal(producer.id, old.id);
	assert_int_equal(producer.epoch, 0);
}

static void
open_transactions_do_not_expire(void **state)
{
	struct world *world = *state;
	struct producer producer;

	assert_int_equal(begin_with(world, &producer, TXN_TIMEOUT_NEVER,
			     (struct producer){ -1, -1 }),
	    KP_NONE);
	assert_int_equal(add(world, &producer), KP_NONE);
	world_pass(world, 30 * DAY_MS);
	assert_int_equal(state_of(world), TXN_ONGOING);
	assert_int_equal(end(world, &producer, true), KP_NONE);
	world_pass(world, 30 * DAY_MS);
	assert_int_equal(state_of(world), TXN_PREPARE_COMMIT);
}

/* --- Versions of the feature ---------------------------------------------- */

static void
a_fence_is_two_epochs_ahead(void **state)
{
	struct world *world = *state;
	struct producer producer;

	for (int version = 0; version <= 2; version++) {
		atomic_store(&world->environment.version, version);
		assert_int_equal(begin(world, &producer), KP_NONE);
		assert_int_equal(
		    add_to(world, &producer, 0, 0, false), KP_NONE);
		assert_int_equal(begin_with(world, &producer, TIMEOUT_MS,
				     (struct producer){ -1, -1 }),
		    KP_CONCURRENT_TRANSACTIONS);
		assert_int_equal(
		    world->endings[0]->producer_epoch, producer.epoch + 1);
		assert_int_equal(world->endings[0]->client_version, version);
		world_mark(world);
		assert_int_equal(begin(world, &producer), KP_NONE);
		assert_int_equal(producer.epoch, 2 + 3 * version);
	}
}

static void
new_clients_are_refused_by_the_old_format(void **state)
{
	struct world *world = *state;
	struct producer producer;

	atomic_store(&world->environment.version, 0);
	assert_int_equal(begin(world, &producer), KP_NONE);
	assert_int_equal(add(world, &producer), KP_UNSUPPORTED_VERSION);
	assert_int_equal(add_to(world, &producer, 0, 0, false), KP_NONE);
	assert_int_equal(end(world, &producer, true), KP_UNSUPPORTED_VERSION);
	assert_int_equal(end_as(world, &producer, 0, true), KP_NONE);
	world_mark(world);
	assert_int_equal(end_as(world, &producer, 0, true), KP_NONE);
	world_restart(world);
	assert_int_equal(state_of(world), TXN_COMPLETE_COMMIT);
}

static void
an_old_epoch_runs_out_in_a_fence(void **state)
{
	struct world *world = *state;
	struct producer producer, old;

	atomic_store(&world->environment.version, 1);
	assert_int_equal(begin(world, &producer), KP_NONE);
	while (producer.epoch < TXN_EPOCH_EXHAUSTED)
		assert_int_equal(begin(world, &producer), KP_NONE);
	old = producer;
	assert_int_equal(add_to(world, &producer, 0, 0, false), KP_NONE);
	assert_int_equal(begin(world, &producer), KP_CONCURRENT_TRANSACTIONS);
	assert_int_equal(world->endings[0]->producer_epoch, INT16_MAX);
	assert_int_equal(world->endings[0]->producer_id, old.id);
	world_mark(world);
	assert_int_equal(begin(world, &producer), KP_NONE);
	assert_int_equal(producer.id, 1001);
	assert_int_equal(producer.epoch, 0);
}

/* --- Records -------------------------------------------------------------- */

/* The value of the last record in the log. */
static struct slice
last_value(struct world *world, struct buf *scratch)
{
	struct slice left = buf_slice(&world->log.bytes), value = SLICE_NULL;
	struct batch_reader reader;
	struct record record;
	struct batch batch;

	while (batch_read(left, &batch) == 0) {
		assert_int_equal(
		    batch_reader_open(&reader, left, scratch), KP_NONE);
		while (batch_reader_next(&reader, &record))
			value = record.value;
		left = slice_of(
		    left.data + batch.size_bytes, left.len - batch.size_bytes);
	}
	return value;
}

/* A CompleteAbort as Kafka 4.3.1 writes it, but for its two times. */
static void
records_are_kafkas(void **state)
{
	static const uint8_t front[] = { 0, 1, 0, 0, 0, 0, 0, 0, 3, 0xe8, 0, 1,
		0, 0, 5, 0xdc, 5, 1 };
	static const uint8_t back[] = { 2, 0, 8, 0, 0, 0, 0, 0, 0, 3, 0xe8, 2,
		2, 0, 2 };
	struct world *world = *state;
	struct producer producer;
	struct slice value;
	struct buf scratch;

	assert_int_equal(
	    begin_with(world, &producer, 1500, (struct producer){ -1, -1 }),
	    KP_NONE);
	assert_int_equal(add(world, &producer), KP_NONE);
	assert_int_equal(end(world, &producer, false), KP_NONE);
	world_mark(world);
	buf_init(&scratch, 1 << 20);
	value = last_value(world, &scratch);
	assert_int_equal(value.len, sizeof(front) + 16 + sizeof(back));
	assert_memory_equal(value.data, front, sizeof(front));
	assert_memory_equal(
	    value.data + sizeof(front) + 16, back, sizeof(back));
	buf_fini(&scratch);
}

/* --- Memory --------------------------------------------------------------- */

static void
no_more_is_taken_than_there_is(void **state)
{
	struct world *world = *state;
	struct producer producer;

	assert_int_equal(begin(world, &producer), KP_NONE);
	world->environment.memory.max = world->environment.memory.used;
	assert_int_equal(add(world, &producer), KP_COORDINATOR_NOT_AVAILABLE);
	assert_int_equal(state_of(world), TXN_EMPTY);
	assert_int_equal(begin(world, &producer), KP_NONE);
	world->environment.memory.max++;
	assert_int_equal(add(world, &producer), KP_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(markers_wait_for_the_outcome),
		TEST(an_outcome_that_takes_long_is_waited_for),
		TEST(nothing_happens_without_its_record),
		TEST(a_later_leader_goes_on),
		TEST(while_it_loads_nobody_is_served),
		TEST(what_lacks_a_marker_is_shown),
		TEST(the_timeout_counts_from_the_first_partition),
		TEST(some_never_time_out),
		TEST(a_timeout_survives_a_restart),
		TEST(ids_expire),
		TEST(open_transactions_do_not_expire),
		TEST(a_fence_is_two_epochs_ahead),
		TEST(new_clients_are_refused_by_the_old_format),
		TEST(an_old_epoch_runs_out_in_a_fence),
		TEST(records_are_kafkas),
		TEST(no_more_is_taken_than_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
