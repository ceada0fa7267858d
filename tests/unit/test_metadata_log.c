/* The metadata log: what survives restarts, damage, and other processes. */
#include "unit/meta_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "meta/metadata_record.h"
#include "meta/quorum_state.h"
#include "unit/temp_dir.h"
#include "wire/generated/metadata_topic_record.h"

#define SEGMENT "00000000000000000000.log"

struct seen {
	size_t count;
	size_t transactions;
	int64_t first_offset;
	int64_t last_offset;
	int32_t last_epoch;
	char last_name[64];
};

static int
note(void *context, const struct metadata_log_record *in)
{
	struct seen *seen = context;
	struct metadata_record record;
	struct arena arena;
	const char *reason;

	arena_init(&arena, SIZE_MAX);
	assert_int_equal(
	    metadata_record_decode(in->value, &arena, &record, &reason), 0);
	if (seen->count == 0)
		seen->first_offset = in->offset;
	seen->last_offset = in->offset;
	seen->last_epoch = in->epoch;
	if (record.type == METADATA_RECORD_TOPIC) {
		const struct kp_topic_record *topic = record.body;

		seen->count++;
		snprintf(seen->last_name, sizeof(seen->last_name), "%.*s",
		    (int)MIN(topic->name.len, 60), topic->name.data);
	} else {
		seen->transactions++;
	}
	arena_reset(&arena);
	return 0;
}

/* Open, replay, begin an epoch. */
static struct seen
begin(struct meta_rig *rig)
{
	struct seen seen = { 0 };

	rig->log = metadata_log_open(&rig->log_settings);
	assert_non_null(rig->log);
	assert_int_equal(metadata_log_replay(rig->log, note, &seen), 0);
	assert_int_equal(metadata_log_begin_epoch(rig->log), 0);
	return seen;
}

static int
append_named(struct meta_rig *rig, size_t count, const char *name)
{
	const struct kp_topic_record topic = { .name = slice_str(name) };
	uint32_t *lens = xcalloc(count, sizeof(*lens));
	struct buf values;
	int result;

	buf_init(&values, SIZE_MAX);
	for (size_t i = 0; i < count; i++) {
		size_t start = values.len;

		assert_int_equal(metadata_record_encode(&values,
				     METADATA_RECORD_TOPIC, 0, &topic),
		    0);
		lens[i] = (uint32_t)(values.len - start);
	}
	result =
	    metadata_log_append(rig->log, buf_slice(&values), lens, count);
	buf_fini(&values);
	free(lens);
	return result;
}

static off_t
segment_size(const struct meta_rig *rig)
{
	char *path = meta_rig_path(rig, SEGMENT);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	free(path);
	return st.st_size;
}

static void
segment_add(const struct meta_rig *rig, const char *bytes, size_t len)
{
	char *path = meta_rig_path(rig, SEGMENT);
	int fd = open(path, O_WRONLY | O_APPEND);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
	free(path);
}

static void
records_are_read_again(void **state)
{
	struct meta_rig *rig = *state;
	struct seen seen = begin(rig);

	assert_int_equal(seen.count, 0);
	assert_true(metadata_log_empty(rig->log));
	assert_int_equal(metadata_log_epoch(rig->log), 1);
	assert_int_equal(metadata_log_kraft_version(rig->log), 1);
	assert_int_equal(append_named(rig, 3, "a"), 0);
	assert_int_equal(append_named(rig, 2, "b"), 0);
	assert_int_equal(metadata_log_end_offset(rig->log), 6);
	meta_rig_kill(rig);
	seen = begin(rig);
	assert_int_equal(seen.count, 5);
	assert_int_equal(seen.first_offset, 1);
	assert_int_equal(seen.last_offset, 5);
	assert_int_equal(seen.last_epoch, 1);
	assert_string_equal(seen.last_name, "b");
	assert_int_equal(metadata_log_epoch(rig->log), 2);
	assert_false(metadata_log_empty(rig->log));
}

