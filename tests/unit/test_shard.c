/*
 * The shard runtime on a log in memory: what is appended and replayed, when
 * calls are answered, timers, loading, and what is left of failures.
 */
#include "unit/unit.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "coord/shard.h"
#include "wire/batch.h"
#include "wire/batch_builder.h"
#include "wire/codec.h"
#include "wire/control_record.h"
#include "wire/generated/group_offset_commit.h"
#include "wire/output.h"

#define VALUES 64
#define NONE (-1)
#define COMMIT_TIMEOUT_MS 5000

/* --- The world: a clock, a log, a shard that holds numbers -------------- */

struct world {
	struct shard shard;
	struct shard_settings settings;
	struct shard_host host;
	struct clock_source clock;
	int64_t now_ms;

	/* the host */
	struct buf log;
	int64_t end_offset;
	int64_t high_watermark;
	size_t appends_count;
	bool holds_back; /* the high watermark stays where it is */
	enum kp_error append_error;
	enum kp_error read_error;
	size_t read_bytes_max;
	void (*reading)(struct world *world); /* as a read begins, or NULL */
	int64_t watched;
	int watches_count;
	int wakes_count;

	/* the kind */
	int64_t values[VALUES];
	int64_t pending[VALUES]; /* of the open transaction */
	int replays_count;
	int loads_count;
	int unloads_count;
	enum kp_error unload_error;
	struct shard_timer timer; /* stopped when the shard unloads */
};

static struct world *
world_of(struct shard *shard)
{
	return CONTAINER_OF(shard, struct world, shard);
}

static int
replay(struct shard *shard, const struct shard_record *record)
{
	struct world *world = world_of(shard);
	struct kp_offset_commit_value value;
	struct kp_offset_commit_key key;
	struct arena arena;
	int64_t *values =
	    record->producer_id >= 0 ? world->pending : world->values;
	int result;

	if (record->type != kp_offset_commit_key.key)
		return 0;
	arena_init(&arena, 65536);
	result = kp_decode(&kp_offset_commit_key, 0, record->key, &arena, &key);
	if (result == 0 && !slice_is_null(record->value))
		result = kp_decode(&kp_offset_commit_value, 4,
		    slice_of(record->value.data + 2, record->value.len - 2),
		    &arena, &value);
	if (result == 0) {
		assert_in_range(key.partition, 0, VALUES - 1);
		values[key.partition] =
		    slice_is_null(record->value) ? NONE : value.offset;
		world->replays_count++;
	}
	arena_reset(&arena);
	return result;
}

static void
replay_end(struct shard *shard, int64_t producer_id, bool committed)
{
	struct world *world = world_of(shard);

	assert_int_equal(producer_id, 9);
	for (int i = 0; i < VALUES; i++) {
		if (committed && world->pending[i] != NONE)
			world->values[i] = world->pending[i];
		world->pending[i] = NONE;
	}
}

static void
loaded(struct shard *shard)
{
	world_of(shard)->loads_count++;
}

static void
values_clear(struct world *world)
{
	for (int i = 0; i < VALUES; i++)
		world->values[i] = world->pending[i] = NONE;
}

static void
unloaded(struct shard *shard, enum kp_error error)
{
	struct world *world = world_of(shard);

	world->unloads_count++;
	world->unload_error = error;
	shard_timer_stop(shard, &world->timer);
	values_clear(world);
}

/* Told apart from the log's own. */
static enum kp_error
answer_for(enum kp_error error)
{
	return error == KP_REQUEST_TIMED_OUT ? KP_COORDINATOR_NOT_AVAILABLE :
					       error;
}

static const struct shard_kind kind = {
	.topic = "test",
	.replay = replay,
	.replay_end = replay_end,
	.loaded = loaded,
	.unloaded = unloaded,
	.answer_for = answer_for,
};

/* --- Its log ------------------------------------------------------------- */

static struct world *
world_of_host(struct shard_host *host)
{
	return CONTAINER_OF(host, struct world, host);
}

static void
log_append(struct world *world, uint8_t *data, size_t len)
{
	struct batch batch;

	batch_patch(data, world->end_offset, 0);
	assert_int_equal(batch_read(slice_of(data, len), &batch), 0);
	assert_int_equal(batch.size_bytes, len);
	assert_int_equal(buf_append(&world->log, data, len), 0);
	world->end_offset = batch.last_offset + 1;
	if (!world->holds_back)
		world->high_watermark = world->end_offset;
}

