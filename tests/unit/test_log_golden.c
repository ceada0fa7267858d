/*
 * Log directories that Apache Kafka 4.3.1 wrote, stopped in order, killed or
 * damaged: every record, offset, timestamp look-up and producer must be what
 * Kafka itself reads from them.
 *
 * tests/store/logdirs has the archives, and for each a JSON file with what
 * Kafka's clients and tools said: records as [offset, timestamp, key, value,
 * headers] in hex (or "sha256:HEX:LENGTH" for long ones), ListOffsets answers
 * as timestamp -> [error, offset, timestamp, leader epoch].  committed is what
 * a read_committed consumer got, where that is not every record.
 */
#include "unit/store_fixture.h"

#include "store/checkpoint.h"
#include "store/txn_index.h"
#include "wire/batch_reader.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

/* A moment shortly after the archives were made. */
#define ARCHIVE_NOW_MS INT64_C(1795370000000)
#define HEX_LEN_MAX 2000

struct golden {
	const char *archive;
	char *root;
	json_t *expected;
	struct fd_cache *files;
	size_t partitions;
	size_t records;
};

/* --- Input -------------------------------------------------------------- */

static json_t *
load_expected(const char *archive)
{
	char *path =
	    xasprintf("%s/tests/store/logdirs/%s.json.gz", SRCDIR, archive);
	gzFile file = gzopen(path, "rb");
	size_t size = 4 << 20;
	char *text = xmalloc(size);
	json_error_t error;
	json_t *json;
	int n;

	assert_non_null(file);
	n = gzread(file, text, (unsigned)size);
	assert_in_range(n, 1, size - 1);
	gzclose(file);
	json = json_loadb(text, (size_t)n, 0, &error);
	assert_non_null(json);
	free(text);
	free(path);
	return json;
}

static void
golden_init(struct golden *golden, const char *archive)
{
	const char *tmp = getenv("TMPDIR");
	char *command;

	*golden = (struct golden){ .archive = archive };
	golden->root =
	    xasprintf("%s/klamm-golden-XXXXXX", tmp == NULL ? "/tmp" : tmp);
	assert_non_null(mkdtemp(golden->root));
	command = xasprintf("tar xzf '%s/tests/store/logdirs/%s.tar.gz' -C "
			    "'%s'",
	    SRCDIR, archive, golden->root);
	assert_int_equal(system(command), 0);
	free(command);
	golden->expected = load_expected(archive);
	golden->files = fd_cache_new(disk_posix(), 32);
}

static void
golden_fini(struct golden *golden)
{
	fd_cache_free(golden->files);
	json_decref(golden->expected);
	fixture_remove_tree(golden->root);
	free(golden->root);
}

static int64_t
integer_at(const json_t *array, size_t at)
{
	return json_integer_value(json_array_get(array, at));
}

static int64_t
integer_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

/* --- Records ------------------------------------------------------------ */

static void
to_hex(const uint8_t *data, size_t len, char *text)
{
	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", data[i]);
	text[2 * len] = '\0';
}

static char *
digest(struct slice bytes)
{
	uint8_t hash[32];
	char hex[65];

	assert_int_equal(
	    EVP_Digest(bytes.data, bytes.len, hash, NULL, EVP_sha256(), NULL),
	    1);
	to_hex(hash, sizeof(hash), hex);
	return xasprintf("sha256:%s:%zu", hex, bytes.len);
}

/* Hex, or the digest of what is long, as the archives' makers wrote it. */
static void
expect_bytes(const json_t *expected, struct slice bytes)
{
	char *text;

	if (slice_is_null(bytes)) {
		assert_true(json_is_null(expected));
		return;
	}
	if (bytes.len > HEX_LEN_MAX) {
		text = digest(bytes);
	} else {
		text = xmalloc(2 * bytes.len + 1);
		to_hex(bytes.data, bytes.len, text);
	}
	assert_string_equal(json_string_value(expected), text);
	free(text);
}

static void
expect_headers(const json_t *expected, const struct record *record)
{
	struct slice left = record->headers;
	struct record_header header;
	size_t count = 0;

	while (record_header_next(&left, &header)) {
		const json_t *pair = json_array_get(expected, count++);

		assert_true(slice_equal_str(
		    header.key, json_string_value(json_array_get(pair, 0))));
		expect_bytes(json_array_get(pair, 1), header.value);
	}
	assert_int_equal(count, json_array_size(expected));
}