static void
epochs_never_go_back(void **state)
{
	struct meta_rig *rig = *state;
	char *path = meta_rig_path(rig, QUORUM_STATE_FILE);
	char *directory = xasprintf("%s/__cluster_metadata-0", rig->directory);

	for (int32_t epoch = 1; epoch < 4; epoch++) {
		begin(rig);
		assert_int_equal(metadata_log_epoch(rig->log), epoch);
		meta_rig_stop(rig);
	}
	/* The log knows as well. */
	assert_int_equal(unlink(path), 0);
	begin(rig);
	assert_int_equal(metadata_log_epoch(rig->log), 4);
	meta_rig_stop(rig);
	/* And so may a file that is ahead of it. */
	assert_int_equal(quorum_state_write(&rig->fault.disk, directory,
			     META_RIG_NODE, 77, 1),
	    0);
	begin(rig);
	assert_int_equal(metadata_log_epoch(rig->log), 78);
	free(path);
	free(directory);
}

static void
quorum_state_is_that_of_kafka(void **state)
{
	struct meta_rig *rig = *state;
	char *text;

	begin(rig);
	text = temp_dir_get(rig->directory,
	    "__cluster_metadata-0/quorum-state");
	assert_string_equal(text,
	    "{\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,"
	    "\"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\","
	    "\"data_version\":1}");
	free(text);
}

static void
a_damaged_quorum_state_is_refused(void **state)
{
	struct meta_rig *rig = *state;

	begin(rig);
	meta_rig_stop(rig);
	temp_dir_put(rig->directory, "__cluster_metadata-0/quorum-state",
	    "{\"leaderId\":1,\"leaderEpoch\":");
	/* Before anything is changed: a start that is refused does not. */
	rig->log = metadata_log_open(&rig->log_settings);
	assert_null(rig->log);
}

static void
a_torn_tail_is_cut(void **state)
{
	struct meta_rig *rig = *state;
	struct seen seen;
	off_t size;

	begin(rig);
	assert_int_equal(append_named(rig, 1, "a"), 0);
	size = segment_size(rig);
	meta_rig_kill(rig);
	segment_add(rig, "\0\0\0\0\0\0\0\2\0\0\0\x50garbage", 19);
	seen = begin(rig);
	assert_int_equal(seen.count, 1);
	assert_int_equal(append_named(rig, 1, "b"), 0);
	assert_true(segment_size(rig) > size);
	meta_rig_stop(rig);
	seen = begin(rig);
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.last_name, "b");
}

/* Turn one bit of the segment at position. */
static void
segment_flip(const struct meta_rig *rig, off_t position)
{
	char *path = meta_rig_path(rig, SEGMENT);
	int fd = open(path, O_RDWR);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, position), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, position), 1);
	close(fd);
	free(path);
}

/* In front of good batches nothing is torn: it is not cut, but refused. */
static void
damage_inside_is_refused(void **state)
{
	struct meta_rig *rig = *state;
	off_t sizes[5];

	begin(rig);
	sizes[0] = segment_size(rig);
	for (size_t i = 1; i < COUNT_OF(sizes); i++) {
		assert_int_equal(append_named(rig, 1, "a"), 0);
		sizes[i] = segment_size(rig);
	}
	meta_rig_stop(rig);
	/* A length, an offset, a checksum, a record: each of each batch. */
	for (size_t i = 0; i + 2 < COUNT_OF(sizes); i++) {
		static const off_t at[] = { 7, 11, 18, 70 };

		for (size_t j = 0; j < COUNT_OF(at); j++) {
			segment_flip(rig, sizes[i] + at[j]);
			assert_null(metadata_log_open(&rig->log_settings));
			assert_int_equal(errno, EBADMSG);
			assert_int_equal(segment_size(rig), sizes[4]);
			segment_flip(rig, sizes[i] + at[j]);
		}
	}
	assert_int_equal(begin(rig).count, 4);
}

/* Only the last append can be torn, and is one that nobody was told of. */
static void
damage_at_the_end_is_cut(void **state)
{
	struct meta_rig *rig = *state;
	off_t size;

	begin(rig);
	assert_int_equal(append_named(rig, 1, "a"), 0);
	size = segment_size(rig);
	assert_int_equal(append_named(rig, 1, "b"), 0);
	meta_rig_kill(rig);
	segment_flip(rig, size + 70);
	assert_int_equal(begin(rig).count, 1);
}