static enum kp_error
host_append(struct shard_host *host, struct shard_append *append)
{
	struct world *world = world_of_host(host);

	if (world->append_error != KP_NONE)
		return world->append_error;
	log_append(world, append->data, append->len);
	world->appends_count++;
	append->end_offset = world->end_offset;
	return KP_NONE;
}

static enum kp_error
host_read(
    struct shard_host *host, int64_t offset, size_t max_bytes, struct buf *out)
{
	struct world *world = world_of_host(host);
	struct batch batch;
	size_t at = 0, len;

	if (world->reading != NULL)
		world->reading(world);
	if (world->read_error != KP_NONE)
		return world->read_error;
	while (batch_read(slice_of(world->log.data + at, world->log.len - at),
		   &batch) == 0 &&
	    batch.last_offset < offset)
		at += batch.size_bytes;
	if (at == world->log.len)
		return KP_NONE;
	len = MAX(MIN(max_bytes, world->read_bytes_max), batch.size_bytes);
	assert_int_equal(buf_append(out, world->log.data + at,
			     MIN(len, world->log.len - at)),
	    0);
	return KP_NONE;
}

static int64_t
host_log_start(struct shard_host *host UNUSED)
{
	return 0;
}

static int64_t
host_high_watermark(struct shard_host *host)
{
	return world_of_host(host)->high_watermark;
}

static void
host_watch(struct shard_host *host, int64_t offset)
{
	world_of_host(host)->watched = offset;
	world_of_host(host)->watches_count++;
}

static void
host_wake(struct shard_host *host)
{
	world_of_host(host)->wakes_count++;
}

static int64_t
world_wall_ms(void *context)
{
	return 1700000000000 + ((struct world *)context)->now_ms;
}

static int64_t
world_monotonic_us(void *context)
{
	return ((struct world *)context)->now_ms * 1000;
}

static void
never(struct shard_timer *timer UNUSED, struct shard *shard UNUSED)
{
	fail_msg("a stopped timer has fired");
}

/* A shard that has never led. */
static void
world_init(struct world *world)
{
	memset(world, 0, sizeof(*world));
	world->clock =
	    (struct clock_source){ world_wall_ms, world_monotonic_us, world };
	clock_install(&world->clock);
	world->host = (struct shard_host){
		.append = host_append,
		.read = host_read,
		.log_start_offset = host_log_start,
		.high_watermark = host_high_watermark,
		.watch = host_watch,
		.wake = host_wake,
	};
	world->settings = (struct shard_settings){
		.batch_bytes_max = 4096,
		.load_bytes = 65536,
		.commit_timeout_ms = COMMIT_TIMEOUT_MS,
	};
	world->read_bytes_max = SIZE_MAX;
	world->timer.fired = never;
	buf_init(&world->log, (size_t)1 << 24);
	values_clear(world);
	shard_init(&world->shard, &kind, &world->settings, &world->host, 3);
}

/* One that leads in epoch 1, with an empty log. */
static void
world_start(struct world *world)
{
	world_init(world);
	assert_true(shard_elect(&world->shard, 1));
	shard_load(&world->shard, 1);
	assert_int_equal(world->loads_count, 1);
}

static void
world_fini(struct world *world)
{
	shard_resign(&world->shard);
	shard_fini(&world->shard);
	buf_fini(&world->log);
	clock_install(NULL);
}

/* --- Operations ---------------------------------------------------------- */

struct call {
	struct shard_call call;
	int done_count;
};

static void
call_done(struct shard_call *call)
{
	CONTAINER_OF(call, struct call, call)->done_count++;
}

static void
expect_done(const struct call *call, enum kp_error error)
{
	assert_int_equal(call->done_count, 1);
	assert_int_equal(call->call.error, error);
}

static const struct kp_offset_commit_key *
key_of(int index)
{
	static struct kp_offset_commit_key key;

	key = (struct kp_offset_commit_key){
		.group = slice_str("g"),
		.topic = slice_str("t"),
		.partition = index,
	};
	return &key;
}

