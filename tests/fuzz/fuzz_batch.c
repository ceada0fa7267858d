/*
 * Record batches: the validator with rules that the first byte chooses, the
 * reader, and recoding.  What the validator passes, the reader must be able to
 * read, unless it is compressed: there Kafka lets a last record pass whose
 * length is more than what is left, and so do we.  What is rebuilt or patched
 * has a checksum that is right.
 *
 * With SEALED in the first byte the first batch gets its checksum first, or
 * hardly any input would come past it.
 */
#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"
#include "wire/batch_reader.h"
#include "wire/batch_recode.h"
#include "wire/batch_validate.h"

#define PLAIN_LEN_MAX (1 << 20)
#define ARENA_LEN_MAX (1 << 20)
#define SEALED 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read all records and their headers; did they end well? */
static bool
read_all(struct slice bytes, struct buf *scratch)
{
	struct batch_reader reader;
	struct record record;

	buf_clear(scratch);
	if (batch_reader_open(&reader, bytes, scratch) != KP_NONE)
		return false;
	while (batch_reader_next(&reader, &record)) {
		struct slice headers = record.headers;
		struct record_header header;
		int32_t count = 0;

		while (record_header_next(&headers, &header))
			count++;
		assert(count == record.header_count);
	}
	return reader.error == KP_NONE;
}

/* What a leader does to a batch that it takes. */
static void
patch(uint8_t *data, const struct batch_verdict *verdict,
    enum batch_timestamp_type type)
{
	batch_patch(data, 12345, 6);
	batch_patch_timestamp(data, type, verdict->max_timestamp);
	assert(batch_crc_valid(slice_of(data, verdict->batch.size_bytes)));
}

static void
validate(uint8_t *data, size_t len, uint8_t choice, struct buf *scratch)
{
	const struct batch_rules rules = {
		.size_bytes_max = 1 << 20,
		.zstd_allowed = (choice & 1) != 0,
		.transaction_named = (choice & 2) != 0,
		.compacted = (choice & 4) != 0,
		.walk_compressed = (choice & 8) != 0,
		.timestamp_type =
		    (choice & 16) != 0 ? BATCH_APPEND_TIME : BATCH_CREATE_TIME,
		.now_ms = 1700000000000,
		.before_max_ms = INT64_MAX,
		.after_max_ms = 3600000,
	};
	struct batch_verdict verdict;
	struct arena arena;

	arena_init(&arena, ARENA_LEN_MAX);
	if (batch_validate(slice_of(data, len), &rules, scratch, &arena,
		&verdict) == KP_NONE) {
		if (batch_codec(&verdict.batch) == 0)
			assert(read_all(
			    slice_of(data, verdict.batch.size_bytes), scratch));
		patch(data, &verdict, rules.timestamp_type);
	}
	arena_reset(&arena);
}

static void
recode(struct slice bytes, struct buf *scratch)
{
	struct buf out;

	buf_init(&out, PLAIN_LEN_MAX);
	buf_clear(scratch);
	if (batch_recode(bytes, COMPRESSION_NONE, COMPRESSION_LEVEL_DEFAULT,
		scratch, &out) == KP_NONE) {
		assert(batch_crc_valid(buf_slice(&out)));
		assert(read_all(buf_slice(&out), scratch));
	} else {
		assert(out.len == 0);
	}
	buf_fini(&out);
}

/* A batch after the other, from the first one on. */
static void
read_each(struct slice bytes, struct buf *scratch)
{
	struct batch batch;

	while (batch_read(bytes, &batch) == 0) {
		struct slice whole = slice_of(bytes.data, batch.size_bytes);

		(void)read_all(whole, scratch);
		if (batch.magic == BATCH_MAGIC)
			recode(whole, scratch);
		bytes = slice_of(bytes.data + batch.size_bytes,
		    bytes.len - batch.size_bytes);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct batch batch;
	struct buf scratch, copy;
	int added;

	if (size < 1)
		return 0;
	buf_init(&scratch, PLAIN_LEN_MAX);
	buf_init(&copy, size);
	added = buf_append(&copy, data + 1, size - 1);
	assert(added == 0);
	if ((data[0] & SEALED) != 0 &&
	    batch_read(buf_slice(&copy), &batch) == 0 &&
	    batch.magic == BATCH_MAGIC)
		batch_seal(copy.data, batch.size_bytes);
	read_each(buf_slice(&copy), &scratch);
	validate(copy.data, copy.len, data[0], &scratch);
	buf_fini(&scratch);
	buf_fini(&copy);
	return 0;
}