static void
what_others_append_is_cut(void **state)
{
	struct meta_rig *rig = *state;
	struct seen seen;

	begin(rig);
	assert_int_equal(append_named(rig, 1, "a"), 0);
	segment_add(rig, "what another process thinks", 27);
	temp_dir_put(rig->directory, "__cluster_metadata-0/quorum-state",
	    "{\"leaderId\":1,\"leaderEpoch\":9,\"data_version\":1}");
	assert_int_equal(append_named(rig, 1, "b"), 0);
	meta_rig_stop(rig);
	seen = begin(rig);
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.last_name, "b");
	assert_int_equal(metadata_log_epoch(rig->log), 2);
}

static void
what_others_cut_ends_the_log(void **state)
{
	struct meta_rig *rig = *state;
	char *path = meta_rig_path(rig, SEGMENT);

	begin(rig);
	assert_int_equal(append_named(rig, 1, "a"), 0);
	assert_int_equal(truncate(path, segment_size(rig) - 1), 0);
	assert_int_equal(append_named(rig, 1, "b"), -1);
	assert_true(metadata_log_failed(rig->log));
	free(path);
}

static void
a_full_disk_heals(void **state)
{
	struct meta_rig *rig = *state;
	struct seen seen;

	begin(rig);
	assert_int_equal(append_named(rig, 1, "a"), 0);
	disk_fault_fail(&rig->fault, DISK_PWRITE, ".log", 0, ENOSPC);
	assert_int_equal(append_named(rig, 1, "b"), -1);
	assert_int_equal(disk_fault_clear(&rig->fault), 1);
	assert_false(metadata_log_failed(rig->log));
	assert_int_equal(metadata_log_end_offset(rig->log), 2);
	assert_int_equal(append_named(rig, 1, "c"), 0);
	meta_rig_stop(rig);
	seen = begin(rig);
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.last_name, "c");
}

/* The old vote stays, and the log tells of the epoch. */
static void
an_epoch_begins_on_a_full_disk(void **state)
{
	struct meta_rig *rig = *state;

	begin(rig);
	meta_rig_stop(rig);
	for (int32_t epoch = 2; epoch < 4; epoch++) {
		disk_fault_fail(&rig->fault, DISK_PWRITE, QUORUM_STATE_FILE, 0,
		    ENOSPC);
		begin(rig);
		assert_int_equal(disk_fault_clear(&rig->fault), 1);
		assert_int_equal(metadata_log_epoch(rig->log), epoch);
		meta_rig_stop(rig);
	}
	begin(rig);
	assert_int_equal(metadata_log_epoch(rig->log), 4);
}

static void
errors_of_the_disk_are_final(void **state)
{
	struct meta_rig *rig = *state;

	begin(rig);
	disk_fault_fail(&rig->fault, DISK_PWRITE, ".log", 0, EIO);
	assert_int_equal(append_named(rig, 1, "a"), -1);
	assert_int_equal(disk_fault_clear(&rig->fault), 1);
	assert_true(metadata_log_failed(rig->log));
	assert_int_equal(append_named(rig, 1, "b"), -1);
	meta_rig_stop(rig);
	begin(rig);
	disk_fault_fail(&rig->fault, DISK_FDATASYNC, ".log", 0, EIO);
	assert_int_equal(append_named(rig, 1, "c"), -1);
	assert_int_equal(disk_fault_clear(&rig->fault), 1);
	assert_true(metadata_log_failed(rig->log));
	assert_int_equal(append_named(rig, 1, "d"), -1);
}

/* So many that they need three batches. */
#define MANY 300
static void
fill_name(char name[30001])
{
	memset(name, 'x', 30000);
	name[30000] = '\0';
}

static void
what_is_too_long_for_a_batch_is_a_transaction(void **state)
{
	struct meta_rig *rig = *state;
	char name[30001];
	struct seen seen;

	fill_name(name);
	begin(rig);
	assert_int_equal(append_named(rig, MANY, name), 0);
	meta_rig_kill(rig);
	seen = begin(rig);
	assert_int_equal(seen.count, MANY);
	assert_int_equal(seen.transactions, 2);
	assert_int_equal(seen.first_offset, 2);
	assert_int_equal(seen.last_offset, MANY + 2);
}