static void
expect_record(const json_t *expected, const struct record *record)
{
	assert_non_null(expected);
	assert_int_equal(record->offset, integer_at(expected, 0));
	assert_int_equal(record->timestamp, integer_at(expected, 1));
	expect_bytes(json_array_get(expected, 2), record->key);
	expect_bytes(json_array_get(expected, 3), record->value);
	expect_headers(json_array_get(expected, 4), record);
}

/* The records of one batch from offset on; control batches have none. */
static size_t
expect_batch(
    const json_t *expected, size_t at, struct slice bytes, int64_t offset)
{
	struct batch_reader reader;
	struct record record;
	struct buf scratch;

	buf_init(&scratch, 64 << 20);
	assert_int_equal(batch_reader_open(&reader, bytes, &scratch), KP_NONE);
	while (!batch_is_control(&reader.batch) &&
	    batch_reader_next(&reader, &record)) {
		if (record.offset >= offset)
			expect_record(json_array_get(expected, at++), &record);
	}
	assert_int_equal(reader.error, KP_NONE);
	buf_fini(&scratch);
	return at;
}

/* One read's bytes, which begin with a whole batch. */
static size_t
expect_range(
    const json_t *expected, size_t at, struct slice bytes, int64_t *offset)
{
	struct batch batch;
	int64_t from = *offset;

	while (batch_read(bytes, &batch) == 0) {
		assert_true(
		    batch_crc_valid(slice_of(bytes.data, batch.size_bytes)));
		at = expect_batch(
		    expected, at, slice_of(bytes.data, batch.size_bytes), from);
		*offset = batch.last_offset + 1;
		bytes.data += batch.size_bytes;
		bytes.len -= batch.size_bytes;
	}
	assert_true(*offset > from);
	return at;
}

static void
expect_records(struct golden *golden, struct log *log, const json_t *expected,
    size_t max_bytes)
{
	struct log_read read = { .max_bytes = max_bytes,
		.min_one_batch = true,
		.upper_bound = INT64_MAX };
	int64_t offset = log_start_offset(log);
	size_t at = 0;

	for (;;) {
		uint8_t *data;

		read.offset = offset;
		log_lock(log);
		assert_int_equal(log_read(log, &read), KP_NONE);
		log_unlock(log);
		if (read.unresolved)
			assert_int_equal(log_read_resolve(&read), KP_NONE);
		if (read.len == 0)
			break;
		data = xmalloc(read.len);
		assert_int_equal(pread(read.fd, data, read.len, read.position),
		    (ssize_t)read.len);
		at = expect_range(
		    expected, at, slice_of(data, read.len), &offset);
		free(data);
		log_read_release(&read);
	}
	assert_int_equal(at, json_array_size(expected));
	golden->records += at;
}

/* --- Committed records -------------------------------------------------- */

/* A consumer with isolation.level=read_committed, of one fetch. */
struct committed_reader {
	const json_t *expected;	/* offsets; NULL: all records are committed */
	size_t at;
	const struct txn_index *aborted;
};

/* Is the batch of a transaction that the answer calls aborted? */
static bool
is_aborted(const struct committed_reader *reader, const struct batch *batch)
{
	for (size_t i = 0; i < reader->aborted->count; i++) {
		const struct txn_index_entry *entry =
		    &reader->aborted->entries[i];

		if (batch_is_transactional(batch) &&
		    entry->producer_id == batch->producer_id &&
		    entry->first_offset <= batch->base_offset &&
		    batch->base_offset < entry->last_offset)
			return true;
	}
	return false;
}

static void
expect_committed_batch(struct committed_reader *reader, struct slice bytes)
{
	struct batch_reader records;
	struct record record;
	struct buf scratch;

	buf_init(&scratch, 64 << 20);
	assert_int_equal(batch_reader_open(&records, bytes, &scratch), KP_NONE);
	while (!batch_is_control(&records.batch) &&
	    !is_aborted(reader, &records.batch) &&
	    batch_reader_next(&records, &record))
		assert_int_equal(
		    integer_at(reader->expected, reader->at++), record.offset);
	buf_fini(&scratch);
}

static void
expect_committed_range(
    struct committed_reader *reader, struct log_read *read, int64_t *offset)
{
	uint8_t *data = xmalloc(read->len);
	struct slice left = slice_of(data, read->len);
	struct batch batch;

