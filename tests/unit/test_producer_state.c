/* Producer state: Kafka's checks, what it remembers, and the snapshots. */
#include "unit/unit.h"

#include "base/crc32c.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "store/disk_posix.h"
#include "store/producer_snapshot.h"
#include "store/producer_state.c"
#include "unit/temp_dir.h"

#define DAY_MS 86400000

/* A batch of count records that begins with sequence. */
static struct producer_append
batch(int64_t id, int16_t epoch, int32_t sequence, int32_t count,
    int64_t offset)
{
	return (struct producer_append){
		.producer_id = id,
		.producer_epoch = epoch,
		.base_sequence = sequence,
		.last_sequence = producer_sequence_add(sequence, count - 1),
		.base_offset = offset,
		.last_offset = offset + count - 1,
		.max_timestamp_ms = 1000 + offset,
	};
}

static void
append(struct producer_state *state, struct producer_append b)
{
	const struct producer_batch *duplicate;

	assert_int_equal(producer_state_check(state, &b, &duplicate), KP_NONE);
	assert_null(duplicate);
	producer_state_update(state, &b);
}

static void
refuse(struct producer_state *state, struct producer_append b,
    enum kp_error error)
{
	const struct producer_batch *duplicate;

	assert_int_equal(producer_state_check(state, &b, &duplicate), error);
	assert_null(duplicate);
}

static void
repeat(struct producer_state *state, struct producer_append b,
    int64_t first_offset)
{
	const struct producer_batch *duplicate;

	assert_int_equal(producer_state_check(state, &b, &duplicate), KP_NONE);
	assert_non_null(duplicate);
	assert_int_equal(duplicate->last_offset - duplicate->offset_delta,
	    first_offset);
}

static void
sequences_must_follow(void **state UNUSED)
{
	struct producer_state s;

	producer_state_init(&s);
	append(&s, batch(5, 0, 0, 3, 0));
	append(&s, batch(5, 0, 3, 1, 3));
	refuse(&s, batch(5, 0, 5, 1, 4), KP_OUT_OF_ORDER_SEQUENCE_NUMBER);
	refuse(&s, batch(5, 0, 2, 3, 4), KP_OUT_OF_ORDER_SEQUENCE_NUMBER);
	refuse(&s, batch(5, 0, 0, 2, 4), KP_OUT_OF_ORDER_SEQUENCE_NUMBER);
	append(&s, batch(5, 0, 4, 1, 4));
	producer_state_fini(&s);
}

static void
an_unknown_producer_may_begin_anywhere(void **state UNUSED)
{
	struct producer_state s;

	producer_state_init(&s);
	append(&s, batch(5, 3, 77, 2, 0));
	append(&s, batch(6, 0, 0, 1, 2));
	refuse(&s, batch(5, 3, 0, 1, 3), KP_OUT_OF_ORDER_SEQUENCE_NUMBER);
	producer_state_fini(&s);
}

static void
five_batches_are_recognised(void **state UNUSED)
{
	struct producer_state s;

	producer_state_init(&s);
	for (int32_t i = 0; i < 7; i++)
		append(&s, batch(5, 0, 2 * i, 2, 2 * i));
	for (int32_t i = 2; i < 7; i++)
		repeat(&s, batch(5, 0, 2 * i, 2, 99), 2 * i);
	for (int32_t i = 0; i < 2; i++)
		refuse(&s, batch(5, 0, 2 * i, 2, 99),
		    KP_OUT_OF_ORDER_SEQUENCE_NUMBER);
	/* A part of a known batch is not that batch. */
	refuse(&s, batch(5, 0, 12, 1, 99), KP_OUT_OF_ORDER_SEQUENCE_NUMBER);
	producer_state_fini(&s);
}

static void
epochs_only_rise_and_begin_at_zero(void **state UNUSED)
{
	struct producer_state s;

	producer_state_init(&s);
	append(&s, batch(5, 1, 0, 1, 0));
	refuse(&s, batch(5, 0, 1, 1, 1), KP_INVALID_PRODUCER_EPOCH);
	refuse(&s, batch(5, 2, 1, 1, 1), KP_OUT_OF_ORDER_SEQUENCE_NUMBER);
	append(&s, batch(5, 2, 0, 1, 1));
	/* The same numbers in the old epoch are a stale producer's. */
	refuse(&s, batch(5, 1, 0, 1, 2), KP_INVALID_PRODUCER_EPOCH);
	repeat(&s, batch(5, 2, 0, 1, 2), 1);
	producer_state_fini(&s);
}

static void
sequences_wrap_to_zero(void **state UNUSED)
{
	struct producer_state s;

	assert_int_equal(producer_sequence_add(INT32_MAX, 1), 0);
	assert_int_equal(producer_sequence_add(INT32_MAX - 1, 3), 1);
	producer_state_init(&s);
	append(&s, batch(5, 0, INT32_MAX - 1, 4, 0));
	repeat(&s, batch(5, 0, INT32_MAX - 1, 4, 9), 0);
	refuse(&s, batch(5, 0, 3, 1, 4), KP_OUT_OF_ORDER_SEQUENCE_NUMBER);
	append(&s, batch(5, 0, 2, 1, 4));
	producer_state_fini(&s);
	producer_state_init(&s);
	append(&s, batch(5, 0, INT32_MAX, 1, 0));
	append(&s, batch(5, 0, 0, 1, 1));
	producer_state_fini(&s);
}