static void
a_transaction_that_is_cut_short_ends_the_log(void **state)
{
	struct meta_rig *rig = *state;
	char name[30001];
	struct seen seen;

	fill_name(name);
	begin(rig);
	disk_fault_fail(&rig->fault, DISK_PWRITE, ".log", 2, ENOSPC);
	assert_int_equal(append_named(rig, MANY, name), -1);
	assert_int_equal(disk_fault_clear(&rig->fault), 1);
	assert_true(metadata_log_failed(rig->log));
	meta_rig_stop(rig);
	seen = begin(rig);
	assert_int_equal(seen.transactions, 1);
	assert_true(seen.count > 0 && seen.count < MANY);
}

static void
quorums_of_others_are_refused(void **state)
{
	struct meta_rig *rig = *state;
	struct seen seen = { 0 };

	rig->log_settings.node_id = 2;
	rig->log = metadata_log_open(&rig->log_settings);
	assert_non_null(rig->log);
	assert_int_equal(metadata_log_replay(rig->log, note, &seen), -1);
	assert_int_equal(metadata_log_begin_epoch(rig->log), 0);
	meta_rig_stop(rig);
	/* The voters record says node 1, but node 2 led last. */
	rig->log_settings.node_id = META_RIG_NODE;
	rig->log = metadata_log_open(&rig->log_settings);
	assert_non_null(rig->log);
	assert_int_equal(metadata_log_replay(rig->log, note, &seen), -1);
}

/* Too few descriptors are no damage: nothing was even tried. */
static void
a_sync_waits_for_a_descriptor(void **state)
{
	struct meta_rig *rig = *state;
	struct seen seen = { 0 };

	rig->log = metadata_log_open(&rig->log_settings);
	assert_int_equal(metadata_log_replay(rig->log, note, &seen), 0);
	disk_fault_fail(
	    &rig->fault, DISK_OPEN, "partition.metadata", 0, EMFILE);
	assert_int_equal(metadata_log_begin_epoch(rig->log), 0);
	assert_int_equal(disk_fault_clear(&rig->fault), 1);
	assert_false(metadata_log_failed(rig->log));
	assert_int_equal(append_named(rig, 1, "a"), 0);
}

/* What happened to the log's file first. */
struct first {
	bool synced;
	bool written;
	bool in_order;
};

static void
note_first(void *context, enum disk_operation operation, const char *path)
{
	struct first *first = context;

	if (path == NULL || strstr(path, SEGMENT) == NULL)
		return;
	if (operation == DISK_FDATASYNC)
		first->synced = true;
	if (operation == DISK_PWRITE && !first->written) {
		first->written = true;
		first->in_order = first->synced;
	}
}

/* A kill leaves batches in memory alone; a new one must not outlive them. */
static void
what_was_found_is_durable_before_an_append(void **state)
{
	struct meta_rig *rig = *state;
	struct seen seen = { 0 };
	struct first first = { 0 };

	(void)begin(rig);
	assert_int_equal(append_named(rig, 1, "a"), 0);
	metadata_log_close(rig->log);
	rig->log = metadata_log_open(&rig->log_settings);
	assert_int_equal(metadata_log_replay(rig->log, note, &seen), 0);
	rig->fault.hook_context = &first;
	rig->fault.hook = note_first;
	assert_int_equal(metadata_log_begin_epoch(rig->log), 0);
	rig->fault.hook = NULL;
	assert_true(first.written && first.in_order);
}

/* The bytes on disk behind the end of the log's file. */
static int64_t
room_behind(struct meta_rig *rig)
{
	char *path = meta_rig_path(rig, SEGMENT);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	free(path);
	return (int64_t)st.st_blocks * 512 - st.st_size;
}