static void
emit(struct world *world, int index, int64_t number, size_t padding)
{
	struct kp_offset_commit_value value;
	char *text = xcalloc(1, padding + 1);

	memset(text, 'x', padding);
	kp_defaults(&kp_offset_commit_value, &value);
	value.offset = number;
	value.metadata = slice_str(text);
	shard_emit(&world->shard, &kp_offset_commit_key, key_of(index),
	    &kp_offset_commit_value, &value, 4);
	free(text);
}

static void
call_begin(struct call *call)
{
	memset(call, 0, sizeof(*call));
	call->call.done = call_done;
}

/* An operation that sets a number. */
static void
put(struct world *world, struct call *call, int index, int64_t number)
{
	enum kp_error error;

	call_begin(call);
	assert_int_equal(shard_enter(&world->shard), KP_NONE);
	emit(world, index, number, 0);
	error = shard_append(&world->shard);
	shard_reply(&world->shard, &call->call, error);
	shard_leave(&world->shard);
}

/* One that writes nothing. */
static void
look(struct world *world, struct call *call)
{
	call_begin(call);
	assert_int_equal(shard_enter(&world->shard), KP_NONE);
	shard_reply(&world->shard, &call->call, KP_NONE);
	shard_leave(&world->shard);
}

static void
advance(struct world *world, int64_t high_watermark)
{
	world->high_watermark = high_watermark;
	shard_advance(&world->shard, KP_NONE);
}

/* --- States -------------------------------------------------------------- */

static void
only_leaders_serve(void **state UNUSED)
{
	struct world world;

	world_init(&world);
	assert_int_equal(shard_enter(&world.shard), KP_NOT_COORDINATOR);
	assert_true(shard_elect(&world.shard, 4));
	assert_int_equal(
	    shard_enter(&world.shard), KP_COORDINATOR_LOAD_IN_PROGRESS);
	shard_load(&world.shard, 4);
	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	shard_leave(&world.shard);
	assert_false(shard_elect(&world.shard, 4));
	assert_false(shard_elect(&world.shard, 5));
	shard_resign(&world.shard);
	assert_int_equal(world.unloads_count, 1);
	assert_int_equal(world.unload_error, KP_NOT_COORDINATOR);
	assert_int_equal(shard_enter(&world.shard), KP_NOT_COORDINATOR);
	shard_resign(&world.shard);
	assert_int_equal(world.unloads_count, 1);
	world_fini(&world);
}

/* A load that was overtaken by another election does nothing. */
static void
loads_of_old_epochs_do_nothing(void **state UNUSED)
{
	struct world world;

	world_init(&world);
	assert_true(shard_elect(&world.shard, 1));
	assert_true(shard_elect(&world.shard, 2));
	shard_load(&world.shard, 1);
	assert_int_equal(world.loads_count, 0);
	assert_int_equal(
	    shard_enter(&world.shard), KP_COORDINATOR_LOAD_IN_PROGRESS);
	shard_load(&world.shard, 2);
	assert_int_equal(world.loads_count, 1);
	shard_resign(&world.shard);
	shard_load(&world.shard, 2);
	assert_int_equal(world.loads_count, 1);
	world_fini(&world);
}

/* --- Writing ------------------------------------------------------------- */

static void
what_is_appended_is_replayed(void **state UNUSED)
{
	struct world world;
	struct call call;

	world_start(&world);
	put(&world, &call, 5, 50);
	expect_done(&call, KP_NONE);
	assert_int_equal(world.values[5], 50);
	assert_int_equal(world.replays_count, 1);

	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	shard_emit(&world.shard, &kp_offset_commit_key, key_of(5),
	    &kp_offset_commit_value, NULL, 0);
	assert_int_equal(world.values[5], 50);
	assert_int_equal(shard_append(&world.shard), KP_NONE);
	shard_leave(&world.shard);
	assert_int_equal(world.values[5], NONE);
	world_fini(&world);
}

static void
one_operation_is_one_batch(void **state UNUSED)
{
	struct world world;

	world_start(&world);
	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	for (int i = 0; i < 10; i++)
		emit(&world, i, i, 0);
	assert_int_equal(shard_append(&world.shard), KP_NONE);
	assert_int_equal(shard_append(&world.shard), KP_NONE);
	shard_leave(&world.shard);
	assert_int_equal(world.appends_count, 1);
	assert_int_equal(world.end_offset, 10);
	world_fini(&world);
}