static void
a_marker_ends_the_transaction_and_a_new_epoch_the_batches(void **state UNUSED)
{
	struct producer_state s;
	struct producer_append b = batch(5, 0, 0, 2, 10);
	const struct producer *p;

	producer_state_init(&s);
	b.transactional = true;
	append(&s, b);
	p = producer_state_find(&s, 5);
	assert_int_equal(p->txn_first_offset, 10);
	refuse(&s, batch(5, 0, 2, 1, 12), KP_INVALID_TXN_STATE);
	b = batch(5, 0, 2, 1, 12);
	b.transactional = true;
	append(&s, b);
	assert_int_equal(p->txn_first_offset, 10);
	producer_state_update_marker(&s,
	    &(struct producer_marker){ 5, 77, 3, 0 });
	assert_int_equal(p->txn_first_offset, -1);
	assert_int_equal(p->coordinator_epoch, 3);
	assert_int_equal(p->last_timestamp_ms, 77);
	assert_int_equal(p->batch_count, 2);
	append(&s, batch(5, 0, 3, 1, 14));
	producer_state_update_marker(&s,
	    &(struct producer_marker){ 5, 78, 3, 1 });
	assert_int_equal(p->batch_count, 0);
	/* Only a marker is known of the epoch: it begins at 0. */
	refuse(&s, batch(5, 1, 4, 1, 16), KP_OUT_OF_ORDER_SEQUENCE_NUMBER);
	append(&s, batch(5, 1, 0, 1, 16));
	producer_state_fini(&s);
}

static void
expiry_spares_the_young_and_open_transactions(void **state UNUSED)
{
	struct producer_state s;
	struct producer_append b;

	producer_state_init(&s);
	for (int64_t id = 1; id <= 4; id++) {
		b = batch(id, 0, 0, 1, id);
		b.max_timestamp_ms = id * 1000;
		b.transactional = id == 1;
		append(&s, b);
	}
	assert_int_equal(producer_state_expire(&s, 3000 + DAY_MS - 1, DAY_MS),
	    1);
	assert_null(producer_state_find(&s, 2));
	assert_int_equal(producer_state_expire(&s, 3000 + DAY_MS, DAY_MS), 1);
	assert_null(producer_state_find(&s, 3));
	assert_non_null(producer_state_find(&s, 1));
	assert_non_null(producer_state_find(&s, 4));
	assert_int_equal(s.count, 2);
	producer_state_fini(&s);
}

static void
many_producers_are_found(void **state UNUSED)
{
	static bool known[1000];
	struct producer_state s;
	struct rng rng;

	rng_init(&rng, 3);
	producer_state_init(&s);
	for (int step = 0; step < 3000; step++) {
		int64_t id = (int64_t)rng_below(&rng, COUNT_OF(known));
		const struct producer *p = producer_state_find(&s, id);

		assert_int_equal(p != NULL, known[id]);
		if (p == NULL)
			append(&s, batch(id, 0, 0, 1, id));
		else
			assert_int_equal(p->batches[0].last_offset, id);
		known[id] = true;
	}
	for (size_t i = 1; i < s.count; i++)
		assert_true(s.producers[i - 1]->id < s.producers[i]->id);
	producer_state_fini(&s);
}

/* --- snapshots ----------------------------------------------------------- */

static void
a_snapshot_keeps_the_newest_batch(void **state UNUSED)
{
	struct producer_state s, back;
	struct producer_append b = batch(9, 2, 0, 1, 50);
	char *dir = temp_dir_make();
	const struct producer *p;

	producer_state_init(&s);
	producer_state_init(&back);
	append(&s, batch(5, 1, INT32_MAX, 3, 20));
	append(&s, batch(5, 1, 2, 1, 23));
	b.transactional = true;
	append(&s, b);
	producer_state_update_marker(&s,
	    &(struct producer_marker){ 11, 1500, 4, 6 });
	assert_int_equal(producer_snapshot_write(&s, disk_posix(), dir, 51,
			     true),
	    0);
	assert_true(temp_dir_has(dir, "00000000000000000051.snapshot"));
	assert_int_equal(producer_snapshot_read(&back, disk_posix(), dir, 51),
	    0);
	assert_int_equal(back.count, 3);
	repeat(&back, batch(5, 1, 2, 1, 99), 23);
	refuse(&back, batch(5, 1, INT32_MAX, 3, 99),
	    KP_OUT_OF_ORDER_SEQUENCE_NUMBER);
	p = producer_state_find(&back, 9);
	assert_int_equal(p->txn_first_offset, 50);
	assert_int_equal(p->epoch, 2);
	assert_int_equal(p->last_timestamp_ms, 1050);
	p = producer_state_find(&back, 11);
	assert_int_equal(p->batch_count, 0);
	assert_int_equal(p->coordinator_epoch, 4);
	assert_int_equal(p->epoch, 6);
	producer_state_fini(&s);
	producer_state_fini(&back);
	temp_dir_remove(dir);
}