/* There is always room for some more records, so a full disk takes them. */
static void
a_reserve_is_kept_for_a_full_disk(void **state)
{
	struct meta_rig *rig = *state;
	int64_t room;
	int count = 0;

	begin(rig);
	assert_int_equal(append_named(rig, 1, "a"), 0);
	assert_true(room_behind(rig) > 900000);
	disk_fault_fail_all(&rig->fault, DISK_FALLOCATE, NULL, 0, ENOSPC);
	for (room = room_behind(rig); room > 400000;
	     room = room_behind(rig), count++)
		assert_int_equal(append_named(rig, 200, "b"), 0);
	assert_true(count > 5);
	assert_true(disk_fault_clear(&rig->fault) > 0);
	/* It is made up for when there is room again. */
	assert_int_equal(append_named(rig, 1, "c"), 0);
	assert_true(room_behind(rig) > 900000);
}

/* NULL: it is gone; else what a power cut left of it. */
static void
check_partition_metadata(struct meta_rig *rig, const char *left)
{
	char *path = meta_rig_path(rig, "partition.metadata"), *text;
	struct seen seen;

	meta_rig_stop(rig);
	if (left == NULL)
		assert_int_equal(unlink(path), 0);
	else
		temp_dir_put(rig->directory,
		    "__cluster_metadata-0/partition.metadata", left);
	seen = begin(rig);
	assert_int_equal(seen.count, 1);
	text = temp_dir_get(rig->directory,
	    "__cluster_metadata-0/partition.metadata");
	assert_string_equal(text,
	    "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
	free(text);
	free(path);
}

static void
a_missing_partition_metadata_is_written_again(void **state)
{
	struct meta_rig *rig = *state;

	begin(rig);
	assert_int_equal(append_named(rig, 1, "a"), 0);
	check_partition_metadata(rig, NULL);
	check_partition_metadata(rig, "");
	check_partition_metadata(rig, "version: 0\ntopic_id: AAAAA");
}

/* Each operation of the disk fails once: an error, and never a lie. */
static void
each_operation_may_fail(void **state)
{
	struct meta_rig *rig = *state;
	uint64_t failed = 1;

	for (uint64_t skip = 0; failed > 0; skip++) {
		struct seen seen = { 0 };
		bool told = false;

		disk_fault_fail(&rig->fault, DISK_ANY, "__cluster", skip, EIO);
		rig->log = metadata_log_open(&rig->log_settings);
		if (rig->log != NULL &&
		    metadata_log_replay(rig->log, note, &seen) == 0 &&
		    metadata_log_begin_epoch(rig->log) == 0 &&
		    append_named(rig, 1, "acknowledged") == 0)
			told = true;
		failed = disk_fault_clear(&rig->fault);
		meta_rig_kill(rig);
		begin(rig);
		memset(&seen, 0, sizeof(seen));
		meta_rig_stop(rig);
		rig->log = metadata_log_open(&rig->log_settings);
		assert_int_equal(metadata_log_replay(rig->log, note, &seen),
		    0);
		if (told)
			assert_string_equal(seen.last_name, "acknowledged");
		meta_rig_stop(rig);
		assert_true(skip < 1000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)                                       \
	cmocka_unit_test_setup_teardown(name, meta_rig_setup, \
	    meta_rig_teardown)
		TEST(records_are_read_again),
		TEST(epochs_never_go_back),
		TEST(quorum_state_is_that_of_kafka),
		TEST(a_damaged_quorum_state_is_refused),
		TEST(a_torn_tail_is_cut),
		TEST(damage_inside_is_refused),
		TEST(damage_at_the_end_is_cut),
		TEST(what_others_append_is_cut),
		TEST(what_others_cut_ends_the_log),
		TEST(a_full_disk_heals),
		TEST(an_epoch_begins_on_a_full_disk),
		TEST(errors_of_the_disk_are_final),
		TEST(what_is_too_long_for_a_batch_is_a_transaction),
		TEST(a_transaction_that_is_cut_short_ends_the_log),
		TEST(quorums_of_others_are_refused),
		TEST(a_sync_waits_for_a_descriptor),
		TEST(what_was_found_is_durable_before_an_append),
		TEST(a_reserve_is_kept_for_a_full_disk),
		TEST(a_missing_partition_metadata_is_written_again),
		TEST(each_operation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