static void
an_operation_that_does_not_fit_does_nothing(void **state UNUSED)
{
	struct world world;

	world_start(&world);
	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	for (int i = 0; i < 10; i++)
		emit(&world, i, i, 500);
	assert_int_equal(shard_append(&world.shard), KP_MESSAGE_TOO_LARGE);
	shard_leave(&world.shard);
	assert_int_equal(world.end_offset, 0);
	assert_int_equal(world.replays_count, 0);
	assert_int_equal(world.values[0], NONE);
	world_fini(&world);
}

static void
bulk_takes_as_many_batches_as_it_needs(void **state UNUSED)
{
	struct world world;

	world_start(&world);
	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	for (int i = 0; i < 20; i++)
		emit(&world, i, i, 500);
	assert_int_equal(shard_append_bulk(&world.shard), KP_NONE);
	shard_leave(&world.shard);
	assert_in_range(world.appends_count, 3, 4);
	assert_int_equal(world.replays_count, 20);

	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	emit(&world, 0, 7, 5000);
	assert_int_equal(shard_append_bulk(&world.shard), KP_MESSAGE_TOO_LARGE);
	shard_leave(&world.shard);
	assert_int_equal(world.values[0], 0);
	world_fini(&world);
}

static void
a_failed_append_is_forgotten(void **state UNUSED)
{
	struct world world;
	struct call call;

	world_start(&world);
	put(&world, &call, 1, 10);
	world.append_error = KP_REQUEST_TIMED_OUT;
	put(&world, &call, 1, 11);
	expect_done(&call, KP_COORDINATOR_NOT_AVAILABLE);
	assert_int_equal(world.values[1], 10);
	world.append_error = KP_NONE;
	put(&world, &call, 2, 20);
	expect_done(&call, KP_NONE);
	assert_int_equal(world.replays_count, 2);
	assert_int_equal(world.end_offset, 2);
	world_fini(&world);
}

/* --- Answers ------------------------------------------------------------- */

static void
answers_wait_in_order_for_the_high_watermark(void **state UNUSED)
{
	struct call first, second, read;
	struct world world;

	world_start(&world);
	world.holds_back = true;
	put(&world, &first, 1, 10);
	put(&world, &second, 2, 20);
	look(&world, &read);
	assert_int_equal(world.watches_count, 1);
	assert_int_equal(world.watched, 1);
	assert_int_equal(first.done_count, 0);
	advance(&world, 1);
	expect_done(&first, KP_NONE);
	assert_int_equal(second.done_count, 0);
	assert_int_equal(read.done_count, 0);
	assert_int_equal(world.watches_count, 2);
	assert_int_equal(world.watched, 2);
	advance(&world, 2);
	expect_done(&second, KP_NONE);
	expect_done(&read, KP_NONE);
	look(&world, &read);
	expect_done(&read, KP_NONE);
	world_fini(&world);
}

static void
errors_do_not_wait(void **state UNUSED)
{
	struct call held, call;
	struct world world;

	world_start(&world);
	world.holds_back = true;
	put(&world, &held, 1, 10);
	call_begin(&call);
	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	shard_reply(&world.shard, &call.call, KP_ILLEGAL_GENERATION);
	shard_leave(&world.shard);
	expect_done(&call, KP_ILLEGAL_GENERATION);
	assert_int_equal(held.done_count, 0);
	advance(&world, 1);
	expect_done(&held, KP_NONE);
	world_fini(&world);
}

static void
slow_commits_time_out(void **state UNUSED)
{
	struct call first, second;
	struct world world;

	world_start(&world);
	world.holds_back = true;
	put(&world, &first, 1, 10);
	world.now_ms += 1000;
	put(&world, &second, 2, 20);
	assert_int_equal(shard_tick(&world.shard), COMMIT_TIMEOUT_MS);
	world.now_ms = COMMIT_TIMEOUT_MS;
	assert_int_equal(shard_tick(&world.shard), COMMIT_TIMEOUT_MS + 1000);
	expect_done(&first, KP_COORDINATOR_NOT_AVAILABLE);
	assert_int_equal(second.done_count, 0);
	advance(&world, 2);
	expect_done(&second, KP_NONE);
	expect_done(&first, KP_COORDINATOR_NOT_AVAILABLE);
	world_fini(&world);
}