/*
 * What Apache Kafka 4.3.1 wrote for two producers of which a marker came last
 * and one with an open transaction.
 */
static const char kafka_snapshot[] =
    "0001f87ad3d00000000300000000000000020008ffffffffffffffff"
    "ffffffff00000000000001a203fb82b600000002ffffffffffffffff"
    "00000000000000030004ffffffffffffffffffffffff000000000000"
    "01a203fb833400000002ffffffffffffffff00000000000003e80000"
    "00000000000000000000001d00000000000001a203fbc508ffffffff"
    "000000000000001d";

static int
digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void
kafkas_snapshot_is_read_and_written(void **state UNUSED)
{
	uint8_t bytes[512], *again;
	size_t len = strlen(kafka_snapshot) / 2, again_len;
	struct producer_state s;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(digit(kafka_snapshot[2 * i]) << 4 |
		    digit(kafka_snapshot[2 * i + 1]));
	producer_state_init(&s);
	assert_int_equal(producer_snapshot_decode(&s, slice_of(bytes, len)),
	    0);
	assert_int_equal(s.count, 3);
	assert_int_equal(s.producers[0]->id, 2);
	assert_int_equal(s.producers[0]->epoch, 8);
	assert_int_equal(s.producers[0]->batch_count, 0);
	assert_int_equal(s.producers[0]->coordinator_epoch, 2);
	assert_int_equal(s.producers[0]->last_timestamp_ms, 1795363144374);
	assert_int_equal(s.producers[2]->id, 1000);
	assert_int_equal(s.producers[2]->batches[0].last_offset, 29);
	assert_int_equal(s.producers[2]->txn_first_offset, 29);
	again = producer_snapshot_encode(&s, &again_len);
	assert_int_equal(again_len, len);
	assert_memory_equal(again, bytes, len);
	free(again);
	producer_state_fini(&s);
}

/* Put the right checksum on changed bytes. */
static void
seal(uint8_t *bytes, size_t len)
{
	be32_put(bytes + 2, crc32c(0, bytes + 6, len - 6));
}

static void
damaged_snapshots_are_refused(void **state UNUSED)
{
	struct producer_state s, back;
	size_t len;
	uint8_t *bytes;

	producer_state_init(&s);
	producer_state_init(&back);
	append(&s, batch(5, 1, 0, 3, 20));
	append(&s, batch(6, 1, 0, 3, 23));
	bytes = producer_snapshot_encode(&s, &len);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(producer_snapshot_decode(&back,
				     slice_of(bytes, cut)),
		    -1);
	for (size_t bit = 0; bit < len * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(producer_snapshot_decode(&back,
				     slice_of(bytes, len)),
		    -1);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	/* A right checksum over what cannot be. */
	bytes[9] = 1;
	seal(bytes, len);
	assert_int_equal(producer_snapshot_decode(&back, slice_of(bytes, len)),
	    -1);
	bytes[9] = 2;
	be64_put(bytes + 10 + 46, (uint64_t)-1);
	seal(bytes, len);
	assert_int_equal(producer_snapshot_decode(&back, slice_of(bytes, len)),
	    -1);
	assert_int_equal(back.count, 0);
	free(bytes);
	producer_state_fini(&s);
	producer_state_fini(&back);
}

static void
an_empty_file_is_no_snapshot(void **state UNUSED)
{
	struct producer_state s;
	char *dir = temp_dir_make();

	producer_state_init(&s);
	temp_dir_put(dir, "00000000000000000007.snapshot", "");
	assert_int_equal(producer_snapshot_read(&s, disk_posix(), dir, 7),
	    -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(producer_snapshot_read(&s, disk_posix(), dir, 8),
	    -1);
	assert_int_equal(errno, ENOENT);
	/* One without entries is whole. */
	assert_int_equal(producer_snapshot_write(&s, disk_posix(), dir, 7,
			     false),
	    0);
	assert_int_equal(producer_snapshot_read(&s, disk_posix(), dir, 7),
	    0);
	producer_state_fini(&s);
	temp_dir_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequences_must_follow),
		cmocka_unit_test(an_unknown_producer_may_begin_anywhere),
		cmocka_unit_test(five_batches_are_recognised),
		cmocka_unit_test(epochs_only_rise_and_begin_at_zero),
		cmocka_unit_test(sequences_wrap_to_zero),
		cmocka_unit_test(
		    a_marker_ends_the_transaction_and_a_new_epoch_the_batches),
		cmocka_unit_test(
		    expiry_spares_the_young_and_open_transactions),
		cmocka_unit_test(many_producers_are_found),
		cmocka_unit_test(a_snapshot_keeps_the_newest_batch),
		cmocka_unit_test(kafkas_snapshot_is_read_and_written),
		cmocka_unit_test(damaged_snapshots_are_refused),
		cmocka_unit_test(an_empty_file_is_no_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
