/*
 * Record batches: the validator with rules that the first byte chooses, and
 * the reader.  What the validator passes, the reader must be able to read,
 * unless it is compressed: there Kafka lets a last record pass whose length
 * is more than what is left, and so do we.
 */
#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"
#include "wire/batch_reader.h"
#include "wire/batch_validate.h"

#define PLAIN_LEN_MAX (1 << 20)
#define ARENA_LEN_MAX (1 << 20)

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

static void
validate(struct slice bytes, uint8_t choice, struct buf *scratch)
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
	enum kp_error error;

	arena_init(&arena, ARENA_LEN_MAX);
	error = batch_validate(bytes, &rules, scratch, &arena, &verdict);
	if (error == KP_NONE && batch_codec(&verdict.batch) == 0)
		assert(read_all(slice_of(bytes.data,
				    verdict.batch.size_bytes),
		    scratch));
	arena_reset(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf scratch;
	struct batch batch;
	size_t at = 1;

	if (size < 1)
		return 0;
	buf_init(&scratch, PLAIN_LEN_MAX);
	validate(slice_of(data + 1, size - 1), data[0], &scratch);
	while (batch_read(slice_of(data + at, size - at), &batch) == 0) {
		(void)read_all(slice_of(data + at, batch.size_bytes),
		    &scratch);
		at += batch.size_bytes;
	}
	buf_fini(&scratch);
	return 0;
}