static void
resigning_answers_everybody(void **state UNUSED)
{
	struct call first, second;
	struct world world;

	world_start(&world);
	world.holds_back = true;
	put(&world, &first, 1, 10);
	put(&world, &second, 2, 20);
	shard_resign(&world.shard);
	expect_done(&first, KP_NOT_COORDINATOR);
	expect_done(&second, KP_NOT_COORDINATOR);
	/* The watch that was asked for comes late. */
	advance(&world, 2);
	world_fini(&world);
}

/* The log has failed: nothing is known of what was not committed. */
static void
a_failed_commit_fails_the_shard(void **state UNUSED)
{
	struct world world;
	struct call call;

	world_start(&world);
	put(&world, &call, 1, 10);
	world.holds_back = true;
	put(&world, &call, 2, 20);
	shard_advance(&world.shard, KP_KAFKA_STORAGE_ERROR);
	expect_done(&call, KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(world.unloads_count, 1);
	assert_int_equal(shard_enter(&world.shard), KP_NOT_COORDINATOR);

	world.high_watermark = world.end_offset;
	assert_true(shard_elect(&world.shard, 2));
	shard_load(&world.shard, 2);
	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	assert_int_equal(world.values[1], 10);
	assert_int_equal(world.values[2], 20);
	shard_leave(&world.shard);
	world_fini(&world);
}

/* What was loaded but is not committed yet holds answers back, too. */
static void
a_loaded_shard_waits_for_what_is_not_committed(void **state UNUSED)
{
	struct world world;
	struct call call;

	world_start(&world);
	world.holds_back = true;
	put(&world, &call, 1, 10);
	shard_resign(&world.shard);
	shard_advance(&world.shard, KP_NONE);
	assert_true(shard_elect(&world.shard, 2));
	shard_load(&world.shard, 2);
	look(&world, &call);
	assert_int_equal(call.done_count, 0);
	advance(&world, 1);
	expect_done(&call, KP_NONE);
	world_fini(&world);
}

/* --- Timers -------------------------------------------------------------- */

#define TIMERS 200

struct ticking {
	struct shard_timer timer;
	int64_t *last_ms;
	int fired_count;
};

static void
tick(struct shard_timer *timer, struct shard *shard UNUSED)
{
	struct ticking *ticking = CONTAINER_OF(timer, struct ticking, timer);

	assert_true(timer->deadline_ms >= *ticking->last_ms);
	*ticking->last_ms = timer->deadline_ms;
	ticking->fired_count++;
}

/* In a mixed order, some of them moved and some stopped. */
static void
timers_fire_in_order(void **state UNUSED)
{
	struct ticking timers[TIMERS] = { 0 };
	struct world world;
	int64_t last_ms = 0;

	world_start(&world);
	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	for (int i = 0; i < TIMERS; i++) {
		timers[i].timer.fired = tick;
		timers[i].last_ms = &last_ms;
		shard_timer_start(
		    &world.shard, &timers[i].timer, 1 + i * 7919 % TIMERS);
	}
	for (int i = 0; i < TIMERS; i += 3)
		shard_timer_start(
		    &world.shard, &timers[i].timer, 1 + i * 31 % TIMERS);
	for (int i = 0; i < TIMERS; i += 4)
		shard_timer_stop(&world.shard, &timers[i].timer);
	shard_leave(&world.shard);

	while (shard_tick(&world.shard) != INT64_MAX)
		world.now_ms += 10;
	for (int i = 0; i < TIMERS; i++)
		assert_int_equal(timers[i].fired_count, i % 4 == 0 ? 0 : 1);
	assert_in_range(world.now_ms, TIMERS - 10, TIMERS + 10);
	world_fini(&world);
}

/* The host is asked only where the earliest time has become earlier. */
static void
the_host_is_woken_for_the_earliest(void **state UNUSED)
{
	struct ticking early = { .timer.fired = tick };
	struct world world;
	int64_t last_ms = 0;

	early.last_ms = &last_ms;
	world_start(&world);
	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	shard_timer_start(&world.shard, &world.timer, 1000);
	shard_leave(&world.shard);
	assert_int_equal(world.wakes_count, 1);
	assert_int_equal(shard_tick(&world.shard), 1000);
	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	shard_timer_start(&world.shard, &world.timer, 2000);
	shard_leave(&world.shard);
	assert_int_equal(world.wakes_count, 1);
	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	shard_timer_start(&world.shard, &early.timer, 10);
	shard_leave(&world.shard);
	assert_int_equal(world.wakes_count, 2);
	world.now_ms = 10;
	assert_int_equal(shard_tick(&world.shard), 2000);
	assert_int_equal(early.fired_count, 1);
	world_fini(&world);
}

/*
 * Whoever moves to a later moment fires then and not before, even if nobody
 * comes at the earlier one, and can come back to an earlier one still.
 */
static void
timers_that_are_put_off_fire_once(void **state UNUSED)
{
	struct ticking timers[TIMERS] = { 0 };
	struct world world;
	int64_t last_ms = 0;

	world_start(&world);
	for (int64_t beat = 0; beat < 20; beat++) {
		world.now_ms = beat * 3000;
		if (beat > 0)
			assert_true(shard_tick(&world.shard) > world.now_ms);
		assert_int_equal(shard_enter(&world.shard), KP_NONE);
		for (int i = 0; i < TIMERS; i++) {
			timers[i].timer.fired = tick;
			timers[i].last_ms = &last_ms;
			shard_timer_start(&world.shard, &timers[i].timer,
			    10000 + i * 7919 % TIMERS);
		}
		shard_leave(&world.shard);
	}
	assert_int_equal(last_ms, 0);
	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	for (int i = 0; i < TIMERS; i += 3)
		shard_timer_start(&world.shard, &timers[i].timer, 5000);
	for (int i = 0; i < TIMERS; i += 4)
		shard_timer_stop(&world.shard, &timers[i].timer);
	shard_leave(&world.shard);
	for (int64_t next; (next = shard_tick(&world.shard)) != INT64_MAX;) {
		assert_true(next > world.now_ms);
		world.now_ms = next;
	}
	for (int i = 0; i < TIMERS; i++)
		assert_int_equal(timers[i].fired_count, i % 4 == 0 ? 0 : 1);
	assert_in_range(last_ms, 57000 + 10000, 57000 + 10000 + TIMERS);
	world_fini(&world);
}

static void
tick_again(struct shard_timer *timer, struct shard *shard)
{
	struct ticking *ticking = CONTAINER_OF(timer, struct ticking, timer);

	assert_true(++ticking->fired_count < 10);
	shard_timer_start(shard, timer, 0);
}

/* The clock stands still meanwhile. */
static void
a_tick_ends_however_short_its_timers(void **state UNUSED)
{
	struct ticking again = { .timer.fired = tick_again };
	struct world world;

	world_start(&world);
	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	shard_timer_start(&world.shard, &again.timer, 0);
	shard_leave(&world.shard);
	for (int i = 1; i < 5; i++) {
		world.now_ms++;
		assert_true(shard_tick(&world.shard) > world.now_ms);
		assert_int_equal(again.fired_count, i);
	}
	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	shard_timer_stop(&world.shard, &again.timer);
	shard_leave(&world.shard);
	world_fini(&world);
}

/* --- Loading ------------------------------------------------------------- */

static void
reload(struct world *world, int32_t epoch)
{
	shard_resign(&world->shard);
	assert_true(shard_elect(&world->shard, epoch));
	shard_load(&world->shard, epoch);
}

static void
loading_replays_the_log_in_pieces(void **state UNUSED)
{
	struct world world;
	struct call call;

	world_start(&world);
	for (int i = 0; i < 500; i++)
		put(&world, &call, i % VALUES, i);
	for (size_t bytes = 1; bytes < 100000; bytes *= 7) {
		world.read_bytes_max = bytes;
		world.replays_count = 0;
		reload(&world, (int32_t)bytes + 1);
		assert_int_equal(world.replays_count, 500);
		for (int i = 0; i < VALUES; i++)
			assert_int_equal(world.values[i],
			    i < 500 % VALUES ? 500 / VALUES * VALUES + i :
					       (500 / VALUES - 1) * VALUES + i);
	}
	put(&world, &call, 0, 1);
	expect_done(&call, KP_NONE);
	assert_int_equal(world.end_offset, 501);
	world_fini(&world);
}

static void
expect_answers(struct world *world)
{
	assert_int_equal(pthread_mutex_trylock(&world->shard.mutex), 0);
	pthread_mutex_unlock(&world->shard.mutex);
	assert_int_equal(
	    shard_enter(&world->shard), KP_COORDINATOR_LOAD_IN_PROGRESS);
}

static void
a_loading_shard_answers_while_it_reads(void **state UNUSED)
{
	struct world world;
	struct call call;

	world_start(&world);
	put(&world, &call, 1, 10);
	world.reading = expect_answers;
	reload(&world, 2);
	assert_int_equal(world.loads_count, 2);
	assert_int_equal(world.values[1], 10);
	world_fini(&world);
}

/* When something of the log has been replayed. */
static void
elect_anew(struct world *world)
{
	if (world->replays_count == 0)
		return;
	world->reading = NULL;
	assert_true(shard_elect(&world->shard, world->shard.epoch + 1));
}

static void
a_newer_epoch_loads_from_nothing(void **state UNUSED)
{
	struct world world;
	struct call call;

	world_start(&world);
	for (int i = 0; i < 10; i++)
		put(&world, &call, i, i);
	shard_resign(&world.shard);
	world.read_bytes_max = 1;
	world.unloads_count = world.loads_count = world.replays_count = 0;
	world.reading = elect_anew;
	assert_true(shard_elect(&world.shard, 2));
	shard_load(&world.shard, 2);
	assert_int_equal(world.unloads_count, 1);
	assert_int_equal(world.loads_count, 0);
	assert_int_equal(world.replays_count, 1);
	assert_int_equal(world.values[0], NONE);
	shard_load(&world.shard, 3);
	assert_int_equal(world.loads_count, 1);
	assert_int_equal(world.replays_count, 11);
	assert_int_equal(world.values[9], 9);
	world_fini(&world);
}

static void
resign(struct world *world)
{
	world->read_error = KP_NOT_LEADER_OR_FOLLOWER;
	shard_resign(&world->shard);
}

static void
a_load_ends_with_the_leadership(void **state UNUSED)
{
	struct world world;

	world_init(&world);
	world.reading = resign;
	assert_true(shard_elect(&world.shard, 1));
	shard_load(&world.shard, 1);
	assert_int_equal(world.loads_count, 0);
	assert_int_equal(world.shard.state, SHARD_CLOSED);
	world_fini(&world);
}

/* A batch as another would have written it. */
static void
log_add(struct world *world, const struct batch_options *options,
    struct slice key, struct slice value)
{
	struct batch_builder builder;
	struct buf out;

	buf_init(&out, 65536);
	batch_builder_init(&builder, options, &out);
	assert_int_equal(batch_builder_add(&builder, 1, key, value), 0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	log_append(world, out.data, out.len);
	buf_fini(&out);
}

/* A message behind an int16, as keys and values stand in the log. */
static struct slice
encoded(struct arena *arena, int16_t prefix, const struct kp_message *message,
    int16_t version, const void *body)
{
	struct output out;
	uint8_t *bytes;

	output_init(&out, arena);
	assert_int_equal(kp_encode(message, version, body, &out), 0);
	assert_int_equal(out.count, 1);
	bytes = arena_xalloc(arena, 2 + out.len);
	be16_put(bytes, (uint16_t)prefix);
	memcpy(bytes + 2, out.pieces[0].data, out.len);
	return slice_of(bytes, 2 + out.len);
}

static void
log_add_transactional(struct world *world, int index, int64_t number)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct kp_offset_commit_value value;
	struct arena arena;

	options.producer_id = 9;
	options.producer_epoch = 0;
	options.base_sequence = 0;
	options.transactional = true;
	kp_defaults(&kp_offset_commit_value, &value);
	value.offset = number;
	value.metadata = slice_str("");
	arena_init(&arena, 65536);
	log_add(world, &options,
	    encoded(&arena, 1, &kp_offset_commit_key, 0, key_of(index)),
	    encoded(&arena, 4, &kp_offset_commit_value, 4, &value));
	arena_reset(&arena);
}

static void
log_add_marker(struct world *world, bool commit)
{
	struct control_record_marker marker = {
		.producer_id = 9,
		.producer_epoch = 0,
		.commit = commit,
	};
	struct buf out;

	buf_init(&out, 65536);
	assert_int_equal(
	    control_record_marker_append(&marker, 0, 0, 1, &out), 0);
	log_append(world, out.data, out.len);
	buf_fini(&out);
}

static void
transactions_count_when_they_end(void **state UNUSED)
{
	struct world world;

	world_init(&world);
	log_add_transactional(&world, 1, 10);
	log_add_marker(&world, true);
	log_add_transactional(&world, 2, 20);
	log_add_marker(&world, false);
	log_add_transactional(&world, 3, 30);
	reload(&world, 1);
	assert_int_equal(shard_enter(&world.shard), KP_NONE);
	assert_int_equal(world.values[1], 10);
	assert_int_equal(world.values[2], NONE);
	assert_int_equal(world.values[3], NONE);
	assert_int_equal(world.pending[3], 30);
	shard_leave(&world.shard);
	world_fini(&world);
}

static void
expect_load_fails(struct world *world)
{
	reload(world, world->shard.epoch + 1);
	assert_int_equal(world->loads_count, 0);
	assert_int_equal(shard_enter(&world->shard), KP_NOT_COORDINATOR);
}

static void
unknown_records_are_skipped_and_broken_ones_are_not(void **state UNUSED)
{
	static const struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct world world;

	world_init(&world);
	log_add(&world, &options, slice_of("\x7f\xff?", 3), slice_str("?"));
	reload(&world, 1);
	assert_int_equal(world.loads_count, 1);
	world_fini(&world);

	world_init(&world);
	log_add(&world, &options, slice_of("\0", 1), SLICE_NULL);
	expect_load_fails(&world);
	world_fini(&world);

	world_init(&world);
	log_add(&world, &options, slice_of("\0\1\0\5g", 5), SLICE_NULL);
	expect_load_fails(&world);
	world_fini(&world);
}

static void
a_log_that_cannot_be_read_is_read_at_the_next_election(void **state UNUSED)
{
	struct world world;

	world_init(&world);
	log_add_transactional(&world, 1, 10);
	world.read_error = KP_KAFKA_STORAGE_ERROR;
	expect_load_fails(&world);
	world.read_error = KP_NONE;
	assert_true(shard_elect(&world.shard, 9));
	shard_load(&world.shard, 9);
	assert_int_equal(world.loads_count, 1);
	assert_int_equal(world.pending[1], 10);
	world_fini(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_leaders_serve),
		cmocka_unit_test(loads_of_old_epochs_do_nothing),
		cmocka_unit_test(what_is_appended_is_replayed),
		cmocka_unit_test(one_operation_is_one_batch),
		cmocka_unit_test(an_operation_that_does_not_fit_does_nothing),
		cmocka_unit_test(bulk_takes_as_many_batches_as_it_needs),
		cmocka_unit_test(a_failed_append_is_forgotten),
		cmocka_unit_test(answers_wait_in_order_for_the_high_watermark),
		cmocka_unit_test(errors_do_not_wait),
		cmocka_unit_test(slow_commits_time_out),
		cmocka_unit_test(resigning_answers_everybody),
		cmocka_unit_test(a_failed_commit_fails_the_shard),
		cmocka_unit_test(
		    a_loaded_shard_waits_for_what_is_not_committed),
		cmocka_unit_test(timers_fire_in_order),
		cmocka_unit_test(the_host_is_woken_for_the_earliest),
		cmocka_unit_test(timers_that_are_put_off_fire_once),
		cmocka_unit_test(a_tick_ends_however_short_its_timers),
		cmocka_unit_test(loading_replays_the_log_in_pieces),
		cmocka_unit_test(a_loading_shard_answers_while_it_reads),
		cmocka_unit_test(a_newer_epoch_loads_from_nothing),
		cmocka_unit_test(a_load_ends_with_the_leadership),
		cmocka_unit_test(transactions_count_when_they_end),
		cmocka_unit_test(
		    unknown_records_are_skipped_and_broken_ones_are_not),
		cmocka_unit_test(
		    a_log_that_cannot_be_read_is_read_at_the_next_election),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