	assert_int_equal(pread(read->fd, data, read->len, read->position),
	    (ssize_t)read->len);
	while (batch_read(left, &batch) == 0) {
		expect_committed_batch(
		    reader, slice_of(left.data, batch.size_bytes));
		*offset = batch.last_offset + 1;
		left.data += batch.size_bytes;
		left.len -= batch.size_bytes;
	}
	free(data);
}

/* What Kafka lists for the whole log may be one too many. */
static void
expect_listed(const json_t *expected, const struct txn_index *aborted)
{
	for (size_t i = 0; i < aborted->count; i++) {
		const struct txn_index_entry *entry = &aborted->entries[i];
		bool found = false;
		const json_t *pair;
		size_t at;

		json_array_foreach(expected, at, pair)
			found |= integer_at(pair, 0) == entry->producer_id &&
			    integer_at(pair, 1) == entry->first_offset;
		assert_true(found);
	}
}

static void
expect_committed(struct log *log, const json_t *expected, size_t max_bytes)
{
	struct committed_reader reader = { .expected =
					       json_object_get(
						   expected, "committed") };
	struct log_read read = { .max_bytes = max_bytes,
		.min_one_batch = true,
		.upper_bound = log_last_stable_offset(log) };
	int64_t offset = log_start_offset(log);

	while (reader.expected != NULL) {
		struct txn_index aborted;

		txn_index_init(&aborted);
		read.offset = offset;
		log_lock(log);
		assert_int_equal(log_read(log, &read), KP_NONE);
		log_unlock(log);
		if (read.unresolved)
			assert_int_equal(log_read_resolve(&read), KP_NONE);
		if (read.len == 0)
			break;
		assert_int_equal(log_read_aborted(&read, &aborted), KP_NONE);
		expect_listed(json_object_get(expected, "aborted"), &aborted);
		reader.aborted = &aborted;
		expect_committed_range(&reader, &read, &offset);
		log_read_release(&read);
		txn_index_fini(&aborted);
	}
	assert_int_equal(reader.at, json_array_size(reader.expected));
}

static void
expect_stable(struct log *log, const json_t *expected)
{
	log_lock(log);
	log_high_watermark_set(log, log_end_offset(log));
	assert_int_equal(log_last_stable_offset(log),
	    integer_of(expected, "last_stable"));
	log_unlock(log);
	expect_committed(log, expected, 1);
	expect_committed(log, expected, 1 << 20);
}

/* --- Look-ups and producers --------------------------------------------- */

static void
expect_timestamps(struct log *log, json_t *expected)
{
	const char *timestamp;
	json_t *answer;

	json_object_foreach(expected, timestamp, answer)
	{
		struct log_position found;

		assert_int_equal(log_find_timestamp(log, atoll(timestamp),
				     log_end_offset(log), &found),
		    KP_NONE);
		assert_int_equal(found.offset, integer_at(answer, 1));
		assert_int_equal(found.timestamp_ms, integer_at(answer, 2));
		/* Kafka has -1 where its epoch file was cut or not there. */
		if (integer_at(answer, 3) >= 0)
			assert_int_equal(
			    found.leader_epoch, integer_at(answer, 3));
	}
}

static void
expect_producers(struct log *log, const json_t *expected)
{
	const struct producer_state *state = log_producers(log);

	assert_int_equal(state->count, json_array_size(expected));
	for (size_t i = 0; i < state->count; i++) {
		const json_t *want = json_array_get(expected, i);
		const struct producer *have =
		    producer_state_find(state, integer_of(want, "pid"));
		int32_t sequence = -1;

		assert_non_null(have);
		if (have->batch_count > 0)
			sequence =
			    have->batches[have->batch_count - 1].last_sequence;
		assert_int_equal(have->epoch, integer_of(want, "epoch"));
		assert_int_equal(sequence, integer_of(want, "last_seq"));
		assert_int_equal(
		    have->last_timestamp_ms, integer_of(want, "last_ts"));
		assert_int_equal(
		    have->coordinator_epoch, integer_of(want, "coord_epoch"));
		assert_int_equal(
		    have->txn_first_offset, integer_of(want, "txn_start"));
	}
}

/* --- A partition -------------------------------------------------------- */

/* The offset in one of the directory's checkpoints, 0 without. */
static int64_t
checkpointed(const char *directory, const char *name, const char *topic,
    int32_t partition)
{
	char *path = xasprintf("%s/%s", directory, name);
	struct checkpoint checkpoint;
	int64_t offset;

	checkpoint_init(&checkpoint);
	assert_int_equal(checkpoint_read(&checkpoint, disk_posix(), path), 0);
	offset = checkpoint_find(&checkpoint, slice_str(topic), partition, 0);
	checkpoint_fini(&checkpoint);
	free(path);
	return offset;
}

static void
describe(struct golden *golden, const json_t *expected, struct log_open *open)
{
	const char *topic =
	    json_string_value(json_object_get(expected, "topic"));
	int32_t partition = (int32_t)integer_of(expected, "partition");
	char *directory = xasprintf("%s/%s", golden->root,
	    json_string_value(json_object_get(expected, "dir")));
	char *mark = xasprintf("%s/.kafka_cleanshutdown", directory);

	*open = (struct log_open){
		.disk = disk_posix(),
		.files = golden->files,
		.path = xasprintf("%s/%s-%d", directory, topic, partition),
		.recovery_point = checkpointed(
		    directory, CHECKPOINT_RECOVERY_POINTS, topic, partition),
		.log_start_offset = checkpointed(
		    directory, CHECKPOINT_LOG_STARTS, topic, partition),
		.clean = access(mark, F_OK) == 0,
		.now_ms = ARCHIVE_NOW_MS,
	};
	log_settings_init(&open->settings);
	open->settings.producer_id_expiration_ms = INT32_MAX;
	free(mark);
	free(directory);
}

static void
expect_log(struct golden *golden, struct log *log, const json_t *expected)
{
	const json_t *records = json_object_get(expected, "records");
	char id[UUID_TEXT_LEN + 1];

	uuid_format(log_topic_id(log), id);
	assert_string_equal(
	    id, json_string_value(json_object_get(expected, "id")));
	assert_int_equal(
	    log_start_offset(log), integer_of(expected, "log_start"));
	assert_int_equal(
	    log_end_offset(log), integer_of(expected, "high_watermark"));
	assert_int_equal(log_damage_count(log), 0);
	expect_records(golden, log, records, 1);
	expect_records(golden, log, records, 1 << 20);
	expect_timestamps(log, json_object_get(expected, "list_offsets"));
	/* Kafka forgets at a start who has expired, we when we look next. */
	log_producers_expire(log, ARCHIVE_NOW_MS);
	expect_producers(log, json_object_get(expected, "producers"));
	expect_stable(log, expected);
}

/* As Kafka left it; as we leave it; and after a kill of ours. */
static void
check_partition(struct golden *golden, const json_t *expected)
{
	struct log_open open;
	struct log *log;

	describe(golden, expected, &open);
	if (access(open.path, F_OK) != 0)
		fail_msg("%s has no %s", golden->archive, open.path);
	log = log_open(&open);
	assert_non_null(log);
	expect_log(golden, log, expected);
	open.recovery_point = log_end_offset(log);
	open.log_start_offset = log_start_offset(log);
	open.clean = true;
	assert_int_equal(log_close(log), 0);

	log = log_open(&open);
	assert_non_null(log);
	expect_log(golden, log, expected);
	log_free(log);

	open.recovery_point = 0;
	open.clean = false;
	log = log_open(&open);
	assert_non_null(log);
	expect_log(golden, log, expected);
	log_free(log);
	free((void *)(uintptr_t)open.path);
	golden->partitions++;
}

static void
check_archive(const char *archive, size_t partitions)
{
	struct golden golden;
	const json_t *expected;
	size_t i;

	golden_init(&golden, archive);
	json_array_foreach(golden.expected, i, expected)
	    check_partition(&golden, expected);
	assert_int_equal(golden.partitions, partitions);
	assert_true(golden.records > 0);
	golden_fini(&golden);
}

static void
clean(void **state UNUSED)
{
	check_archive("clean", 35);
}

static void
killed(void **state UNUSED)
{
	check_archive("killed", 21);
}

static void
torn(void **state UNUSED)
{
	check_archive("torn", 14);
}

static void
compacted(void **state UNUSED)
{
	check_archive("compact-1", 15);
}

static void
compaction_interrupted(void **state UNUSED)
{
	check_archive("compact-crash", 15);
}

static void
old_features(void **state UNUSED)
{
	check_archive("old-features", 11);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean),
		cmocka_unit_test(killed),
		cmocka_unit_test(torn),
		cmocka_unit_test(compacted),
		cmocka_unit_test(compaction_interrupted),
		cmocka_unit_test(old_features),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
